// Each view's rows are reduced to the latest of each key; the keys of those that are no deletions are read,
// and put together over the views.
#include "engine/entity_range.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "base/parallel.h"
#include "base/result.h"
#include "engine/online_rows.h"
#include "engine/row_values.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/latest_per_key.h"

namespace tidemark {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
/// The end of time itself stands for rows that do not count.
constexpr std::int64_t kBeyond = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kBatchRowsMax = 1'000'000;
constexpr std::uint32_t kPartsMax = 1024;
/// The share of the memory limit that keys on their way may take; putting them in order takes as much again.
constexpr std::int64_t kSharesOfMemory = 8;

/// Event times, those of rows that do not count put beyond all.
template <typename Counts>
Result<std::shared_ptr<arrow::Int64Array>> OnlyWhere(const arrow::Int64Array& event, const Counts& counts) {
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> times,
            FromArrowResult(arrow::AllocateBuffer(event.length() * std::int64_t{sizeof(std::int64_t)})));
  auto* to = reinterpret_cast<std::int64_t*>(times->mutable_data());
  for (std::int64_t row = 0; row < event.length(); ++row)
    to[row] = counts(row) ? event.Value(row) : kBeyond;
  return std::make_shared<arrow::Int64Array>(event.length(), std::move(times));
}

/// A column that entities are told by.
struct KeyColumnType {
  std::string name;
  DataType type;
};

bool IsInteger(const DataType& type) {
  return type.kind == TypeKind::kInt32 || type.kind == TypeKind::kInt64;
}

std::string ViewAndKeys(const SelectedView& view) {
  return fmt::format("'{}' ({})", view.alias, fmt::join(view.key_columns, ", "));
}

class EntityReader final : public arrow::RecordBatchReader {
 public:
  EntityReader(std::vector<RangedView> views, EntityRangeRequest request)
      : views_(std::move(views)), request_(std::move(request)) {}

  Result<void> Prepare() {
    const bool has_keys = std::ranges::any_of(
        views_, [](const RangedView& view) { return !view.selected->key_columns.empty(); });
    // A view without join keys has a row for every entity.
    if (has_keys)
      std::erase_if(views_, [](const RangedView& view) { return view.selected->key_columns.empty(); });
    for (const RangedView& view : views_)
      TM_TRY(AddKeys(*view.selected));
    arrow::FieldVector fields;
    for (const KeyColumnType& key : keys_) {
      if (key.name == request_.event_column) {
        return Fail(
            ErrorCode::kInvalidArgument,
            fmt::format("'{}' is a join key: name another column for the time of the entity rows", key.name));
      }
      fields.push_back(arrow::field(key.name, ToArrow(key.type)));
    }
    fields.push_back(arrow::field(request_.event_column, ToArrow(DataType{.kind = TypeKind::kTimestamp})));
    schema_ = arrow::schema(std::move(fields));
    return {};
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    while (ready_.empty() && part_ < parts_) {
      if (const auto read = ReadPart(); !read) return ToStatus(read.error());
    }
    if (ready_.empty()) return arrow::Status::OK();
    *batch = std::move(ready_.back());
    ready_.pop_back();
    return arrow::Status::OK();
  }

 private:
  /// Rows that an array of key columns has for each key column; a view's winners as they are read.
  struct Keys {
    std::vector<arrow::ArrayVector> columns;  // for each key column, in pieces
    std::vector<std::int64_t> rows;           // of each piece
  };

  Result<void> AddKeys(const SelectedView& view) {
    if (&view == views_.front().selected) {
      for (std::size_t i = 0; i < view.key_columns.size(); ++i)
        keys_.push_back({view.key_columns[i], *view.view->join_keys[i].type});
    }
    std::vector<std::size_t> order;
    for (KeyColumnType& key : keys_) {
      const auto found = std::ranges::find(view.key_columns, key.name);
      if (found == view.key_columns.end() || view.key_columns.size() != keys_.size())
        return DifferentKeys(view);
      const auto at = static_cast<std::size_t>(found - view.key_columns.begin());
      const DataType& type = *view.view->join_keys[at].type;
      if (IsInteger(key.type) && IsInteger(type)) {
        if (type.kind == TypeKind::kInt64) key.type = type;
      } else if (type != key.type) {
        return Fail(
            ErrorCode::kTypeMismatch,
            fmt::format("join key '{}' is {} for view '{}' and {} for view '{}'", key.name,
                        key.type.ToString(), views_.front().selected->alias, type.ToString(), view.alias));
      }
      order.push_back(at);
    }
    orders_.push_back(std::move(order));
    return {};
  }

