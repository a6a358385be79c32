// A library to be preloaded: it counts the system calls by which a process changes what lies under one
// folder, and makes one of them fail, do half its work, take long, or be the last that the process does.
//
// Nothing happens before tidemark_faults_arm. The calls are made by syscall(), so that nothing of the C
// library is asked for what this library stands in front of. Writes through a mapping are not seen.

// The C library's checked variants are inline functions of the names that are defined here.
#undef _FORTIFY_SOURCE

#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>

#define TM_PRELOADED extern "C" __attribute__((visibility("default")))

namespace {

// Also in faults.py.
enum Call : unsigned {
  kOpen = 1,        // that can change the file
  kOpenToRead = 2,  // and folders
  kWrite = 4,
  kSync = 8,
  kRename = 16,
  kRemove = 32,
  kMakeFolder = 64,
  kTruncate = 128,
};

enum How : int { kCount = 0, kKillBefore = 1, kKillAfter = 2, kFail = 3, kShort = 4, kTear = 5, kSlow = 6 };

constexpr std::size_t kPathMax = 4096;
using Path = std::array<char, kPathMax>;

struct Plan {
  Path under{};    // absolute, without a slash at its end
  Path pattern{};  // of fnmatch, over the whole path; empty: all
  unsigned calls = 0;
  long at = 0;  // the first is 1
  int how = kCount;
  int error = 0;       // kSlow: milliseconds
  bool lasts = false;  // each later call fails too
  int trace = -1;
};

Plan plan;
std::atomic<bool> armed{false};
std::atomic<long> count{0};

const char* NameOf(Call call) {
  switch (call) {
    case kOpen:
      return "open";
    case kOpenToRead:
      return "open-to-read";
    case kWrite:
      return "write";
    case kSync:
      return "sync";
    case kRename:
      return "rename";
    case kRemove:
      return "remove";
    case kMakeFolder:
      return "make-folder";
    case kTruncate:
      return "truncate";
  }
  return "?";
}

[[noreturn]] void Die() {
  ::kill(::getpid(), SIGKILL);
  while (true)
    ::pause();
}

bool PathOf(int fd, Path& path) {
  Path link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const long length = ::readlink(link.data(), path.data(), path.size() - 1);
  if (length <= 0) return false;
  path[static_cast<std::size_t>(length)] = '\0';
  return true;
}

bool PathOf(int folder, const char* name, Path& path) {
  if (name[0] == '/') return std::snprintf(path.data(), path.size(), "%s", name) > 0;
  Path base{};
  const bool is_known =
      folder == AT_FDCWD ? ::getcwd(base.data(), base.size()) != nullptr : PathOf(folder, base);
  if (!is_known) return false;
  return std::snprintf(path.data(), path.size(), "%s/%s", base.data(), name) < static_cast<int>(path.size());
}

/// What is to become of a call.
int Decide(Call call, const Path& path) {
  const std::size_t under = std::strlen(plan.under.data());
  if ((plan.calls & call) == 0 || std::strncmp(path.data(), plan.under.data(), under) != 0 ||
      (path[under] != '/' && path[under] != '\0')) {
    return kCount;
  }
  if (plan.pattern[0] != '\0' && ::fnmatch(plan.pattern.data(), path.data(), 0) != 0) return kCount;
  const long number = count.fetch_add(1) + 1;
  if (plan.trace >= 0) {
    std::array<char, kPathMax + 64> line{};
    const int length =
        std::snprintf(line.data(), line.size(), "%ld %s %s\n", number, NameOf(call), path.data());
    static_cast<void>(::syscall(SYS_write, plan.trace, line.data(), static_cast<std::size_t>(length)));
  }
  const bool is_it = number == plan.at || (plan.lasts && number > plan.at && plan.at > 0);
  if (is_it && plan.how == kSlow) {
    const timespec wait{plan.error / 1000, plan.error % 1000 * 1'000'000L};
    ::nanosleep(&wait, nullptr);
    return kCount;
  }
  return is_it ? plan.how : static_cast<int>(kCount);
}

/// Does a call that is done whole or not at all.
template <typename Do>
auto Whole(int how, const Do& make) -> decltype(make()) {
  if (how == kKillBefore) Die();
  if (how == kFail || how == kShort) {
    errno = how == kFail ? plan.error : EIO;
    return -1;
  }
  const auto result = make();
  if (how == kKillAfter || how == kTear) Die();
  return result;
}

int WholeOn(Call call, int fd, const auto& make) {
  Path path{};
  const bool is_watched = armed.load(std::memory_order_acquire) && PathOf(fd, path);
  return static_cast<int>(Whole(is_watched ? Decide(call, path) : static_cast<int>(kCount), make));
}

int WholeAt(Call call, int folder, const char* name, const auto& make) {
  Path path{};
  const bool is_watched = armed.load(std::memory_order_acquire) && PathOf(folder, name, path);
  return static_cast<int>(Whole(is_watched ? Decide(call, path) : static_cast<int>(kCount), make));
}

/// Does a write of `bytes`; `make(most)` writes as many of them.
ssize_t Write(int fd, std::size_t bytes, const auto& make) {
  Path path{};
  const bool is_watched = armed.load(std::memory_order_acquire) && PathOf(fd, path);
  const int how = is_watched ? Decide(kWrite, path) : static_cast<int>(kCount);
  const std::size_t half = std::max<std::size_t>(1, bytes / 2);
  if (how == kShort) return make(half);
  if (how == kTear) {
    static_cast<void>(make(half));
    Die();
  }
  return Whole(how, [&] { return make(bytes); });
}

ssize_t WriteVector(int fd, const struct iovec* parts, int number, off_t offset, bool is_at) {
  constexpr int kPartsMax = 1024;
  if (number < 0 || number > kPartsMax) {
    errno = EINVAL;
    return -1;
  }
  std::size_t bytes = 0;
  for (int i = 0; i < number; ++i)
    bytes += parts[i].iov_len;
  return Write(fd, bytes, [&](std::size_t most) -> ssize_t {
    std::array<struct iovec, kPartsMax> some{};
    int used = 0;
    for (; used < number && most > 0; ++used) {
      some[static_cast<std::size_t>(used)] = {parts[used].iov_base, std::min(most, parts[used].iov_len)};
      most -= some[static_cast<std::size_t>(used)].iov_len;
    }
    return is_at ? ::syscall(SYS_pwritev, fd, some.data(), used, offset, 0L)
                 : ::syscall(SYS_writev, fd, some.data(), used);
  });
}

int Open(int folder, const char* name, int flags, mode_t mode) {
  const bool changes = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
  return WholeAt(changes ? kOpen : kOpenToRead, folder, name,
                 [&] { return ::syscall(SYS_openat, folder, name, flags, mode); });
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

/// Begins to count. `at` of 0 does no more; `error` is for kFail, and how long it takes for kSlow; `trace`,
/// if it is not -1, is a file that gets a line for each call. Not while other threads are at work.
TM_PRELOADED void tidemark_faults_arm(const char* under, const char* pattern, unsigned calls, long at,
                                      int how, int error, int lasts, int trace) {
  std::snprintf(plan.under.data(), plan.under.size(), "%s", under);
  std::snprintf(plan.pattern.data(), plan.pattern.size(), "%s", pattern);
  plan.calls = calls;
  plan.at = at;
  plan.how = how;
  plan.error = error;
  plan.lasts = lasts != 0;
  plan.trace = trace;
  count.store(0);
  armed.store(true, std::memory_order_release);
}

TM_PRELOADED void tidemark_faults_disarm() {
  armed.store(false, std::memory_order_release);
}

TM_PRELOADED long tidemark_faults_count() {
  return count.load();
}

// --- The calls ---

#define TM_OPEN(NAME)                                       \
  TM_PRELOADED int NAME(const char* name, int flags, ...) { \
    va_list arguments;                                      \
    va_start(arguments, flags);                             \
    const mode_t mode = ModeOf(flags, arguments);           \
    va_end(arguments);                                      \
    return Open(AT_FDCWD, name, flags, mode);               \
  }
TM_OPEN(open)
TM_OPEN(open64)

#define TM_OPENAT(NAME)                                                 \
  TM_PRELOADED int NAME(int folder, const char* name, int flags, ...) { \
    va_list arguments;                                                  \
    va_start(arguments, flags);                                         \
    const mode_t mode = ModeOf(flags, arguments);                       \
    va_end(arguments);                                                  \
    return Open(folder, name, flags, mode);                             \
  }
TM_OPENAT(openat)
TM_OPENAT(openat64)

TM_PRELOADED int creat(const char* name, mode_t mode) {
  return Open(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

TM_PRELOADED ssize_t write(int fd, const void* from, std::size_t bytes) {
  return Write(fd, bytes, [&](std::size_t most) -> ssize_t { return ::syscall(SYS_write, fd, from, most); });
}

#define TM_PWRITE(NAME)                                                                  \
  TM_PRELOADED ssize_t NAME(int fd, const void* from, std::size_t bytes, off_t offset) { \
    return Write(fd, bytes, [&](std::size_t most) -> ssize_t {                           \
      return ::syscall(SYS_pwrite64, fd, from, most, offset);                            \
    });                                                                                  \
  }
TM_PWRITE(pwrite)
TM_PWRITE(pwrite64)

TM_PRELOADED ssize_t writev(int fd, const struct iovec* parts, int number) {
  return WriteVector(fd, parts, number, 0, false);
}
TM_PRELOADED ssize_t pwritev(int fd, const struct iovec* parts, int number, off_t offset) {
  return WriteVector(fd, parts, number, offset, true);
}
TM_PRELOADED ssize_t pwritev64(int fd, const struct iovec* parts, int number, off_t offset) {
  return WriteVector(fd, parts, number, offset, true);
}

TM_PRELOADED int fsync(int fd) {
  return WholeOn(kSync, fd, [&] { return ::syscall(SYS_fsync, fd); });
}
TM_PRELOADED int fdatasync(int fd) {
  return WholeOn(kSync, fd, [&] { return ::syscall(SYS_fdatasync, fd); });
}

TM_PRELOADED int rename(const char* from, const char* to) noexcept {
  return WholeAt(kRename, AT_FDCWD, to,
                 [&] { return ::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); });
}
TM_PRELOADED int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return WholeAt(kRename, to_folder, to,
                 [&] { return ::syscall(SYS_renameat2, from_folder, from, to_folder, to, 0); });
}
TM_PRELOADED int link(const char* from, const char* to) noexcept {
  return WholeAt(kRename, AT_FDCWD, to,
                 [&] { return ::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); });
}

TM_PRELOADED int unlink(const char* name) noexcept {
  return WholeAt(kRemove, AT_FDCWD, name, [&] { return ::syscall(SYS_unlinkat, AT_FDCWD, name, 0); });
}
TM_PRELOADED int unlinkat(int folder, const char* name, int flags) noexcept {
  return WholeAt(kRemove, folder, name, [&] { return ::syscall(SYS_unlinkat, folder, name, flags); });
}
TM_PRELOADED int rmdir(const char* name) noexcept {
  return WholeAt(kRemove, AT_FDCWD, name,
                 [&] { return ::syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR); });
}
// The C library's own calls unlink or rmdir where nothing can stand in front of them.
TM_PRELOADED int remove(const char* name) noexcept {
  return WholeAt(kRemove, AT_FDCWD, name, [&]() -> long {
    const long done = ::syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    return done != 0 && errno == EISDIR ? ::syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR) : done;
  });
}

TM_PRELOADED int mkdir(const char* name, mode_t mode) noexcept {
  return WholeAt(kMakeFolder, AT_FDCWD, name, [&] { return ::syscall(SYS_mkdirat, AT_FDCWD, name, mode); });
}

TM_PRELOADED int ftruncate(int fd, off_t bytes) noexcept {
  return WholeOn(kTruncate, fd, [&] { return ::syscall(SYS_ftruncate, fd, bytes); });
}
TM_PRELOADED int ftruncate64(int fd, off_t bytes) noexcept {
  return WholeOn(kTruncate, fd, [&] { return ::syscall(SYS_ftruncate, fd, bytes); });
}
