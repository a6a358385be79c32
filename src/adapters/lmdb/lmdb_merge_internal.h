// Merging rows into an environment, with group commit: calls that come while one is being committed wait, and
// the first of them then commits all of them in one transaction with one sync.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>

#include "adapters/lmdb/lmdb_environment_internal.h"
#include "store/online_store.h"

namespace tidemark::lmdb {

/// Thread safe.
class MergeQueue {
 public:
  explicit MergeQueue(Environment& environment) : environment_(environment) {}

  /// As OnlineStore::Merge.
  Result<MergeCounts> Merge(std::span<const OnlineWrite> writes, const MergeOptions& options);

 private:
  struct Request;
  Result<void> CommitTogether(std::span<Request* const> group);
  void CommitGroup(std::span<Request* const> group);

  Environment& environment_;
  std::mutex mutex_;            // guards queue_
  std::deque<Request*> queue_;  // its front leads: it commits, the others wait
};

}  // namespace tidemark::lmdb
