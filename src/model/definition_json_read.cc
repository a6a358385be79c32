// Reads definitions from a tree of JSON or YAML.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <utility>

#include "model/definition_json.h"
#include "model/feature_ref.h"
#include "model/json_tree_internal.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark {
namespace {

Result<std::int64_t> DurationFromNumber(const Json& seconds) {
  constexpr double kSecondUs = 1e6;
  // The least double above every int64 is 2^63.
  const double us = seconds.get<double>() * kSecondUs;
  if (!(us >= 0) || us >= 0x1p63) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} seconds are no length of time; give 0 or more, "
                                                         "at most 292,000 years",
                                                         seconds.dump()));
  }
  if (!seconds.is_number_integer()) return std::llround(us);
  std::int64_t exact_us = 0;
  if (!__builtin_mul_overflow(seconds.get<std::int64_t>(), std::int64_t{1'000'000}, &exact_us))
    return exact_us;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} seconds are too long", seconds.dump()));
}

}  // namespace

Result<void> ReadMetadata(const Members& from, Metadata& out) {
  TM_TRY(from.Text("description", out.description));
  TM_TRY(from.Text("owner", out.owner));
  return from.TextMap("tags", out.tags);
}

Result<void> ReadDuration(const Members& from, std::string_view name, std::int64_t& out) {
  const Json* duration = from.Find(name);
  if (duration == nullptr) return {};
  if (!duration->is_string() && !duration->is_number())
    return WrongKind(name, "a string or a number of seconds", *duration);
  Result<std::int64_t> us =
      duration->is_string() ? ParseDurationUs(duration->text()) : DurationFromNumber(*duration);
  if (!us) return std::unexpected(std::move(us).error().In(name));
  out = *us;
  return {};
}

namespace {

// `entities[2] "driver"`: the place of an item, with its name if it has one.
std::string Place(std::string_view list, std::size_t index, const Json& item) {
  std::string place = fmt::format("{}[{}]", list, index);
  if (!item.is_object()) return place;
  const auto name = item.find("name");
  if (name != item.end() && name->is_string()) place += ' ' + Quoted(name->text());
  return place;
}

// Reads each item of the list `name` by `read`; the errors say which it was.
template <typename T>
Result<void> ReadList(const Members& from, std::string_view name, Result<T> (*read)(const Json&, bool),
                      std::vector<T>& out) {
  const Json* list = from.Find(name);
  if (list == nullptr) return {};
  if (!list->is_array()) return WrongKind(name, "a list", *list);
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& item = list->at(i);
    Result<T> value = read(item, from.text_scalars());
    if (!value) return std::unexpected(std::move(value).error().In(Place(name, i, item)));
    out.push_back(std::move(value).value());
  }
  return {};
}

Result<JoinKey> ReadJoinKey(const Json& value, bool text_scalars) {
  JoinKey key;
  if (value.is_string()) {
    key.name = value.text();
    return key;
  }
  TM_ASSIGN(const Members members, Members::Of(value, text_scalars, {"name", "type"}));
  TM_TRY(members.RequiredText("name", key.name));
  std::optional<std::string> type;
  TM_TRY(members.Text("type", type));
  if (type) {
    TM_ASSIGN(key.type, DataType::Parse(*type));
  }
  return key;
}

Result<Entity> ReadEntity(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars,
                        {"name", "join_keys", "description", "owner", "tags", "renamed_from"}));
  Entity entity;
  TM_TRY(members.RequiredText("name", entity.name));
  TM_TRY(ReadList(members, "join_keys", ReadJoinKey, entity.join_keys));
  if (members.Find("join_keys") == nullptr) entity.join_keys.push_back({entity.name, std::nullopt});
  TM_TRY(ReadMetadata(members, entity.metadata));
  TM_TRY(members.Text("renamed_from", entity.renamed_from));
  return entity;
}

