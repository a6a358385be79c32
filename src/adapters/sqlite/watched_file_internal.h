// When a file was last written to, for who asks with each request.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>
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

  static FileStamp Of(const struct stat& found) {
    return {.device = found.st_dev,
            .inode = found.st_ino,
            .bytes = found.st_size,
            .modified_ns = Nanoseconds(found.st_mtim),
            .changed_ns = Nanoseconds(found.st_ctim)};
  }

  /// True if whatever is written from now on leaves another stamp: the times of files are those of a clock
  /// that ticks every 1 to 10 milliseconds, so that two writes shortly after each other may leave the same.
  bool IsSettledAt(std::int64_t now_ns) const {
    constexpr std::int64_t kTicksNs = 30'000'000;
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

/// Thread safe. A look at an open file costs a fifth of one along its path, so that it is still the one of
/// the path is only looked at every few milliseconds.
class WatchedFile {
 public:
  // With O_PATH: to close any other descriptor of the file would let go of the locks that SQLite has on it.
  explicit WatchedFile(std::string path)
      : path_(std::move(path)), fd_(::open(path_.c_str(), O_PATH | O_CLOEXEC)) {}
  ~WatchedFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  WatchedFile(const WatchedFile&) = delete;
  WatchedFile& operator=(const WatchedFile&) = delete;

  /// Of the file that has the path; nothing if there is none.
  std::optional<FileStamp> Stamp() const {
    constexpr std::int64_t kLookNs = 10'000'000;
    struct stat open{};
    const bool is_open = fd_ >= 0 && ::fstat(fd_, &open) == 0 && open.st_nlink > 0;
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    const std::int64_t now_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
    if (is_open && now_ns < trusted_until_ns_.load(std::memory_order_relaxed)) return FileStamp::Of(open);
    struct stat found{};
    if (::stat(path_.c_str(), &found) != 0) return std::nullopt;
    if (is_open && found.st_dev == open.st_dev && found.st_ino == open.st_ino)
      trusted_until_ns_.store(now_ns + kLookNs, std::memory_order_relaxed);
    return FileStamp::Of(found);
  }

 private:
  const std::string path_;
  const int fd_;
  mutable std::atomic<std::int64_t> trusted_until_ns_{0};
};

}  // namespace tidemark::sqlite
