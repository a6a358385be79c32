// Rows are checked and packed block by block, put aside where they are many, and merged when all are right.
#include "engine/online_write.h"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "engine/online_rows.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::int64_t kBlockRows = std::int64_t{1} << 16;

/// Columns of a block in the forms that are stored.
struct CheckedRows {
  arrow::ArrayVector keys;
  arrow::ArrayVector features;
  std::shared_ptr<arrow::Int64Array> event;
  std::shared_ptr<arrow::Int64Array> created;  // null: the moment of writing
};

class Writing {
 public:
  Writing(const CatalogView& view, const Clock& clock, WriteTimes& write_times,
          const OnlineWriteOptions& options)
      : view_(view), write_times_(write_times), options_(options), now_us_(clock.now_us()) {
    event_column_ = view.definition.source ? view.definition.source->timestamp_field : "event_timestamp";
    if (view.definition.source) created_column_ = view.definition.source->created_timestamp_column;
  }

  Result<MergeCounts> Write(arrow::RecordBatchReader& reader, OnlineStore& online) {
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      TM_TRY(FromArrowStatus(reader.ReadNext(&batch)));
      if (batch == nullptr) break;
      for (std::int64_t begin = 0; begin < batch->num_rows(); begin += kBlockRows)
        TM_TRY(Pack(*batch->Slice(begin, kBlockRows)));
    }
    if (rows_before_ == 0) {  // no rows are of the right columns too
      TM_ASSIGN(const auto none, FromArrowResult(arrow::RecordBatch::MakeEmpty(reader.schema())));
      TM_TRY(Pack(*none));
    }
    if (spill_ == nullptr) return held_.Merge(online, {.durable = true});
    TM_TRY(PutAside());
    return MergeSpilled(online);
  }

 private:
  Result<void> Pack(const arrow::RecordBatch& block) {
    TM_ASSIGN(const CheckedRows rows, Check(block));
    const std::int64_t sequence_us = write_times_.Take(now_us_, block.num_rows());
    const OnlineBatch batch(layout_, view_.id, rows.keys, rows.features);
    for (std::int64_t row = 0; row < block.num_rows(); ++row) {
      TM_TRY(batch.Add(row, HeaderOf(rows, row, sequence_us + row), held_));
      if (held_.bytes() >= options_.bytes_max) TM_TRY(PutAside());
    }
    rows_before_ += block.num_rows();
    return {};
  }

  Result<void> PutAside() {
    if (spill_ == nullptr) {
      TM_ASSIGN(spill_, options_.spill());
    }
    const std::int64_t offset = spilled_.empty() ? 0 : spilled_.back().end();
    TM_ASSIGN(const PackedRows::Place place, held_.PutAside(offset, *spill_));
    spilled_.push_back(place);
    held_ = {};
    return {};
  }

  Result<MergeCounts> MergeSpilled(OnlineStore& online) const {
    MergeCounts all;
    for (const PackedRows::Place& place : spilled_) {
      TM_ASSIGN(const PackedRows rows, PackedRows::Read(place, *spill_));
      TM_ASSIGN(const MergeCounts counts, rows.Merge(online, {.durable = false}));
      all.written += counts.written;
      all.kept += counts.kept;
    }
    TM_TRY(online.Sync());
    return all;
  }

  Result<std::shared_ptr<arrow::Array>> Column(const arrow::RecordBatch& batch,
                                               const std::string& name) const {
    if (auto column = batch.GetColumnByName(name)) return column;
    const auto names = batch.schema()->field_names();
    return Fail(ErrorCode::kNotFound, fmt::format("the rows have no column '{}'{}; view '{}' needs it", name,
                                                  Suggest(name, names), view_.definition.name));
  }

  Result<CheckedRows> Check(const arrow::RecordBatch& batch) const {
    CheckedRows rows;
    for (const JoinKey& key : view_.join_keys) {
      TM_ASSIGN(const auto column, Column(batch, key.name));
      TM_ASSIGN(auto canonical, CanonicalKey(column, *key.type, key.name, rows_before_));
      rows.keys.push_back(std::move(canonical));
    }
    for (const Field& field : view_.definition.fields) {
      TM_ASSIGN(const auto column, Column(batch, field.name));
      TM_ASSIGN(auto cast, CastColumn(column, field.type, field.name, rows_before_));
      rows.features.push_back(std::move(cast));
    }
    TM_ASSIGN(const auto event, Column(batch, event_column_));
    TM_ASSIGN(rows.event, TimesToMicros(*event, event_column_, rows_before_));
    TM_TRY(CheckNotAhead(*rows.event));
    if (!created_column_.empty() && batch.schema()->GetFieldIndex(created_column_) >= 0) {
      TM_ASSIGN(rows.created,
                TimesToMicros(*batch.GetColumnByName(created_column_), created_column_, rows_before_));
    }
    return rows;
  }

  Result<void> CheckNotAhead(const arrow::Int64Array& event) const {
    for (std::int64_t row = 0; row < event.length(); ++row) {
      if (event.Value(row) <= now_us_ + kFutureToleranceUs) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format(
              "column '{}', row {}: {} is more than 10 minutes ahead of the clock; an online row must "
              "be due",
              event_column_, rows_before_ + row, FormatTimestampUs(event.Value(row))));
    }
    return {};
  }

  PackedHeader HeaderOf(const CheckedRows& rows, std::int64_t row, std::int64_t sequence_us) const {
    PackedHeader header;
    const std::int64_t created_us = rows.created != nullptr   ? rows.created->Value(row)
                                    : created_column_.empty() ? 0
                                                              : now_us_;
    header.order = {EventTime{rows.event->Value(row)}, CreatedTime{created_us}, sequence_us, 0};
    header.schema_version = static_cast<std::uint32_t>(view_.version);
    return header;
  }

  const CatalogView& view_;
  WriteTimes& write_times_;
  const OnlineWriteOptions& options_;
  const std::int64_t now_us_;
  const PackedLayout layout_ = CurrentLayout(view_);
  std::string event_column_;
  std::string created_column_;    // empty: rows of this view have none
  std::int64_t rows_before_ = 0;  // of the block at hand
  PackedRows held_;
  std::unique_ptr<Spill> spill_;  // null as long as all rows are held
  std::vector<PackedRows::Place> spilled_;
};

}  // namespace

Result<MergeCounts> WriteOnline(const CatalogView& view, arrow::RecordBatchReader& rows, OnlineStore& online,
                                const Clock& clock, WriteTimes& write_times,
                                const OnlineWriteOptions& options) {
  const std::string place = "view " + view.definition.name;
  if (!view.definition.online) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is not kept online (online: false)", place));
  }
  auto counts = Writing(view, clock, write_times, options).Write(rows, online);
  if (!counts) return std::unexpected(std::move(counts).error().In(place));
  return counts;
}

}  // namespace tidemark
