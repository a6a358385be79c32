// Where the folders of a store's tables are.
#pragma once

#include <filesystem>

#include "adapters/iceberg/commit.h"
#include "adapters/iceberg/iceberg_store.h"
#include "base/result.h"
#include "store/table_catalog.h"

namespace tidemark::iceberg {

/// The options with their folder as the folders of tables begin. kInvalidArgument if it is not absolute.
Result<IcebergStoreOptions> WithPlainRoot(IcebergStoreOptions options);

/// A new folder's name for a table.
std::filesystem::path NewTableFolder(const IcebergStoreOptions& options, TableId id);

/// Makes a table's folder and those in it, synced.
Result<void> MakeTableFolders(const TablePlace& place);

/// The folder that a table's metadata lies in. A store that was copied must not write into the first one's:
/// kInvalidArgument, with the command that makes it right.
Result<std::filesystem::path> FolderOfTable(const TableCatalog& catalog, const IcebergStoreOptions& options,
                                            TableId id);

/// Takes the table out of the catalog and removes its folder, with nothing outside of it.
Result<void> DropTable(TableCatalog& catalog, const IcebergStoreOptions& options, TableId id);

}  // namespace tidemark::iceberg