// The id of a field: a number, or in YAML its digits.
Result<void> ReadId(const Members& from, std::int32_t& out) {
  const Json* value = from.Find("id");
  if (value == nullptr) return {};
  std::int64_t id = -1;
  if (value->is_number_integer()) {
    id = value->get<std::int64_t>();
  } else if (from.text_scalars() && value->is_string()) {
    const auto& text = value->text();
    const bool digits =
        !text.empty() && text.size() <= 10 && text.find_first_not_of("0123456789") == text.npos;
    if (digits) id = std::stoll(text);
  } else {
    return WrongKind("id", "a number", *value);
  }
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max()) {
    return Fail(ErrorCode::kInvalidArgument, "id must be a whole number from 0 to 2147483647");
  }
  out = static_cast<std::int32_t>(id);
  return {};
}

Result<Field> ShortField(const std::string& name, const Json& type) {
  if (!type.is_string())
    return WrongKind(fmt::format("the type of field {}", Quoted(name)), "a string", type);
  Field field;
  field.name = name;
  Result<DataType> parsed = DataType::Parse(type.text());
  if (!parsed) return std::unexpected(std::move(parsed).error().In(fmt::format("field {}", Quoted(name))));
  field.type = std::move(parsed).value();
  return field;
}

Result<Field> FieldOf(const Members& members) {
  Field field;
  TM_TRY(members.RequiredText("name", field.name));
  std::string type;
  TM_TRY(members.RequiredText("type", type));
  TM_ASSIGN(field.type, DataType::Parse(type));
  TM_TRY(members.Text("description", field.description));
  TM_TRY(members.TextMap("tags", field.tags));
  TM_TRY(ReadId(members, field.id));
  TM_TRY(members.Text("renamed_from", field.renamed_from));
  return field;
}

Result<Field> ReadField(const Json& value, bool text_scalars) {
  static const std::vector<std::string_view> known{"name", "type", "description",
                                                   "tags", "id",   "renamed_from"};
  if (value.is_object() && value.size() == 1) {
    const auto& [name, type] = value.items().front();
    if (std::ranges::find(known, name) == known.end()) return ShortField(name, type);
  }
  TM_ASSIGN(const Members members, Members::Of(value, text_scalars, known));
  return FieldOf(members);
}

Result<void> ReadFields(const Members& from, std::string_view list, std::vector<Field>& out) {
  const Json* fields = from.Find(list);
  if (fields == nullptr || !fields->is_object()) return ReadList(from, list, ReadField, out);
  for (const auto& [name, type] : fields->items()) {
    TM_ASSIGN(Field field, ShortField(name, type));
    out.push_back(std::move(field));
  }
  return {};
}

Result<void> ReadFormat(const Members& from, std::optional<FileFormat>& out) {
  std::optional<std::string> format;
  TM_TRY(from.Text("format", format));
  if (!format) return {};
  if (*format == "parquet") {
    out = FileFormat::kParquet;
  } else if (*format == "csv") {
    out = FileFormat::kCsv;
  } else if (*format == "iceberg") {
    out = FileFormat::kIceberg;
  } else {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no file format {}{}; there are parquet, csv and iceberg",
                            Quoted(*format), Suggest(*format, {"parquet", "csv", "iceberg"})));
  }
  return {};
}

// The member `other_name` says the same as `name` under the word that users of a product know.
Result<void> ReadEither(const Members& from, std::string_view name, std::string_view other_name,
                        std::string& out) {
  TM_TRY(from.Text(name, out));
  std::optional<std::string> other;
  TM_TRY(from.Text(other_name, other));
  if (!other) return {};
  if (!out.empty() && out != *other) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} and {} are two words for one thing: give one", name, other_name));
  }
  out = *other;
  return {};
}

// What Snowflake calls its computing and the role of a session, as options of its driver.
Result<void> ReadSnowflakeOptions(const Members& from, std::map<std::string, std::string>& options) {
  for (const std::string_view name : {"warehouse", "role"}) {
    std::optional<std::string> value;
    TM_TRY(from.Text(name, value));
    if (value) options.insert_or_assign(fmt::format("adbc.snowflake.sql.{}", name), *value);
  }
  return {};
}

