// Reads a view and its tags as a group.
#include "server/sagemaker/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "model/name.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::array<std::string_view, 3> kFeatureTypes{"Integral", "Fractional", "String"};
constexpr std::array<std::string_view, 4> kCollections{"", "List", "Set", "Vector"};
constexpr std::array<std::string_view, 3> kStorages{"Standard", "Standard_V2", "InMemory"};
constexpr std::size_t kNameMax = 64;

template <typename Enum, std::size_t kCount>
std::optional<Enum> Named(const std::array<std::string_view, kCount>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (name.empty() || found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What values of a type are to SageMaker, which knows three types; nothing for what it has no word for.
std::optional<FeatureType> TypeOf(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt32:
    case TypeKind::kInt64:
      return FeatureType::kIntegral;
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
      return FeatureType::kFractional;
    case TypeKind::kString:
    case TypeKind::kBool:
    case TypeKind::kTimestamp:
      return FeatureType::kString;
    default:
      return std::nullopt;
  }
}

/// A column as a feature, but for what only SageMaker says of it.
std::optional<Feature> FeatureOf(const std::string& name, const DataType& type) {
  Feature feature;
  feature.name = name;
  feature.kept_as = type;
  TypeKind kind = type.kind;
  if (kind == TypeKind::kList) {
    feature.collection = Collection::kList;
    kind = type.children[0].type.kind;
  }
  const auto known = TypeOf(kind);
  if (!known) return std::nullopt;
  feature.type = *known;
  return feature;
}

/// Names are letters, digits, '-' and '_'. Texts bring their own quotes, as something in them may be escaped.
std::string OpeningOf(const Feature& feature) {
  const TypeKind kind = feature.kept_as.kind;
  const char* const value = kind == TypeKind::kList     ? "ValueAsStringList\":["
                            : kind == TypeKind::kString ? "ValueAsString\":"
                                                        : "ValueAsString\":\"";
  return "{\"FeatureName\":\"" + feature.name + "\",\"" + value;
}

bool IsEventTime(const TableOptions& table) {
  const TypeKind kind = table.timestamp_type.kind;
  if (kind == TypeKind::kFloat64) return table.timestamp_unit == TimeUnit::kSeconds;
  return kind == TypeKind::kString || kind == TypeKind::kTimestamp;
}

/// The text of a member; empty if there is none.
std::string_view TextAt(const Json& object, std::string_view name) {
  const Json* member = object.member(name);
  return member != nullptr && member->is_string() ? std::string_view(member->text()) : std::string_view();
}

std::int64_t IntegerAt(const Json& object, std::string_view name) {
  const Json* member = object.member(name);
  return member != nullptr && member->is_number_integer() ? member->get<std::int64_t>() : 0;
}

Json ObjectAt(const Json& object, std::string_view name) {
  const Json* member = object.member(name);
  return member == nullptr ? Json() : *member;
}

/// The features in the order in which they were defined, with what their definitions say.
void Arrange(const Tags& tags, std::vector<Feature>& features) {
  const Json defined = Parsed(TagOf(tags, "features"));
  if (!defined.is_array()) return;
  std::vector<Feature> arranged;
  for (const Json& each : defined) {
    const auto found = std::ranges::find(features, TextAt(each, "FeatureName"), &Feature::name);
    if (found == features.end()) continue;
    if (found->collection == Collection::kList)
      found->collection = CollectionNamed(TextAt(each, "CollectionType")).value_or(Collection::kList);
    found->dimension = IntegerAt(ObjectAt(ObjectAt(each, "CollectionConfig"), "VectorConfig"), "Dimension");
    arranged.push_back(std::move(*found));
    features.erase(found);
  }
  // Those that were added elsewhere come behind.
  std::ranges::move(features, std::back_inserter(arranged));
  features = std::move(arranged);
}

void ReadStores(const FeatureView& view, Group& group) {
  const Tags& tags = view.metadata.tags;
  const bool is_made_here = !TagOf(tags, "features").empty();
  group.stores = {.online = view.online, .offline = !is_made_here || !TagOf(tags, "offline_store").empty()};
  if (is_made_here) {
    const Json online = Parsed(TagOf(tags, "online_store"));
    const Json ttl = ObjectAt(online, "TtlDuration");
    group.storage = StorageNamed(TextAt(online, "StorageType")).value_or(Storage::kStandard);
    group.ttl_us = TtlUs(TextAt(ttl, "Unit"), IntegerAt(ttl, "Value"));
    return;
  }
  const bool has_collections = std::ranges::any_of(
      group.features, [](const Feature& feature) { return feature.collection != Collection::kNone; });
  group.storage = has_collections ? Storage::kInMemory : Storage::kStandardV2;
}

}  // namespace

std::string_view NameOf(FeatureType type) {
  return kFeatureTypes.at(std::to_underlying(type));
}
std::string_view NameOf(Collection collection) {
  return kCollections.at(std::to_underlying(collection));
}
std::string_view NameOf(Storage storage) {
  return kStorages.at(std::to_underlying(storage));
}
std::optional<FeatureType> FeatureTypeNamed(std::string_view name) {
  return Named<FeatureType>(kFeatureTypes, name);
}
std::optional<Collection> CollectionNamed(std::string_view name) {
  return Named<Collection>(kCollections, name);
}
std::optional<Storage> StorageNamed(std::string_view name) {
  return Named<Storage>(kStorages, name);
}

