// Where rows of views with a batch source are added: folders, or tables in a warehouse.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "store/source_folders.h"

namespace tidemark {

/// `folder` is the store's. Rows for a source in a warehouse go to its table, all others to files.
std::shared_ptr<SourceFolders> OpenSourcePlaces(std::filesystem::path folder, std::size_t threads,
                                                std::vector<std::filesystem::path> adbc_driver_folders);

}  // namespace tidemark
