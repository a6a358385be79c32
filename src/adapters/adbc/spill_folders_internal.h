// Folders that databases spill to, each for one database; those of processes that died are removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/lock_file.h"
#include "base/result.h"

namespace tidemark {

/// Makes folders within one that it may share with other processes. Each process has a folder of its own
/// there with a file `lock`, which it holds: a folder whose lock nobody holds is removed. Thread safe.
class SpillFolders {
 public:
  explicit SpillFolders(std::filesystem::path parent) : parent_(std::move(parent)) {}
  ~SpillFolders();
  SpillFolders(const SpillFolders&) = delete;
  SpillFolders& operator=(const SpillFolders&) = delete;

  /// The path for the next database; its parent is there. kIo if it cannot be made.
  Result<std::filesystem::path> Next();

 private:
  Result<void> Make();
  void RemoveDead() const;

  const std::filesystem::path parent_;
  std::mutex mutex_;
  std::filesystem::path own_;
  std::unique_ptr<LockFile> lock_;
  std::int64_t next_ = 1;
};

}  // namespace tidemark
