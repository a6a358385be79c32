// The places of the rows asked for are found by their keys and times alone; then all of their columns are
// read.
#include "engine/tables/read_rows.h"

#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "base/parallel.h"
#include "base/result.h"
#include "engine/entity_rows.h"
#include "engine/online_rows.h"
#include "model/feature_table.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/latest_per_key.h"
#include "pit/rule.h"
#include "pit/sort_rows.h"

namespace tidemark {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
/// The end of time itself stands for rows that do not count.
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max() - 1;

/// The entities that rows are asked for.
class EntitySet {
 public:
  static Result<EntitySet> Make(const CatalogView& view, const arrow::Table& entities) {
    EntitySet set;
    arrow::ArrayVector keys;
    for (const JoinKey& key : view.join_keys) {
      if (entities.GetColumnByName(key.name) == nullptr) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("the entities have no column '{}', which is a join key of view '{}'",
                                key.name, view.definition.name));
      }
      TM_ASSIGN(auto canonical, EntityKey(entities, key.name, key, 0));
      keys.push_back(std::move(canonical));
    }
    const OnlineKeyWriter writer(view.id, keys);
    for (std::int64_t row = 0; row < entities.num_rows(); ++row) {
      std::string key;
      writer.Append(row, key);
      set.keys_.insert(std::move(key));
    }
    return set;
  }

  bool Contains(const std::string& key) const { return keys_.contains(key); }

 private:
  std::unordered_set<std::string> keys_;
};

