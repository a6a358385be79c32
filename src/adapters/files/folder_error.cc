#include "adapters/files/folder_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "base/disk_full.h"

namespace tidemark {

std::unexpected<Error> FolderError(std::string_view what, const std::filesystem::path& path, int error) {
  const bool is_full = IsDiskFull(error);
  return Fail(is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
              fmt::format("cannot {} '{}': {}", what, path.string(), std::generic_category().message(error)));
}

}  // namespace tidemark
