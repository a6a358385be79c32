// The rows of a snapshot as a source.
#pragma once

#include <memory>
#include <vector>

#include "adapters/iceberg/lease.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// What is read: columns of the table, found in the files by their ids.
struct SnapshotRows {
  std::vector<TableColumn> columns = {};
  SystemColumns system = {};
  std::vector<DataFileInfo> files = {};    // in any order
  std::shared_ptr<Lease> lease = nullptr;  // held as long as the source lives; may be null
};

/// Opens the files that the filter lets through. Errors name the file.
Result<std::unique_ptr<Source>> OpenSnapshotSource(SnapshotRows rows, const SourceOptions& options);

}  // namespace tidemark::iceberg
