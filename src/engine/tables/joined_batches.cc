// One of many rows stays as it is; what was waiting goes before it.
#include "engine/tables/joined_batches.h"

#include "pit/arrow_status.h"

namespace tidemark {
namespace {

// Batches of fewer rows are put together.
constexpr std::int64_t kJoinedRows = 32 * 1024;

}  // namespace

JoinedBatches::JoinedBatches(arrow::RecordBatchVector whole, std::shared_ptr<arrow::RecordBatch> last)
    : whole_(std::move(whole)) {
  if (last != nullptr) AddFew(std::move(last));
}

Result<void> JoinedBatches::Add(std::shared_ptr<arrow::RecordBatch> rows) {
  if (rows->num_rows() == 0) return {};
  if (rows->num_rows() >= kJoinedRows) {
    TM_TRY(JoinFew());
    whole_.push_back(std::move(rows));
    return {};
  }
  AddFew(std::move(rows));
  return few_rows_ < kJoinedRows ? Result<void>() : JoinFew();
}

Result<std::shared_ptr<arrow::RecordBatch>> JoinedBatches::TakeLast() {
  if (few_.empty()) return nullptr;
  const auto few = std::exchange(few_, {});
  few_rows_ = 0;
  return few.size() == 1 ? few.front() : FromArrowResult(arrow::ConcatenateRecordBatches(few));
}

void JoinedBatches::AddFew(std::shared_ptr<arrow::RecordBatch> rows) {
  few_rows_ += rows->num_rows();
  few_.push_back(std::move(rows));
}

Result<void> JoinedBatches::JoinFew() {
  TM_ASSIGN(auto joined, TakeLast());
  if (joined != nullptr) whole_.push_back(std::move(joined));
  return {};
}

}  // namespace tidemark
