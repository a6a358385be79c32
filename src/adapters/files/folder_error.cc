#include "adapters/files/folder_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace tidemark {

std::unexpected<Error> FolderError(std::string_view what, const std::filesystem::path& path, int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return Fail(is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
              fmt::format("cannot {} '{}': {}", what, path.string(), std::generic_category().message(error)));
}

}  // namespace tidemark
