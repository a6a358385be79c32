// Files of saved datasets (store/dataset_files.h) in a folder of the store:
//
//   <id>/                what is kept of a dataset: entity_rows.parquet, and data.parquet unless it lies
//   elsewhere
//   .<id>.lock           held by who makes it
//   .<name>.<pid>-<n>.new.parquet   rows beside their place, until they are put there
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "store/dataset_files.h"

namespace tidemark {

/// The folder is made with the first dataset. `threads` encode and decode.
std::unique_ptr<DatasetFiles> OpenDatasetFolder(const std::filesystem::path& folder, std::size_t threads);

}  // namespace tidemark
