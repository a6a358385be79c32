// Rows with fewer columns, and without those that are deletions or too early.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::server::flight {

struct Narrowing {
  std::vector<std::string> columns;
  std::string time_column;                // of timestamps, for the next
  std::optional<std::int64_t> from_us{};  // rows before it are left out
  bool drop_deleted = false;              // rows whose is_deleted is true
};

/// kNotFound for a column that `rows` does not have.
Result<std::shared_ptr<arrow::RecordBatchReader>> Narrow(std::shared_ptr<arrow::RecordBatchReader> rows,
                                                         Narrowing narrowing);

}  // namespace tidemark::server::flight
