// Locks between processes: bytes of a file, held by an open file (Linux's F_OFD locks), released when the
// process ends in whatever way.
//
// Such a lock belongs to the open file, which a fork shares: a child would hold its parent's locks, and keep
// them when the parent is gone. So every file opened here is closed in a child at once.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace tidemark {

/// How often this process's line has forked since it first asked: what was made at another count belongs to a
/// parent.
std::uint64_t ForkCount();

/// Thread safe. Locks of one LockFile do not exclude each other; those of two do, in one process as well.
class LockFile {
 public:
  enum class Access : std::uint8_t { kShared, kFull };  // kShared: reading rights are enough

  /// kIo if it cannot be opened, with the file's path; kNotFound if it is not there. With `create` it is
  /// made.
  static Result<std::unique_ptr<LockFile>> Open(const std::string& path, Access access, bool create);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  /// False in a child that was forked after it was opened: then it is closed, and every call fails with kIo.
  bool is_own() const { return forks_ == ForkCount(); }

  /// False if another one holds the byte.
  Result<bool> TryLock(off_t byte);
  /// Waits for the byte.
  Result<void> Lock(off_t byte);
  /// Waits until nobody holds the byte alone.
  Result<void> LockShared(off_t byte);
  /// Of a byte that is not locked: nothing.
  void Unlock(off_t byte);
  /// True if another one holds the byte, alone or shared.
  Result<bool> IsHeldElsewhere(off_t byte) const;

  /// True if the path still names this file.
  bool is_in_place() const;

 private:
  LockFile(int fd, std::string path);
  std::unexpected<Error> Failed(const char* action, int error) const;

  int fd_;  // -1 in a child
  const std::string path_;
  const std::uint64_t forks_;
};

}  // namespace tidemark