Result<Warehouse> ReadWarehouse(const Members& from, WarehouseKind kind) {
  Warehouse warehouse;
  warehouse.kind = kind;
  TM_TRY(from.Text("driver", warehouse.driver));
  TM_TRY(from.Text("entrypoint", warehouse.entrypoint));
  TM_TRY(from.Text("uri", warehouse.uri));
  TM_TRY(from.TextMap("options", warehouse.options));
  TM_TRY(ReadEither(from, "catalog", "database", warehouse.catalog));
  TM_TRY(from.Text("schema", warehouse.schema));
  TM_TRY(ReadEither(from, "table", "table_ref", warehouse.table));
  TM_TRY(from.Text("query", warehouse.query));
  TM_TRY(ReadDuration(from, "timeout", warehouse.timeout_us));
  if (kind == WarehouseKind::kSnowflake) TM_TRY(ReadSnowflakeOptions(from, warehouse.options));
  return warehouse;
}

// The members that a source of a type has, besides those that all have.
std::vector<std::string_view> SourceMembers(std::optional<WarehouseKind> kind) {
  std::vector<std::string_view> members{
      "type",          "name",        "timestamp_field", "created_timestamp_column",
      "field_mapping", "description", "owner",           "tags"};
  const auto add = [&](std::initializer_list<std::string_view> names) {
    members.insert(members.end(), names);
  };
  if (!kind) {
    add({"path", "table", "format"});
    return members;
  }
  add({"driver", "entrypoint", "uri", "options", "catalog", "database", "schema", "table", "query",
       "timeout"});
  if (*kind == WarehouseKind::kBigQuery) add({"table_ref"});
  if (*kind == WarehouseKind::kSnowflake) add({"warehouse", "role"});
  return members;
}

// Nothing for `file`.
Result<std::optional<WarehouseKind>> ReadSourceType(const Json& value) {
  constexpr std::array kKinds{WarehouseKind::kAdbc, WarehouseKind::kPostgreSql, WarehouseKind::kBigQuery,
                              WarehouseKind::kSnowflake, WarehouseKind::kRedshift};
  if (!value.is_object()) return std::nullopt;  // told later
  const auto type = value.find("type");
  if (type == value.end() || type->is_null()) return std::nullopt;
  if (!type->is_string()) return WrongKind("type", "a string", *type);
  const auto& name = type->text();
  if (name == "file") return std::nullopt;
  std::vector<std::string> names{"file"};
  for (const WarehouseKind kind : kKinds) {
    names.emplace_back(WarehouseKindName(kind));
    if (name == names.back()) return kind;
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("there is no type of source {} in this version{}; there are {}", Quoted(name),
                          Suggest(name, names), fmt::join(names, ", ")));
}

Result<void> ReadFiles(const Members& members, BatchSource& source) {
  TM_TRY(members.Text("table", source.table));
  TM_TRY(source.table.empty() ? members.RequiredText("path", source.path)
                              : members.Text("path", source.path));
  TM_TRY(ReadFormat(members, source.format));
  if (!source.table.empty() && !source.format) source.format = FileFormat::kIceberg;
  return {};
}

Result<BatchSource> ReadSource(const Json& value, bool text_scalars) {
  TM_ASSIGN(const auto kind, ReadSourceType(value));
  TM_ASSIGN(const Members members, Members::Of(value, text_scalars, SourceMembers(kind)));
  BatchSource source;
  TM_TRY(members.Text("name", source.name));
  if (kind) {
    TM_ASSIGN(source.warehouse, ReadWarehouse(members, *kind));
  } else {
    TM_TRY(ReadFiles(members, source));
  }
  TM_TRY(members.Text("timestamp_field", source.timestamp_field));
  TM_TRY(members.Text("created_timestamp_column", source.created_timestamp_column));
  TM_TRY(members.TextMap("field_mapping", source.field_mapping));
  TM_TRY(ReadMetadata(members, source.metadata));
  return source;
}

