// The table of LMDB's errors.
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/statvfs.h>

#include <cerrno>

#include "adapters/lmdb/lmdb_error_internal.h"

namespace tidemark::lmdb {

const Contents kOnlineRows{
    .name = "online store",
    .format = "tidemark-online 1",
    .owner = "store",
    .when_damaged = "remove the folder and materialize the views again, or restore a backup of it",
    .when_at_limit = "raise the limit (online_store.size_max) or remove views from it",
    .may_run_ahead = true,
};
const Contents kBatches{
    .name = "batch ledger",
    .format = "tidemark-batches 1",
    .owner = "ledger",
    .when_damaged = "remove the folder; batches of the last day that are sent again are then written again",
    .when_at_limit = "batches are forgotten after a day, so send fewer of them with an idempotency key",
};

namespace {

constexpr std::string_view kDiskFull = "; the disk is full: make room and try again, nothing was written";
constexpr std::string_view kNoPermission =
    "; this user needs to read and write the folder and the files data.mdb and lock.mdb in it";

// LMDB reports a write that was cut short, as on a full disk, as EIO.
bool DiskIsFull(const std::string& folder) {
  struct statvfs about{};
  constexpr std::uint64_t kRoomBytes = 1 << 20;
  return ::statvfs(folder.c_str(), &about) == 0 &&
         std::uint64_t{about.f_bavail} * about.f_frsize < kRoomBytes;
}

struct Kind {
  ErrorCode code;
  std::string advice;
};

Kind KindOf(int code, const Place& place) {
  switch (code) {
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_NOTFOUND:  // asked for only what must be there
      return {ErrorCode::kCorruption, fmt::format("; the file is damaged: {}", place.contents->when_damaged)};
    case MDB_VERSION_MISMATCH:
      return {ErrorCode::kUnsupported, "; another version of LMDB wrote it"};
    case MDB_PANIC:
      return {ErrorCode::kIo, "; an earlier write failed: close the store and open it again"};
    case MDB_READERS_FULL:
      return {ErrorCode::kBusy, "; too many readers at once: raise readers_max, or try again"};
    case MDB_TXN_FULL:
      return {ErrorCode::kOutOfSpace, "; too many rows in one call: write them in smaller batches"};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {ErrorCode::kOutOfSpace, std::string(kDiskFull)};
    case EIO:
      if (DiskIsFull(place.folder)) return {ErrorCode::kOutOfSpace, std::string(kDiskFull)};
      return {ErrorCode::kIo, "; the disk failed: look at the system's log"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {ErrorCode::kIo, std::string(kNoPermission)};
    case ENOMEM:
      return {ErrorCode::kOutOfSpace, "; the process has too little memory or address space"};
    case EAGAIN:
      return {ErrorCode::kBusy, "; another process holds it: try again"};
    case MDB_BAD_TXN:
    case MDB_BAD_RSLOT:
    case MDB_BAD_DBI:
    case MDB_BAD_VALSIZE:
    case MDB_INCOMPATIBLE:
      return {ErrorCode::kInternal, "; this is a defect of Tidemark"};
    default:
      return {ErrorCode::kIo, ""};
  }
}

}  // namespace

std::unexpected<Error> FailWith(int code, std::string_view action, const Place& place) {
  const Kind kind = KindOf(code, place);
  return std::unexpected(Error{kind.code,
                               fmt::format("cannot {}: {}{}", action, mdb_strerror(code), kind.advice),
                               fmt::format("{} {}", place.contents->name, place.folder)});
}

std::string KeyInHex(std::string_view key) {
  constexpr std::size_t kShownBytes = 64;
  std::string hex;
  for (const char byte : key.substr(0, kShownBytes))
    hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  if (key.size() > kShownBytes) hex += fmt::format("... ({} bytes)", key.size());
  return hex;
}

}  // namespace tidemark::lmdb
