// What every dialect works on.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "server/catalog/definitions.h"
#include "server/catalog/stores.h"

namespace tidemark::server {

/// One for the whole server; outlives the dialects.
struct Services {
  std::unique_ptr<Stores> stores;
  std::vector<std::filesystem::path> source_folders = {};  // ServeSettings
  DefinitionsCache definitions;
};

}  // namespace tidemark::server