  std::unexpected<Error> DifferentKeys(const SelectedView& view) const {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("views {} and {} have different join keys, so that their entities cannot be told "
                            "without entity rows: give entity rows, or ask for each view on its own",
                            ViewAndKeys(*views_.front().selected), ViewAndKeys(view)));
  }

  /// The entities of one part of the keys into `ready_`. If they need more memory than they may have, the
  /// first part starts anew as a smaller one.
  Result<void> ReadPart() {
    std::vector<Keys> found(views_.size());
    for (std::size_t i = 0; i < views_.size(); ++i) {
      TM_ASSIGN(const auto latest, Reduce(i));
      if (!latest) {
        parts_ *= 4;
        return {};
      }
      TM_ASSIGN(found[i], ReadKeys(i, *latest));
    }
    ++part_;
    if (keys_.empty()) return AddTheOne(found);
    if (found.size() > 1) return AddAll(found);
    const Keys& keys = found.front();
    for (std::size_t piece = keys.rows.size(); piece > 0; --piece) {
      arrow::ArrayVector columns;
      for (const arrow::ArrayVector& column : keys.columns)
        columns.push_back(column[piece - 1]);
      TM_TRY(AddBatch(std::move(columns), keys.rows[piece - 1]));
    }
    return {};
  }

  bool MayMatter(const RangedView& view, const Fragment& fragment) const {
    const auto times = view.source->EventTimes(fragment);
    return !times || (times->low_us <= request_.range.end_us && times->high_us >= request_.range.start_us);
  }

  /// The latest rows of the part, without deletions; nothing if they need too much memory.
  Result<std::optional<std::vector<LatestRow>>> Reduce(std::size_t index) {
    const RangedView& view = views_[index];
    LatestPerKey latest({.start_us = request_.range.start_us,
                         .end_us = request_.range.end_us,
                         .part = part_,
                         .parts = parts_,
                         .threads = request_.threads});
    const bool may_stop = part_ == 0 && parts_ < kPartsMax && request_.memory_bytes_max > 0;
    std::atomic<bool> over{false};
    const auto scan = [&](std::size_t i, std::size_t thread) -> Result<void> {
      const Fragment& fragment = (*view.fragments)[i];
      if (over.load() || !MayMatter(view, fragment)) return {};
      return view.source->ScanKeys(fragment, [&](const FeatureRows& rows) -> Result<void> {
        if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
        if (over.load()) return {};
        TM_ASSIGN(const FeatureRows counted, Counted(index, rows));
        TM_TRY(latest.Add(counted, thread));
        if (may_stop && latest.memory_bytes() > request_.memory_bytes_max / kSharesOfMemory) over.store(true);
        return {};
      });
    };
    TM_TRY(ParallelFor(view.fragments->size(), request_.threads, request_.stop, scan));
    if (over.load()) return std::nullopt;
    std::vector<LatestRow> rows = latest.Finish();
    std::erase_if(rows, [](const LatestRow& row) { return row.is_deleted; });
    return rows;
  }

  /// The rows with their keys in the order that all views share, and those that are not known put out of the
  /// way.
  Result<FeatureRows> Counted(std::size_t index, const FeatureRows& rows) const {
    FeatureRows counted = rows;
    for (std::size_t key = 0; key < keys_.size(); ++key)
      counted.keys[key] = rows.keys[orders_[index][key]];
    if (request_.known_by.kind == KnownBy::Kind::kAll) return counted;
    const std::int64_t known_us =
        request_.known_by.kind == KnownBy::Kind::kTime ? request_.known_by.time_us : request_.range.end_us;
    TM_ASSIGN(counted.event,
              OnlyWhere(*rows.event, [&](std::int64_t row) { return rows.created->Value(row) <= known_us; }));
    return counted;
  }

  Result<Keys> ReadKeys(std::size_t index, const std::vector<LatestRow>& latest) const {
    const RangedView& view = views_[index];
    std::vector<Field> fields;
    for (const std::size_t key : orders_[index]) {
      const JoinKey& join_key = view.selected->view->join_keys[key];
      Field& field = fields.emplace_back();
      field.name = join_key.name;
      field.type = *join_key.type;
    }
    Keys keys;
    keys.columns.resize(keys_.size());
    for (std::size_t begin = 0; begin < latest.size(); begin += kBatchRowsMax) {
      const auto slice =
          std::span(latest).subspan(begin, std::min<std::size_t>(kBatchRowsMax, latest.size() - begin));
      keys.rows.push_back(std::ssize(slice));
      if (keys_.empty()) continue;
      std::vector<RowLocation> locations;
      locations.reserve(slice.size());
      for (const LatestRow& row : slice)
        locations.push_back(row.location);
      TM_ASSIGN(const RowValues values, ReadRowValues(*view.source, *view.fragments, locations,
                                                      {.features = fields,
                                                       .with_keys = false,
                                                       .in_order = true,
                                                       .threads = request_.threads,
                                                       .stop = request_.stop}));
      for (std::size_t key = 0; key < keys_.size(); ++key) {
        TM_ASSIGN(const auto column, values.Slice(key, 0, std::ssize(slice)));
        TM_ASSIGN(auto cast, CastColumn(column, keys_[key].type, keys_[key].name, 0));
        keys.columns[key].push_back(std::move(cast));
      }
    }
    return keys;
  }

  /// Views without join keys have one entity, the world, if they have a row.
  Result<void> AddTheOne(const std::vector<Keys>& found) {
    const bool is_there = std::ranges::any_of(found, [](const Keys& keys) { return !keys.rows.empty(); });
    return is_there ? AddBatch({}, 1) : Result<void>();
  }

  /// The entities of several views, each once, in the order of their keys.
  Result<void> AddAll(const std::vector<Keys>& found) {
    arrow::ArrayVector columns;
    arrow::ArrayVector canonical;
    for (std::size_t key = 0; key < keys_.size(); ++key) {
      arrow::ArrayVector pieces;
      for (const Keys& keys : found)
        pieces.insert(pieces.end(), keys.columns[key].begin(), keys.columns[key].end());
      if (pieces.empty()) return {};
      TM_ASSIGN(auto column, FromArrowResult(arrow::Concatenate(pieces)));
      TM_ASSIGN(auto comparable, CanonicalKey(column, keys_[key].type, keys_[key].name, 0));
      columns.push_back(std::move(column));
      canonical.push_back(std::move(comparable));
    }
    const std::int64_t rows = columns.front()->length();
    const OnlineKeyWriter writer(1, canonical);  // all under one prefix, so that they compare by their keys
    std::vector<std::pair<std::string, std::int64_t>> entities(static_cast<std::size_t>(rows));
    for (std::int64_t row = 0; row < rows; ++row) {
      auto& [key, place] = entities[static_cast<std::size_t>(row)];
      writer.Append(row, key);
      place = row;
    }
    std::ranges::sort(entities);
    const auto again = std::ranges::unique(entities, {}, [](const auto& entity) { return entity.first; });
    entities.erase(again.begin(), again.end());
    std::vector<std::int64_t> places;
    places.reserve(entities.size());
    for (const auto& entity : entities)
      places.push_back(entity.second);
    const arrow::Int64Array indices(std::ssize(places), arrow::Buffer::Wrap(places));
    for (auto& column : columns) {
      TM_ASSIGN(const arrow::Datum taken, FromArrowResult(arrow::compute::Take(column, indices)));
      column = taken.make_array();
    }
    return AddBatch(std::move(columns), std::ssize(places));
  }

  Result<void> AddBatch(arrow::ArrayVector columns, std::int64_t rows) {
    const arrow::TimestampScalar end(request_.range.end_us, schema_->fields().back()->type());
    TM_ASSIGN(auto times, FromArrowResult(arrow::MakeArrayFromScalar(end, rows)));
    columns.push_back(std::move(times));
    ready_.push_back(arrow::RecordBatch::Make(schema_, rows, std::move(columns)));
    return {};
  }

  std::vector<RangedView> views_;
  const EntityRangeRequest request_;
  std::vector<KeyColumnType> keys_;
  std::vector<std::vector<std::size_t>> orders_;  // for each view: which join key each key column is
  std::shared_ptr<arrow::Schema> schema_;
  std::uint32_t part_ = 0;
  std::uint32_t parts_ = 1;
  arrow::RecordBatchVector ready_;  // of the last part, the last first
};

}  // namespace

