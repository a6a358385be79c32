// Definitions as JSON and YAML text.
//
//   {"project": "demo",
//    "entities": [
//      {"name": "driver", "join_keys": [{"name": "driver_id", "type": "int64"}],
//       "description": "", "owner": "", "tags": {}}],
//    "feature_views": [
//      {"name": "driver_stats", "entities": ["driver"], "ttl": "1d", "online": true,
//       "fields": [{"name": "rating", "type": "float64", "description": "", "tags": {}, "id": 3}],
//       "source": {"type": "file", "name": "", "path": "data/stats.parquet", "format": "parquet",
//                  "timestamp_field": "event_timestamp", "created_timestamp_column": "created",
//                  "field_mapping": {}},
//       "stream_source": {"type": "push", "name": "driver_push"},
//       "description": "", "owner": "", "tags": {}},
//      {"name": "clicks", "entities": ["user"], "fields": [{"name": "count", "type": "int64"}],
//       "table": {"timestamp_field": "event_timestamp", "timestamp_type": "timestamp", "timestamp_unit": "s",
//                 "created_timestamp_column": "", "partitions": ["bucket(16, user)", "day"],
//                 "database": "", "catalog": true}},
//      {"name": "daily_trips", "entities": ["driver"], "fields": [{"name": "trips", "type": "int64"}],
//       "batch": {"sql": "SELECT driver_id, count(*) AS trips, ... FROM rides WHERE begun >= $start_time
//       ...",
//                 "sources": [{"type": "file", "name": "rides", ...as a view's source}],
//                 "views": ["driver_stats"]},
//       "table": {...}}],
//    "on_demand_feature_views": [
//      {"name": "fares", "mode": "sql",
//       "sources": ["fares", {"view": "driver_stats", "features": ["rating"], "join_key_map": {}, "alias":
//       ""},
//                   {"request": "ride", "fields": [{"name": "km", "type": "float64"}]}],
//       "fields": [{"name": "price", "type": "float64", "expression": "km * rating"}],
//       "description": "", "owner": "", "tags": {}},
//      {"name": "efforts", "mode": "pandas" or "python", "sources": [...], "fields": [{"name", "type"}],
//       "function": "efforts", "source_code": "def efforts(inputs): ...", "singleton": false}],
//    "feature_services": [
//      {"name": "model_v1",
//       "features": ["driver_stats:rating",
//                    {"view": "driver_stats", "features": ["rating"], "join_key_map": {}, "alias": ""}],
//       "description": "", "owner": "", "tags": {}}]}
//
// Reading is strict: an unknown member, or one that is there twice, is an error (kInvalidArgument) that names
// it, its place and the nearest known one. Members that are absent, or null, have the defaults of
// definition.h.
//   stream_source: of type "push", or
//              {"type": "kafka", "name": "driver_events", "kafka_bootstrap_servers": "a:9092,b:9092",
//               "topic": "drivers", "message_format": {"type": "avro", "schema_json": "..."},
//               "timestamp_field": "at", "created_timestamp_column": "", "field_mapping": {},
//               "watermark_delay_threshold": "1m", "security": {"sasl.password": "${KAFKA_PASSWORD}"}}
//              {"type": "kinesis", "name": "driver_events", "stream_name": "drivers", "region": "eu-west-1",
//               "endpoint_url": "", "record_format": {"type": "json"}, ...times and mapping as above}
//   message_format, record_format: {"type": "json", "schema_json": ""}, {"type": "avro", "schema_json"},
//     {"type": "avro", "schema_registry_url"},
//              {"type": "protobuf", "class_path", "proto_path": ""}, {"type": "csv", "columns": [],
//              "delimiter": ","}; also takes the type alone
//   a view with one of the latter two may have a "transformation": {"inputs": [...fields], "expressions":
//              {"total": "price * quantity"}, "filter": "quantity > 0"}
//   join_keys: also takes plain names; absent: one key with the entity's name
//   fields, inputs: also take {"rating": "float64"}, as one item of the list or in place of the whole list
//   ttl, timeout, watermark_delay_threshold: also take a number of seconds
//   source:    of format iceberg, has a "path" or a "table" ("database.name"); of type adbc, postgresql,
//              bigquery, snowflake or redshift, is {"type": "adbc", "driver": "postgresql", "uri": "...",
//              "options": {}, "catalog": "", "schema": "", "table": "t" or "query": "select ...",
//              "timeout": "30s"} and what follows "format" above. "database" is another word for catalog;
//              BigQuery's table is also "table_ref", Snowflake has "warehouse" and "role" beside its options
//   features:  of a service, takes "view:feature", "view" (all) and objects; neighbouring strings that name
//              features of one view are one selection
// An entity, view, service or field also has `renamed_from`, an instruction to apply, which is not kept. In
// YAML every scalar is text, and what it is for decides how it is read: a field may be called `no`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/definition.h"

namespace tidemark {

Result<Definitions> DefinitionsFromJson(std::string_view json);
Result<Definitions> DefinitionsFromYaml(std::string_view yaml);

/// Secrets of a warehouse that are written out are kept: `WithoutSecrets` comes before printing.
/// Canonical JSON on one line (members in a fixed order; defaults left out, and `renamed_from` in all but
/// whole Definitions): equal definitions give equal text, and reading it gives the definition again. Bytes
/// that are not UTF-8 become U+FFFD.
std::string ToJson(const Entity& entity);
std::string ToJson(const FeatureView& view);
std::string ToJson(const OnDemandView& view);
std::string ToJson(const FeatureService& service);
std::string ToJson(const Definitions& definitions);

Result<Entity> EntityFromJson(std::string_view json);
Result<FeatureView> FeatureViewFromJson(std::string_view json);
Result<OnDemandView> OnDemandViewFromJson(std::string_view json);
Result<FeatureService> FeatureServiceFromJson(std::string_view json);

/// The spec that is printed to users (docs/formats.md), indented: {"spec": {"name", "entities": [{"name",
/// "valueType"}], "features": [{"name", "valueType"}], "maxAge": "86400s", "batchSource": {...},
/// "streamSource": {...}; of a view that a query computes "featureTransformation": {"sql"}, "sources" and
/// "sourceViews"}, "meta": {"createdTimestamp": "...", "lastUpdatedTimestamp": "...", "version": 3}}.
/// Value types have the names of Feast's ValueType (INT64, DOUBLE, FLOAT_LIST, UNIX_TIMESTAMP), or else those
/// of DataType. `entities` are those that the view names, in its order; each of their join keys is one entity
/// of the spec.
struct SpecMeta {
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  std::int64_t version = 0;
};
std::string ToSpecJson(const FeatureView& view, const std::vector<Entity>& entities, const SpecMeta& meta);

/// The same content as block-style YAML, for any JSON text that this file's functions print; another text
/// breaks an invariant. DefinitionsFromYaml reads it to the same definitions.
std::string JsonToYaml(std::string_view json);

}  // namespace tidemark
