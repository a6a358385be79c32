// Results that the store streams, printed as they come.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/session.h"
#include "tidemark/arrow_c.h"
#include "tidemark/tables.h"

namespace tidemark::cli {

/// A stream of the store's, released with this.
class ResultRows {
 public:
  ResultRows() = default;
  ~ResultRows();
  ResultRows(const ResultRows&) = delete;
  ResultRows& operator=(const ResultRows&) = delete;

  /// For the store to fill in.
  ArrowArrayStream* stream() { return &stream_; }

  Result<std::shared_ptr<arrow::Schema>> Schema();
  /// Null at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> Next(const std::shared_ptr<arrow::Schema>& schema);

 private:
  ArrowArrayStream stream_{};
};

/// Prints at most `limit` rows; without one all of them, or the first 40 as a table in a terminal.
Result<void> PrintResult(Session& session, ResultRows& rows, std::optional<std::int64_t> limit);

/// `--as-of`, a time or a snapshot's id, and `--at-least`; empty: not given.
Result<TableReadOptions> ParseReading(const std::string& as_of, const std::string& at_least);

}  // namespace tidemark::cli
