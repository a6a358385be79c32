// The serials of projects, and where tables are, as long as the registry's file is known not to have been
// written to.
//
// A look at the file's times is a tenth of the cost of a transaction, and waits for nobody; writers ask for
// the serial with each request, and readers of streams where their table is with each frame.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "adapters/sqlite/watched_file_internal.h"

namespace tidemark::sqlite {

/// Thread safe. What is read within a transaction after the file was stamped is true as long as the stamp is
/// the file's: a transaction waits for writers, whose writes come before they let go of the file.
template <typename Key, typename Value>
class KnownWhileUnwritten {
 public:
  /// What was remembered of the key when the file had this stamp.
  std::optional<Value> Find(const FileStamp& stamp, const auto& key) const {
    const std::lock_guard lock(mutex_);
    if (stamp != stamp_) return std::nullopt;
    const auto known = values_.find(key);
    return known == values_.end() ? std::nullopt : std::optional(known->second);
  }

  /// `stamp` was taken, and settled, before `value` was read.
  void Remember(const FileStamp& stamp, const auto& key, Value value) {
    const std::lock_guard lock(mutex_);
    if (stamp != stamp_) values_.clear();
    stamp_ = stamp;
    values_.insert_or_assign(Key(key), std::move(value));
  }

 private:
  mutable std::mutex mutex_;
  FileStamp stamp_;
  std::map<Key, Value, std::less<>> values_;
};

/// By project.
using KnownSerials = KnownWhileUnwritten<std::string, std::int64_t>;

}  // namespace tidemark::sqlite
