// A feature table as SageMaker Feature Store sees it: a feature group.
//
// There is one registry: what SageMaker says of a group beyond a table is kept in the view's tags under
// `sagemaker.`, so tables made by the SDK are groups too, with defaults:
//   sagemaker.features            the feature definitions, in order, as JSON
//   sagemaker.online_store, sagemaker.offline_store, sagemaker.throughput    the configurations, as JSON
//   sagemaker.role_arn, sagemaker.created, sagemaker.modified (microseconds)
//   sagemaker.feature.<name>      of identifier and event time: as the tags of a field
// and in the tags of a field sagemaker.modified, beside the feature's parameters. Other tags of the view are
// the group's own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/catalog/definitions.h"

namespace tidemark::sagemaker {

inline constexpr std::string_view kTagPrefix = "sagemaker.";

enum class FeatureType : std::uint8_t { kIntegral, kFractional, kString };
enum class Collection : std::uint8_t { kNone, kList, kSet, kVector };
enum class Storage : std::uint8_t { kStandard, kStandardV2, kInMemory };
enum class Role : std::uint8_t { kFeature, kIdentifier, kEventTime };

std::string_view NameOf(FeatureType type);
std::string_view NameOf(Collection collection);  // empty for kNone
std::string_view NameOf(Storage storage);
std::optional<FeatureType> FeatureTypeNamed(std::string_view name);
std::optional<Collection> CollectionNamed(std::string_view name);
std::optional<Storage> StorageNamed(std::string_view name);

struct Feature {
  std::string name;
  FeatureType type = FeatureType::kString;
  Collection collection = Collection::kNone;
  std::int64_t dimension = 0;  // of a vector
  Role role = Role::kFeature;
  DataType kept_as;        // in the table
  std::size_t column = 0;  // of kFeature: among the view's fields
};

/// Which stores a write reaches.
struct Targets {
  bool online = false;
  bool offline = false;
  bool operator==(const Targets&) const = default;
};

/// `{"Unit": "Days", "Value": 5}` in microseconds; nothing for another unit, or a length beyond all measure.
std::optional<std::int64_t> TtlUs(std::string_view unit, std::int64_t value);

struct Group {
  std::shared_ptr<const server::KnownDefinitions> definitions;  // that `view` is of
  const server::KnownView* view = nullptr;
  std::vector<Feature> features;      // in the order of their definition
  std::vector<std::string> openings;  // of each one's entry in a record, up to its value
  std::map<std::string, std::size_t, std::less<>> by_name;
  std::size_t identifier = 0;
  std::size_t event_time = 0;
  Targets stores;
  Storage storage = Storage::kStandard;
  std::optional<std::int64_t> ttl_us;  // of records that say none

  const std::string& name() const { return view->definition.name; }
  const Feature* Find(std::string_view feature) const;
};

/// The view as a group: a feature table with one join key and event times as timestamps, text or float64
/// seconds, whose types all have a counterpart, and whose name SageMaker allows. Nothing if it is none.
std::optional<Group> GroupOf(std::shared_ptr<const server::KnownDefinitions> definitions,
                             const server::KnownView& view);

/// The type that a table keeps a feature as.
DataType KeptAs(FeatureType type, Collection collection);

/// `[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}`.
bool IsName(std::string_view text);

/// The group's name in `name` or in `arn:aws:sagemaker:<region>:<account>:feature-group/<name>`; nothing for
/// what is neither.
std::optional<std::string_view> NameIn(std::string_view name_or_arn);

/// The value of a `sagemaker.` tag; empty if there is none.
std::string_view TagOf(const Tags& tags, std::string_view name);
void SetTag(Tags& tags, std::string_view name, std::string value);

/// The users' tags as SageMaker lists them: [{"Key", "Value"}].
Json TagList(const Tags& tags);

/// Null if it is no JSON.
Json Parsed(std::string_view text);
std::string Dump(const Json& json);

}  // namespace tidemark::sagemaker
