// A frame is decoded by itself if it is not one plain row in the present columns.
#include "engine/tables/frame_rows.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "engine/tables/table_rows.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

/// Frames are written as a whole, and so is what stands of them, but where only some partitions were lost.
Result<std::shared_ptr<arrow::RecordBatch>> RowsOfStandingParts(
    const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<StreamPart>& parts,
    const StreamMarks& marks) {
  const auto stands = [&](const StreamPart& part) { return StreamPartStands(part, marks); };
  std::int64_t count = 0;
  for (const StreamPart& part : parts)
    count += part.rows;
  if (count != rows->num_rows())
    return Fail(ErrorCode::kCorruption, "a logged frame does not have the rows of a stream that it says");
  if (std::ranges::all_of(parts, stands)) return rows;
  arrow::RecordBatchVector slices{rows->Slice(0, 0)};
  std::int64_t begin = 0;
  for (const StreamPart& part : parts) {
    if (stands(part)) slices.push_back(rows->Slice(begin, part.rows));
    begin += part.rows;
  }
  return FromArrowResult(arrow::ConcatenateRecordBatches(slices));
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> DecodeRows(const LogRecord& record) {
  return record.kind == FrameKind::kPlainRow ? DecodePlainRow(record.payload) : DecodeBatch(record.payload);
}

Result<bool> FrameRows::Add(const LogFrame& frame, std::vector<StreamPart>* standing) {
  const LogRecord& record = frame.record;
  if (!HasRows(record.kind) || (record.targets & kLogToOffline) == 0) return false;
  TM_ASSIGN(const bool is_added, AddPlain(record));
  if (is_added) return true;
  TM_TRY(Finish());
  TM_ASSIGN(const auto decoded, DecodeRows(record));
  TM_ASSIGN(auto rows, AlignBatch(view_, schema_, decoded));
  TM_ASSIGN(const std::vector<StreamPart> parts, StreamPartsOf(record));
  if (!parts.empty()) {
    TM_ASSIGN(rows, RowsOfStandingParts(rows, parts, marks_));
    if (standing != nullptr) {
      std::ranges::copy_if(parts, std::back_inserter(*standing),
                           [&](const StreamPart& part) { return StreamPartStands(part, marks_); });
    }
  }
  TM_TRY(sink_(std::move(rows)));
  return true;
}

Result<bool> FrameRows::AddPlain(const LogRecord& record) {
  if (record.kind != FrameKind::kPlainRow || !record.stream_offsets.empty()) return false;
  if (!plain_) {
    TM_ASSIGN(std::string encoded, EncodePlainSchema(*schema_));
    plain_.emplace(schema_, std::move(encoded));
  }
  TM_ASSIGN(const bool is_added, plain_->Add(record.payload));
  if (is_added && plain_->is_full()) TM_TRY(Finish());
  return is_added;
}

Result<void> FrameRows::Finish() {
  if (!plain_ || plain_->rows() == 0) return {};
  TM_ASSIGN(auto rows, plain_->Take());
  return sink_(std::move(rows));
}

}  // namespace tidemark