Result<PushSource> ReadPushSource(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars, {"type", "name", "description", "owner", "tags"}));
  PushSource source;
  TM_TRY(members.RequiredText("name", source.name));
  TM_TRY(ReadMetadata(members, source.metadata));
  return source;
}

// What the member `type` says; without one it is a push source, which has only a name.
Result<void> ReadStreamSource(const Json& value, bool text_scalars, FeatureView& view) {
  std::string type = "push";
  if (value.is_object()) {
    if (const auto stated = value.find("type"); stated != value.end() && !stated->is_null()) {
      if (!stated->is_string()) return WrongKind("type", "a string", *stated);
      type = stated->text();
    }
  }
  if (type == "push") {
    TM_ASSIGN(view.push, ReadPushSource(value, text_scalars));
  } else if (type == "kafka") {
    TM_ASSIGN(view.kafka, ReadKafkaSource(value, text_scalars));
  } else if (type == "kinesis") {
    TM_ASSIGN(view.kinesis, ReadKinesisSource(value, text_scalars));
  } else {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("there is no type of stream source {}{}; there are push, kafka and kinesis",
                            Quoted(type), Suggest(type, {"push", "kafka", "kinesis"})));
  }
  return {};
}

Result<TableOptions> ReadTable(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars,
                        {"timestamp_field", "timestamp_type", "timestamp_unit", "created_timestamp_column",
                         "partitions", "database", "catalog"}));
  TableOptions table;
  TM_TRY(members.Text("timestamp_field", table.timestamp_field));
  std::optional<std::string> type;
  TM_TRY(members.Text("timestamp_type", type));
  if (type) {
    TM_ASSIGN(table.timestamp_type, DataType::Parse(*type));
  }
  std::optional<std::string> unit;
  TM_TRY(members.Text("timestamp_unit", unit));
  if (unit) {
    TM_ASSIGN(table.timestamp_unit, ParseTimeUnit(*unit));
  }
  TM_TRY(members.Text("created_timestamp_column", table.created_timestamp_column));
  TM_TRY(members.TextList("partitions", table.partitions));
  TM_TRY(members.Text("database", table.database));
  TM_TRY(members.Truth("catalog", table.catalog));
  return table;
}

/// Reads the member `name` by `read`, if it is there; an error says that it is of that member.
template <typename T>
Result<void> ReadMember(const Members& from, std::string_view name, Result<T> (*read)(const Json&, bool),
                        auto& out) {
  const Json* value = from.Find(name);
  if (value == nullptr) return {};
  Result<T> member = read(*value, from.text_scalars());
  if (!member) return std::unexpected(std::move(member).error().In(name));
  out = std::move(member).value();
  return {};
}

Result<StreamTransformation> ReadTransformation(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members, Members::Of(value, text_scalars, {"inputs", "expressions", "filter"}));
  StreamTransformation transformation;
  TM_TRY(ReadFields(members, "inputs", transformation.inputs));
  TM_TRY(members.TextMap("expressions", transformation.expressions));
  TM_TRY(members.Text("filter", transformation.filter));
  return transformation;
}

Result<BatchQuery> ReadBatchQuery(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members, Members::Of(value, text_scalars, {"sql", "sources", "views"}));
  BatchQuery batch;
  TM_TRY(members.RequiredText("sql", batch.sql));
  TM_TRY(ReadList(members, "sources", ReadSource, batch.sources));
  TM_TRY(members.TextList("views", batch.views));
  return batch;
}

Result<FeatureView> ReadView(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars,
                        {"name", "entities", "fields", "ttl", "online", "source", "batch", "stream_source",
                         "transformation", "table", "description", "owner", "tags", "renamed_from"}));
  FeatureView view;
  TM_TRY(members.RequiredText("name", view.name));
  TM_TRY(members.TextList("entities", view.entities));
  TM_TRY(ReadFields(members, "fields", view.fields));
  TM_TRY(ReadDuration(members, "ttl", view.ttl_us));
  TM_TRY(members.Truth("online", view.online));
  TM_TRY(ReadMember(members, "source", ReadSource, view.source));
  TM_TRY(ReadMember(members, "batch", ReadBatchQuery, view.batch));
  if (const Json* stream = members.Find("stream_source"); stream != nullptr)
    TM_TRY_IN(ReadStreamSource(*stream, text_scalars, view), "stream_source");
  TM_TRY(ReadMember(members, "transformation", ReadTransformation, view.transformation));
  TM_TRY(ReadMember(members, "table", ReadTable, view.table));
  TM_TRY(ReadMetadata(members, view.metadata));
  TM_TRY(members.Text("renamed_from", view.renamed_from));
  return view;
}

