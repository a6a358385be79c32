// Spill (store/spill.h) in a file without a name.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "store/spill.h"

namespace tidemark {

/// Makes an empty one on the disk of `folder`, which must be there. kIo or kOutOfSpace.
Result<std::unique_ptr<Spill>> OpenSpillFile(const std::filesystem::path& folder);

}  // namespace tidemark
