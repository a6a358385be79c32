// A folder of this process's, and none of dead ones'.
#include <unistd.h>

#include <atomic>
#include <string>
#include <system_error>
#include <vector>

#include "adapters/adbc/spill_folders_internal.h"

namespace tidemark {
namespace {

constexpr const char* kPrefix = "sql-";
constexpr const char* kLock = "lock";

// Engines of one process, each with its folder.
std::atomic<std::int64_t> engines{0};

}  // namespace

SpillFolders::~SpillFolders() {
  if (own_.empty() || lock_ == nullptr || !lock_->is_own()) return;
  std::error_code ignored;  // what is left is removed by the next process
  std::filesystem::remove_all(own_, ignored);
}

Result<std::filesystem::path> SpillFolders::Next() {
  const std::lock_guard lock(mutex_);
  if (own_.empty() || !lock_->is_own()) TM_TRY(Make());
  return own_ / std::to_string(next_++);
}

Result<void> SpillFolders::Make() {
  std::error_code failed;
  std::filesystem::create_directories(parent_, failed);
  if (!failed) RemoveDead();
  const std::string name = kPrefix + std::to_string(getpid()) + "-" + std::to_string(++engines);
  const std::filesystem::path folder = parent_ / name;
  if (!failed) std::filesystem::create_directories(folder, failed);
  if (failed) {
    return Fail(ErrorCode::kIo, "folder " + folder.string() + " cannot be made: " + failed.message());
  }
  TM_ASSIGN(lock_, LockFile::Open((folder / kLock).string(), LockFile::Access::kFull, true));
  TM_ASSIGN(const bool is_locked, lock_->TryLock(0));
  if (!is_locked) return Fail(ErrorCode::kBusy, "folder " + folder.string() + " is used by another process");
  own_ = folder;
  return {};
}

void SpillFolders::RemoveDead() const {
  std::error_code failed;
  std::vector<std::filesystem::path> dead;
  for (const auto& entry : std::filesystem::directory_iterator(parent_, failed)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    auto lock = LockFile::Open((entry.path() / kLock).string(), LockFile::Access::kFull, false);
    if (!lock) continue;  // being made, or not ours
    if (const auto is_free = lock.value()->TryLock(0); is_free && is_free.value())
      dead.push_back(entry.path());
  }
  for (const auto& folder : dead)
    std::filesystem::remove_all(folder, failed);
}

}  // namespace tidemark
