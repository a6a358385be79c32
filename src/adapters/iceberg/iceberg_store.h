// The offline store as Iceberg tables (format version 2) in a folder, with their catalog elsewhere.
//
// A table lies in `<root>/<id>-<random>/` with folders `data`, `metadata` and `leases`; locations are
// absolute file:// URIs. Other engines read the tables as they are, and may commit to them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark {

struct IcebergStoreOptions {
  std::filesystem::path root;  // absolute; made when the first table is
  /// Called at named steps of writing; an error ends the work there. For tests of what is left then.
  std::function<Result<void>(std::string_view step)> at_step = {};
};

/// `catalog` and `clock` must outlive the store and its tables.
Result<std::unique_ptr<OfflineStore>> OpenIcebergStore(TableCatalog& catalog, const Clock& clock,
                                                       const IcebergStoreOptions& options);

}  // namespace tidemark
