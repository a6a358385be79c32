// Rows are known by a hash of key and event time.
#include "engine/tables/range_rows.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>

#include "base/hash.h"
#include "engine/online_rows.h"
#include "engine/tables/read_rows.h"
#include "model/feature_table.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// Makes the hashes of rows of one batch.
class RowHashes {
 public:
  RowHashes(const CatalogView& view, const arrow::ArrayVector& keys, const arrow::Int64Array& event)
      : writer_(view.id, keys), event_(event) {}

  std::array<std::byte, 16> Of(std::int64_t row) {
    bytes_.clear();
    writer_.Append(row, bytes_);
    const std::int64_t event_us = event_.Value(row);
    bytes_.append(reinterpret_cast<const char*>(&event_us), sizeof event_us);
    return Hash128(std::as_bytes(std::span(bytes_)));
  }

 private:
  const OnlineKeyWriter writer_;
  const arrow::Int64Array& event_;
  std::string bytes_;
};

Result<std::shared_ptr<arrow::RecordBatch>> TakeBatchRows(const arrow::RecordBatch& batch,
                                                          const std::vector<std::int64_t>& rows) {
  arrow::Int64Builder builder;
  TM_TRY(FromArrowStatus(builder.AppendValues(rows)));
  TM_ASSIGN(const auto places, FromArrowResult(builder.Finish()));
  const auto whole = arrow::RecordBatch::Make(batch.schema(), batch.num_rows(), batch.columns());
  TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(whole, arrow::Datum(places))));
  return taken.record_batch();
}

}  // namespace

Result<RangeRows> RangeRows::Read(const CatalogView& view, const SourceOpeners& open,
                                  const RangeRowsOptions& options) {
  RangeRows range(view, options);
  TM_ASSIGN(const auto reader, ReadRows(view, open,
                                        {.features = {},
                                         .no_features = true,
                                         .start_us = options.range.start_us,
                                         .end_us = options.range.end_us - 1,
                                         .entities = nullptr,
                                         .latest = false,
                                         .now_us = options.arrival_us,
                                         .threads = options.threads,
                                         .stop = options.stop}));
  TM_ASSIGN(const auto table, FromArrowResult(reader->ToTable()));
  if (table->num_rows() == 0) return range;
  TM_ASSIGN(const auto all, FromArrowResult(table->CombineChunksToBatch()));
  arrow::ArrayVector keys;
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  const auto add = [&](const std::string& name) {
    fields.push_back(all->schema()->GetFieldByName(name));
    columns.push_back(all->GetColumnByName(name));
  };
  for (const JoinKey& key : view.join_keys) {
    add(key.name);
    TM_ASSIGN(auto canonical, CanonicalKey(all->GetColumnByName(key.name), *key.type, key.name, 0));
    keys.push_back(std::move(canonical));
  }
  add(view.definition.event_column());
  TM_ASSIGN(const auto event, TimesToMicros(*columns.back(), view.definition.event_column(), 0));
  const auto deleted =
      std::static_pointer_cast<arrow::BooleanArray>(all->GetColumnByName(system_column::kIsDeleted));
  // Rows come in the order of the rule: of those of one key and time the last one counts.
  RowHashes hashes(view, keys, *event);
  std::vector<std::int64_t> live;
  for (std::int64_t row = 0; row < all->num_rows(); ++row) {
    const auto hash = hashes.Of(row);
    if (!range.places_.empty() && range.places_.back().hash == hash) {
      range.places_.pop_back();
      live.pop_back();
    }
    if (deleted->IsValid(row) && deleted->Value(row)) continue;
    range.places_.push_back({hash, std::ssize(live)});
    live.push_back(row);
  }
  TM_ASSIGN(range.rows_, TakeBatchRows(*arrow::RecordBatch::Make(arrow::schema(std::move(fields)),
                                                                 all->num_rows(), std::move(columns)),
                                       live));
  std::ranges::sort(range.places_, {}, &Place::hash);
  range.is_kept_.resize(live.size());
  return range;
}

Result<void> RangeRows::Keep(const TableRows& rows) {
  for (std::int64_t row = 0; row < rows.count(); ++row) {
    const std::int64_t event_us = rows.event->Value(row);
    if (event_us >= options_.range.start_us && event_us < options_.range.end_us) continue;
    return Fail(ErrorCode::kInvalidData,
                fmt::format("a row of {} is not in the range that is computed", FormatTimestampUs(event_us)));
  }
  if (places_.empty()) return {};
  RowHashes hashes(*view_, rows.keys, *rows.event);
  for (std::int64_t row = 0; row < rows.count(); ++row) {
    const auto hash = hashes.Of(row);
    const auto place = std::ranges::lower_bound(places_, hash, {}, &Place::hash);
    if (place != places_.end() && place->hash == hash) is_kept_[static_cast<std::size_t>(place->row)] = true;
  }
  return {};
}

Result<std::optional<TableRows>> RangeRows::Deletions() const {
  std::vector<std::int64_t> gone;
  for (std::size_t row = 0; row < is_kept_.size(); ++row) {
    if (!is_kept_[row]) gone.push_back(static_cast<std::int64_t>(row));
  }
  if (gone.empty()) return std::nullopt;
  TM_ASSIGN(const auto batch, TakeBatchRows(*rows_, gone));
  TableRowsOptions options;
  options.arrival_us = options_.arrival_us;
  options.is_deleted = true;
  options.others_allowed = true;
  bool cut = false;
  TM_ASSIGN(TableRows rows, ReadTableRows(*view_, *batch, options, &cut));
  return rows;
}

}  // namespace tidemark
