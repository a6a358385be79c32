// Rows, deletions that say when they were, and those that do not, are read apart and put together again.
#include "engine/tables/stream_rows.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "engine/tables/feature_tables.h"
#include "engine/tables/source_rows.h"
#include "engine/tables/stamp_rows_internal.h"
#include "engine/tables/table_marks_internal.h"
#include "model/feature_table.h"
#include "model/time.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

using RowPlaces = std::vector<std::size_t>;

Result<std::shared_ptr<arrow::Array>> PlacesArray(const RowPlaces& places) {
  arrow::Int64Builder builder;
  TM_TRY(FromArrowStatus(builder.Reserve(std::ssize(places))));
  for (const std::size_t place : places)
    builder.UnsafeAppend(static_cast<std::int64_t>(place));
  return FromArrowResult(builder.Finish());
}

Result<std::shared_ptr<arrow::Array>> TakenColumn(const std::shared_ptr<arrow::Array>& column,
                                                  const std::shared_ptr<arrow::Array>& places) {
  TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(column, places)));
  return taken.make_array();
}

/// Rows of one kind, with their places among all.
struct RowsOfKind {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::shared_ptr<arrow::Int64Array> arrivals;
  RowPlaces places;
  bool is_deleted = false;

  RowsOfKind Slice(std::size_t begin, std::size_t count) const {
    const auto at = static_cast<std::int64_t>(begin);
    const auto length = static_cast<std::int64_t>(count);
    const auto first = places.begin() + at;
    return {batch->Slice(at, length),
            std::static_pointer_cast<arrow::Int64Array>(arrivals->Slice(at, length)),
            {first, first + length},
            is_deleted};
  }
};

class StreamRowsCheck {
 public:
  explicit StreamRowsCheck(const CatalogView& view) : view_(view) {}

  Result<CheckedStreamRows> Run(const DecodedStreamRows& decoded) {
    event_us_max_ = decoded.event_us_max;
    TM_ASSIGN(const auto kinds, Divide(decoded));
    for (const RowsOfKind& kind : kinds) {
      if (!kind.places.empty()) TM_TRY(Read(kind));
    }
    if (parts_.empty()) {
      TM_ASSIGN(auto none, ReadSlice(kinds[0].Slice(0, 0)));
      parts_.push_back(std::move(none));
    }
    TM_ASSIGN(checked_.rows, JoinRows(std::move(parts_)));
    if (!std::ranges::is_sorted(checked_.places)) TM_TRY(Reorder());
    std::ranges::sort(checked_.rejected, {}, &RejectedStreamRow::row);
    return std::move(checked_);
  }

