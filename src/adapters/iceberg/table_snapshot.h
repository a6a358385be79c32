// A snapshot of a table, leased as long as it is read.
#pragma once

#include <memory>

#include "adapters/iceberg/commit.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

Result<std::unique_ptr<TableSnapshot>> OpenSnapshot(const TablePlace& place, HeadLoader& heads,
                                                    const SnapshotChoice& choice);

}  // namespace tidemark::iceberg
