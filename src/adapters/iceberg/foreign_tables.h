// ForeignTables (store/foreign_tables.h) as Iceberg tables: metadata of ours over data files of others.
//
// A table lies in a folder as those of iceberg_store.h do, with nothing under `data`. Its name mapping says
// which ids columns have in the files, its partitions are identities of what folders' names say, and
// `gc.enabled` is false, by which other engines know that the files are not theirs to remove either.
#pragma once

#include <memory>

#include "adapters/iceberg/iceberg_store.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/foreign_tables.h"

namespace tidemark {

/// `catalog` and `clock` must outlive it. Options are those of the store whose tables lie beside these.
Result<std::unique_ptr<ForeignTables>> OpenForeignTables(TableCatalog& catalog, const Clock& clock,
                                                         const IcebergStoreOptions& options);

}  // namespace tidemark
