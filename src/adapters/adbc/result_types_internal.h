// Columns of a result as the types that Tidemark's columns have.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>

#include "base/result.h"

namespace tidemark {

/// The schema with every column as ToArrow of its type (pit/columns.h): a timestamp is microseconds UTC (a
/// naive one is UTC), narrow and unsigned integers widen, dictionaries become their values, elements of a
/// list are called "item". Types without a counterpart (uint64, a time of day, an interval) stay. Of columns
/// of one name the second is called name_1, the third name_2, so that none is lost where names are keys.
std::shared_ptr<arrow::Schema> ResultSchema(const arrow::Schema& schema);

/// kUnsupported, naming the column, for one whose values nothing but DuckDB can read: a union, a number of
/// any length.
Result<void> CheckResultTypes(const arrow::Schema& schema);

/// The batch under `schema`, made by ResultSchema of its own; `first_row` is the number of its first row in
/// the result. Copies only what has another layout. kTypeMismatch names column, row and value.
Result<std::shared_ptr<arrow::RecordBatch>> AsResult(const arrow::RecordBatch& batch,
                                                     const std::shared_ptr<arrow::Schema>& schema,
                                                     std::int64_t first_row);

}  // namespace tidemark
