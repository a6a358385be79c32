// All rows of a source, one after another: for rewriting them.
#pragma once

#include <arrow/record_batch.h>

#include <deque>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "store/source.h"

namespace tidemark {

/// Reads fragment by fragment; about one fragment is held at a time.
class ScannedRows final : public arrow::RecordBatchReader {
 public:
  /// What becomes of each batch; it may have fewer rows.
  using Change =
      std::function<Result<std::shared_ptr<arrow::RecordBatch>>(std::shared_ptr<arrow::RecordBatch>)>;

  static Result<std::unique_ptr<ScannedRows>> Make(std::unique_ptr<Source> source, Change change,
                                                   std::stop_token stop);

  std::shared_ptr<arrow::Schema> schema() const override { return source_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override;

 private:
  ScannedRows(std::unique_ptr<Source> source, Change change, std::stop_token stop);
  Result<void> ReadFragment();

  const std::unique_ptr<Source> source_;
  const Change change_;
  const std::stop_token stop_;
  std::vector<Fragment> fragments_;
  std::size_t next_ = 0;  // of fragments_
  std::deque<std::shared_ptr<arrow::RecordBatch>> batches_;
};

}  // namespace tidemark
