// An online store in memory: for tests of what lies above one, and the plainest reading of its contract.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/online_store.h"

namespace tidemark::testing_support {

class MemoryOnlineStore final : public OnlineStore {
 public:
  explicit MemoryOnlineStore(std::string identity = "memory") : identity_(std::move(identity)) {}

  /// What marks of keys are made with; must be set before something is erased.
  void HashWith(std::shared_ptr<const KeyedHash> hash) { hash_ = std::move(hash); }

  Result<void> Get(std::span<const std::string_view> keys, Visitor visit) const override;
  Result<MergeCounts> Merge(std::span<const OnlineWrite> writes, const MergeOptions& options) override;
  Result<void> Sync() override;
  Result<std::int64_t> RemovePrefix(std::string_view prefix) override;
  Result<std::int64_t> RemoveDamaged(std::string_view prefix) override;
  Result<std::int64_t> RemoveBefore(std::string_view prefix, std::int64_t sequence) override;
  Result<std::int64_t> Erase(std::span<const OnlineErasure> keys) override;
  Result<bool> ScrubRemoved() override { return true; }
  Result<void> ForgetErasures(std::int64_t sequence_max) override;
  Result<void> ScanAfter(std::string_view prefix, std::string_view after, RowVisitor visit) const override;
  Result<OnlineStats> Stats() const override;
  const std::string& identity() const override { return identity_; }

  /// The next so many calls of Merge succeed, the one after them and the others fail. Below zero: none fails.
  void FailMergeAfter(int calls) { merges_left_ = calls; }
  /// Flips a bit in the header of the row of `key`, which must be there.
  void Damage(std::string_view key);
  void FailSync(bool fails) { sync_fails_ = fails; }

 private:
  bool IsErased(std::string_view key, std::int64_t sequence) const;

  const std::string identity_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> rows_;  // by full key
  std::shared_ptr<const KeyedHash> hash_;
  std::vector<std::pair<KeyMark, std::int64_t>> erased_;  // and up to which sequence
  int merges_left_ = -1;
  bool sync_fails_ = false;
};

}  // namespace tidemark::testing_support
