// Rows in a table's sort order: ascending by each column, nulls first, equal rows in the order that they had.
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::iceberg {

/// Whether the batches' rows, one after another, are in order.
bool AreSorted(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
               const std::vector<std::string>& columns);

/// The batches' rows in one batch, sorted.
Result<std::shared_ptr<arrow::RecordBatch>> SortRows(
    const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches, const std::vector<std::string>& columns);

/// The batches' rows in one batch. kInvalidArgument if its texts outgrow what one array can hold.
Result<std::shared_ptr<arrow::RecordBatch>> CombineBatches(
    const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches);

}  // namespace tidemark::iceberg
