// The table catalog in the registry's SQLite file, laid out as Iceberg's SQL catalog (schema V1).
//
// Programs that read Iceberg's SQL catalogs read the store as it is:
//   pyiceberg.catalog.sql.SqlCatalog("tidemark", uri="sqlite:////path/of/registry.db")
#pragma once

#include <memory>
#include <string>

#include "store/table_catalog.h"

namespace tidemark {

struct SqliteTableCatalogOptions {
  std::string path;                       // of the registry's file; its folder must exist
  int busy_timeout_ms = 5000;             // how long to wait for another process before kBusy
  std::string catalog_name = "tidemark";  // of listed tables; others are under this name and "_unlisted"
};

/// Opens the catalog in the registry at `path`; makes, checks and brings up to date that file as
/// OpenSqliteRegistry does, with the same errors. A file of an older format that can only be read is
/// kUnsupported.
Result<std::unique_ptr<TableCatalog>> OpenSqliteTableCatalog(const SqliteTableCatalogOptions& options);

}  // namespace tidemark
