// Batches of a log's frames, put together where they have few rows each.
//
// A small write is a frame of one row or some. What reads, sorts or writes batches costs more for each of
// them than for each of their rows.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "base/result.h"

namespace tidemark {

class JoinedBatches {
 public:
  JoinedBatches() = default;
  /// Goes on from what another one had: TakeWhole, and TakeLast (null: nothing).
  JoinedBatches(arrow::RecordBatchVector whole, std::shared_ptr<arrow::RecordBatch> last);

  /// All batches are of one schema; one without rows is left out.
  Result<void> Add(std::shared_ptr<arrow::RecordBatch> rows);

  /// The rows that are too few yet for a batch, as one; null if there are none.
  Result<std::shared_ptr<arrow::RecordBatch>> TakeLast();

  /// What comes before the last, in the order of Add.
  arrow::RecordBatchVector TakeWhole() { return std::exchange(whole_, {}); }

 private:
  void AddFew(std::shared_ptr<arrow::RecordBatch> rows);
  Result<void> JoinFew();

  arrow::RecordBatchVector whole_;
  arrow::RecordBatchVector few_;
  std::int64_t few_rows_ = 0;
};

}  // namespace tidemark
