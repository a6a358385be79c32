// Reads a view's source through the column forms of pit/columns.h, and says where an error happened.
#include "engine/view_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/result.h"
#include "engine/online_rows.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr RowLocation kRowMask = (RowLocation{1} << 40) - 1;

const ColumnRange* FindRange(const Fragment& fragment, std::string_view column) {
  for (const ColumnRange& range : fragment.ranges) {
    if (range.column == column) return &range;
  }
  return nullptr;
}

/// The place of a fragment's first row in its file.
std::int64_t FirstRow(const Fragment& fragment) {
  return static_cast<std::int64_t>(fragment.first_location & kRowMask);
}

/// CastColumn for rows picked out of a file: an error names the row of the file, not that of the pick.
Result<std::shared_ptr<arrow::Array>> CastTaken(const std::shared_ptr<arrow::Array>& column,
                                                const Field& field, std::span<const std::int64_t> rows,
                                                std::int64_t first_row) {
  auto cast = CastColumn(column, field.type, field.name, 0);
  for (std::size_t i = 0; !cast && i < rows.size(); ++i) {
    auto one = CastColumn(column->Slice(static_cast<std::int64_t>(i), 1), field.type, field.name,
                          first_row + rows[i]);
    if (!one) return one;
  }
  return cast;
}

/// The bits of the writers' numbers.
Result<std::shared_ptr<arrow::UInt32Array>> OriginsOf(const arrow::Array& column, const std::string& name) {
  if (column.type_id() != arrow::Type::INT32 || column.null_count() > 0) {
    return Fail(ErrorCode::kCorruption, fmt::format("column '{}' is not what Tidemark writes", name));
  }
  auto data = column.data()->Copy();
  data->type = arrow::uint32();
  return std::make_shared<arrow::UInt32Array>(data);
}

/// Event times at the end of time for rows that do not count: such a row keeps its place, which is its
/// location.
template <typename Counts>
Result<std::shared_ptr<arrow::Int64Array>> OnlyCounting(const arrow::Int64Array& event,
                                                        const Counts& counts) {
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> times,
            FromArrowResult(arrow::AllocateBuffer(event.length() * std::int64_t{sizeof(std::int64_t)})));
  auto* to = reinterpret_cast<std::int64_t*>(times->mutable_data());
  for (std::int64_t row = 0; row < event.length(); ++row)
    to[row] = counts(row) ? event.Value(row) : std::numeric_limits<std::int64_t>::max();
  return std::make_shared<arrow::Int64Array>(event.length(), std::move(times));
}

}  // namespace

void AddTimeTypes(const BatchSource& source, std::map<std::string, DataType>& column_types) {
  DataType timestamp;
  timestamp.kind = TypeKind::kTimestamp;
  for (const std::string& column : {source.timestamp_field, source.created_timestamp_column}) {
    if (!column.empty()) column_types.emplace(column, timestamp);
  }
}

namespace {

/// Keys, times and features, each once.
std::vector<std::string> NeededColumns(const CatalogView& view, const std::vector<Field>& features) {
  std::vector<std::string> columns;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::ranges::find(columns, name) == columns.end()) columns.push_back(name);
  };
  for (const JoinKey& key : view.join_keys)
    add(key.name);
  add(view.definition.event_column());
  add(view.definition.created_column());
  for (const Field& feature : features)
    add(feature.name);
  return columns;
}

}  // namespace

ViewSource::ViewSource(const CatalogView& view, std::unique_ptr<Source> source)
    : view_(view), source_(std::move(source)) {
  for (const JoinKey& key : view_.join_keys)
    key_columns_.push_back(key.name);
  scan_columns_ = key_columns_;
  scan_columns_.push_back(view_.definition.event_column());
  if (has_created()) scan_columns_.push_back(view_.definition.created_column());
  if (has_own_order()) {
    const SystemColumns& system = source_->system_columns();
    scan_columns_.insert(scan_columns_.end(),
                         {system.sequence, system.origin, system.is_deleted, system.expires_at});
  }
}

