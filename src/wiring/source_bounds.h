// Which sources a statement may name that comes from a caller who is not trusted with the machine.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"

namespace tidemark {

/// Where the files of sources may lie: paths are as definitions have them, relative to the store's folder
/// unless absolute.
struct SourceBounds {
  std::filesystem::path store_folder;
  std::vector<std::filesystem::path> folders;
};

/// kPermissionDenied for the first view whose source is not the one that `known` has of it and is not files
/// in the bounds: files elsewhere, warehouses (whose drivers are programs, and whose addresses may show the
/// environment), tables of the catalog (which may be another project's) and streams.
Result<void> CheckSources(const Definitions& definitions, const Catalog& known, const SourceBounds& bounds);

/// The same for the files of a table that is to be registered. Symbolic links are followed.
Result<void> CheckFiles(std::string_view path, const SourceBounds& bounds);

}  // namespace tidemark
