#include "adapters/iceberg/table_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/check.h"
#include "base/json.h"

namespace tidemark::iceberg {
namespace {

using Shape = SchemaField::Shape;

constexpr int kDepthMax = 64;

std::unexpected<Error> Wrong(std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("the table's metadata cannot be read: {}", what));
}

// --- to JSON ---

Json TypeJson(const SchemaField& field) {
  if (field.shape == Shape::kPrimitive) return field.primitive;
  Json json;
  if (field.shape == Shape::kStruct) {
    json = {{"type", "struct"}, {"fields", Json::array()}};
    for (const SchemaField& child : field.children) {
      Json member = {
          {"id", child.id}, {"name", child.name}, {"required", child.required}, {"type", TypeJson(child)}};
      if (!child.doc.empty()) member["doc"] = child.doc;
      json["fields"].push_back(std::move(member));
    }
    return json;
  }
  if (field.shape == Shape::kList) {
    const SchemaField& element = field.children.front();
    return {{"type", "list"},
            {"element-id", element.id},
            {"element", TypeJson(element)},
            {"element-required", element.required}};
  }
  const SchemaField& key = field.children[0];
  const SchemaField& value = field.children[1];
  return {{"type", "map"},        {"key-id", key.id},         {"key", TypeJson(key)},
          {"value-id", value.id}, {"value", TypeJson(value)}, {"value-required", value.required}};
}

Json ToJson(const Schema& schema) {
  SchemaField root;
  root.shape = Shape::kStruct;
  root.children = schema.fields;
  Json json = TypeJson(root);
  json["schema-id"] = schema.id;
  json["identifier-field-ids"] = schema.identifier_ids;
  return json;
}

Json FieldsJson(const PartitionSpec& spec) {
  Json fields = Json::array();
  for (const PartitionSpecField& field : spec.fields) {
    fields.push_back({{"source-id", field.source_id},
                      {"field-id", field.field_id},
                      {"transform", field.transform},
                      {"name", field.name}});
  }
  return fields;
}

Json ToJson(const SortOrder& order) {
  Json fields = Json::array();
  for (const SortField& field : order.fields) {
    fields.push_back({{"source-id", field.source_id},
                      {"transform", field.transform},
                      {"direction", field.direction},
                      {"null-order", field.null_order}});
  }
  return {{"order-id", order.id}, {"fields", std::move(fields)}};
}

Json ToJson(const Snapshot& snapshot) {
  Json json = {{"snapshot-id", snapshot.id},
               {"sequence-number", snapshot.sequence_number},
               {"timestamp-ms", snapshot.timestamp_ms},
               {"manifest-list", snapshot.manifest_list},
               {"summary", snapshot.summary}};
  if (snapshot.parent_id) json["parent-snapshot-id"] = *snapshot.parent_id;
  if (snapshot.schema_id) json["schema-id"] = *snapshot.schema_id;
  return json;
}

Json ReferencesJson(const TableMetadata& metadata) {
  Json json = Json::object();
  for (const auto& [name, reference] : metadata.references) {
    Json one = {{"snapshot-id", reference.snapshot_id}, {"type", reference.is_branch ? "branch" : "tag"}};
    for (const auto& [key, value] : reference.retention)
      one[key] = value;
    json[name] = std::move(one);
  }
  return json;
}

template <typename Items>
Json ArrayJson(const Items& items) {
  Json json = Json::array();
  for (const auto& item : items)
    json.push_back(ToJson(item));
  return json;
}

// --- from JSON: a reader that remembers the first thing that is wrong ---

class Reader {
 public:
  explicit Reader(bool& failed, std::string& what) : failed_(failed), what_(what) {}

  const Json* Member(const Json& json, const char* name, bool required = true) {
    if (json.is_object()) {
      if (const auto found = json.find(name); found != json.end() && !found->is_null()) return &*found;
    }
    if (required) Failed(fmt::format("'{}' is missing", name));
    return nullptr;
  }

