// How large a store is, and how fresh: what monitoring asks for.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "engine/catalog.h"
#include "engine/load_log.h"
#include "engine/tables/feature_tables.h"
#include "store/online_store.h"
#include "store/registry.h"

namespace tidemark {

struct StoreStatsParts {
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<FeatureTables> tables;
  std::shared_ptr<Registry> registry;
  std::shared_ptr<OnlineStore> online;  // null: nothing was ever written online
  std::filesystem::path log_folder;
  std::int64_t rows_written = 0;
};

/// As Store::Stats.
Result<std::string> StatsOfStore(const StoreStatsParts& parts);

}  // namespace tidemark
