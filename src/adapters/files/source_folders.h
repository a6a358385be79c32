// SourceFolders (store/source_folders.h) on the local disk.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "store/source_folders.h"

namespace tidemark {

/// Relative paths of sources are below `folder`. `threads` encode Parquet.
std::shared_ptr<SourceFolders> OpenSourceFolders(std::filesystem::path folder, std::size_t threads);

}  // namespace tidemark
