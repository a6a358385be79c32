// What a process has open: one environment per folder, however often it is opened, because LMDB's file lock
// is lost when a second one in the same process is closed. And what becomes of it across a fork.
#pragma once

#include "adapters/lmdb/lmdb_environment_internal.h"
#include "adapters/lmdb/lmdb_merge_internal.h"

namespace tidemark::lmdb {

/// An open folder. Shared by all stores of this process that opened it.
class Folder {
 public:
  Folder(std::unique_ptr<Environment> opened, const std::string& erase_key);

  Environment& environment() { return *environment_; }
  MergeQueue& merges() { return merges_; }

  /// False in a child that was forked after the folder was opened: then it must not be touched.
  bool is_own() const;

 private:
  std::unique_ptr<Environment> environment_;
  MergeQueue merges_;
  const std::uint64_t forks_;  // how often this process's line had forked when it was opened
};

/// Opens the folder, or shares it. Each call is paired with one of CloseFolder.
Result<Folder*> OpenFolder(const LmdbOptions& options, const Contents& contents);

/// Does nothing for a folder that is not this process's own.
void CloseFolder(Folder* folder);

}  // namespace tidemark::lmdb
