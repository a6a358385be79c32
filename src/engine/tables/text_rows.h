// Rows that come as text, as those of a CSV file whose bad cells are to be found one by one.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>

#include "engine/catalog.h"

namespace tidemark {

/// True for columns that ReadText reads: those of other types are taken as they come, times among them.
bool IsReadFromText(const DataType& type);

/// The batch with those columns of the view that are text read as their types; others are left as they are.
/// kInvalidData for a cell that is no value of its type, with column, row (`first_row` is that of the batch)
/// and cell.
Result<std::shared_ptr<arrow::RecordBatch>> ReadText(const CatalogView& view,
                                                     const std::shared_ptr<arrow::RecordBatch>& batch,
                                                     std::int64_t first_row);

}  // namespace tidemark