Result<std::unique_ptr<ViewSource>> ViewSource::Open(const CatalogView& view, const SourceOpeners& open,
                                                     const std::vector<Field>& features, SourceNeeds rows) {
  const std::string place = fmt::format("view {}", view.definition.name);
  if (view.definition.is_table()) {
    auto table = open.table(view);
    if (!table) return std::unexpected(std::move(table).error().In(place));
    std::unique_ptr<ViewSource> opened(new ViewSource(view, std::move(table->source)));
    opened->as_of_us_ = table->as_of_us;
    opened->is_erased_ = std::move(table->is_erased);
    TM_TRY_IN(opened->CheckColumns(), place);
    return opened;
  }
  std::map<std::string, DataType> column_types;
  for (const Field& field : view.definition.fields)
    column_types.emplace(field.name, field.type);
  for (const JoinKey& key : view.join_keys)
    column_types.emplace(key.name, *key.type);
  AddTimeTypes(*view.definition.source, column_types);
  rows.columns = NeededColumns(view, features);
  auto source = open.file(*view.definition.source, column_types, rows);
  if (!source) return std::unexpected(std::move(source).error().In(place));
  std::unique_ptr<ViewSource> opened(new ViewSource(view, std::move(source).value()));
  TM_TRY_IN(opened->CheckColumns(), place);
  return opened;
}

Result<void> ViewSource::CheckColumns() const {
  for (const std::string& column : scan_columns_)
    TM_TRY(CheckColumn(column));
  return {};
}

Result<void> ViewSource::CheckColumn(const std::string& column) const {
  const arrow::Schema& schema = *source_->schema();
  if (schema.GetFieldIndex(column) >= 0) return {};
  return Fail(
      ErrorCode::kNotFound,
      fmt::format(
          "the {} has no column '{}'{}; its columns are: {}",
          view_.definition.source ? fmt::format("source '{}'", view_.definition.source->place()) : "table",
          column, Suggest(column, schema.field_names()), fmt::join(schema.field_names(), ", ")));
}

Result<void> ViewSource::CheckFeatures(const std::vector<Field>& features) const {
  for (const Field& feature : features)
    TM_TRY_IN(CheckColumn(feature.name), ViewPlace());
  return {};
}

std::string ViewSource::ViewPlace() const {
  return "view " + view_.definition.name;
}

std::string ViewSource::FilePlace(const Fragment& fragment) const {
  const auto& source = view_.definition.source;
  const std::string_view what = source && source->warehouse ? "warehouse" : "file";
  return fmt::format("{} {}", what, source_->files()[fragment.file].path);
}

Result<std::vector<Fragment>> ViewSource::Fragments() const {
  auto fragments = source_->Fragments(scan_columns_);
  if (!fragments) return std::unexpected(std::move(fragments).error().In(ViewPlace()));
  return fragments;
}

std::optional<ViewSource::EventRange> ViewSource::EventTimes(const Fragment& fragment) const {
  const ColumnRange* range = FindRange(fragment, view_.definition.event_column());
  if (range == nullptr || !std::holds_alternative<std::int64_t>(range->low)) return std::nullopt;
  return EventRange{std::get<std::int64_t>(range->low), std::get<std::int64_t>(range->high)};
}

bool ViewSource::MayContainKeys(const Fragment& fragment, const EntityGroups& groups) const {
  if (key_columns_.empty()) return true;
  const ColumnRange* range = FindRange(fragment, key_columns_.front());
  if (range == nullptr) return true;
  if (const auto* low = std::get_if<std::int64_t>(&range->low)) {
    return groups.MayContainKey(*low, std::get<std::int64_t>(range->high));
  }
  return groups.MayContainKey(std::get<std::string>(range->low), std::get<std::string>(range->high));
}

