// Which batches have been written: what makes a batch that is sent again within a day change nothing.
//
// How a writer uses it: Hold the key, ask Seen, append to the log if it was not, let the group's hook Record
// it, acknowledge, let go. The log has the key too: after a crash, recovery records what the ledger missed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "store/write_log.h"

namespace tidemark {

inline constexpr std::int64_t kBatchMemoryUs = std::int64_t{24} * 3600 * 1'000'000;

/// What the rows of a batch are, as a hash of them.
struct BatchContent {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  /// False for one of a writer that did not say.
  bool is_known() const { return low != 0 || high != 0; }
  bool operator==(const BatchContent&) const = default;
};

struct WrittenBatch {
  std::uint32_t table_id = 0;  // at least 1
  std::string_view key;        // 1 to kBatchKeyBytesMax bytes
  LogPosition position;        // the token that its writer was given
  std::int64_t time_us = 0;    // when it was written; it is forgotten kBatchMemoryUs later
  BatchContent content = {};
};

struct SeenBatch {
  LogPosition position;
  BatchContent content;
};

/// Thread safe; several processes may use one ledger at the same time, and a process may fork.
class BatchLedger {
 public:
  virtual ~BatchLedger() = default;

  /// While it lives, no other Hold on the same key exists, in this process or another. It ends with its
  /// process, and must not outlive the ledger. A thread holds one at a time, and lets go on the thread that
  /// took it: different keys may share a lock.
  class Hold {
   public:
    virtual ~Hold() = default;
  };
  Result<std::unique_ptr<Hold>> Acquire(std::uint32_t table_id, std::string_view key) {
    return Acquire(std::span(&table_id, 1), key);
  }
  /// The key of all of these tables at once.
  virtual Result<std::unique_ptr<Hold>> Acquire(std::span<const std::uint32_t> table_ids,
                                                std::string_view key) = 0;

  /// Where the batch is, if it was written within the day before `now_us`. kCorruption if its entry is
  /// damaged.
  virtual Result<std::optional<SeenBatch>> Seen(std::uint32_t table_id, std::string_view key,
                                                std::int64_t now_us) const = 0;

  /// Notes batches, all or none; of one that is there already the position is replaced. Seen answers them
  /// from then on, in all processes. Forgets some that are older than a day before the newest of them.
  virtual Result<void> Record(std::span<const WrittenBatch> batches) = 0;

  /// Everything recorded is on the disk when this returns: to be called before the log is trimmed.
  virtual Result<void> Sync() = 0;
};

}  // namespace tidemark