Result<ViewSelection> ReadSelection(const Json& value, bool text_scalars) {
  ViewSelection selection;
  if (value.is_string()) {
    TM_ASSIGN(FeatureRef ref, ParseFeatureRef(value.text()));
    selection.view = std::move(ref.view);
    if (!ref.feature.empty()) selection.features.push_back(std::move(ref.feature));
    return selection;
  }
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars, {"view", "features", "join_key_map", "alias"}));
  TM_TRY(members.RequiredText("view", selection.view));
  TM_TRY(members.TextList("features", selection.features));
  TM_TRY(members.TextMap("join_key_map", selection.join_key_map));
  TM_TRY(members.Text("alias", selection.alias));
  return selection;
}

// `["a:x", "a:y"]` reads as one selection of two features. Strings only: an object is as the user grouped
// it.
Result<void> ReadSelections(const Members& from, std::vector<ViewSelection>& out) {
  std::vector<ViewSelection> items;
  TM_TRY(ReadList(from, "features", ReadSelection, items));
  bool joins = false;  // whether the last of `out` is made of strings, each with
                       // a feature
  for (std::size_t i = 0; i < items.size(); ++i) {
    ViewSelection& item = items[i];
    const bool one_feature = from.Find("features")->at(i).is_string() && !item.features.empty();
    if (joins && one_feature && out.back().view == item.view) {
      out.back().features.push_back(std::move(item.features.front()));
    } else {
      out.push_back(std::move(item));
    }
    joins = one_feature;
  }
  return {};
}

Result<FeatureService> ReadService(const Json& value, bool text_scalars) {
  TM_ASSIGN(
      const Members members,
      Members::Of(value, text_scalars, {"name", "features", "description", "owner", "tags", "renamed_from"}));
  FeatureService service;
  TM_TRY(members.RequiredText("name", service.name));
  TM_TRY(ReadSelections(members, service.views));
  TM_TRY(ReadMetadata(members, service.metadata));
  TM_TRY(members.Text("renamed_from", service.renamed_from));
  return service;
}

// A field and what it is computed by.
struct ComputedField {
  Field field;
  std::optional<std::string> expression;
};

Result<ComputedField> ReadComputedField(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars,
                        {"name", "type", "expression", "description", "tags", "id", "renamed_from"}));
  ComputedField computed;
  TM_ASSIGN(computed.field, FieldOf(members));
  TM_TRY(members.Text("expression", computed.expression));
  return computed;
}

struct AnySource {
  std::optional<OnDemandSource> view;
  std::optional<RequestSource> request;
};

// A name, or {"view", "features", "join_key_map", "alias"}, or {"request", "fields"}.
Result<AnySource> ReadOnDemandSource(const Json& value, bool text_scalars) {
  AnySource source;
  if (value.is_string()) {
    source.view = OnDemandSource{.view = value.text()};
    return source;
  }
  if (value.is_object() && value.find("request") == value.end()) {
    TM_ASSIGN(const Members members,
              Members::Of(value, text_scalars, {"view", "features", "join_key_map", "alias"}));
    source.view.emplace();
    TM_TRY(members.RequiredText("view", source.view->view));
    TM_TRY(members.TextList("features", source.view->features));
    TM_TRY(members.TextMap("join_key_map", source.view->join_key_map));
    TM_TRY(members.Text("alias", source.view->alias));
    return source;
  }
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars, {"request", "fields", "description", "owner", "tags"}));
  source.request.emplace();
  TM_TRY(members.RequiredText("request", source.request->name));
  TM_TRY(ReadFields(members, "fields", source.request->fields));
  TM_TRY(ReadMetadata(members, source.request->metadata));
  return source;
}

