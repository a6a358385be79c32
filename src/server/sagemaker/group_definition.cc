// The rules of SageMaker for names, types, stores and what goes together.
#include "server/sagemaker/group_definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/json.h"
#include "model/name.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::size_t kFeaturesMax = 2'500;
constexpr std::size_t kDescriptionMax = 128;
constexpr std::int64_t kDimensionMax = 8'192;
constexpr std::int64_t kCapacityMax = 10'000'000;
constexpr std::array<std::string_view, 3> kReserved{"is_deleted", "write_time", "api_invocation_time"};

Answer<void> CheckDefined(std::string_view what, const std::string& name) {
  if (IsName(name)) return {};
  return Refuse(Why::kInvalid,
                fmt::format("{} {}: a name has 1 to 64 letters, digits, '-' and '_', and begins and ends "
                            "with a letter or digit",
                            what, Quoted(name)));
}

Answer<std::int64_t> ReadDimension(const Fields& definition) {
  TM_ASSIGN(const auto config, definition.Object("CollectionConfig"));
  if (!config) return 0;
  TM_ASSIGN(const auto vector, config->Object("VectorConfig"));
  if (!vector) return 0;
  TM_ASSIGN(const auto dimension, vector->Integer("Dimension", 1, kDimensionMax));
  return dimension.value_or(0);
}

Answer<Feature> ReadFeature(const Fields& definition) {
  Feature feature;
  TM_ASSIGN(feature.name, definition.RequiredText("FeatureName"));
  TM_TRY(CheckDefined("FeatureName", feature.name));
  if (std::ranges::find(kReserved, FoldName(feature.name)) != kReserved.end()) {
    return Refuse(Why::kInvalid,
                  fmt::format("FeatureName {} is reserved: every record has it", Quoted(feature.name)));
  }
  TM_TRY(definition.RequiredText("FeatureType"));
  TM_ASSIGN(const auto type, definition.Choice("FeatureType", {"Integral", "Fractional", "String"}));
  feature.type = FeatureTypeNamed(*type).value_or(FeatureType::kString);
  TM_ASSIGN(const auto collection, definition.Choice("CollectionType", {"List", "Set", "Vector"}));
  if (collection) feature.collection = CollectionNamed(*collection).value_or(Collection::kNone);
  TM_ASSIGN(feature.dimension, ReadDimension(definition));
  if (feature.collection == Collection::kVector) {
    if (feature.type != FeatureType::kFractional) {
      return Refuse(Why::kInvalid,
                    fmt::format("feature {}: the elements of a vector are Fractional", Quoted(feature.name)));
    }
    if (feature.dimension == 0) {
      return Refuse(Why::kInvalid,
                    fmt::format("feature {}: a vector needs CollectionConfig.VectorConfig.Dimension",
                                Quoted(feature.name)));
    }
  } else if (feature.dimension != 0) {
    return Refuse(Why::kInvalid,
                  fmt::format("feature {} has a VectorConfig and is no vector", Quoted(feature.name)));
  }
  feature.kept_as = KeptAs(feature.type, feature.collection);
  return feature;
}

Answer<std::vector<Feature>> ReadFeatures(const std::vector<Fields>& definitions,
                                          std::set<std::string> taken) {
  std::vector<Feature> features;
  for (const Fields& each : definitions) {
    TM_ASSIGN(Feature feature, ReadFeature(each));
    if (!taken.insert(FoldName(feature.name)).second) {
      return Refuse(Why::kInvalid,
                    fmt::format("feature {} is there twice; names that differ only in case are one name",
                                Quoted(feature.name)));
    }
    features.push_back(std::move(feature));
  }
  return features;
}

Answer<std::size_t> PlaceOf(const std::vector<Feature>& features, const std::string& name,
                            std::string_view member) {
  const auto found = std::ranges::find(features, name, &Feature::name);
  if (found != features.end()) return static_cast<std::size_t>(found - features.begin());
  return Refuse(Why::kInvalid,
                fmt::format("{} is {}, which is not among FeatureDefinitions", member, Quoted(name)));
}

