// Removing what no reader can want: expired snapshots, and files of writers that died.
#pragma once

#include "adapters/iceberg/commit.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

Result<CleanupReport> ExpireSnapshots(const TablePlace& place, HeadLoader& heads,
                                      const ExpireOptions& options);
Result<CleanupReport> RemoveOrphans(const TablePlace& place, HeadLoader& heads, std::int64_t older_than_us);

}  // namespace tidemark::iceberg
