// Which shards of a stream a reader has, where several readers of one machine share them: locks on bytes of a
// file, which end with who holds them, however that ends.
//
//   bytes 0 to 255    one for each reader
//   a shard's byte    held by who reads it
//   another           held too when all of it was read and written, so that what came of it can be read
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "base/lock_file.h"
#include "base/result.h"

namespace tidemark::kinesis {

/// Used by one thread at a time.
class ShardLeases {
 public:
  /// Becomes one more reader of the stream that the file stands for. kBusy if there are too many.
  static Result<std::unique_ptr<ShardLeases>> Join(const std::filesystem::path& file);

  /// How many readers there are at this moment, this one among them.
  Result<std::size_t> Readers() const;
  /// False if another reader has the shard.
  Result<bool> TryTake(const std::string& shard);
  void GiveUp(const std::string& shard);
  /// Of a shard that this reader has, and keeps: all of it was read, and written.
  Result<void> NoteEnd(const std::string& shard);
  /// Whether another reader has said so.
  Result<bool> HasEnded(const std::string& shard) const;

 private:
  ShardLeases(std::unique_ptr<LockFile> file, off_t own) : file_(std::move(file)), own_(own) {}

  const std::unique_ptr<LockFile> file_;
  const off_t own_;
};

}  // namespace tidemark::kinesis
