// Tables whose folder was moved or copied, made readable where they are now.
//
// Iceberg's metadata says where everything lies, in full. For each table whose metadata, by the catalog, is
// not in the store's folder, the files that came along are taken for what they were: metadata, manifest lists
// and manifests of all snapshots are written anew, with the new places in them, under new names, and one swap
// in the catalog makes them the table's. The old place is neither read nor written: the store that was copied
// may live on there. Interrupted, it can be run again: a table is either as it was or done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "adapters/iceberg/iceberg_store.h"
#include "base/result.h"
#include "store/table_catalog.h"

namespace tidemark {

struct RelocatedTable {
  TableId id = 0;
  TableName name;
  std::filesystem::path from;  // the table's folder
  std::filesystem::path to;
  std::int64_t snapshots = 0;  // that came along
};

/// The tables of `catalog` that lie elsewhere than `root`, as the catalog has them; `to` is where they should
/// be, and `snapshots` is 0. Reads the catalog only.
Result<std::vector<RelocatedTable>> TablesElsewhere(const TableCatalog& catalog,
                                                    const std::filesystem::path& root);

/// Brings every one of them to `options.root`, under the same folder's name, and returns them. kNotFound,
/// before anything is changed, if a table's folder did not come along; kUnsupported for a table with delete
/// files; kBusy if somebody else changed a table meanwhile; kCorruption, kIo, kOutOfSpace.
Result<std::vector<RelocatedTable>> RelocateTables(TableCatalog& catalog, const IcebergStoreOptions& options);

}  // namespace tidemark
