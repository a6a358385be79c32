// Checks a view against its source's columns, and keeps the ids of its fields.
#include "engine/view_completion.h"

#include <arrow/array/util.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/view_source.h"
#include "model/feature_table.h"
#include "model/name.h"
#include "model/widening.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// The column that a source's event times are taken from when there are several timestamps.
constexpr std::string_view kUsualTimestampField = "event_timestamp";

/// kTypeMismatch for a column of which the source says that it cannot be read, and what to do.
Result<void> CheckReadable(const arrow::Field& column) {
  if (column.metadata() == nullptr) return {};
  const auto hint = column.metadata()->Get(std::string(kColumnHint));
  if (!hint.ok()) return {};
  return Fail(ErrorCode::kTypeMismatch, fmt::format("column '{}' cannot be read: {}", column.name(), *hint));
}

/// One view against the columns of its source.
class Completion {
 public:
  Completion(const std::vector<Entity*>& entities, const arrow::Schema& schema, FeatureView& view)
      : entities_(entities), schema_(schema), view_(view) {}

  Result<void> Run() {
    TM_TRY(ResolveKeys());
    TM_TRY(view_.batch ? ResolveQueryTime() : ResolveTimestamps());
    return view_.fields.empty() ? InferFields() : CheckFields();
  }

 private:
  Result<std::shared_ptr<arrow::DataType>> ColumnType(std::string_view what, const std::string& name) const;
  Result<void> ResolveKeys();
  Result<void> ResolveKey(JoinKey& key);
  Result<void> ResolveTimestamps();
  Result<void> ResolveQueryTime();
  Result<void> FindTimestamp();
  Result<void> CheckTimestamp(std::string_view what, const std::string& name) const;
  Result<void> InferFields();
  Result<void> CheckFields() const;
  /// An array of no rows, by which the readers of pit/columns.h say whether they take its type.
  Result<std::shared_ptr<arrow::Array>> NoRows(const std::shared_ptr<arrow::DataType>& type) const;
  /// `the source 'data/a.parquet'`: what has the columns.
  std::string Place() const {
    return view_.batch ? "the result of the query"
                       : fmt::format("the source {}", Quoted(view_.source->place()));
  }
  bool IsFeature(const std::string& column) const { return !keys_and_times_.contains(column); }

  const std::vector<Entity*>& entities_;
  const arrow::Schema& schema_;
  FeatureView& view_;
  std::set<std::string> keys_and_times_;
};

Result<std::shared_ptr<arrow::DataType>> Completion::ColumnType(std::string_view what,
                                                                const std::string& name) const {
  const int found = schema_.GetFieldIndex(name);
  if (found >= 0) {
    TM_TRY(CheckReadable(*schema_.field(found)));
    return schema_.field(found)->type();
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("{} has no column '{}' ({}){}; its columns are: {}", Place(), name, what,
                          Suggest(name, schema_.field_names()), fmt::join(schema_.field_names(), ", ")));
}

Result<std::shared_ptr<arrow::Array>> Completion::NoRows(const std::shared_ptr<arrow::DataType>& type) const {
  auto empty = arrow::MakeEmptyArray(type);
  if (empty.ok()) return *std::move(empty);
  return Fail(ErrorCode::kTypeMismatch,
              fmt::format("type {} cannot be read: {}", type->ToString(), empty.status().message()));
}

Result<void> Completion::ResolveKeys() {
  for (Entity* entity : entities_) {
    for (JoinKey& key : entity->join_keys)
      TM_TRY(ResolveKey(key));
  }
  return {};
}

Result<void> Completion::ResolveKey(JoinKey& key) {
  TM_ASSIGN(const auto column, ColumnType("a join key", key.name));
  keys_and_times_.insert(key.name);
  if (!key.type) {
    auto found = FromArrow(*column);
    if (!found || !CanBeJoinKey(*found)) {
      return Fail(
          ErrorCode::kTypeMismatch,
          fmt::format("column '{}' has type {}, which cannot be a join key; those are string, int32, int64, "
                      "binary, bool and timestamp. Cast it in the source, or declare another join key",
                      key.name, column->ToString()));
    }
    key.type = *std::move(found);
    return {};
  }
  TM_ASSIGN(const auto no_rows, NoRows(column));
  if (CanonicalKey(no_rows, *key.type, key.name, 0)) return {};
  return Fail(
      ErrorCode::kTypeMismatch,
      fmt::format("column '{}' has type {}, which does not fit the join key's type {}. Declare the type that "
                  "the column has, or cast it in the source",
                  key.name, column->ToString(), key.type->ToString()));
}

/// A column that is given by its name in the file gets the one it has after the field mapping.
void ToMappedName(const arrow::Schema& schema, const BatchSource& source, std::string& column) {
  const auto mapped = source.field_mapping.find(column);
  if (mapped != source.field_mapping.end() && schema.GetFieldIndex(column) < 0) column = mapped->second;
}