  std::int64_t Int(const Json& json, const char* name, std::optional<std::int64_t> otherwise = std::nullopt) {
    const Json* const member = Member(json, name, !otherwise.has_value());
    if (member == nullptr) return otherwise.value_or(0);
    const bool fits = member->is_number_integer() &&
                      (!member->is_number_unsigned() ||
                       member->get<std::uint64_t>() <=
                           static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    if (!fits) {
      Failed(fmt::format("'{}' is no integer", name));
      return 0;
    }
    return member->get<std::int64_t>();
  }

  std::int32_t Int32(const Json& json, const char* name,
                     std::optional<std::int32_t> otherwise = std::nullopt) {
    const std::int64_t value = Int(json, name, otherwise);
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
      Failed(fmt::format("'{}' is longer than 32 bits", name));
    return static_cast<std::int32_t>(value);
  }

  std::string Text(const Json& json, const char* name,
                   const std::optional<std::string>& otherwise = std::nullopt) {
    const Json* const member = Member(json, name, !otherwise.has_value());
    if (member == nullptr) return otherwise.value_or("");
    if (!member->is_string()) {
      Failed(fmt::format("'{}' is no text", name));
      return {};
    }
    return member->get<std::string>();
  }

  bool Bool(const Json& json, const char* name) {
    const Json* const member = Member(json, name);
    if (member == nullptr) return false;
    if (!member->is_boolean()) Failed(fmt::format("'{}' is neither true nor false", name));
    return member->is_boolean() && member->get<bool>();
  }

  /// The items of a list; none, and a failure if it is required, where there is no list.
  const Json& Items(const Json& json, const char* name, bool required = true) {
    static const Json none = Json::array();
    const Json* const member = Member(json, name, required);
    if (member == nullptr) return none;
    if (!member->is_array()) Failed(fmt::format("'{}' is no list", name));
    return member->is_array() ? *member : none;
  }

  const Json& Object(const Json& json, const char* name) {
    static const Json none = Json::object();
    const Json* const member = Member(json, name, false);
    if (member == nullptr) return none;
    if (!member->is_object()) Failed(fmt::format("'{}' is no object", name));
    return member->is_object() ? *member : none;
  }

  std::map<std::string, std::string> Texts(const Json& json, const char* name) {
    std::map<std::string, std::string> texts;
    for (const auto& [key, value] : Object(json, name).items()) {
      if (!value.is_string()) Failed(fmt::format("'{}' of '{}' is no text", key, name));
      texts[key] = value.is_string() ? value.get<std::string>() : "";
    }
    return texts;
  }

  void Failed(std::string what) {
    if (!failed_) what_ = std::move(what);
    failed_ = true;
  }

  void Type(const Json& json, SchemaField& field, int depth);
  Schema ReadSchema(const Json& json);
  PartitionSpec ReadSpec(const Json& json);
  SortOrder ReadSortOrder(const Json& json);
  Snapshot ReadSnapshot(const Json& json);

 private:
  bool& failed_;
  std::string& what_;
};

void Reader::Type(const Json& json, SchemaField& field, int depth) {
  if (depth > kDepthMax) return Failed("a type is nested too deep");
  if (json.is_string()) {
    field.primitive = json.get<std::string>();
    return;
  }
  const std::string kind = Text(json, "type");
  const auto child = [&](std::int32_t id, std::string name, bool required, const char* type) {
    SchemaField& out = field.children.emplace_back();
    out.id = id;
    out.name = std::move(name);
    out.required = required;
    if (const Json* const found = Member(json, type)) Type(*found, out, depth + 1);
  };
  if (kind == "struct") {
    field.shape = Shape::kStruct;
    for (const Json& member : Items(json, "fields")) {
      SchemaField& out = field.children.emplace_back();
      out.id = Int32(member, "id");
      out.name = Text(member, "name");
      out.required = Bool(member, "required");
      out.doc = Text(member, "doc", "");
      if (const Json* const type = Member(member, "type")) Type(*type, out, depth + 1);
    }
  } else if (kind == "list") {
    field.shape = Shape::kList;
    child(Int32(json, "element-id"), "element", Bool(json, "element-required"), "element");
  } else if (kind == "map") {
    field.shape = Shape::kMap;
    child(Int32(json, "key-id"), "key", true, "key");
    child(Int32(json, "value-id"), "value", Bool(json, "value-required"), "value");
  } else {
    Failed(fmt::format("'{}' is no type", kind));
  }
}

Schema Reader::ReadSchema(const Json& json) {
  SchemaField root;
  Type(json, root, 0);
  if (root.shape != Shape::kStruct) Failed("a schema is no struct");
  Schema schema{.id = Int32(json, "schema-id", 0), .fields = std::move(root.children)};
  for (const Json& id : Items(json, "identifier-field-ids", false)) {
    if (!id.is_number_integer()) Failed("an identifier's id is no integer");
    schema.identifier_ids.push_back(id.is_number_integer() ? id.get<std::int32_t>() : 0);
  }
  return schema;
}

PartitionSpec Reader::ReadSpec(const Json& json) {
  PartitionSpec spec{.id = Int32(json, "spec-id")};
  for (const Json& field : Items(json, "fields")) {
    spec.fields.push_back({.source_id = Int32(field, "source-id"),
                           .field_id = Int32(field, "field-id"),
                           .transform = Text(field, "transform"),
                           .name = Text(field, "name")});
  }
  return spec;
}

SortOrder Reader::ReadSortOrder(const Json& json) {
  SortOrder order{.id = Int32(json, "order-id")};
  for (const Json& field : Items(json, "fields")) {
    order.fields.push_back({.source_id = Int32(field, "source-id"),
                            .transform = Text(field, "transform"),
                            .direction = Text(field, "direction"),
                            .null_order = Text(field, "null-order")});
  }
  return order;
}

Snapshot Reader::ReadSnapshot(const Json& json) {
  Snapshot snapshot{.id = Int(json, "snapshot-id"),
                    .sequence_number = Int(json, "sequence-number", 0),
                    .timestamp_ms = Int(json, "timestamp-ms"),
                    .manifest_list = Text(json, "manifest-list"),
                    .summary = Texts(json, "summary")};
  if (Member(json, "parent-snapshot-id", false) != nullptr)
    snapshot.parent_id = Int(json, "parent-snapshot-id");
  if (Member(json, "schema-id", false) != nullptr) snapshot.schema_id = Int32(json, "schema-id");
  return snapshot;
}

const std::set<std::string, std::less<>>& KnownMembers() {
  static const std::set<std::string, std::less<>> known{"format-version",
                                                        "table-uuid",
                                                        "location",
                                                        "last-sequence-number",
                                                        "last-updated-ms",
                                                        "last-column-id",
                                                        "schemas",
                                                        "current-schema-id",
                                                        "partition-specs",
                                                        "default-spec-id",
                                                        "last-partition-id",
                                                        "properties",
                                                        "current-snapshot-id",
                                                        "snapshots",
                                                        "snapshot-log",
                                                        "metadata-log",
                                                        "sort-orders",
                                                        "default-sort-order-id",
                                                        "refs"};
  return known;
}

void ReadHistory(Reader& read, const Json& json, TableMetadata& metadata) {
  for (const Json& snapshot : read.Items(json, "snapshots", false))
    metadata.snapshots.push_back(read.ReadSnapshot(snapshot));
  for (const Json& entry : read.Items(json, "snapshot-log", false))
    metadata.snapshot_log.push_back({read.Int(entry, "timestamp-ms"), read.Int(entry, "snapshot-id")});
  for (const Json& entry : read.Items(json, "metadata-log", false))
    metadata.metadata_log.push_back({read.Int(entry, "timestamp-ms"), read.Text(entry, "metadata-file")});
  // Some writers say -1 for none.
  if (const std::int64_t current = read.Int(json, "current-snapshot-id", -1); current != -1)
    metadata.current_snapshot_id = current;
  for (const auto& [name, value] : read.Object(json, "refs").items()) {
    SnapshotReference reference{.snapshot_id = read.Int(value, "snapshot-id"),
                                .is_branch = read.Text(value, "type") == "branch",
                                .retention = {}};
    for (const auto& [key, number] : value.items()) {
      if (number.is_number_integer() && key != "snapshot-id")
        reference.retention[key] = number.get<std::int64_t>();
    }
    metadata.references[name] = std::move(reference);
  }
}

TableMetadata ReadAll(Reader& read, const Json& json) {
  TableMetadata metadata{.uuid = read.Text(json, "table-uuid"),
                         .location = read.Text(json, "location"),
                         .last_sequence_number = read.Int(json, "last-sequence-number"),
                         .last_updated_ms = read.Int(json, "last-updated-ms"),
                         .last_column_id = read.Int32(json, "last-column-id"),
                         .current_schema_id = read.Int32(json, "current-schema-id"),
                         .default_spec_id = read.Int32(json, "default-spec-id"),
                         .last_partition_id = read.Int32(json, "last-partition-id", 999),
                         .default_sort_order_id = read.Int32(json, "default-sort-order-id", 0),
                         .properties = read.Texts(json, "properties")};
  for (const Json& schema : read.Items(json, "schemas"))
    metadata.schemas.push_back(read.ReadSchema(schema));
  for (const Json& spec : read.Items(json, "partition-specs"))
    metadata.specs.push_back(read.ReadSpec(spec));
  for (const Json& order : read.Items(json, "sort-orders", false))
    metadata.sort_orders.push_back(read.ReadSortOrder(order));
  ReadHistory(read, json, metadata);
  for (const auto& [name, value] : json.items()) {
    if (!KnownMembers().contains(name)) metadata.others[name] = value.dump();
  }
  return metadata;
}

/// Looked at before it is parsed: what is nested without end is not to exhaust the stack.
bool NestsTooDeep(std::string_view text) {
  constexpr int kBracketsMax = 4 * kDepthMax;  // two or three for each level of a type
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size() && depth <= kBracketsMax; ++i) {
    const char c = text[i];
    if (in_text && c == '\\') ++i;
    if (c == '"') in_text = !in_text;
    if (in_text) continue;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  }
  return depth > kBracketsMax;
}

/// Version 1 as version 2 (table spec, appendix E): what was one may be many, and the one is the only one.
void Upgrade(Json& json) {
  if (!json.contains("last-sequence-number")) json["last-sequence-number"] = 0;
  if (!json.contains("schemas") && json.contains("schema")) {
    json["schemas"] = Json::array({json["schema"]});
    json["current-schema-id"] =
        json["schema"].is_object() ? json["schema"].value("schema-id", Json(0)) : Json(0);
  }
  if (!json.contains("partition-specs")) {
    Json fields = json.contains("partition-spec") ? json["partition-spec"] : Json::array();
    json["partition-specs"] = Json::array({Json{{"spec-id", 0}, {"fields", std::move(fields)}}});
    json["default-spec-id"] = 0;
  }
  if (!json["partition-specs"].is_array()) return;  // an error, said by the reader
  for (Json& spec : json["partition-specs"]) {
    if (!spec.is_object() || !spec.contains("fields") || !spec["fields"].is_array()) continue;
    int id = 1000;
    for (Json& field : spec["fields"]) {
      if (field.is_object() && !field.contains("field-id")) field["field-id"] = id;
      ++id;
    }
  }
}

template <typename Items, typename Id>
const auto* FindById(const Items& items, Id id) {
  const auto found = std::ranges::find(items, id, [](const auto& item) { return item.id; });
  return found == items.end() ? nullptr : &*found;
}

Result<void> CheckWhole(const TableMetadata& metadata) {
  if (metadata.FindSchema(metadata.current_schema_id) == nullptr)
    return Wrong("its current schema is not among the schemas");
  if (metadata.FindSpec(metadata.default_spec_id) == nullptr)
    return Wrong("its default partition spec is not among the specs");
  const bool has_order = metadata.default_sort_order_id == 0 ||
                         FindById(metadata.sort_orders, metadata.default_sort_order_id) != nullptr;
  if (!has_order) return Wrong("its default sort order is not among the sort orders");
  if (metadata.current_snapshot_id && metadata.current() == nullptr)
    return Wrong("its current snapshot is not among the snapshots");
  for (const auto& [name, reference] : metadata.references) {
    if (metadata.FindSnapshot(reference.snapshot_id) == nullptr)
      return Wrong(fmt::format("the snapshot of '{}' is not among the snapshots", name));
  }
  return {};
}

}  // namespace

