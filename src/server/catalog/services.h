// What every dialect works on.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "server/catalog/definitions.h"
#include "server/catalog/stores.h"
#include "tidemark/python_workers.h"

namespace tidemark::server {

/// One for the whole server; outlives the dialects.
struct Services {
  std::unique_ptr<Stores> stores;
  std::vector<std::filesystem::path> source_folders = {};  // ServeSettings
  DefinitionsCache definitions = {};
  std::shared_ptr<PythonWorkers> python_workers = {};  // null: none
};

}  // namespace tidemark::server