Result<void> Completion::ResolveTimestamps() {
  BatchSource& source = *view_.source;
  ToMappedName(schema_, source, source.timestamp_field);
  ToMappedName(schema_, source, source.created_timestamp_column);
  if (!source.created_timestamp_column.empty()) {
    TM_TRY(CheckTimestamp("the created timestamp", source.created_timestamp_column));
    keys_and_times_.insert(source.created_timestamp_column);
  }
  if (source.timestamp_field.empty()) {
    TM_TRY(FindTimestamp());
  } else {
    TM_TRY(CheckTimestamp("the timestamp field", source.timestamp_field));
  }
  keys_and_times_.insert(source.timestamp_field);
  return {};
}

Result<void> Completion::ResolveQueryTime() {
  const std::string& name = view_.table.timestamp_field;
  TM_ASSIGN(const auto column, ColumnType("the timestamp field", name));
  if (column->id() != arrow::Type::TIMESTAMP) {
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format("column '{}' (the timestamp field) has type {}; it must be a timestamp: cast it in "
                    "the query",
                    name, column->ToString()));
  }
  keys_and_times_.insert(name);
  keys_and_times_.insert(system_column::kExpiresAt);  // of a table's rows, if the query gives it
  return {};
}

Result<void> Completion::FindTimestamp() {
  std::vector<std::string> candidates;
  for (const auto& column : schema_.fields()) {
    const bool is_declared =
        std::ranges::find(view_.fields, column->name(), &Field::name) != view_.fields.end();
    if (column->type()->id() == arrow::Type::TIMESTAMP && IsFeature(column->name()) && !is_declared) {
      candidates.push_back(column->name());
    }
  }
  std::string& chosen = view_.source->timestamp_field;
  if (candidates.size() == 1) {
    chosen = candidates[0];
    return {};
  }
  const std::string usual(kUsualTimestampField);
  if (schema_.GetFieldIndex(usual) >= 0 && IsFeature(usual) && CheckTimestamp("the timestamp field", usual)) {
    chosen = usual;
    return {};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      candidates.empty()
          ? fmt::format(
                "the source {} has no timestamp column; its columns are: {}. Name the column of event "
                "times as timestamp_field (it may also be text in ISO-8601, or a date)",
                Quoted(view_.source->place()), fmt::join(schema_.field_names(), ", "))
          : fmt::format("the source {} has several timestamp columns: {}. Name the one of event times as "
                        "timestamp_field",
                        Quoted(view_.source->place()), fmt::join(candidates, ", ")));
}

Result<void> Completion::CheckTimestamp(std::string_view what, const std::string& name) const {
  TM_ASSIGN(const auto column, ColumnType(what, name));
  TM_ASSIGN(const auto no_rows, NoRows(column));
  if (NullableTimesToMicros(*no_rows, name, 0)) return {};
  return Fail(ErrorCode::kTypeMismatch,
              fmt::format("column '{}' ({}) has type {}; it must be a timestamp, a date, or text in ISO-8601",
                          name, what, column->ToString()));
}

Result<void> Completion::InferFields() {
  for (const auto& column : schema_.fields()) {
    if (!IsFeature(column->name())) continue;
    TM_TRY(CheckReadable(*column));
    if (auto checked = CheckFieldName(column->name()); !checked) {
      checked.error().message +=
          ". Declare the fields of the view, or give the column another name by field_mapping";
      return checked;
    }
    auto type = FromArrow(*column->type());
    if (!type) {
      return std::unexpected(std::move(type).error().In(fmt::format("column '{}'", column->name())));
    }
    view_.fields.push_back({.name = column->name(),
                            .type = *std::move(type),
                            .description = {},
                            .tags = {},
                            .id = 0,
                            .renamed_from = std::nullopt});
  }
  if (!view_.fields.empty()) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} has no columns but join keys and timestamps; a view needs a feature", Place()));
}

Result<void> Completion::CheckFields() const {
  for (const Field& field : view_.fields) {
    TM_ASSIGN(const auto column, ColumnType("a field", field.name));
    TM_ASSIGN(const auto no_rows, NoRows(column));
    if (CastColumn(no_rows, field.type, field.name, 0)) continue;
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format(
            "column '{}' has type {}, which does not fit the field's type {} without loss. Declare the "
            "type that the column has, or cast it in the source",
            field.name, column->ToString(), field.type.ToString()));
  }
  return {};
}

/// Succeeds if the view says all that would have been taken from data that is not there.
Result<void> CheckDeclared(const std::vector<Entity*>& entities, const FeatureView& view,
                           const std::string& why) {
  std::vector<std::string> missing;
  if (view.fields.empty()) missing.emplace_back("the fields");
  if (view.source->timestamp_field.empty()) missing.emplace_back("the timestamp_field");
  for (const Entity* entity : entities) {
    for (const JoinKey& key : entity->join_keys) {
      if (!key.type)
        missing.push_back(fmt::format("the type of join key '{}' of entity '{}'", key.name, entity->name));
    }
  }
  if (missing.empty()) return {};
  return Fail(ErrorCode::kNotFound, fmt::format("{}. To define the view all the same, declare {}", why,
                                                fmt::join(missing, " and ")));
}