class Reading {
 public:
  Reading(const CatalogView& view, const ReadRowsRequest& request) : view_(view), request_(request) {
    start_us_ = request.start_us.value_or(kLowest);
    end_us_ = std::min(request.end_us.value_or(kGreatest), kGreatest);
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Run(const SourceOpeners& open) {
    if (start_us_ > end_us_) return Fail(ErrorCode::kInvalidArgument, "the start is after the end");
    TM_ASSIGN(source_, ViewSource::Open(view_, open, view_.definition.fields));
    TM_TRY(ChooseColumns());
    if (request_.entities != nullptr) {
      TM_ASSIGN(entities_, EntitySet::Make(view_, *request_.entities));
    }
    TM_ASSIGN(fragments_, source_->Fragments());
    std::vector<std::vector<std::int64_t>> rows(fragments_.size());
    if (request_.latest) {
      TM_TRY(FindLatest(rows));
    } else {
      TM_TRY(FindAll(rows));
    }
    TM_ASSIGN(const auto table, Take(rows));
    TM_ASSIGN(const auto sorted, Sorted(table));
    return std::make_shared<arrow::TableBatchReader>(sorted);
  }

 private:
  Result<void> ChooseColumns() {
    for (const JoinKey& key : view_.join_keys)
      columns_.push_back(key.name);
    if (view_.definition.is_table() &&
        view_.definition.table.timestamp_field != view_.definition.event_column())
      columns_.push_back(view_.definition.table.timestamp_field);
    columns_.push_back(view_.definition.event_column());
    std::vector<std::string> names;
    for (const Field& field : view_.definition.fields)
      names.push_back(field.name);
    for (const std::string& feature : request_.features) {
      if (std::ranges::find(names, feature) != names.end()) continue;
      return Fail(ErrorCode::kNotFound, fmt::format("view '{}' has no feature {}{}", view_.definition.name,
                                                    Quoted(feature), Suggest(feature, names)));
    }
    const auto& wanted = request_.features.empty() ? names : request_.features;
    if (!request_.no_features) columns_.insert(columns_.end(), wanted.begin(), wanted.end());
    if (source_->has_created() &&
        std::ranges::find(columns_, view_.definition.created_column()) == columns_.end())
      columns_.push_back(view_.definition.created_column());
    if (!source_->has_own_order()) return {};
    for (const std::string& name : {system_column::kWriteTime, system_column::kArrival,
                                    system_column::kIsDeleted, system_column::kExpiresAt}) {
      if (std::ranges::find(columns_, name) == columns_.end()) columns_.push_back(name);
    }
    return {};
  }

  bool MayMatter(const Fragment& fragment) const {
    const auto times = source_->EventTimes(fragment);
    return !times || (times->low_us <= end_us_ && times->high_us >= start_us_);
  }

  /// Calls `take(fragment, rows)` with the keys and times of every fragment that may matter.
  Result<void> ScanAll(const std::function<Result<void>(std::size_t fragment, const FeatureRows&,
                                                        std::size_t thread)>& take) const {
    return ParallelFor(fragments_.size(), request_.threads, request_.stop,
                       [&](std::size_t i, std::size_t thread) -> Result<void> {
                         if (!MayMatter(fragments_[i])) return {};
                         return source_->ScanKeys(fragments_[i],
                                                  [&](const FeatureRows& rows) -> Result<void> {
                                                    if (request_.stop.stop_requested())
                                                      return Fail(ErrorCode::kCancelled, "interrupted");
                                                    return take(i, rows, thread);
                                                  });
                       });
  }

  bool IsAskedFor(const OnlineKeyWriter& keys, const FeatureRows& rows, std::int64_t row) const {
    const std::int64_t event_us = rows.event->Value(row);
    if (event_us < start_us_ || event_us > end_us_) return false;
    if (!entities_) return true;
    std::string key;
    keys.Append(row, key);
    return entities_->Contains(key);
  }

  Result<void> FindAll(std::vector<std::vector<std::int64_t>>& found) const {
    return ScanAll([&](std::size_t i, const FeatureRows& rows, std::size_t) -> Result<void> {
      const OnlineKeyWriter keys(view_.id, rows.keys);
      const auto first = static_cast<std::int64_t>(rows.first_location - fragments_[i].first_location);
      for (std::int64_t row = 0; row < rows.event->length(); ++row) {
        if (IsAskedFor(keys, rows, row)) found[i].push_back(first + row);
      }
      return {};
    });
  }

  Result<void> FindLatest(std::vector<std::vector<std::int64_t>>& found) const {
    LatestPerKey latest({.start_us = start_us_,
                         .end_us = std::min(end_us_, request_.end_us.value_or(request_.now_us)),
                         .threads = std::max<std::size_t>(1, request_.threads)});
    TM_TRY(ScanAll(
        [&](std::size_t, const FeatureRows& rows, std::size_t thread) { return latest.Add(rows, thread); }));
    const std::int64_t at_us = request_.end_us.value_or(request_.now_us);
    for (const LatestRow& row : latest.Finish()) {
      const RowState state{row.order.event, row.is_deleted, row.expires_at_us};
      if (StatusAt(state, at_us, view_.definition.ttl_us) != Status::kPresent) continue;
      const auto after = std::ranges::upper_bound(fragments_, row.location, {}, &Fragment::first_location);
      const auto i = static_cast<std::size_t>(after - fragments_.begin()) - 1;
      found[i].push_back(static_cast<std::int64_t>(row.location - fragments_[i].first_location));
    }
    for (auto& rows : found)
      std::ranges::sort(rows);
    return {};
  }

  Result<std::shared_ptr<arrow::Table>> Take(const std::vector<std::vector<std::int64_t>>& rows) const {
    arrow::FieldVector fields;
    for (const std::string& column : columns_)
      fields.push_back(arrow::field(column, source_->source().schema()->GetFieldByName(column)->type()));
    const auto schema = arrow::schema(std::move(fields));
    arrow::RecordBatchVector batches(fragments_.size());
    TM_TRY(ParallelFor(
        fragments_.size(), request_.threads, request_.stop, [&](std::size_t i, std::size_t) -> Result<void> {
          if (rows[i].empty()) return {};
          TM_ASSIGN(const auto taken, source_->source().Take(fragments_[i], columns_, rows[i]));
          batches[i] = arrow::RecordBatch::Make(schema, taken->num_rows(), taken->columns());
          return {};
        }));
    std::erase(batches, nullptr);
    return FromArrowResult(arrow::Table::FromRecordBatches(schema, batches));
  }

  /// In the order of the rule, and only the entities that were asked for.
  Result<std::shared_ptr<arrow::Table>> Sorted(const std::shared_ptr<arrow::Table>& table) const {
    TM_ASSIGN(auto batch, FromArrowResult(table->CombineChunksToBatch()));
    const auto times = [&](const std::string& column) {
      return TimesToMicros(*batch->GetColumnByName(column), column, 0);
    };
    if (source_->has_own_order()) {
      TM_ASSIGN(const auto written, times(system_column::kWriteTime));
      TM_ASSIGN(batch, Reordered(batch, {{}, written, written}));
    }
    SortColumns by;
    for (const JoinKey& key : view_.join_keys) {
      TM_ASSIGN(auto canonical, CanonicalKey(batch->GetColumnByName(key.name), *key.type, key.name, 0));
      by.keys.push_back(std::move(canonical));
    }
    TM_ASSIGN(by.event, times(view_.definition.event_column()));
    TM_ASSIGN(by.created, times(source_->has_created() ? view_.definition.created_column()
                                                       : view_.definition.event_column()));
    TM_ASSIGN(batch, Reordered(batch, by));
    if (request_.latest && entities_) {
      TM_ASSIGN(batch, OnlyAskedFor(batch));
    }
    return FromArrowResult(arrow::Table::FromRecordBatches(batch->schema(), {batch}));
  }

  static Result<std::shared_ptr<arrow::RecordBatch>> Reordered(
      const std::shared_ptr<arrow::RecordBatch>& batch, const SortColumns& by) {
    TM_ASSIGN(const SortedRows sorted, SortRows(by));
    if (sorted.order.empty()) return batch;
    const arrow::UInt32Array order(static_cast<std::int64_t>(sorted.order.size()),
                                   arrow::Buffer::Wrap(sorted.order));
    TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(batch, arrow::Datum(order))));
    return taken.record_batch();
  }

  Result<std::shared_ptr<arrow::RecordBatch>> OnlyAskedFor(
      const std::shared_ptr<arrow::RecordBatch>& batch) const {
    arrow::ArrayVector keys;
    for (const JoinKey& key : view_.join_keys) {
      TM_ASSIGN(auto canonical, CanonicalKey(batch->GetColumnByName(key.name), *key.type, key.name, 0));
      keys.push_back(std::move(canonical));
    }
    const OnlineKeyWriter writer(view_.id, keys);
    arrow::Int64Builder builder;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      std::string key;
      writer.Append(row, key);
      if (entities_->Contains(key)) TM_TRY(FromArrowStatus(builder.Append(row)));
    }
    TM_ASSIGN(const auto kept, FromArrowResult(builder.Finish()));
    TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(batch, kept)));
    return taken.record_batch();
  }

  const CatalogView& view_;
  const ReadRowsRequest& request_;
  std::int64_t start_us_ = 0;
  std::int64_t end_us_ = 0;
  std::unique_ptr<ViewSource> source_;
  std::vector<std::string> columns_;
  std::optional<EntitySet> entities_;
  std::vector<Fragment> fragments_;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> ReadRows(const CatalogView& view, const SourceOpeners& open,
                                                           const ReadRowsRequest& request) {
  auto reader = Reading(view, request).Run(open);
  if (!reader) return std::unexpected(std::move(reader).error().In("view " + view.definition.name));
  return reader;
}

}  // namespace tidemark
