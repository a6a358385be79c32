// The spec of a feature view as it is printed to users: the names and shape of Feast's specs.
#include <fmt/format.h>

#include "model/definition_json.h"
#include "model/json_tree_internal.h"
#include "model/time.h"

namespace tidemark {
namespace {

// The name in Feast's ValueType, or an empty text for a type that it does not have.
std::string ScalarValueType(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool:
      return "BOOL";
    case TypeKind::kInt32:
      return "INT32";
    case TypeKind::kInt64:
      return "INT64";
    case TypeKind::kFloat32:
      return "FLOAT";
    case TypeKind::kFloat64:
      return "DOUBLE";
    case TypeKind::kString:
      return "STRING";
    case TypeKind::kBinary:
      return "BYTES";
    case TypeKind::kTimestamp:
      return "UNIX_TIMESTAMP";
    default:
      return {};
  }
}

std::string ValueType(const DataType& type) {
  std::string name = ScalarValueType(type.kind);
  if (type.kind == TypeKind::kList) {
    name = ScalarValueType(type.children.at(0).type.kind);
    if (!name.empty()) name += "_LIST";
  }
  return name.empty() ? type.ToString() : name;
}

// `86400s`, `0.5s`: seconds, as protobuf prints its durations.
std::string SecondsText(std::int64_t us) {
  constexpr std::int64_t kSecondUs = 1'000'000;
  std::string text = fmt::format("{}", us / kSecondUs);
  if (us % kSecondUs != 0) {
    text += fmt::format(".{:06}", us % kSecondUs);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + 's';
}

void PutIf(Json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

// Names as Feast has them, where it has this kind of source.
Json WarehouseOptions(const Warehouse& shown) {
  Json options = Json::object();
  switch (shown.kind) {
    case WarehouseKind::kBigQuery:
      PutIf(options, "tableRef", shown.table.empty() ? "" : shown.place());
      break;
    case WarehouseKind::kSnowflake:
    case WarehouseKind::kRedshift:
      PutIf(options, "database", shown.catalog);
      PutIf(options, "schema", shown.schema);
      PutIf(options, "table", shown.table);
      break;
    case WarehouseKind::kAdbc:
    case WarehouseKind::kPostgreSql:
      PutIf(options, "driver", shown.driver_name());
      PutIf(options, "uri", shown.uri);
      PutIf(options, "catalog", shown.catalog);
      PutIf(options, "schema", shown.schema);
      PutIf(options, "table", shown.table);
      break;
  }
  PutIf(options, "query", shown.query);
  return options;
}

void PutWarehouseOptions(Json& tree, const Warehouse& warehouse) {
  const std::string name(WarehouseKindName(warehouse.kind));
  std::string type = "BATCH_";
  for (const char c : name)
    type += static_cast<char>(c - 'a' + 'A');
  tree["type"] = type;
  tree[name + "Options"] = WarehouseOptions(WithoutSecrets(warehouse));
}

void PutFiles(Json& tree, const BatchSource& source) {
  Json& options = tree["fileOptions"] = Json::object();
  if (source.format) {
    options["fileFormat"][fmt::format("{}Format", FileFormatName(*source.format))] = Json::object();
  }
  options["fileUrl"] = source.place();
}

Json SourceTree(const BatchSource& source, const std::string& view_name) {
  Json tree{{"type", "BATCH_FILE"}, {"name", source.name.empty() ? view_name : source.name}};
  if (!source.timestamp_field.empty()) tree["eventTimestampColumn"] = source.timestamp_field;
  if (!source.created_timestamp_column.empty())
    tree["createdTimestampColumn"] = source.created_timestamp_column;
  for (const auto& [column, name] : source.field_mapping)
    tree["fieldMapping"][column] = name;
  if (source.warehouse) {
    PutWarehouseOptions(tree, *source.warehouse);
  } else {
    PutFiles(tree, source);
  }
  return tree;
}

Json TransformationTree(const StreamTransformation& transformation) {
  Json tree = Json::object();
  for (const Field& input : transformation.inputs)
    tree["inputs"].push_back(Json{{"name", input.name}, {"valueType", ValueType(input.type)}});
  for (const auto& [column, expression] : transformation.expressions)
    tree["expressions"][column] = expression;
  PutIf(tree, "filter", transformation.filter);
  return tree;
}

}  // namespace

std::string ToSpecJson(const FeatureView& view, const std::vector<Entity>& entities, const SpecMeta& meta) {
  Json spec{{"name", view.name}};
  Json& keys = spec["entities"] = Json::array();
  for (const Entity& entity : entities) {
    for (const JoinKey& key : entity.join_keys) {
      Json item{{"name", key.name}};
      if (key.type) item["valueType"] = ValueType(*key.type);
      keys.push_back(std::move(item));
    }
  }
  Json& features = spec["features"] = Json::array();
  for (const Field& field : view.fields) {
    features.push_back(Json{{"name", field.name}, {"valueType", ValueType(field.type)}});
  }
  if (!view.metadata.description.empty()) spec["description"] = view.metadata.description;
  if (!view.metadata.owner.empty()) spec["owner"] = view.metadata.owner;
  for (const auto& [key, value] : view.metadata.tags)
    spec["tags"][key] = value;
  spec["maxAge"] = SecondsText(view.ttl_us);
  if (view.source) spec["batchSource"] = SourceTree(*view.source, view.name);
  if (view.batch) {
    Json& transformation = spec["featureTransformation"] = Json::object();
    transformation["sql"] = view.batch->sql;
    for (const BatchSource& source : view.batch->sources)
      spec["sources"].push_back(SourceTree(source, view.name));
    if (!view.batch->views.empty()) spec["sourceViews"] = view.batch->views;
  }
  if (view.push) spec["streamSource"] = Json{{"type", "PUSH_SOURCE"}, {"name", view.push->name}};
  if (view.kafka) spec["streamSource"] = StreamSpecTree(*view.kafka);
  if (view.kinesis) spec["streamSource"] = StreamSpecTree(*view.kinesis);
  if (view.transformation) spec["streamTransformation"] = TransformationTree(*view.transformation);
  const Json tree{{"spec", std::move(spec)},
                  {"meta",
                   {{"createdTimestamp", FormatTimestampUs(meta.created_us)},
                    {"lastUpdatedTimestamp", FormatTimestampUs(meta.updated_us)},
                    {"version", meta.version}}}};
  return DumpJsonTree(tree, 2);
}

}  // namespace tidemark