 private:
  /// Rows; deletions with an event time; and those without.
  Result<std::array<RowsOfKind, 3>> Divide(const DecodedStreamRows& decoded) const {
    std::array<RowPlaces, 3> places;
    const std::string& event = view_.definition.table.timestamp_field;
    const auto event_times = decoded.rows->GetColumnByName(event);
    const auto flags = std::dynamic_pointer_cast<arrow::BooleanArray>(
        decoded.rows->GetColumnByName(system_column::kIsDeleted));
    for (std::size_t row = 0; row < decoded.is_tombstone.size(); ++row) {
      const auto at = static_cast<std::int64_t>(row);
      const bool is_flagged = flags != nullptr && flags->IsValid(at) && flags->Value(at);
      const bool is_deletion = decoded.is_tombstone[row] || is_flagged;
      const bool has_time = event_times != nullptr && event_times->IsValid(at);
      places[!is_deletion ? 0 : has_time ? 1 : 2].push_back(row);
    }
    auto rows = decoded.rows;
    if (const int flag = rows->schema()->GetFieldIndex(system_column::kIsDeleted); flag >= 0) {
      TM_ASSIGN(rows, FromArrowResult(rows->RemoveColumn(flag)));
    }
    std::array<RowsOfKind, 3> kinds;
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      if (kind > 0 && places[kind].empty()) continue;  // most often there are rows only
      auto batch = rows;
      if (const int time = rows->schema()->GetFieldIndex(event); kind == 2 && time >= 0) {
        TM_ASSIGN(batch, FromArrowResult(rows->RemoveColumn(time)));
      }
      TM_ASSIGN(kinds[kind], Chosen(batch, decoded.arrivals, std::move(places[kind])));
      kinds[kind].is_deleted = kind > 0;
    }
    return kinds;
  }

  static Result<RowsOfKind> Chosen(const std::shared_ptr<arrow::RecordBatch>& batch,
                                   const std::shared_ptr<arrow::Int64Array>& arrivals, RowPlaces places) {
    if (std::ssize(places) == batch->num_rows()) return RowsOfKind{batch, arrivals, std::move(places), false};
    if (places.empty()) return RowsOfKind{batch, arrivals, {}, false}.Slice(0, 0);
    TM_ASSIGN(const auto indices, PlacesArray(places));
    TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(batch, indices)));
    TM_ASSIGN(const auto times, TakenColumn(arrivals, indices));
    return RowsOfKind{taken.record_batch(), std::static_pointer_cast<arrow::Int64Array>(times),
                      std::move(places), false};
  }

  Result<TableRows> ReadSlice(const RowsOfKind& rows) const {
    bool was_cut = false;
    TM_ASSIGN(TableRows read, ReadTableRows(view_, *rows.batch,
                                            {.arrival_us = 0,
                                             .first_row = 0,
                                             .is_deleted = rows.is_deleted,
                                             .event_us = {},
                                             .others_allowed = rows.is_deleted,
                                             .arrivals = rows.arrivals},
                                            &was_cut));
    for (std::int64_t row = 0; event_us_max_ && row < read.count(); ++row) {
      if (read.event->Value(row) <= *event_us_max_) continue;
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("the event time {} is more than 10 minutes ahead of the clock, and rows of a stream "
                      "beside a batch source are online only",
                      FormatTimestampUs(read.event->Value(row))));
    }
    return read;
  }

  /// Halves what does not fit as a whole until the rows are found that do not.
  Result<void> Read(const RowsOfKind& rows) {
    auto read = ReadSlice(rows);
    if (read) {
      checked_.places.insert(checked_.places.end(), rows.places.begin(), rows.places.end());
      parts_.push_back(*std::move(read));
      return {};
    }
    const ErrorCode code = read.error().code;
    if (code != ErrorCode::kInvalidData && code != ErrorCode::kTypeMismatch)
      return std::unexpected(std::move(read).error());
    // A column that fits in no row is in the way of all.
    const auto of_none = rows.places.size() > 1 ? ReadSlice(rows.Slice(0, 0)) : read;
    if (!of_none) {
      for (const std::size_t place : rows.places)
        checked_.rejected.push_back({place, of_none.error().message});
      return {};
    }
    const std::size_t half = rows.places.size() / 2;
    TM_TRY(Read(rows.Slice(0, half)));
    return Read(rows.Slice(half, rows.places.size() - half));
  }

  /// As they came: later messages of a key are to get the later write times.
  Result<void> Reorder() {
    RowPlaces order(checked_.places.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t row) { return checked_.places[row]; });
    TM_ASSIGN(const auto indices, PlacesArray(order));
    TableRows& rows = checked_.rows;
    for (arrow::ArrayVector* columns : {&rows.columns, &rows.keys, &rows.features}) {
      for (auto& column : *columns) {
        TM_ASSIGN(column, TakenColumn(column, indices));
      }
    }
    for (auto* times : {&rows.event, &rows.created, &rows.expires_at, &rows.arrivals}) {
      if (*times == nullptr) continue;
      TM_ASSIGN(const auto taken, TakenColumn(*times, indices));
      *times = std::static_pointer_cast<arrow::Int64Array>(taken);
    }
    TM_ASSIGN(const auto deletions, TakenColumn(rows.deletions, indices));
    rows.deletions = std::static_pointer_cast<arrow::BooleanArray>(deletions);
    std::ranges::sort(checked_.places);
    return {};
  }

  const CatalogView& view_;
  std::optional<std::int64_t> event_us_max_;
  std::vector<TableRows> parts_;
  CheckedStreamRows checked_;
};

}  // namespace

Result<CheckedStreamRows> CheckStreamRows(const CatalogView& view, const DecodedStreamRows& decoded) {
  return StreamRowsCheck(view).Run(decoded);
}