Answer<void> CheckTtl(const Fields& config) {
  TM_ASSIGN(const auto ttl, config.Object("TtlDuration"));
  if (!ttl) return {};
  TM_ASSIGN(const std::string unit, ttl->RequiredText("Unit"));
  TM_ASSIGN(const auto value, ttl->Integer("Value"));
  if (value && TtlUs(unit, *value)) return {};
  return Refuse(Why::kInvalid,
                "TtlDuration: Unit is Seconds, Minutes, Hours, Days or Weeks, and Value at least 1");
}

Answer<void> ReadOnlineStore(const Fields& fields, GroupDefinition& group) {
  TM_ASSIGN(const auto config, fields.Object("OnlineStoreConfig"));
  group.view.online = false;
  Storage storage = Storage::kStandard;
  if (config) {
    TM_ASSIGN(const auto enabled, config->Flag("EnableOnlineStore"));
    TM_ASSIGN(const auto type, config->Choice("StorageType", {"Standard", "Standard_V2", "InMemory"}));
    TM_TRY(CheckTtl(*config));
    if (type) storage = StorageNamed(*type).value_or(Storage::kStandard);
    group.view.online = enabled.value_or(false);
  }
  if (group.view.online) SetTag(group.view.metadata.tags, "online_store", config->ToJson());
  const bool has_collections = std::ranges::any_of(
      group.features, [](const Feature& each) { return each.collection != Collection::kNone; });
  if (has_collections && (!group.view.online || storage != Storage::kInMemory)) {
    return Refuse(Why::kInvalid, "collections need an online store of StorageType InMemory");
  }
  return {};
}

Answer<void> ReadOfflineStore(const Fields& fields, GroupDefinition& group, const Feature& event_time) {
  TM_ASSIGN(const auto config, fields.Object("OfflineStoreConfig"));
  if (!config) {
    if (group.view.online) {
      group.view.table.catalog = false;  // there is nothing to query
      return {};
    }
    return Refuse(Why::kInvalid,
                  "a feature group needs an online store that is enabled, or an offline store, or both");
  }
  TM_ASSIGN(const auto s3, config->Object("S3StorageConfig"));
  if (!s3) return Refuse(Why::kInvalid, "OfflineStoreConfig.S3StorageConfig is missing: it is required");
  TM_ASSIGN(group.s3_uri, s3->RequiredText("S3Uri"));
  TM_ASSIGN(const auto format, config->Choice("TableFormat", {"Default", "Glue", "Iceberg"}));
  if (format == "Iceberg" && event_time.type != FeatureType::kString)
    return Refuse(Why::kInvalid, "TableFormat Iceberg needs event times of the type String");
  TM_ASSIGN(const auto is_hidden, config->Flag("DisableGlueTableCreation"));
  group.view.table.catalog = !is_hidden.value_or(false);
  TM_TRY(config->Object("DataCatalogConfig"));
  SetTag(group.view.metadata.tags, "offline_store", config->ToJson());
  return {};
}

