// Stream sources as JSON: as definitions have them, as specs print them, and member by member for plans.
#include <utility>

#include <fmt/format.h>

#include "model/json_tree_internal.h"
#include "model/name.h"
#include "model/stream_source.h"
#include "model/time.h"

namespace tidemark {
namespace {

// --- Reading ---

Result<MessageFormat::Kind> ReadKind(const std::string& type) {
  using Kind = MessageFormat::Kind;
  for (const Kind kind : {Kind::kJson, Kind::kAvro, Kind::kProtobuf, Kind::kCsv}) {
    if (MessageFormatName(kind) == type) return kind;
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("there is no format {}{}; there are json, avro, protobuf and csv", Quoted(type),
                          Suggest(type, {"json", "avro", "protobuf", "csv"})));
}

Result<MessageFormat> ReadFormat(const Json& value, bool text_scalars) {
  MessageFormat format;
  if (value.is_string()) {
    TM_ASSIGN(format.kind, ReadKind(value.text()));
    return format;
  }
  TM_ASSIGN(const Members members, Members::Of(value, text_scalars,
                                               {"type", "schema_json", "schema_registry_url", "class_path",
                                                "proto_path", "columns", "delimiter"}));
  std::string type;
  TM_TRY(members.RequiredText("type", type));
  TM_ASSIGN(format.kind, ReadKind(type));
  TM_TRY(members.Text("schema_json", format.schema_json));
  TM_TRY(members.Text("schema_registry_url", format.schema_registry_url));
  TM_TRY(members.Text("class_path", format.class_path));
  TM_TRY(members.Text("proto_path", format.proto_path));
  TM_TRY(members.TextList("columns", format.columns));
  TM_TRY(members.Text("delimiter", format.delimiter));
  return format;
}

Result<void> ReadRows(const Members& from, const char* format_name, MessageRows& out) {
  const Json* format = from.Find(format_name);
  if (format == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("member {} is missing: json, avro, protobuf or csv", Quoted(format_name)));
  }
  Result<MessageFormat> read = ReadFormat(*format, from.text_scalars());
  if (!read) return std::unexpected(std::move(read).error().In(format_name));
  out.format = std::move(read).value();
  TM_TRY(from.Text("timestamp_field", out.timestamp_field));
  TM_TRY(from.Text("created_timestamp_column", out.created_timestamp_column));
  return from.TextMap("field_mapping", out.field_mapping);
}

// --- Writing ---

Json FormatTree(const MessageFormat& format) {
  const MessageFormat usual;
  Json object{{"type", MessageFormatName(format.kind)}};
  PutText(object, "schema_json", format.schema_json);
  PutText(object, "schema_registry_url", format.schema_registry_url);
  PutText(object, "class_path", format.class_path);
  PutText(object, "proto_path", format.proto_path);
  if (!format.columns.empty()) object["columns"] = format.columns;
  if (format.delimiter != usual.delimiter) object["delimiter"] = format.delimiter;
  return object;
}

void PutRows(Json& object, const char* format_name, const MessageRows& rows) {
  object[format_name] = FormatTree(rows.format);
  PutText(object, "timestamp_field", rows.timestamp_field);
  PutText(object, "created_timestamp_column", rows.created_timestamp_column);
  PutTextMap(object, "field_mapping", rows.field_mapping);
}

// --- Specs ---

void PutSpecColumns(Json& tree, const MessageRows& rows) {
  PutText(tree, "eventTimestampColumn", rows.timestamp_field);
  PutText(tree, "createdTimestampColumn", rows.created_timestamp_column);
  PutTextMap(tree, "fieldMapping", rows.field_mapping);
}

// The class of Protobuf messages stands by itself, as Feast's first specs had it.
void PutSpecFormat(Json& options, const char* name, const MessageFormat& format) {
  switch (format.kind) {
    case MessageFormat::Kind::kProtobuf:
      options["classPath"] = format.class_path;
      return;
    case MessageFormat::Kind::kAvro:
      PutText(options[name]["avroFormat"], "schemaJson", format.schema_json);
      PutText(options[name]["avroFormat"], "schemaRegistryUrl", format.schema_registry_url);
      return;
    case MessageFormat::Kind::kCsv:
      options[name]["csvFormat"]["columns"] = format.columns;
      return;
    case MessageFormat::Kind::kJson:
      break;
  }
  Json& json = options[name]["jsonFormat"] = Json::object();
  PutText(json, "schemaJson", format.schema_json);
}

// --- Members for plans ---

std::map<std::string, std::string> Flat(const Json& tree) {
  std::map<std::string, std::string> members;
  const auto text = [](const Json& value) {
    return value.is_string() ? value.text() : DumpJsonTree(value, -1);
  };
  for (const auto& [name, value] : tree.items()) {
    if (!value.is_object()) {
      members[name] = text(value);
      continue;
    }
    for (const auto& [inner, inner_value] : value.items())
      members[fmt::format("{}.{}", name, inner)] = text(inner_value);
  }
  return members;
}

}  // namespace

