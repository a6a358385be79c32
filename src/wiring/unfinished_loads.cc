// Files made, locked, listed and removed.
#include "wiring/unfinished_loads.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <random>
#include <string>
#include <system_error>

#include "base/result.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

constexpr off_t kHeld = 0;  // the byte that a mark's holder locks

std::unexpected<Error> Failed(const char* action, const fs::path& path, const std::error_code& error) {
  const bool is_full = error == std::errc::no_space_on_device;
  return Fail(is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
              fmt::format("cannot {} '{}': {}", action, path.string(), error.message()));
}

/// Names in the folder are on the disk when this returns.
Result<void> SyncFolder(const fs::path& folder) {
  const int opened = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int failed = opened < 0 ? -1 : fsync(opened);
  const std::error_code error(errno, std::generic_category());
  if (opened >= 0) close(opened);
  if (failed != 0) return Failed("sync the folder", folder, error);
  return {};
}

}  // namespace

Result<void> UnfinishedLoads::Mark::End() {
  std::error_code error;
  fs::remove(path_, error);
  if (error) return Failed("remove", path_, error);
  return {};
}

Result<std::unique_ptr<UnfinishedLoads::Mark>> UnfinishedLoads::Begin(std::uint32_t view_id) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return Failed("make the folder", folder_, error);
  std::random_device random;
  while (true) {
    const fs::path path = folder_ / fmt::format("{}-{:08x}{:08x}", view_id, random(), random());
    TM_ASSIGN(auto lock, LockFile::Open(path.string(), LockFile::Access::kFull, true));
    TM_ASSIGN(const bool is_held, lock->TryLock(kHeld));
    // Another process may have taken it for abandoned, before it was locked.
    if (!is_held || !lock->is_in_place()) continue;
    TM_TRY(SyncFolder(folder_));
    return std::make_unique<Mark>(path, std::move(lock));
  }
}

Result<std::vector<std::unique_ptr<UnfinishedLoads::Mark>>> UnfinishedLoads::Abandoned(
    std::uint32_t view_id) {
  std::vector<std::unique_ptr<Mark>> marks;
  std::error_code error;
  if (!fs::exists(folder_, error)) return marks;
  const std::string begin = fmt::format("{}-", view_id);
  for (auto entry = fs::directory_iterator(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(begin)) continue;
    auto lock = LockFile::Open(entry->path().string(), LockFile::Access::kFull, false);
    if (!lock && lock.error().code == ErrorCode::kNotFound) continue;  // ended meanwhile
    if (!lock) return std::unexpected(std::move(lock).error());
    TM_ASSIGN(const bool is_held, (*lock)->TryLock(kHeld));
    if (is_held && (*lock)->is_in_place()) {
      marks.push_back(std::make_unique<Mark>(entry->path(), *std::move(lock)));
    }
  }
  if (error) return Failed("list the folder", folder_, error);
  return marks;
}

}  // namespace tidemark
