// Partition values: which rows share a data file, and what the manifests say of them.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/iceberg/manifest.h"
#include "adapters/iceberg/table_metadata.h"
#include "base/result.h"
#include "store/foreign_tables.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// The fields of a layout as a partition spec; ids from 1000 on. kInvalidArgument for a column that is not
/// there, or a transform that its type does not have, or fewer than one bucket.
Result<PartitionSpec> MakeSpec(const Schema& schema, const std::vector<PartitionField>& partitions);

/// The layout's form of a spec; transforms that Tidemark does not write with are left out.
std::vector<PartitionField> PartitionsOf(const Schema& schema, const PartitionSpec& spec);

/// Rows of one partition, in their order.
struct PartitionRows {
  std::string tuple;                    // as Avro encodes it
  std::vector<FieldSummary> summaries;  // of this one tuple
  std::shared_ptr<arrow::RecordBatch> rows;
};

/// Divides rows, whose columns are the schema's, by partition. One part, without a copy, for a spec without
/// fields. kUnsupported for a spec whose transforms Tidemark does not write with.
Result<std::vector<PartitionRows>> SplitByPartition(const Schema& schema, const PartitionSpec& spec,
                                                    const std::shared_ptr<arrow::RecordBatch>& rows);

/// What one partition's tuple spans. kUnsupported for transforms that Tidemark does not write with,
/// kCorruption for a tuple that is not of this spec.
Result<std::vector<FieldSummary>> SummariesOfTuple(const Schema& schema, const PartitionSpec& spec,
                                                   std::string_view tuple);

/// One partition, of values that are given as text.
struct PartitionTuple {
  std::string tuple;                    // as Avro encodes it
  std::vector<FieldSummary> summaries;  // of this one tuple
};

/// The tuple of identity partitions by the columns' names, as folders say them. kInvalidArgument, naming the
/// column, for a value that is not there or not of its type.
Result<PartitionTuple> TupleOfFolders(const Schema& schema, const PartitionSpec& spec,
                                      const FolderValues& folders);

/// A column that has one value in all rows of a partition.
struct PartitionConstant {
  std::int32_t column_id = 0;
  std::shared_ptr<arrow::Scalar> value;  // as ToArrow of the column's type; may be null
};

/// The identity partitions of a tuple. None for a spec that Tidemark does not write with; kCorruption for a
/// tuple that is not of this spec.
Result<std::vector<PartitionConstant>> ConstantsOf(const Schema& schema, const PartitionSpec& spec,
                                                   std::string_view tuple);

/// Widens `all` by what `more` spans.
void MergeSummaries(const Schema& schema, const PartitionSpec& spec, std::vector<FieldSummary>& all,
                    const std::vector<FieldSummary>& more);

/// Iceberg's bucket hash (table spec, appendix B): Murmur3, 32 bits, x86, seed 0.
std::int32_t BucketHash(std::string_view bytes);
/// Integers, dates and timestamps are hashed as eight bytes.
std::int32_t BucketHash(std::int64_t value);

}  // namespace tidemark::iceberg
