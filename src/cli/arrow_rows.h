// Arrow record batches as rows of cells.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>

#include "base/result.h"
#include "cli/table.h"

namespace tidemark::cli {

/// A value as a cell: timestamps, dates and decimals are text, bytes are hexadecimal, NaN and infinity are
/// text.
Json CellOf(const arrow::Array& array, std::int64_t row);

/// Prints rows of `batch`, from `begin` on, at most `rows_max` of them.
Result<void> PrintBatch(const arrow::RecordBatch& batch, std::int64_t rows_max, RowPrinter& printer);

}  // namespace tidemark::cli
