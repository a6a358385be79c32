// What the system says of a file in a folder of the store's own, as an error.
#pragma once

#include <expected>
#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// "cannot <what> '<path>': ..."; kOutOfSpace for a full disk, else kIo. `error` is an errno.
std::unexpected<Error> FolderError(std::string_view what, const std::filesystem::path& path, int error);

}  // namespace tidemark
