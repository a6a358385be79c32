// Finds the columns, checks their lengths, then reads one after the other.
#include "server/feast/frame.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/name.h"
#include "rows/arrow_types.h"
#include "rows/json_columns.h"
#include "server/feast/body_shape.h"

namespace tidemark::server::feast {
namespace {

namespace dom = simdjson::dom;

/// A column that the views take.
struct Wanted {
  enum class Role : std::uint8_t { kKey, kEventTime, kCreated, kFeature } role = Role::kFeature;
  std::string name;
  std::optional<DataType> type;  // nothing: a join key that gets its type from these rows
  std::string view;              // that takes it first
};

/// The type of a join key that has none: what its values look like.
Result<DataType> TypeOfValues(std::string_view name, dom::array values) {
  std::optional<DataType> type;
  for (const dom::element value : values)
    TM_TRY(WidenToFit(value, fmt::format("column {}", Quoted(name)), type));
  return Settled(type);
}

JsonPolicy PolicyOf(const Wanted& wanted, const DataType& type) {
  const bool is_float = type.kind == TypeKind::kFloat32 || type.kind == TypeKind::kFloat64;
  const bool is_feature_time = wanted.role == Wanted::Role::kFeature || wanted.role == Wanted::Role::kKey;
  JsonPolicy policy;
  policy.text_numbers = !is_float;
  policy.truncate_floats = wanted.role == Wanted::Role::kFeature;
  policy.numbers_as_text = true;
  policy.times_in_seconds = is_feature_time;
  policy.nested_as_text = true;
  return policy;
}

class Frame {
 public:
  Frame(dom::object frame, std::span<const KnownView* const> views, std::size_t rows_max)
      : frame_(frame), views_(views), rows_max_(rows_max) {}

  Answer<std::shared_ptr<arrow::RecordBatch>> Read() {
    for (const KnownView* view : views_)
      TM_TRY(Want(*view));
    TM_TRY(CheckLengths());
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const Wanted& wanted : wanted_) {
      TM_ASSIGN(const auto values, ValuesOf(wanted));
      if (!values) continue;
      TM_ASSIGN(auto array, ReadColumn(wanted, *values));
      fields.push_back(arrow::field(wanted.name, array->type()));
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<std::int64_t>(rows_),
                                    std::move(arrays));
  }

 private:
  Answer<void> Want(const KnownView& view) {
    const auto role_of = [&](const WriteColumn& column) {
      if (std::ranges::find(view.join_keys, column.name, &JoinKey::name) != view.join_keys.end()) {
        return Wanted::Role::kKey;
      }
      if (column.name == view.definition.created_column()) return Wanted::Role::kCreated;
      const std::string& event = view.definition.is_table() ? view.definition.table.timestamp_field
                                                            : view.definition.source->timestamp_field;
      return column.name == event ? Wanted::Role::kEventTime : Wanted::Role::kFeature;
    };
    for (const WriteColumn& column : view.write_columns) {
      Wanted wanted{
          .role = role_of(column), .name = column.name, .type = column.type, .view = view.definition.name};
      const auto key = std::ranges::find(view.join_keys, column.name, &JoinKey::name);
      if (key != view.join_keys.end()) wanted.type = key->type;
      const auto known = std::ranges::find(wanted_, column.name, &Wanted::name);
      if (known == wanted_.end()) {
        wanted_.push_back(std::move(wanted));
      } else if (known->type != wanted.type) {
        return Refuse(400,
                      fmt::format("column {} has different types in the views {} and {}: write to each of "
                                  "them by itself",
                                  Quoted(column.name), Quoted(known->view), Quoted(wanted.view)));
      }
    }
    return {};
  }

  /// All columns of the frame, also those that nobody takes.
  Answer<void> CheckLengths() {
    std::optional<std::string_view> first;
    for (const auto field : frame_) {
      dom::array values;
      if (field.value.get(values) != simdjson::SUCCESS) {
        return Refuse(400, fmt::format("\"df\": column {} is not a list of values", Quoted(field.key)));
      }
      std::size_t rows = values.size();
      constexpr std::size_t kSizeIsCut = 0xFFFFFF;  // simdjson counts no further
      if (rows >= kSizeIsCut) rows = static_cast<std::size_t>(std::distance(values.begin(), values.end()));
      if (!first) {
        first = field.key;
        rows_ = rows;
      } else if (rows != rows_) {
        return Refuse(400,
                      fmt::format("\"df\": all columns must have the same length: {} has {} values and {} "
                                  "has {}",
                                  Quoted(*first), rows_, Quoted(field.key), rows));
      }
    }
    if (rows_ <= rows_max_) return {};
    return Refuse(400, fmt::format("\"df\" has {} rows; the limit of one request is {}", rows_, rows_max_));
  }

  /// Nothing: it may be left out, and is.
  Answer<std::optional<dom::array>> ValuesOf(const Wanted& wanted) const {
    auto found = Find(frame_, wanted.name);
    if (!found && wanted.role == Wanted::Role::kEventTime) found = Find(frame_, "event_timestamp");
    if (wanted.role == Wanted::Role::kCreated) {
      const auto is_null = [](dom::element value) { return value.is_null(); };
      if (!found || std::ranges::all_of(dom::array{*found}, is_null)) return std::nullopt;
    }
    if (!found) {
      return Refuse(400, fmt::format("\"df\" has no column {}, which view {} needs", Quoted(wanted.name),
                                     Quoted(wanted.view)));
    }
    return dom::array{*found};
  }

  Result<std::shared_ptr<arrow::Array>> ReadColumn(const Wanted& wanted, dom::array values) const {
    std::optional<DataType> type = wanted.type;
    if (!type) {
      TM_ASSIGN(type, TypeOfValues(wanted.name, values));
    }
    JsonColumn column(wanted.name, *type, PolicyOf(wanted, *type));
    TM_TRY(column.AppendAll(values));
    return column.Finish();
  }

  const dom::object frame_;
  const std::span<const KnownView* const> views_;
  const std::size_t rows_max_;
  std::vector<Wanted> wanted_;
  std::size_t rows_ = 0;
};

}  // namespace

Answer<std::shared_ptr<arrow::RecordBatch>> ReadFrame(dom::object frame,
                                                      std::span<const KnownView* const> views,
                                                      std::size_t rows_max) {
  return Frame(frame, views, rows_max).Read();
}

}  // namespace tidemark::server::feast
