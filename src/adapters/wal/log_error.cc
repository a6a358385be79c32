// The table of the system's errors.
#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "adapters/wal/log_error_internal.h"

#include "base/disk_full.h"

namespace tidemark::wal {

bool IsFull(int error) {
  return IsDiskFull(error);
}

std::unexpected<Error> FailWith(int error, std::string_view action, std::string_view path) {
  ErrorCode code = ErrorCode::kIo;
  std::string_view advice;
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      code = ErrorCode::kOutOfSpace;
      advice = "; make room on the disk and try again";
      break;
    case EMFILE:
    case ENFILE:
      advice = "; raise the limit of open files (ulimit -n), or flush, so that the log has fewer segments";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      advice = "; this user needs to write to the store's folder .tidemark/log";
      break;
    case EIO:
      advice = "; the disk failed: look at the system's log";
      break;
    default:
      break;
  }
  return std::unexpected(
      Error{code, fmt::format("cannot {}: {}{}", action, std::generic_category().message(error), advice),
            fmt::format("log {}", path)});
}

}  // namespace tidemark::wal