const Schema& TableMetadata::schema() const {
  const Schema* const found = FindSchema(current_schema_id);
  TM_CHECK(found != nullptr, "a table without its current schema");
  return *found;
}

const PartitionSpec& TableMetadata::spec() const {
  const PartitionSpec* const found = FindSpec(default_spec_id);
  TM_CHECK(found != nullptr, "a table without its partition spec");
  return *found;
}

const SortOrder& TableMetadata::sort_order() const {
  static const SortOrder unsorted;
  const SortOrder* const found = FindById(sort_orders, default_sort_order_id);
  return found == nullptr ? unsorted : *found;
}

const Schema* TableMetadata::FindSchema(std::int32_t id) const {
  return FindById(schemas, id);
}
const PartitionSpec* TableMetadata::FindSpec(std::int32_t id) const {
  return FindById(specs, id);
}
const Snapshot* TableMetadata::FindSnapshot(std::int64_t id) const {
  return FindById(snapshots, id);
}
const Snapshot* TableMetadata::current() const {
  return current_snapshot_id ? FindSnapshot(*current_snapshot_id) : nullptr;
}

std::string SchemaJson(const Schema& schema) {
  return ToJson(schema).dump();
}

std::string SpecFieldsJson(const PartitionSpec& spec) {
  return FieldsJson(spec).dump();
}

