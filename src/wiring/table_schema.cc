// Reads the schema strictly, and leaves names and types to the checks that all definitions pass.
#include "wiring/table_schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/result.h"
#include "model/name.h"

namespace tidemark {
namespace {

std::unexpected<Error> WrongForm(std::string_view what) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format(
          "the schema {}; write {{\"name\": \"t\", \"entities\": [\"id\"], \"schema\": [{{\"name\": "
          "\"id\", \"type\": \"int64\"}}, {{\"name\": \"event_timestamp\", \"type\": \"timestamp\"}}]}}",
          what));
}

Result<Field> ReadField(const Json& item) {
  if (!item.is_object() || item.size() != 2 || !item.contains("name") || !item["name"].is_string() ||
      !item.contains("type") || !item["type"].is_string()) {
    return WrongForm("has a field that is not {\"name\", \"type\"}");
  }
  Field field;
  field.name = item["name"].get<std::string>();
  auto type = DataType::Parse(item["type"].get<std::string>());
  if (!type) return std::unexpected(std::move(type).error().In(fmt::format("field {}", Quoted(field.name))));
  field.type = *std::move(type);
  return field;
}

struct Schema {
  std::string name;
  std::vector<std::string> entities;
  std::vector<Field> fields;
};

Result<Schema> ReadSchema(std::string_view text) {
  const Json json = ParseJson(text).value_or(nullptr);
  if (!json.is_object()) return WrongForm("is no JSON object");
  Schema schema;
  for (const auto& [member, value] : json.items()) {
    if (member == "name" && value.is_string()) {
      schema.name = value.get<std::string>();
    } else if (member == "entities" && value.is_array()) {
      for (const Json& entity : value) {
        if (!entity.is_string()) return WrongForm("has an entity that is no name");
        schema.entities.push_back(entity.get<std::string>());
      }
    } else if (member == "schema" && value.is_array()) {
      for (const Json& item : value) {
        TM_ASSIGN(Field field, ReadField(item));
        schema.fields.push_back(std::move(field));
      }
    } else {
      return WrongForm(fmt::format("has {} where it should not be", Quoted(member)));
    }
  }
  if (schema.name.empty()) return WrongForm("has no name");
  return schema;
}

/// Takes the field `name` out of `fields`.
std::optional<Field> TakeField(std::vector<Field>& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  if (found == fields.end()) return std::nullopt;
  Field field = std::move(*found);
  fields.erase(found);
  return field;
}

/// What event times are kept as, so that numbers of either width are.
DataType TimeType(const DataType& type) {
  if (type.kind == TypeKind::kInt32) return {.kind = TypeKind::kInt64};
  if (type.kind == TypeKind::kFloat32) return {.kind = TypeKind::kFloat64};
  return type;
}

/// The entity of one join key: that of the catalog, or one to be made. One of its name that other views have
/// is not changed under them.
Result<std::pair<Entity, bool>> EntityOf(const std::string& key, const std::optional<DataType>& type,
                                         const Catalog& catalog) {
  for (const auto& [name, entity] : catalog.entities()) {
    if (entity.join_keys.size() == 1 && entity.join_keys[0].name == key &&
        (!type || entity.join_keys[0].type == type)) {
      return std::pair(entity, false);
    }
  }
  for (const auto& [name, view] : catalog.views()) {
    if (std::ranges::find(view.definition.entities, key) == view.definition.entities.end()) continue;
    const auto same = std::ranges::find(view.join_keys, key, &JoinKey::name);
    if (same != view.join_keys.end() && !same->type) continue;  // found by the first rows: here
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format("join key {} is {} here, and {} in feature view {}, which has the same entity: give "
                    "the column that type, or another name",
                    Quoted(key), type ? type->ToString() : "of no stated type",
                    same == view.join_keys.end() ? "no join key" : same->type->ToString(), Quoted(name)));
  }
  Entity entity;
  entity.name = key;
  entity.join_keys = {{key, type}};
  return std::pair(entity, true);
}

}  // namespace

Result<Definitions> DefinitionsOfSchema(std::string_view text, const CreateTableOptions& options,
                                        const Catalog& catalog) {
  TM_ASSIGN(Schema schema, ReadSchema(text));
  if (catalog.views().contains(schema.name)) {
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("there is a feature view {} already: ingest into it, add fields to it by apply, or drop "
                    "it first",
                    Quoted(schema.name)));
  }
  Definitions definitions;
  FeatureView view;
  view.name = schema.name;
  view.online = options.online;
  view.table.catalog = options.catalog;
  view.table.database = options.database;
  view.table.timestamp_field = options.time_column;
  const auto time = TakeField(schema.fields, options.time_column);
  if (!time) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the schema of {} has no field {}, by which its rows are ordered",
                            Quoted(schema.name), Quoted(options.time_column)));
  }
  view.table.timestamp_type = TimeType(time->type);
  if (view.table.timestamp_type.kind == TypeKind::kInt64 && options.time_unit.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("column {} of {} has whole numbers as times: say their time_unit, s, ms, us or ns",
                    Quoted(options.time_column), Quoted(schema.name)));
  }
  if (!options.time_unit.empty()) {
    TM_ASSIGN(view.table.timestamp_unit, ParseTimeUnit(options.time_unit));
  }
  for (const std::string& key : schema.entities) {
    const auto field = TakeField(schema.fields, key);
    TM_ASSIGN(auto made, EntityOf(key, field ? std::optional(field->type) : std::nullopt, catalog));
    auto& [entity, is_new] = made;
    view.entities.push_back(entity.name);
    if (is_new) definitions.entities.push_back(std::move(entity));
  }
  view.fields = std::move(schema.fields);
  definitions.views.push_back(std::move(view));
  return definitions;
}

}  // namespace tidemark