/// A table has no data to find its features in; the types of its join keys may wait for the first rows.
Result<void> CheckTable(const FeatureView& view) {
  if (!view.fields.empty()) return {};
  return Fail(
      ErrorCode::kNotFound,
      "the view has no source, so Tidemark keeps its rows itself, and must know its fields: declare them, "
      "or make the table from data");
}

/// CSV is read as these instead of guessing.
std::map<std::string, DataType> KnownTypes(const std::vector<Entity*>& entities, const FeatureView& view) {
  std::map<std::string, DataType> types;
  for (const Field& field : view.fields)
    types.emplace(field.name, field.type);
  for (const Entity* entity : entities) {
    for (const JoinKey& key : entity->join_keys) {
      if (key.type) types.emplace(key.name, *key.type);
    }
  }
  AddTimeTypes(*view.source, types);
  return types;
}

Result<void> CompleteByData(const std::vector<Entity*>& entities, const SourceOpener& open,
                            FeatureView& view) {
  if (view.is_table()) return CheckTable(view);
  auto source = open(*view.source, KnownTypes(entities, view), {});
  if (!source && source.error().code != ErrorCode::kNotFound)
    return std::unexpected(std::move(source).error());
  if (!source) return CheckDeclared(entities, view, source.error().ToString());
  const arrow::Schema& schema = *(*source)->schema();
  if (schema.num_fields() == 0) {
    return CheckDeclared(entities, view,
                         fmt::format("the source {} has no columns yet", Quoted(view.source->place())));
  }
  return Completion(entities, schema, view).Run();
}

/// What is known of the ids that a view has ever given.
class FieldIds {
 public:
  explicit FieldIds(const CatalogView* before) {
    if (before == nullptr) return;
    present_ = before->definition.fields;
    for (const std::vector<Field>& version : before->field_versions) {
      for (const Field& field : version) {
        last_.insert_or_assign(field.id, field);
        greatest_ = std::max(greatest_, field.id);
      }
    }
  }

  /// The id of the present field `name` if it has this type, or one that becomes it by widening; 0 otherwise.
  std::int32_t Present(std::string_view name, const DataType& type) const {
    const auto found = std::ranges::find(present_, name, &Field::name);
    if (found == present_.end() || taken_.contains(found->id)) return 0;
    return found->type == type || IsWidened(found->type, type) ? found->id : 0;
  }
  bool IsPresent(std::string_view name) const {
    return std::ranges::find(present_, name, &Field::name) != present_.end();
  }
  /// The latest id that was last seen on a removed field of this name and type; 0 if there is none.
  std::int32_t Removed(std::string_view name, const DataType& type) const {
    std::int32_t id = 0;
    for (const auto& [known_id, field] : last_) {
      const bool is_present = std::ranges::find(present_, known_id, &Field::id) != present_.end();
      if (!is_present && field.name == name && field.type == type && !taken_.contains(known_id))
        id = known_id;
    }
    return id;
  }
  std::int32_t New() { return ++greatest_; }
  void Take(std::int32_t id) { taken_.insert(id); }

 private:
  std::vector<Field> present_;
  std::map<std::int32_t, Field> last_;  // each id as the latest version that has it has it
  std::set<std::int32_t> taken_;
  std::int32_t greatest_ = 0;
};

}  // namespace

Result<void> CompleteView(const std::vector<Entity*>& entities, const SourceOpener& open, FeatureView& view) {
  TM_TRY_IN(CompleteByData(entities, open, view), fmt::format("feature view {}", view.name));
  return {};
}

Result<void> CompleteByQuery(const std::vector<Entity*>& entities, const arrow::Schema& columns,
                             FeatureView& view) {
  TM_TRY_IN(Completion(entities, columns, view).Run(), fmt::format("feature view {}", view.name));
  return {};
}

void AssignFieldIds(const CatalogView* before, FeatureView& view) {
  FieldIds ids(before);
  const auto give = [&](Field& field, std::int32_t id) {
    field.id = id;
    ids.Take(id);
  };
  for (Field& field : view.fields)
    field.id = 0;
  // Stated renames first: a new field may have taken the old name.
  for (Field& field : view.fields) {
    if (!field.renamed_from || ids.IsPresent(field.name)) continue;
    if (const std::int32_t id = ids.Present(*field.renamed_from, field.type); id != 0) give(field, id);
  }
  for (Field& field : view.fields) {
    if (field.id == 0) {
      if (const std::int32_t id = ids.Present(field.name, field.type); id != 0) give(field, id);
    }
  }
  for (Field& field : view.fields) {
    if (field.id == 0 && !ids.IsPresent(field.name)) {
      if (const std::int32_t id = ids.Removed(field.name, field.type); id != 0) give(field, id);
    }
  }
  for (Field& field : view.fields) {
    if (field.id == 0) give(field, ids.New());
    field.renamed_from.reset();
  }
}

}  // namespace tidemark