Result<void> ReadMode(const Members& members, OnDemandMode& out) {
  std::optional<std::string> mode;
  TM_TRY(members.Text("mode", mode));
  if (!mode) return {};
  for (const OnDemandMode known : {OnDemandMode::kSql, OnDemandMode::kPandas, OnDemandMode::kPython}) {
    if (*mode != OnDemandModeName(known)) continue;
    out = known;
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("there is no mode {}{}; there are sql, pandas and python", Quoted(*mode),
                          Suggest(*mode, {"sql", "pandas", "python"})));
}

Result<OnDemandView> ReadOnDemandView(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars,
                        {"name", "mode", "sources", "fields", "function", "source_code", "singleton",
                         "description", "owner", "tags", "renamed_from"}));
  OnDemandView view;
  TM_TRY(members.RequiredText("name", view.name));
  TM_TRY(ReadMode(members, view.mode));
  std::vector<AnySource> sources;
  TM_TRY(ReadList(members, "sources", ReadOnDemandSource, sources));
  for (AnySource& source : sources) {
    if (source.view) view.sources.push_back(*std::move(source.view));
    if (source.request) view.requests.push_back(*std::move(source.request));
  }
  std::vector<ComputedField> fields;
  TM_TRY(ReadList(members, "fields", ReadComputedField, fields));
  for (ComputedField& computed : fields) {
    if (computed.expression) view.expressions.push_back(*std::move(computed.expression));
    if (view.expressions.size() != (view.expressions.empty() ? 0 : view.fields.size() + 1)) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("field {} has no expression, and others have one",
                                                           Quoted(computed.field.name)));
    }
    view.fields.push_back(std::move(computed.field));
  }
  TM_TRY(members.Text("function", view.function_name));
  TM_TRY(members.Text("source_code", view.function_source));
  TM_TRY(members.Truth("singleton", view.singleton));
  TM_TRY(ReadMetadata(members, view.metadata));
  TM_TRY(members.Text("renamed_from", view.renamed_from));
  return view;
}

}  // namespace

Result<Definitions> DefinitionsFromTree(const Json& tree, bool text_scalars) {
  TM_ASSIGN(const Members members, Members::Of(tree, text_scalars,
                                               {"project", "entities", "feature_views",
                                                "on_demand_feature_views", "feature_services"}));
  Definitions definitions;
  TM_TRY(members.Text("project", definitions.project));
  TM_TRY(ReadList(members, "entities", ReadEntity, definitions.entities));
  TM_TRY(ReadList(members, "feature_views", ReadView, definitions.views));
  TM_TRY(ReadList(members, "on_demand_feature_views", ReadOnDemandView, definitions.on_demand));
  TM_TRY(ReadList(members, "feature_services", ReadService, definitions.services));
  return definitions;
}

Result<Definitions> DefinitionsFromJson(std::string_view json) {
  TM_ASSIGN(const Json tree, ParseJsonTree(json));
  return DefinitionsFromTree(tree, false);
}

Result<Entity> EntityFromJson(std::string_view json) {
  TM_ASSIGN(const Json tree, ParseJsonTree(json));
  return ReadEntity(tree, false);
}

Result<FeatureView> FeatureViewFromJson(std::string_view json) {
  TM_ASSIGN(const Json tree, ParseJsonTree(json));
  return ReadView(tree, false);
}

Result<OnDemandView> OnDemandViewFromJson(std::string_view json) {
  TM_ASSIGN(const Json tree, ParseJsonTree(json));
  return ReadOnDemandView(tree, false);
}

Result<FeatureService> FeatureServiceFromJson(std::string_view json) {
  TM_ASSIGN(const Json tree, ParseJsonTree(json));
  return ReadService(tree, false);
}

}  // namespace tidemark
