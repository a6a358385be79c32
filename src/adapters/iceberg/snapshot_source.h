// The rows of a snapshot as a source.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "adapters/iceberg/iceberg_schema.h"
#include "adapters/iceberg/lease.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// What is read: columns of the table, found in the files by their ids.
struct SnapshotRows {
  std::vector<TableColumn> columns = {};
  std::vector<SchemaField> fields = {};  // of the columns, for what lies within nested ones
  SystemColumns system = {};
  std::vector<DataFileInfo> files = {};  // in any order, and are read in that of their paths
  bool are_in_order = false;             // unless the given one is to be kept
  /// By file, ids of columns whose value is that of the file's partition, whether the file has them or not.
  /// Empty: Tidemark's own files have all.
  std::vector<std::set<std::int32_t>> partition_ids = {};
  std::shared_ptr<Lease> lease = nullptr;  // held as long as the source lives; may be null
};

/// Opens the files that the filter lets through. Errors name the file.
Result<std::unique_ptr<Source>> OpenSnapshotSource(SnapshotRows rows, const SourceOptions& options);

}  // namespace tidemark::iceberg
