// Writes definitions as canonical JSON: members in the order of definition_json.h, defaults left out.
#include "model/definition_json.h"
#include "model/json_tree_internal.h"
#include "model/time.h"

namespace tidemark {

void PutText(Json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

void PutTextMap(Json& object, const char* name, const std::map<std::string, std::string>& map) {
  for (const auto& [key, value] : map)
    object[name][key] = value;
}

void PutMetadata(Json& object, const Metadata& metadata) {
  PutText(object, "description", metadata.description);
  PutText(object, "owner", metadata.owner);
  PutTextMap(object, "tags", metadata.tags);
}

namespace {

Json Tree(const JoinKey& key) {
  Json object{{"name", key.name}};
  if (key.type) object["type"] = key.type->ToString();
  return object;
}

Json Tree(const Entity& entity) {
  Json object{{"name", entity.name}};
  Json& keys = object["join_keys"] = Json::array();
  for (const JoinKey& key : entity.join_keys)
    keys.push_back(Tree(key));
  PutMetadata(object, entity.metadata);
  return object;
}

Json Tree(const Field& field) {
  Json object{{"name", field.name}, {"type", field.type.ToString()}};
  PutText(object, "description", field.description);
  PutTextMap(object, "tags", field.tags);
  if (field.id != 0) object["id"] = field.id;
  return object;
}

void PutWarehouse(Json& object, const Warehouse& warehouse) {
  PutText(object, "driver", warehouse.driver);
  PutText(object, "entrypoint", warehouse.entrypoint);
  PutText(object, "uri", warehouse.uri);
  PutTextMap(object, "options", warehouse.options);
  PutText(object, "catalog", warehouse.catalog);
  PutText(object, "schema", warehouse.schema);
  PutText(object, "table", warehouse.table);
  PutText(object, "query", warehouse.query);
  if (warehouse.timeout_us != 0) object["timeout"] = FormatDurationUs(warehouse.timeout_us);
}

Json Tree(const BatchSource& source) {
  Json object{{"type", source.warehouse ? WarehouseKindName(source.warehouse->kind) : "file"}};
  PutText(object, "name", source.name);
  if (source.warehouse) {
    PutWarehouse(object, *source.warehouse);
  } else {
    if (source.table.empty() || !source.path.empty()) object["path"] = source.path;
    PutText(object, "table", source.table);
  }
  if (source.format) object["format"] = FileFormatName(*source.format);
  PutText(object, "timestamp_field", source.timestamp_field);
  PutText(object, "created_timestamp_column", source.created_timestamp_column);
  PutTextMap(object, "field_mapping", source.field_mapping);
  PutMetadata(object, source.metadata);
  return object;
}

Json Tree(const PushSource& source) {
  Json object{{"type", "push"}, {"name", source.name}};
  PutMetadata(object, source.metadata);
  return object;
}

Json Tree(const TableOptions& table) {
  const TableOptions usual;
  Json object = Json::object();
  if (table.timestamp_field != usual.timestamp_field) object["timestamp_field"] = table.timestamp_field;
  if (table.timestamp_type != usual.timestamp_type)
    object["timestamp_type"] = table.timestamp_type.ToString();
  if (table.timestamp_unit != usual.timestamp_unit)
    object["timestamp_unit"] = TimeUnitName(table.timestamp_unit);
  PutText(object, "created_timestamp_column", table.created_timestamp_column);
  if (!table.partitions.empty()) object["partitions"] = table.partitions;
  PutText(object, "database", table.database);
  if (!table.catalog) object["catalog"] = false;
  return object;
}

Json Tree(const StreamTransformation& transformation) {
  Json object = Json::object();
  for (const Field& input : transformation.inputs)
    object["inputs"].push_back(Tree(input));
  PutTextMap(object, "expressions", transformation.expressions);
  PutText(object, "filter", transformation.filter);
  return object;
}

Json Tree(const BatchQuery& batch) {
  Json object{{"sql", batch.sql}};
  for (const BatchSource& source : batch.sources)
    object["sources"].push_back(Tree(source));
  if (!batch.views.empty()) object["views"] = batch.views;
  return object;
}

Json Tree(const FeatureView& view) {
  Json object{{"name", view.name}};
  if (!view.entities.empty()) object["entities"] = view.entities;
  if (view.ttl_us != 0) object["ttl"] = FormatDurationUs(view.ttl_us);
  if (!view.online) object["online"] = false;
  for (const Field& field : view.fields)
    object["fields"].push_back(Tree(field));
  if (view.source) object["source"] = Tree(*view.source);
  if (view.batch) object["batch"] = Tree(*view.batch);
  if (view.push) object["stream_source"] = Tree(*view.push);
  if (view.kafka) object["stream_source"] = StreamTree(*view.kafka);
  if (view.kinesis) object["stream_source"] = StreamTree(*view.kinesis);
  if (view.transformation) object["transformation"] = Tree(*view.transformation);
  if (view.is_table() && view.table != TableOptions{}) object["table"] = Tree(view.table);
  PutMetadata(object, view.metadata);
  return object;
}

// Always as an object: neighbouring strings would be read as one selection.
Json Tree(const ViewSelection& selection) {
  Json object{{"view", selection.view}};
  if (!selection.features.empty()) object["features"] = selection.features;
  PutTextMap(object, "join_key_map", selection.join_key_map);
  PutText(object, "alias", selection.alias);
  return object;
}

Json Tree(const FeatureService& service) {
  Json object{{"name", service.name}};
  for (const ViewSelection& selection : service.views)
    object["features"].push_back(Tree(selection));
  PutMetadata(object, service.metadata);
  return object;
}

Json Tree(const OnDemandView& view) {
  Json object{{"name", view.name}};
  object["mode"] = OnDemandModeName(view.mode);
  for (const OnDemandSource& source : view.sources) {
    Json item{{"view", source.view}};
    if (!source.features.empty()) item["features"] = source.features;
    PutTextMap(item, "join_key_map", source.join_key_map);
    PutText(item, "alias", source.alias);
    object["sources"].push_back(std::move(item));
  }
  for (const RequestSource& request : view.requests) {
    Json item{{"request", request.name}};
    for (const Field& field : request.fields)
      item["fields"].push_back(Tree(field));
    PutMetadata(item, request.metadata);
    object["sources"].push_back(std::move(item));
  }
  for (std::size_t i = 0; i < view.fields.size(); ++i) {
    Json field = Tree(view.fields[i]);
    if (i < view.expressions.size()) field["expression"] = view.expressions[i];
    object["fields"].push_back(std::move(field));
  }
  PutText(object, "function", view.function_name);
  PutText(object, "source_code", view.function_source);
  if (view.singleton) object["singleton"] = true;
  PutMetadata(object, view.metadata);
  return object;
}

/// With the names of before, which are told to apply and not kept.
template <typename Definition>
Json StatedTree(const Definition& definition) {
  Json object = Tree(definition);
  if (definition.renamed_from) object["renamed_from"] = *definition.renamed_from;
  if constexpr (requires { definition.fields; }) {
    for (std::size_t i = 0; i < definition.fields.size(); ++i) {
      if (const auto& from = definition.fields[i].renamed_from) object["fields"][i]["renamed_from"] = *from;
    }
  }
  return object;
}

Json Tree(const Definitions& definitions) {
  Json object = Json::object();
  PutText(object, "project", definitions.project);
  for (const Entity& entity : definitions.entities)
    object["entities"].push_back(StatedTree(entity));
  for (const FeatureView& view : definitions.views)
    object["feature_views"].push_back(StatedTree(view));
  for (const OnDemandView& view : definitions.on_demand)
    object["on_demand_feature_views"].push_back(StatedTree(view));
  for (const FeatureService& service : definitions.services)
    object["feature_services"].push_back(StatedTree(service));
  return object;
}

}  // namespace

std::string ToJson(const Entity& entity) {
  return DumpJsonTree(Tree(entity), -1);
}
std::string ToJson(const FeatureView& view) {
  return DumpJsonTree(Tree(view), -1);
}
std::string ToJson(const OnDemandView& view) {
  return DumpJsonTree(Tree(view), -1);
}
std::string ToJson(const FeatureService& service) {
  return DumpJsonTree(Tree(service), -1);
}
std::string ToJson(const Definitions& definitions) {
  return DumpJsonTree(Tree(definitions), -1);
}

}  // namespace tidemark