std::string WriteTableMetadata(const TableMetadata& metadata) {
  Json specs = Json::array();
  for (const PartitionSpec& spec : metadata.specs)
    specs.push_back({{"spec-id", spec.id}, {"fields", FieldsJson(spec)}});
  Json snapshot_log = Json::array();
  for (const SnapshotLogEntry& entry : metadata.snapshot_log)
    snapshot_log.push_back({{"timestamp-ms", entry.timestamp_ms}, {"snapshot-id", entry.snapshot_id}});
  Json metadata_log = Json::array();
  for (const MetadataLogEntry& entry : metadata.metadata_log)
    metadata_log.push_back({{"timestamp-ms", entry.timestamp_ms}, {"metadata-file", entry.location}});
  Json json = {{"format-version", 2},
               {"table-uuid", metadata.uuid},
               {"location", metadata.location},
               {"last-sequence-number", metadata.last_sequence_number},
               {"last-updated-ms", metadata.last_updated_ms},
               {"last-column-id", metadata.last_column_id},
               {"schemas", ArrayJson(metadata.schemas)},
               {"current-schema-id", metadata.current_schema_id},
               {"partition-specs", std::move(specs)},
               {"default-spec-id", metadata.default_spec_id},
               {"last-partition-id", metadata.last_partition_id},
               {"properties", metadata.properties},
               {"snapshots", ArrayJson(metadata.snapshots)},
               {"snapshot-log", std::move(snapshot_log)},
               {"metadata-log", std::move(metadata_log)},
               {"sort-orders", ArrayJson(metadata.sort_orders)},
               {"default-sort-order-id", metadata.default_sort_order_id},
               {"refs", ReferencesJson(metadata)}};
  if (metadata.current_snapshot_id) json["current-snapshot-id"] = *metadata.current_snapshot_id;
  for (const auto& [name, text] : metadata.others)
    json[name] = ParseJson(text).value_or(nullptr);
  return json.dump();
}

Result<TableMetadata> ReadTableMetadata(std::string_view text, MetadataUse use) {
  if (NestsTooDeep(text)) return Wrong("it is nested too deep");
  Json json = ParseJson(text).value_or(nullptr);
  if (!json.is_object()) return Wrong("it is no JSON object");
  bool failed = false;
  std::string what;
  Reader read(failed, what);
  const std::int64_t version = read.Int(json, "format-version");
  if (failed) return Wrong(what);
  if (version == 1 && use == MetadataUse::kRead) {
    Upgrade(json);
  } else if (version != 2) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the table is of Iceberg format version {}, and {} read", version,
                    use == MetadataUse::kRead ? "versions 1 and 2 are what is" : "version 2 is what is"));
  }
  TableMetadata metadata = ReadAll(read, json);
  if (failed) return Wrong(what);
  TM_TRY(CheckWhole(metadata));
  return metadata;
}

}  // namespace tidemark::iceberg
