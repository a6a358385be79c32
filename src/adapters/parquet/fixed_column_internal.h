// Reads flat columns of numbers, dates and times.
#pragma once

#include <memory>

#include "adapters/parquet/column_pages_internal.h"
#include "adapters/parquet/flat_column.h"

namespace tidemark::flat_column_internal {

/// For columns of INT32, INT64, FLOAT and DOUBLE; a null pointer for others.
std::unique_ptr<FlatColumn> OpenFixedColumn(const ColumnPlace& place, std::shared_ptr<arrow::DataType> type);

}  // namespace tidemark::flat_column_internal