Result<std::shared_ptr<StreamFrame>> FeatureTables::PrepareStream(
    const CatalogView& view, std::vector<TableRows> batches, std::span<const StreamPart> parts,
    std::optional<std::uint32_t> marks_table) const {
  auto frame = std::make_shared<StreamFrame>();
  frame->place = "view " + view.definition.name;
  frame->parts.assign(parts.begin(), parts.end());
  frame->marks_table = marks_table.value_or(view.id);
  const auto prepare = [&]() -> Result<void> {
    TM_TRY(CheckWritable());
    TM_ASSIGN(const TableRows rows, JoinRows(std::move(batches)));
    const std::int64_t now_us = parts_.clock->now_us();
    const bool is_table = view.definition.is_table();
    TM_ASSIGN(const auto shape, shapes_.Get(view));
    TM_ASSIGN(const StampedBatch stamped,
              StampRows(shape->schema, {&rows, 1}, *parts_.write_times, now_us, StampOrder::kAsGiven));
    TM_ASSIGN(frame->payload, EncodeBatch(shape->encoded_schema, *stamped.rows));
    if (is_table) frame->offsets = StreamPartsText(parts);
    LogRecord& record = frame->record;
    record.targets = static_cast<std::uint8_t>((is_table ? kLogToOffline : 0) |
                                               (view.definition.online ? kLogToOnline : 0));
    record.table_id = view.id;
    record.schema_version = static_cast<std::uint32_t>(view.version);
    record.write_time_us = stamped.write_time_us;
    record.stream_offsets = std::as_bytes(std::span(frame->offsets));
    record.payload = {reinterpret_cast<const std::byte*>(frame->payload->data()),
                      static_cast<std::size_t>(frame->payload->size())};
    if (!view.definition.online) return {};
    TM_ASSIGN(frame->online, OnlineRowsOf(view, shape->layout, *stamped.rows, now_us));
    frame->later.emplace(*parts_.log, frame->online.rows);
    return {};
  };
  if (auto prepared = prepare(); !prepared)
    return std::unexpected(std::move(prepared).error().In(frame->place));
  return frame;
}

Result<void> FeatureTables::CheckStream(StreamFrame& frame) const {
  const auto check = [&]() -> Result<void> {
    if (!frame.later) return {};
    TM_ASSIGN(const bool is_ours, owners_.Stand(*parts_.offline, frame.marks_table, frame.parts));
    if (!is_ours) {
      frame.was_outrun = true;
      return Fail(ErrorCode::kBusy,
                  "a partition of its stream was taken by another reader: if this comes again and again, "
                  "readers of this store name different groups");
    }
    if (parts_.at_step) parts_.at_step("stream-checked");
    return {};
  };
  TM_TRY_IN(check(), frame.place);
  return {};
}

Result<void> FeatureTables::LogStream(std::span<const std::shared_ptr<StreamFrame>> frames) const {
  std::vector<TableLog::LaterWrite> writes;
  writes.reserve(frames.size());
  for (const auto& frame : frames)
    writes.push_back({frame->record, frame->later ? &*frame->later : nullptr});
  TM_TRY_IN(parts_.log->AppendLater(writes), frames.front()->place);
  return {};
}

Result<void> FeatureTables::MergeStream(std::span<const std::shared_ptr<StreamFrame>> frames) const {
  std::vector<TableLog::OnlineLater*> rows;
  for (const auto& frame : frames) {
    if (frame->later) rows.push_back(&*frame->later);
  }
  if (rows.empty()) return {};
  TM_TRY_IN(parts_.log->MergeLater(rows), frames.front()->place);
  return {};
}

Result<StreamMarks> FeatureTables::FlushedStreamMarks(const CatalogView& view) const {
  TM_TRY(Prepare(view));
  TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
  TM_ASSIGN(const auto snapshot, table->Snapshot({}));
  return StreamMarksOf(snapshot->properties());
}

Result<StreamMarks> FeatureTables::StreamProgress(const CatalogView& view) const {
  TM_TRY(Prepare(view));
  TM_TRY(parts_.log->RecoverToRead());
  TM_ASSIGN(const auto table, parts_.offline->Open(view.id));
  TM_ASSIGN(const auto logs, parts_.log->Snapshots());
  TM_ASSIGN(const auto snapshot, table->Snapshot({}));
  TM_ASSIGN(StreamMarks marks, StreamMarksOf(snapshot->properties()));
  const StreamMarks flushed = marks;
  for (const auto& log : logs) {
    const std::uint64_t from = FlushedUpTo(snapshot->properties(), log->id());
    TM_TRY(log->Read(from, view.id, [&](const LogFrame& frame) -> Result<void> {
      TM_ASSIGN(const auto parts, StreamPartsOf(frame.record));
      for (const StreamPart& part : parts) {
        if (StreamPartStands(part, flushed)) ReadOn(marks, part);
      }
      return {};
    }));
  }
  return marks;
}

}  // namespace tidemark