std::optional<std::int64_t> TtlUs(std::string_view unit, std::int64_t value) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits{
      {{"Seconds", 1}, {"Minutes", 60}, {"Hours", 3'600}, {"Days", 86'400}, {"Weeks", 604'800}}};
  const auto found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::int64_t>::first);
  std::int64_t us = 0;
  if (found == kUnits.end() || value < 1 || __builtin_mul_overflow(value, found->second * 1'000'000, &us)) {
    return std::nullopt;
  }
  return us;
}

const Feature* Group::Find(std::string_view feature) const {
  const auto found = by_name.find(feature);
  return found == by_name.end() ? nullptr : &features[found->second];
}

DataType KeptAs(FeatureType type, Collection collection) {
  const DataType item{.kind = type == FeatureType::kIntegral     ? TypeKind::kInt64
                              : type == FeatureType::kFractional ? TypeKind::kFloat64
                                                                 : TypeKind::kString};
  return collection == Collection::kNone ? item : DataType::List(item);
}

std::optional<Group> GroupOf(std::shared_ptr<const server::KnownDefinitions> definitions,
                             const server::KnownView& view) {
  const FeatureView& definition = view.definition;
  if (!definition.is_table() || view.join_keys.size() != 1 || !view.join_keys[0].type ||
      !IsEventTime(definition.table) || !IsName(definition.name)) {
    return std::nullopt;
  }
  Group group;
  group.definitions = std::move(definitions);
  group.view = &view;
  const auto add = [&](const std::string& name, const DataType& type, Role role, std::size_t column) {
    auto feature = FeatureOf(name, type);
    if (!feature) return false;
    feature->role = role;
    feature->column = column;
    group.features.push_back(*std::move(feature));
    return true;
  };
  if (!add(view.join_keys[0].name, *view.join_keys[0].type, Role::kIdentifier, 0)) return std::nullopt;
  if (!add(definition.table.timestamp_field, definition.table.timestamp_type, Role::kEventTime, 0))
    return std::nullopt;
  for (std::size_t i = 0; i < definition.fields.size(); ++i) {
    if (!add(definition.fields[i].name, definition.fields[i].type, Role::kFeature, i)) return std::nullopt;
  }
  Arrange(definition.metadata.tags, group.features);
  for (std::size_t i = 0; i < group.features.size(); ++i) {
    group.openings.push_back(OpeningOf(group.features[i]));
    group.by_name.emplace(group.features[i].name, i);
    if (group.features[i].role == Role::kIdentifier) group.identifier = i;
    if (group.features[i].role == Role::kEventTime) group.event_time = i;
  }
  ReadStores(definition, group);
  return group;
}

bool IsName(std::string_view text) {
  if (text.empty() || text.size() > kNameMax) return false;
  if (!IsLetterOrDigit(text.front()) || !IsLetterOrDigit(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return IsLetterOrDigit(c) || c == '_' || c == '-'; });
}

std::optional<std::string_view> NameIn(std::string_view name_or_arn) {
  if (!name_or_arn.starts_with("arn:")) {
    return IsName(name_or_arn) ? std::optional(name_or_arn) : std::nullopt;
  }
  std::array<std::string_view, 6> parts;
  std::string_view rest = name_or_arn;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t colon = i + 1 == parts.size() ? std::string_view::npos : rest.find(':');
    if (i + 1 < parts.size() && colon == std::string_view::npos) return std::nullopt;
    parts.at(i) = rest.substr(0, colon);
    if (colon != std::string_view::npos) rest.remove_prefix(colon + 1);
  }
  const auto [arn, partition, service, region, account, resource] = parts;
  constexpr std::string_view kKind = "feature-group/";
  const bool is_account = account.size() == 12 && account.find_first_not_of("0123456789") == account.npos;
  const bool is_region = region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == region.npos;
  if (!partition.starts_with("aws") || service != "sagemaker" || !is_account || !is_region ||
      !resource.starts_with(kKind)) {
    return std::nullopt;
  }
  const std::string_view name = resource.substr(kKind.size());
  return IsName(name) ? std::optional(name) : std::nullopt;
}

void SetTag(Tags& tags, std::string_view name, std::string value) {
  tags.insert_or_assign(fmt::format("{}{}", kTagPrefix, name), std::move(value));
}

Json TagList(const Tags& tags) {
  Json list = Json::array();
  for (const auto& [key, value] : tags) {
    if (!key.starts_with(kTagPrefix)) list.push_back({{"Key", key}, {"Value", value}});
  }
  return list;
}

Json Parsed(std::string_view text) {
  return ParseJson(text).value_or(Json());
}

std::string Dump(const Json& json) {
  return json.dump();
}

std::string_view TagOf(const Tags& tags, std::string_view name) {
  const auto found = tags.find(fmt::format("{}{}", kTagPrefix, name));
  return found == tags.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace tidemark::sagemaker
