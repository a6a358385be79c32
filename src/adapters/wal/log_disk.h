// The few system calls by which a log changes what is on the disk, behind an interface so that tests can make
// each of them fail, count them, and play a loss of power.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tidemark::wal {

/// Each answers 0 or more, or minus an errno; none is tried again after an error, but for EINTR. Thread safe.
class LogDisk {
 public:
  virtual ~LogDisk() = default;

  /// A file descriptor, which the caller closes.
  virtual int Open(const std::string& path, int flags) = 0;
  /// How many bytes were written, which may be fewer than there are.
  virtual std::int64_t Write(int fd, std::span<const std::byte> bytes, std::int64_t offset) = 0;
  /// fdatasync
  virtual int Sync(int fd) = 0;
  virtual int Truncate(int fd, std::int64_t bytes) = 0;
  virtual int Remove(const std::string& path) = 0;
  virtual int MakeFolder(const std::string& path) = 0;
  /// Of an empty one.
  virtual int RemoveFolder(const std::string& path) = 0;
  virtual int Rename(const std::string& from, const std::string& to) = 0;
  /// What is new, renamed or removed in a folder is on the disk then.
  virtual int SyncFolder(const std::string& path) = 0;
};

/// The operating system's.
LogDisk& SystemDisk();

}  // namespace tidemark::wal
