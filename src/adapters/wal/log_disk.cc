#include "adapters/wal/log_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace tidemark::wal {
namespace {

template <typename Call>
auto Uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR)
    result = call();
  return result < 0 ? static_cast<decltype(result)>(-errno) : result;
}

class OperatingSystem final : public LogDisk {
 public:
  int Open(const std::string& path, int flags) override {
    return Uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  }
  std::int64_t Write(int fd, std::span<const std::byte> bytes, std::int64_t offset) override {
    return Uninterrupted([&] { return ::pwrite(fd, bytes.data(), bytes.size(), offset); });
  }
  int Sync(int fd) override {
    // Not tried again after EINTR either: what a failed sync has left undone is not known.
    return ::fdatasync(fd) == 0 ? 0 : -errno;
  }
  int Truncate(int fd, std::int64_t bytes) override {
    return Uninterrupted([&] { return ::ftruncate(fd, bytes); });
  }
  int Remove(const std::string& path) override { return ::unlink(path.c_str()) == 0 ? 0 : -errno; }
  int MakeFolder(const std::string& path) override { return ::mkdir(path.c_str(), 0777) == 0 ? 0 : -errno; }
  int RemoveFolder(const std::string& path) override { return ::rmdir(path.c_str()) == 0 ? 0 : -errno; }
  int Rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : -errno;
  }
  int SyncFolder(const std::string& path) override {
    const int fd = Open(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return fd;
    const int code = ::fsync(fd) == 0 ? 0 : -errno;
    ::close(fd);
    return code;
  }
};

}  // namespace

LogDisk& SystemDisk() {
  static OperatingSystem disk;
  return disk;
}

}  // namespace tidemark::wal
