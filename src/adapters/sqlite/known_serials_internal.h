// The serials of projects, and where tables are, as long as the registry's file is known not to have been
// written to.
//
// A look at the file's times is a tenth of the cost of a transaction, and waits for nobody; writers ask for
// the serial with each request, and readers of streams where their table is with each frame.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace tidemark::sqlite {

/// When a file was last written to, as the file system tells.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;

  /// Nothing if the file cannot be looked at.
  static std::optional<FileStamp> Of(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return std::nullopt;
    return FileStamp{.device = found.st_dev,
                     .inode = found.st_ino,
                     .bytes = found.st_size,
                     .modified_ns = Nanoseconds(found.st_mtim),
                     .changed_ns = Nanoseconds(found.st_ctim)};
  }

  /// True if whatever is written from now on leaves another stamp: the times of files are those of a clock
  /// that ticks every few milliseconds, so that two writes shortly after each other may leave the same.
  bool IsSettledAt(std::int64_t now_ns) const {
    constexpr std::int64_t kTicksNs = 100'000'000;
    return modified_ns < now_ns - kTicksNs && changed_ns < now_ns - kTicksNs;
  }
  bool IsSettled() const {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return IsSettledAt(Nanoseconds(now));
  }

 private:
  static std::int64_t Nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
};

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
