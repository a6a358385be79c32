// The rows of a snapshot as a source.
#pragma once

#include <arrow/scalar.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "adapters/iceberg/iceberg_schema.h"
#include "adapters/iceberg/lease.h"
#include "adapters/iceberg/name_mapping.h"
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
  /// By file, what its partition says the values are, by the columns' ids: of columns that the file does not
  /// have, and of all if it states no ids. Empty as above.
  std::vector<std::map<std::int32_t, std::shared_ptr<arrow::Scalar>>> constants = {};
  std::vector<MappedField> mapping = {};   // of files that state no ids; empty: there are none
  bool are_foreign = false;                // files of other people's, which may change or vanish
  std::shared_ptr<Lease> lease = nullptr;  // held as long as the source lives; may be null
};

/// Opens the files that the filter lets through. Errors name the file.
Result<std::unique_ptr<Source>> OpenSnapshotSource(SnapshotRows rows, const SourceOptions& options);

}  // namespace tidemark::iceberg
