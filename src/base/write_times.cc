// One mapped word, moved on by compare and swap.
#include "base/write_times.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

#include "base/disk_full.h"

namespace tidemark {
namespace {

std::unexpected<Error> Failed(const std::string& path, std::string_view what) {
  const int error = errno;
  return std::unexpected(Error{IsDiskFull(error) ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
                               "cannot " + std::string(what) + ": " + std::generic_category().message(error) +
                                   "; whoever writes to a store must be able to write its folder",
                               "file " + path});
}

/// Room for the word is really there, so that writing to the mapping cannot fail later.
bool MakeRoom(int file) {
  struct stat state{};
  if (fstat(file, &state) != 0) return false;
  if (state.st_size >= static_cast<off_t>(sizeof(std::int64_t))) return true;
  const int error = posix_fallocate(file, 0, sizeof(std::int64_t));
  if (error != 0) errno = error;
  return error == 0;
}

}  // namespace

Result<std::unique_ptr<WriteTimes>> WriteTimes::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return Failed(path, "open");
  void* page = MAP_FAILED;
  if (MakeRoom(file)) page = mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) {
    auto failed = Failed(path, "map");
    close(file);
    return failed;
  }
  close(file);
  auto opened = std::make_unique<WriteTimes>();
  opened->last_ = static_cast<std::int64_t*>(page);
  return opened;
}

WriteTimes::~WriteTimes() {
  if (last_ != &own_) munmap(last_, sizeof(std::int64_t));
}

std::int64_t WriteTimes::Take(std::int64_t now_us, std::int64_t count) {
  const std::atomic_ref<std::int64_t> last(*last_);
  std::int64_t seen = last.load();
  while (true) {
    // A word that leaves no room was damaged.
    const bool is_usable = seen < std::numeric_limits<std::int64_t>::max() - count;
    const std::int64_t first = is_usable ? std::max(now_us, seen + 1) : now_us;
    if (last.compare_exchange_weak(seen, first + std::max<std::int64_t>(count, 1) - 1)) return first;
  }
}

void WriteTimes::Pass(std::int64_t first, std::int64_t count) {
  const std::atomic_ref<std::int64_t> last(*last_);
  std::int64_t seen = last.load();
  const std::int64_t more = std::max<std::int64_t>(count, 1) - 1;
  if (first > std::numeric_limits<std::int64_t>::max() - more) return;  // given by nobody
  while (seen < first && !last.compare_exchange_weak(seen, first + more)) {
  }
}

}  // namespace tidemark
