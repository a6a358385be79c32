// Fragments one after another, each read as it is asked for.
#include "engine/tables/scanned_rows.h"

#include "base/result.h"
#include "pit/arrow_status.h"

namespace tidemark {

ScannedRows::ScannedRows(std::unique_ptr<Source> source, Change change, std::stop_token stop)
    : source_(std::move(source)), change_(std::move(change)), stop_(std::move(stop)) {}

Result<std::unique_ptr<ScannedRows>> ScannedRows::Make(std::unique_ptr<Source> source, Change change,
                                                       std::stop_token stop) {
  std::unique_ptr<ScannedRows> rows(new ScannedRows(std::move(source), std::move(change), std::move(stop)));
  TM_ASSIGN(rows->fragments_, rows->source_->Fragments({}));
  return rows;
}

arrow::Status ScannedRows::ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) {
  while (batches_.empty() && next_ < fragments_.size()) {
    if (auto read = ReadFragment(); !read) return ToStatus(read.error());
  }
  batch->reset();
  if (batches_.empty()) return arrow::Status::OK();
  *batch = std::move(batches_.front());
  batches_.pop_front();
  return arrow::Status::OK();
}

Result<void> ScannedRows::ReadFragment() {
  const auto schema = source_->schema();
  const auto take = [&](const arrow::RecordBatch& given, std::int64_t) -> Result<void> {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
    TM_ASSIGN(auto batch, change_(arrow::RecordBatch::Make(schema, given.num_rows(), given.columns())));
    if (batch->num_rows() > 0) batches_.push_back(std::move(batch));
    return {};
  };
  return source_->Scan(fragments_[next_++], schema->field_names(), take);
}

}  // namespace tidemark