Result<TimeRange> RangeOf(const Selection& selection, std::optional<std::int64_t> start_us,
                          std::optional<std::int64_t> end_us, std::int64_t now_us) {
  TimeRange range{kLowest, std::min(end_us.value_or(now_us), kBeyond - 1)};
  if (start_us) {
    range.start_us = *start_us;
  } else {
    std::int64_t ttl_us = 0;
    for (const SelectedView& view : selection.views) {
      const std::int64_t own_us = view.view->definition.ttl_us;
      ttl_us = own_us == 0 ? kBeyond : std::max(ttl_us, own_us);
      if (own_us == 0) break;
    }
    if (__builtin_sub_overflow(range.end_us, ttl_us, &range.start_us) || ttl_us == kBeyond)
      range.start_us = kLowest;
  }
  if (range.start_us <= range.end_us) return range;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the start {} is after the end {}", FormatTimestampUs(range.start_us),
                          FormatTimestampUs(range.end_us)));
}

Result<FeatureRows> WithoutEarlier(FeatureRows rows, std::int64_t start_us) {
  const std::span event(rows.event->raw_values(), static_cast<std::size_t>(rows.event->length()));
  if (std::ranges::none_of(event, [&](std::int64_t us) { return us < start_us; })) return rows;
  TM_ASSIGN(rows.event,
            OnlyWhere(*rows.event, [&](std::int64_t row) { return rows.event->Value(row) >= start_us; }));
  return rows;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> EntitiesInRange(std::vector<RangedView> views,
                                                                  EntityRangeRequest request) {
  auto reader = std::make_shared<EntityReader>(std::move(views), std::move(request));
  TM_TRY(reader->Prepare());
  return reader;
}

}  // namespace tidemark
