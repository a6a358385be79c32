// Bytes beyond the readers' are found by a hash: the file itself stays empty.
#include <fmt/format.h>

#include <span>
#include <string_view>
#include <utility>

#include "adapters/kinesis/shard_leases_internal.h"
#include "base/hash.h"

namespace tidemark::kinesis {
namespace {

constexpr off_t kReadersMax = 256;
constexpr std::uint64_t kHashBits = (std::uint64_t{1} << 60) - 1;

off_t ByteOf(std::string_view what, std::string_view shard) {
  const std::string name = fmt::format("{} {}", what, shard);
  return kReadersMax + static_cast<off_t>(Hash64(std::as_bytes(std::span(name))) & kHashBits);
}

off_t LeaseOf(std::string_view shard) {
  return ByteOf("lease", shard);
}

off_t EndOf(std::string_view shard) {
  return ByteOf("end", shard);
}

}  // namespace

Result<std::unique_ptr<ShardLeases>> ShardLeases::Join(const std::filesystem::path& file) {
  TM_ASSIGN(auto locks, LockFile::Open(file.string(), LockFile::Access::kFull, true));
  for (off_t reader = 0; reader < kReadersMax; ++reader) {
    TM_ASSIGN(const bool is_free, locks->TryLock(reader));
    if (is_free) return std::unique_ptr<ShardLeases>(new ShardLeases(std::move(locks), reader));
  }
  return Fail(ErrorCode::kBusy, fmt::format("there are {} readers of this stream already", kReadersMax));
}

Result<std::size_t> ShardLeases::Readers() const {
  std::size_t readers = 1;
  for (off_t reader = 0; reader < kReadersMax; ++reader) {
    if (reader == own_) continue;
    TM_ASSIGN(const bool is_there, file_->IsHeldElsewhere(reader));
    readers += is_there ? 1 : 0;
  }
  return readers;
}

Result<bool> ShardLeases::TryTake(const std::string& shard) {
  return file_->TryLock(LeaseOf(shard));
}

void ShardLeases::GiveUp(const std::string& shard) {
  file_->Unlock(EndOf(shard));
  file_->Unlock(LeaseOf(shard));
}

Result<void> ShardLeases::NoteEnd(const std::string& shard) {
  // Nobody else has a reason to hold it: who reads the shard is alone.
  TM_ASSIGN(const bool is_noted, file_->TryLock(EndOf(shard)));
  if (is_noted) return {};
  return Fail(ErrorCode::kBusy, fmt::format("shard {} is read by two", shard));
}

Result<bool> ShardLeases::HasEnded(const std::string& shard) const {
  return file_->IsHeldElsewhere(EndOf(shard));
}

}  // namespace tidemark::kinesis
