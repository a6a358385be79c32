// The definitions of a project at one moment, parsed and linked: what every request is resolved against.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "store/registry.h"

namespace tidemark {

/// A feature view with what belongs to it. Join keys are those of its entities, in the order of their names
/// (the order of the kernel's and the online store's keys).
struct CatalogView {
  std::uint32_t id = 0;
  std::int64_t version = 0;
  FeatureView definition;          // completed: fields with types and ids, timestamp_field
  std::vector<JoinKey> join_keys;  // sorted by name, no duplicates, all with types if is_typed()
  // Fields of every version, oldest first: index i is version i + 1. What packed rows are decoded by.
  std::vector<std::vector<Field>> field_versions;
  // When the view was given the batch source that it has, after another one; 0: it never had another.
  std::int64_t source_since_us = 0;

  /// False for a feature table some of whose join keys wait for the first rows to have a type.
  bool is_typed() const;
};

/// The source without what no row of it depends on: its name and tags, passwords, time-outs.
BatchSource PlaceOfRows(BatchSource source);

/// Immutable; shared by the requests that were prepared against it.
class Catalog {
 public:
  /// Reads every version of every live view. kCorruption names the object whose document cannot be read.
  static Result<std::shared_ptr<const Catalog>> Load(const Registry& registry, std::string_view project);

  /// Of definitions as they are in `state`; `versions` gives the versions of an object up to its own at
  /// least.
  using VersionsOf = std::function<Result<std::vector<RegistryObject>>(std::uint32_t id)>;
  static Result<std::shared_ptr<const Catalog>> Of(RegistryState state, const VersionsOf& versions);

  std::int64_t serial() const { return serial_; }
  const RegistryState& state() const { return state_; }

  /// kNotFound with the nearest name; kInvalidArgument for a table without rows whose join keys have no types
  /// yet.
  Result<const CatalogView*> View(std::string_view name) const;
  /// The same, also of one that is not typed yet: to look at, not to read or write.
  Result<const CatalogView*> DefinedView(std::string_view name) const;
  /// Null if there is none of that name.
  const OnDemandView* OnDemand(std::string_view name) const;
  Result<const FeatureService*> Service(std::string_view name) const;
  Result<const Entity*> EntityNamed(std::string_view name) const;
  Result<const RegistryObject*> Object(ObjectKind kind, std::string_view name) const;

  /// All of them, also those that are not typed yet.
  const std::map<std::string, CatalogView>& views() const { return views_; }
  const std::map<std::string, Entity>& entities() const { return entities_; }
  const std::map<std::string, OnDemandView>& on_demand() const { return on_demand_; }
  const std::map<std::string, FeatureService>& services() const { return services_; }

 private:
  Catalog() = default;

  std::int64_t serial_ = 0;
  RegistryState state_;
  std::map<std::string, CatalogView> views_;
  std::map<std::string, Entity> entities_;
  std::map<std::string, OnDemandView> on_demand_;
  std::map<std::string, FeatureService> services_;
};

}  // namespace tidemark
