// Definitions as JSON and YAML text.
//
//   {"project": "demo",
//    "entities": [{"name": "driver", "join_keys": [{"name": "driver_id", "type": "int64"}], "description":
//    "",
//                  "owner": "", "tags": {}}],
//    "feature_views": [{"name": "driver_stats", "entities": ["driver"], "ttl": "1d", "online": true,
//                       "fields": [{"name": "rating", "type": "float64", "description": "", "tags": {}}],
//                       "source": {"type": "file", "name": "", "path": "data/stats.parquet",
//                                  "format": "parquet", "timestamp_field": "event_timestamp",
//                                  "created_timestamp_column": "created", "field_mapping": {}}}],
//    "feature_services": [{"name": "model_v1", "features": ["driver_stats:rating",
//                          {"view": "driver_stats", "features": ["rating"], "join_key_map": {}, "alias":
//                          ""}]}]}
//
// Reading is strict: an unknown member is an error that names it, its place and the nearest known one.
// Members that are absent have the defaults of definition.h. `join_keys` also takes plain names, `fields`
// also takes
// `{"rating": "float64"}`, `ttl` also takes a number of seconds. `renamed_from` is read where definition.h
// has it.
#pragma once

#include <string>
#include <string_view>

#include "model/definition.h"

namespace tidemark {

Result<Definitions> DefinitionsFromJson(std::string_view json);
Result<Definitions> DefinitionsFromYaml(std::string_view yaml);

/// Canonical JSON (members in a fixed order, defaults left out): equal definitions give equal text.
std::string ToJson(const Entity& entity);
std::string ToJson(const FeatureView& view);
std::string ToJson(const FeatureService& service);
std::string ToJson(const Definitions& definitions);

Result<Entity> EntityFromJson(std::string_view json);
Result<FeatureView> FeatureViewFromJson(std::string_view json);
Result<FeatureService> FeatureServiceFromJson(std::string_view json);

/// The spec that is printed to users (docs/formats.md): {"spec": {"name", "entities": [{"name",
/// "valueType"}], "features": [{"name", "valueType"}], "maxAge": "86400s", "batchSource": {...}}, "meta":
/// {"createdTimestamp": "...", "lastUpdatedTimestamp": "...", "version": 3}}. `entities` are those that the
/// view names, in its order.
struct SpecMeta {
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  std::int64_t version = 0;
};
std::string ToSpecJson(const FeatureView& view, const std::vector<Entity>& entities, const SpecMeta& meta);

/// The same content as block-style YAML, for any JSON text that this file's functions print.
std::string JsonToYaml(std::string_view json);

}  // namespace tidemark
