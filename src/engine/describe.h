// What the store says of its own objects.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "engine/catalog.h"
#include "store/registry.h"

namespace tidemark {

/// A JSON array of the definitions of all live objects of a kind, by name.
std::string ListObjects(const Catalog& catalog, ObjectKind kind);

/// All of them as definition_json.h has them: {"project", "entities", "feature_views", "feature_services"}.
std::string ListAll(const Catalog& catalog, std::string_view project);

struct LoadPlace {
  std::string online_store;  // its identity
  std::string store_folder;  // as MaterializeRequest has it
};

/// One object as JSON: {"kind", "name", "id", "definition", "meta": {createdTimestamp, lastUpdatedTimestamp,
/// version}, "versions": [{"version", "at"}]}; of a view also "spec" (model/definition_json.h) and "online":
/// {"loaded_at", "from", "to", "rows_written", "files", "newest_event_timestamp", "age"} or null if it was
/// never loaded into that online store; of an online feature table "kept_by_writes": true too, or alone.
/// kNotFound with the nearest name.
Result<std::string> DescribeObject(const Catalog& catalog, const Registry& registry, const Clock& clock,
                                   ObjectKind kind, std::string_view name, const LoadPlace& place);

}  // namespace tidemark