Result<KafkaSource> ReadKafkaSource(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(value, text_scalars,
                        {"type", "name", "kafka_bootstrap_servers", "topic", "message_format",
                         "timestamp_field", "created_timestamp_column", "field_mapping",
                         "watermark_delay_threshold", "security", "description", "owner", "tags"}));
  KafkaSource source;
  TM_TRY(members.RequiredText("name", source.name));
  TM_TRY(members.RequiredText("kafka_bootstrap_servers", source.bootstrap_servers));
  TM_TRY(members.RequiredText("topic", source.topic));
  TM_TRY(ReadRows(members, "message_format", source.rows));
  TM_TRY(ReadDuration(members, "watermark_delay_threshold", source.watermark_delay_us));
  TM_TRY(members.TextMap("security", source.security));
  TM_TRY(ReadMetadata(members, source.metadata));
  return source;
}

Result<KinesisSource> ReadKinesisSource(const Json& value, bool text_scalars) {
  TM_ASSIGN(const Members members,
            Members::Of(
                value, text_scalars,
                {"type", "name", "stream_name", "region", "endpoint_url", "record_format", "timestamp_field",
                 "created_timestamp_column", "field_mapping", "description", "owner", "tags"}));
  KinesisSource source;
  TM_TRY(members.RequiredText("name", source.name));
  TM_TRY(members.RequiredText("stream_name", source.stream_name));
  TM_TRY(members.RequiredText("region", source.region));
  TM_TRY(members.Text("endpoint_url", source.endpoint_url));
  TM_TRY(ReadRows(members, "record_format", source.rows));
  TM_TRY(ReadMetadata(members, source.metadata));
  return source;
}

Json StreamTree(const KafkaSource& source) {
  Json object{{"type", "kafka"},
              {"name", source.name},
              {"kafka_bootstrap_servers", source.bootstrap_servers},
              {"topic", source.topic}};
  PutRows(object, "message_format", source.rows);
  if (source.watermark_delay_us != 0)
    object["watermark_delay_threshold"] = FormatDurationUs(source.watermark_delay_us);
  PutTextMap(object, "security", source.security);
  PutMetadata(object, source.metadata);
  return object;
}

Json StreamTree(const KinesisSource& source) {
  Json object{{"type", "kinesis"},
              {"name", source.name},
              {"stream_name", source.stream_name},
              {"region", source.region}};
  PutText(object, "endpoint_url", source.endpoint_url);
  PutRows(object, "record_format", source.rows);
  PutMetadata(object, source.metadata);
  return object;
}

Json StreamSpecTree(const KafkaSource& source) {
  Json tree{{"type", "STREAM_KAFKA"}, {"name", source.name}};
  PutSpecColumns(tree, source.rows);
  Json& options = tree["kafkaOptions"] = Json{{"bootstrapServers", source.bootstrap_servers}};
  PutSpecFormat(options, "messageFormat", source.rows.format);
  options["topic"] = source.topic;
  return tree;
}

Json StreamSpecTree(const KinesisSource& source) {
  Json tree{{"type", "STREAM_KINESIS"}, {"name", source.name}};
  PutSpecColumns(tree, source.rows);
  Json& options = tree["kinesisOptions"] =
      Json{{"region", source.region}, {"streamName", source.stream_name}};
  PutText(options, "endpointUrl", source.endpoint_url);
  PutSpecFormat(options, "recordFormat", source.rows.format);
  return tree;
}

std::map<std::string, std::string> StreamMembers(const KafkaSource& source) {
  return Flat(StreamTree(source));
}

std::map<std::string, std::string> StreamMembers(const KinesisSource& source) {
  return Flat(StreamTree(source));
}

}  // namespace tidemark