Answer<void> CheckRole(const Fields& fields, Tags& tags) {
  TM_ASSIGN(auto role, fields.Text("RoleArn", 2'048));
  if (!role) return {};
  const std::size_t at = role->find(":iam::");
  if (!role->starts_with("arn:aws") || at == std::string::npos || !role->substr(at).contains(":role/")) {
    return Refuse(Why::kInvalid, fmt::format("RoleArn {} is no ARN of a role", Quoted(*role)));
  }
  SetTag(tags, "role_arn", *std::move(role));
  return {};
}

/// Empty if it is no object.
Json ObjectIn(std::string_view text) {
  auto json = ParseJson(text);
  return json && json->is_object() ? *std::move(json) : Json::object();
}

}  // namespace

std::string DefinitionsJson(const std::vector<Feature>& features) {
  Json list = Json::array();
  for (const Feature& feature : features) {
    Json each{{"FeatureName", feature.name}, {"FeatureType", NameOf(feature.type)}};
    if (feature.collection != Collection::kNone) each["CollectionType"] = NameOf(feature.collection);
    if (feature.collection == Collection::kVector)
      each["CollectionConfig"] = {{"VectorConfig", {{"Dimension", feature.dimension}}}};
    list.push_back(std::move(each));
  }
  return Dump(list);
}

Answer<std::string> ReadThroughput(const Fields& config) {
  TM_TRY(config.RequiredText("ThroughputMode"));
  TM_ASSIGN(const auto mode, config.Choice("ThroughputMode", {"OnDemand", "Provisioned"}));
  for (const char* units : {"ProvisionedReadCapacityUnits", "ProvisionedWriteCapacityUnits"}) {
    TM_ASSIGN(const auto value, config.Integer(units, 0, kCapacityMax));
    if (value.has_value() != (mode == "Provisioned")) {
      return Refuse(Why::kInvalid, fmt::format("ThroughputConfig: {} is given with ThroughputMode "
                                               "Provisioned, and only then",
                                               units));
    }
  }
  return config.ToJson();
}

Answer<GroupDefinition> ReadGroupDefinition(const Fields& fields) {
  GroupDefinition group;
  FeatureView& view = group.view;
  TM_ASSIGN(view.name, fields.RequiredText("FeatureGroupName"));
  TM_TRY(CheckDefined("FeatureGroupName", view.name));
  TM_ASSIGN(const std::string identifier, fields.RequiredText("RecordIdentifierFeatureName"));
  TM_ASSIGN(const std::string event_time, fields.RequiredText("EventTimeFeatureName"));
  TM_ASSIGN(const auto definitions, fields.Objects("FeatureDefinitions"));
  if (definitions.empty() || definitions.size() > kFeaturesMax) {
    return Refuse(Why::kInvalid, fmt::format("FeatureDefinitions has {} elements; it may have 1 to {}",
                                             definitions.size(), kFeaturesMax));
  }
  TM_ASSIGN(group.features, ReadFeatures(definitions, {}));
  TM_ASSIGN(group.identifier, PlaceOf(group.features, identifier, "RecordIdentifierFeatureName"));
  TM_ASSIGN(const std::size_t time_at, PlaceOf(group.features, event_time, "EventTimeFeatureName"));
  const Feature& key = group.features[group.identifier];
  const Feature& time = group.features[time_at];
  if (time_at == group.identifier)
    return Refuse(Why::kInvalid, "RecordIdentifierFeatureName and EventTimeFeatureName are the same feature");
  if (time.type == FeatureType::kIntegral || time.collection != Collection::kNone) {
    return Refuse(Why::kInvalid,
                  fmt::format("EventTimeFeatureName {}: event times are of the type String or Fractional",
                              Quoted(time.name)));
  }
  if (key.type == FeatureType::kFractional || key.collection != Collection::kNone) {
    return Refuse(Why::kInvalid, fmt::format("RecordIdentifierFeatureName {}: records are identified by a "
                                             "String or an Integral",
                                             Quoted(key.name)));
  }
  view.table.timestamp_field = time.name;
  view.table.timestamp_type = time.kept_as;
  for (std::size_t i = 0; i < group.features.size(); ++i) {
    if (i == group.identifier || i == time_at) continue;
    Field field;
    field.name = group.features[i].name;
    field.type = group.features[i].kept_as;
    view.fields.push_back(std::move(field));
  }
  if (view.fields.empty())
    return Refuse(Why::kInvalid, "a feature group needs a feature besides its identifier and event time");
  TM_TRY(ReadOnlineStore(fields, group));
  TM_TRY(ReadOfflineStore(fields, group, time));
  TM_TRY(CheckRole(fields, view.metadata.tags));
  TM_ASSIGN(const auto description, fields.Text("Description", kDescriptionMax));
  view.metadata.description = description.value_or("");
  TM_ASSIGN(const auto throughput, fields.Object("ThroughputConfig"));
  if (throughput) {
    TM_ASSIGN(std::string config, ReadThroughput(*throughput));
    SetTag(view.metadata.tags, "throughput", std::move(config));
  }
  SetTag(view.metadata.tags, "features", DefinitionsJson(group.features));
  return group;
}

Answer<FeatureView> Adopted(const OpenGroup& group) {
  const Group& about = group.group();
  FeatureView view = about.view->definition;
  Tags& tags = view.metadata.tags;
  if (!TagOf(tags, "features").empty()) return view;
  SetTag(tags, "features", DefinitionsJson(about.features));
  if (about.stores.online) {
    SetTag(tags, "online_store", Dump({{"EnableOnlineStore", true}, {"StorageType", NameOf(about.storage)}}));
  }
  TM_ASSIGN(const std::string folder, group.store().DataFolder(about.name()));
  SetTag(tags, "offline_store", Dump({{"S3StorageConfig", {{"S3Uri", folder}}}}));
  return view;
}

Answer<void> ChangeOnlineStore(const Group& group, const Fields& config, FeatureView& view) {
  if (!group.stores.online) {
    return Refuse(Why::kInvalid, fmt::format("feature group {} has no online store", group.name()));
  }
  Json online = ObjectIn(TagOf(view.metadata.tags, "online_store"));
  TM_ASSIGN(const auto type, config.Choice("StorageType", {"Standard", "Standard_V2", "InMemory"}));
  if (type && *type != NameOf(group.storage)) {
    if (group.storage != Storage::kStandard || *type != NameOf(Storage::kStandardV2)) {
      return Refuse(Why::kInvalid, fmt::format("StorageType {} cannot become {}: only Standard can become "
                                               "Standard_V2",
                                               NameOf(group.storage), *type));
    }
    online["StorageType"] = *type;
  }
  TM_ASSIGN(const auto ttl, config.Object("TtlDuration"));
  if (ttl && !ttl->Has("Unit") && !ttl->Has("Value")) {
    online.erase("TtlDuration");
  } else if (ttl) {
    TM_TRY(CheckTtl(config));
    online["TtlDuration"] = ObjectIn(ttl->ToJson());
  }
  if (!type && !ttl)
    return Refuse(Why::kInvalid, "OnlineStoreConfig changes a TtlDuration or a StorageType: give one");
  SetTag(view.metadata.tags, "online_store", Dump(online));
  return {};
}

Answer<void> AddFeatures(const Group& group, const std::vector<Fields>& additions, FeatureView& view) {
  std::set<std::string> taken;
  for (const Feature& feature : group.features)
    taken.insert(FoldName(feature.name));
  TM_ASSIGN(auto added, ReadFeatures(additions, std::move(taken)));
  if (group.features.size() + added.size() > kFeaturesMax) {
    return Refuse(Why::kLimit, fmt::format("a feature group may have {} features", kFeaturesMax));
  }
  std::vector<Feature> features = group.features;
  for (Feature& feature : added) {
    if (feature.collection != Collection::kNone && group.storage != Storage::kInMemory)
      return Refuse(Why::kInvalid, "collections need an online store of StorageType InMemory");
    Field field;
    field.name = feature.name;
    field.type = feature.kept_as;
    view.fields.push_back(std::move(field));
    features.push_back(std::move(feature));
  }
  SetTag(view.metadata.tags, "features", DefinitionsJson(features));
  return {};
}

FeatureNotes NotesOf(const FeatureView& view, const Feature& feature) {
  FeatureNotes notes;
  Tags tags;
  if (feature.role == Role::kFeature) {
    notes.description = view.fields[feature.column].description;
    tags = view.fields[feature.column].tags;
  } else {
    const Json said = ObjectIn(TagOf(view.metadata.tags, fmt::format("feature.{}", feature.name)));
    for (const auto& [key, value] : said.items()) {
      if (value.is_string()) tags.emplace(key, value.get<std::string>());
    }
    notes.description = TagOf(tags, "description");
  }
  const std::string_view modified = TagOf(tags, "modified");
  std::from_chars(modified.data(), modified.data() + modified.size(), notes.modified_us);
  for (const auto& [key, value] : tags) {
    if (!key.starts_with(kTagPrefix)) notes.parameters.emplace(key, value);
  }
  return notes;
}

void SetNotes(const FeatureNotes& notes, const Feature& feature, FeatureView& view) {
  Tags tags = notes.parameters;
  SetTag(tags, "modified", std::to_string(notes.modified_us));
  if (feature.role == Role::kFeature) {
    view.fields[feature.column].description = notes.description;
    view.fields[feature.column].tags = std::move(tags);
    return;
  }
  SetTag(tags, "description", notes.description);
  Json said = Json::object();
  for (const auto& [key, value] : tags)
    said[key] = value;
  SetTag(view.metadata.tags, fmt::format("feature.{}", feature.name), Dump(said));
}

}  // namespace tidemark::sagemaker
