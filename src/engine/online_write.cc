// Checks all rows first, then merges them in one transaction.
#include "engine/online_write.h"

#include <arrow/table.h>
#include <fmt/format.h>

#include "base/result.h"
#include "engine/online_rows.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// The rows as one batch of columns in the forms that are stored.
struct CheckedRows {
  arrow::ArrayVector keys;
  arrow::ArrayVector features;
  std::shared_ptr<arrow::Int64Array> event;
  std::shared_ptr<arrow::Int64Array> created;  // null: the moment of writing
};

class Writing {
 public:
  Writing(const CatalogView& view, const Clock& clock, WriteTimes& write_times)
      : view_(view), write_times_(write_times), now_us_(clock.now_us()) {
    event_column_ = view.definition.source ? view.definition.source->timestamp_field : "event_timestamp";
    if (view.definition.source) created_column_ = view.definition.source->created_timestamp_column;
  }

  Result<MergeCounts> Write(arrow::RecordBatchReader& reader, OnlineStore& online) {
    TM_ASSIGN(const auto table, FromArrowResult(reader.ToTable()));
    TM_ASSIGN(const auto batch, FromArrowResult(table->CombineChunksToBatch()));
    TM_ASSIGN(const CheckedRows rows, Check(*batch));
    const PackedLayout layout = CurrentLayout(view_);
    first_sequence_us_ = write_times_.Take(now_us_, batch->num_rows());
    OnlineBatch writes(layout, view_.id, rows.keys, rows.features);
    for (std::int64_t row = 0; row < batch->num_rows(); ++row)
      TM_TRY(writes.Add(row, HeaderOf(rows, row)));
    return writes.Merge(online, {.durable = true});
  }

 private:
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
      TM_ASSIGN(auto canonical, CanonicalKey(column, *key.type, key.name, 0));
      rows.keys.push_back(std::move(canonical));
    }
    for (const Field& field : view_.definition.fields) {
      TM_ASSIGN(const auto column, Column(batch, field.name));
      TM_ASSIGN(auto cast, CastColumn(column, field.type, field.name, 0));
      rows.features.push_back(std::move(cast));
    }
    TM_ASSIGN(const auto event, Column(batch, event_column_));
    TM_ASSIGN(rows.event, TimesToMicros(*event, event_column_, 0));
    TM_TRY(CheckNotAhead(*rows.event));
    if (!created_column_.empty() && batch.schema()->GetFieldIndex(created_column_) >= 0) {
      TM_ASSIGN(rows.created, TimesToMicros(*batch.GetColumnByName(created_column_), created_column_, 0));
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
              event_column_, row, FormatTimestampUs(event.Value(row))));
    }
    return {};
  }

  PackedHeader HeaderOf(const CheckedRows& rows, std::int64_t row) const {
    PackedHeader header;
    const std::int64_t created_us = rows.created != nullptr   ? rows.created->Value(row)
                                    : created_column_.empty() ? 0
                                                              : now_us_;
    header.order = {EventTime{rows.event->Value(row)}, CreatedTime{created_us}, first_sequence_us_ + row, 0};
    header.schema_version = static_cast<std::uint32_t>(view_.version);
    return header;
  }

  const CatalogView& view_;
  WriteTimes& write_times_;
  const std::int64_t now_us_;
  std::int64_t first_sequence_us_ = 0;  // of row 0
  std::string event_column_;
  std::string created_column_;  // empty: rows of this view have none
};

}  // namespace

Result<MergeCounts> WriteOnline(const CatalogView& view, arrow::RecordBatchReader& rows, OnlineStore& online,
                                const Clock& clock, WriteTimes& write_times) {
  const std::string place = "view " + view.definition.name;
  if (!view.definition.online) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is not kept online (online: false)", place));
  }
  auto counts = Writing(view, clock, write_times).Write(rows, online);
  if (!counts) return std::unexpected(std::move(counts).error().In(place));
  return counts;
}

}  // namespace tidemark
