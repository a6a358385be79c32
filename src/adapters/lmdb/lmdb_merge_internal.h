// Merging rows into an environment, with group commit: calls that come while one is being committed wait, and
// the first of them then commits all of them in one transaction with one sync.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <string>

#include "adapters/lmdb/lmdb_environment_internal.h"
#include "base/keyed_hash.h"
#include "store/online_store.h"

namespace tidemark::lmdb {

/// Thread safe.
class MergeQueue {
 public:
  /// `erase_key` is the path of the secret that marks of erased keys are made with.
  MergeQueue(Environment& environment, std::string erase_key)
      : environment_(environment), hash_(std::move(erase_key)) {}

  /// As OnlineStore::Merge.
  Result<MergeCounts> Merge(std::span<const OnlineWrite> writes, const MergeOptions& options);

 private:
  struct Request;
  Result<void> CommitTogether(std::span<Request* const> group);
  void CommitGroup(std::span<Request* const> group);

  Environment& environment_;
  const KeyedHashFile hash_;
  std::mutex mutex_;            // guards queue_
  std::deque<Request*> queue_;  // its front leads: it commits, the others wait
};

}  // namespace tidemark::lmdb
