// Marks of loads that must follow: rows that went straight into files, and that the online store is to be
// loaded from before the write is acknowledged. A writer that is killed in between leaves its mark, and
// whoever opens the store next loads the view again.
//
// A mark is an empty file `<view id>-<n>` in a folder, there before the rows are, locked by its writer, and
// removed when they are online.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/lock_file.h"
#include "base/result.h"

namespace tidemark {

/// Thread safe; several processes share the folder.
class UnfinishedLoads {
 public:
  explicit UnfinishedLoads(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// A load that is going on. Going without End it leaves the mark.
  class Mark {
   public:
    Mark(std::filesystem::path path, std::unique_ptr<LockFile> lock)
        : path_(std::move(path)), lock_(std::move(lock)) {}
    Result<void> End();

   private:
    const std::filesystem::path path_;
    const std::unique_ptr<LockFile> lock_;
  };

  /// The mark is on the disk when this returns. kIo or kOutOfSpace.
  Result<std::unique_ptr<Mark>> Begin(std::uint32_t view_id);

  /// Takes over the marks of a view that nobody holds any more.
  Result<std::vector<std::unique_ptr<Mark>>> Abandoned(std::uint32_t view_id);

 private:
  const std::filesystem::path folder_;
};

}  // namespace tidemark