Result<void> ViewSource::AddOwnOrder(const arrow::RecordBatch& batch, int column, FeatureRows& rows) const {
  const SystemColumns& system = source_->system_columns();
  TM_ASSIGN(rows.sequence, TimesToMicros(*batch.column(column), system.sequence, 0));
  TM_ASSIGN(rows.origin, OriginsOf(*batch.column(column + 1), system.origin));
  rows.is_deleted = std::static_pointer_cast<arrow::BooleanArray>(batch.column(column + 2));
  TM_ASSIGN(rows.expires_at, NullableTimesToMicros(*batch.column(column + 3), system.expires_at, 0));
  if (as_of_us_) {
    TM_ASSIGN(rows.event, OnlyCounting(*rows.event, [&](std::int64_t row) {
                return rows.sequence->Value(row) <= *as_of_us_;
              }));
  }
  if (is_erased_) {
    const OnlineKeyWriter keys(view_.id, rows.keys);
    std::string key;
    TM_ASSIGN(rows.event, OnlyCounting(*rows.event, [&](std::int64_t row) {
                key.clear();
                keys.Append(row, key);
                return !is_erased_(key, rows.sequence->Value(row));
              }));
  }
  return {};
}

Result<FeatureRows> ViewSource::ToFeatureRows(const Fragment& fragment, const arrow::RecordBatch& batch,
                                              std::int64_t first_row) const {
  // Errors name the row of the file, which is what a user can look up.
  const std::int64_t row_in_file = FirstRow(fragment) + first_row;
  FeatureRows rows;
  rows.first_location = fragment.first_location + static_cast<RowLocation>(first_row);
  int column = 0;
  for (const JoinKey& key : view_.join_keys) {
    TM_ASSIGN(auto canonical, CanonicalKey(batch.column(column++), *key.type, key.name, row_in_file));
    rows.keys.push_back(std::move(canonical));
  }
  const FeatureView& definition = view_.definition;
  bool cut = false;
  TM_ASSIGN(rows.event, TimesToMicros(*batch.column(column++), definition.event_column(), row_in_file, &cut));
  if (has_created()) {
    TM_ASSIGN(rows.created,
              TimesToMicros(*batch.column(column++), definition.created_column(), row_in_file, &cut));
  }
  if (cut) was_cut_.store(true, std::memory_order_relaxed);
  if (has_own_order()) TM_TRY(AddOwnOrder(batch, column, rows));
  return rows;
}

Result<void> ViewSource::ScanKeys(const Fragment& fragment,
                                  const std::function<Result<void>(const FeatureRows&)>& sink) const {
  const auto take = [&](const arrow::RecordBatch& batch, std::int64_t first_row) -> Result<void> {
    auto rows = ToFeatureRows(fragment, batch, first_row);
    if (!rows) return std::unexpected(std::move(rows).error().In(FilePlace(fragment)));
    return sink(*rows);
  };
  TM_TRY_IN(source_->Scan(fragment, scan_columns_, take), ViewPlace());
  return {};
}

Result<arrow::ArrayVector> ViewSource::TakeFeatures(const Fragment& fragment,
                                                    const std::vector<Field>& features,
                                                    std::span<const std::int64_t> rows) const {
  std::vector<std::string> names;
  for (const Field& feature : features)
    names.push_back(feature.name);
  auto batch = source_->Take(fragment, names, rows);  // its errors name the file
  if (!batch) return std::unexpected(std::move(batch).error().In(ViewPlace()));
  arrow::ArrayVector columns;
  for (std::size_t i = 0; i < features.size(); ++i) {
    auto column = CastTaken((*batch)->column(static_cast<int>(i)), features[i], rows, FirstRow(fragment));
    if (!column) return std::unexpected(std::move(column).error().In(FilePlace(fragment)).In(ViewPlace()));
    columns.push_back(std::move(column).value());
  }
  return columns;
}

Result<arrow::ArrayVector> ViewSource::TakeKeys(const Fragment& fragment,
                                                std::span<const std::int64_t> rows) const {
  if (key_columns_.empty()) return arrow::ArrayVector{};
  auto batch = source_->Take(fragment, key_columns_, rows);
  if (!batch) return std::unexpected(std::move(batch).error().In(ViewPlace()));
  arrow::ArrayVector columns;
  for (std::size_t i = 0; i < key_columns_.size(); ++i) {
    TM_ASSIGN(auto column, CanonicalKey((*batch)->column(static_cast<int>(i)), *view_.join_keys[i].type,
                                        key_columns_[i], 0));
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace tidemark
