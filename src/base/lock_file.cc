// The table of open files, which a fork holds while it happens, so that the child finds it whole.
#include "base/lock_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <system_error>

#include "base/disk_full.h"

namespace tidemark {
namespace {

struct OpenFiles {
  std::mutex mutex;
  std::set<int*> fds;  // guarded by mutex
  std::atomic<std::uint64_t> forks{0};

  static OpenFiles& Get() {
    static OpenFiles* const files = [] {
      pthread_atfork([] { Get().mutex.lock(); }, [] { Get().mutex.unlock(); }, [] { Get().InChild(); });
      return new OpenFiles;  // never destroyed: files may be closed while the process ends
    }();
    return *files;
  }

  void InChild() {
    for (int* fd : fds) {
      ::close(*fd);
      *fd = -1;
    }
    fds.clear();
    forks.fetch_add(1);
    mutex.unlock();
  }
};

int SetLock(int fd, int command, short type, off_t byte, off_t bytes = 1) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = bytes;
  while (::fcntl(fd, command, &lock) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

std::uint64_t ForkCount() {
  return OpenFiles::Get().forks.load(std::memory_order_relaxed);
}

LockFile::LockFile(int fd, std::string path) : fd_(fd), path_(std::move(path)), forks_(ForkCount()) {}

Result<std::unique_ptr<LockFile>> LockFile::Open(const std::string& path, Access access, bool create) {
  OpenFiles& files = OpenFiles::Get();
  // Within the lock: a child never has a file that is not in the table.
  const std::lock_guard lock(files.mutex);
  const int flags = (access == Access::kFull ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0) | O_CLOEXEC;
  const int fd = ::open(path.c_str(), flags, 0666);
  if (fd < 0) {
    const int error = errno;
    const ErrorCode code = error == ENOENT     ? ErrorCode::kNotFound
                           : IsDiskFull(error) ? ErrorCode::kOutOfSpace
                                               : ErrorCode::kIo;
    return std::unexpected(
        Error{code, "cannot open: " + std::generic_category().message(error), "file " + path});
  }
  std::unique_ptr<LockFile> opened(new LockFile(fd, path));
  files.fds.insert(&opened->fd_);
  return opened;
}

LockFile::~LockFile() {
  OpenFiles& files = OpenFiles::Get();
  const std::lock_guard lock(files.mutex);
  if (files.fds.erase(&fd_) == 0) return;
  // Closing is not enough if a child was forked this moment and has not closed its copy yet.
  SetLock(fd_, F_OFD_SETLK, F_UNLCK, 0, 0);
  ::close(fd_);
}

std::unexpected<Error> LockFile::Failed(const char* action, int error) const {
  return std::unexpected(
      Error{ErrorCode::kIo,
            std::string("cannot ") + action + ": " + std::generic_category().message(error) +
                (is_own() ? "; the folder must be on a disk of this machine" : " in a forked child"),
            "file " + path_});
}

Result<bool> LockFile::TryLock(off_t byte) {
  const int error = SetLock(fd_, F_OFD_SETLK, F_WRLCK, byte);
  if (error == EAGAIN || error == EACCES) return false;
  if (error != 0) return Failed("lock", error);
  return true;
}

Result<void> LockFile::Lock(off_t byte) {
  if (const int error = SetLock(fd_, F_OFD_SETLKW, F_WRLCK, byte); error != 0) return Failed("lock", error);
  return {};
}

Result<void> LockFile::LockShared(off_t byte) {
  if (const int error = SetLock(fd_, F_OFD_SETLKW, F_RDLCK, byte); error != 0) return Failed("lock", error);
  return {};
}

void LockFile::Unlock(off_t byte) {
  SetLock(fd_, F_OFD_SETLK, F_UNLCK, byte);
}

Result<bool> LockFile::IsHeldElsewhere(off_t byte) const {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  if (::fcntl(fd_, F_OFD_GETLK, &lock) != 0) return Failed("ask for its lock", errno);
  return lock.l_type != F_UNLCK;
}

bool LockFile::is_in_place() const {
  struct stat by_path{};
  struct stat by_file{};
  return ::stat(path_.c_str(), &by_path) == 0 && ::fstat(fd_, &by_file) == 0 &&
         by_path.st_dev == by_file.st_dev && by_path.st_ino == by_file.st_ino;
}

}  // namespace tidemark
