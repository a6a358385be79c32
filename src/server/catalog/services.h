// What every dialect works on.
#pragma once

#include <memory>

#include "server/catalog/definitions.h"
#include "server/catalog/stores.h"

namespace tidemark::server {

/// One for the whole server; outlives the dialects.
struct Services {
  std::unique_ptr<Stores> stores;
  DefinitionsCache definitions;
};

}  // namespace tidemark::server
