// What every object of a project will be once definitions are applied: the stated ones matched with those
// that the registry has, renames followed, removals marked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/apply.h"
#include "engine/catalog.h"

namespace tidemark {

template <typename Definition>
struct Target {
  Definition definition;               // as it will be
  const Definition* before = nullptr;  // as the registry has it; null: a new object
  bool is_stated = false;              // by the definitions; otherwise it is kept, or follows renames
  bool is_removed = false;

  bool is_renamed() const { return before != nullptr && before->name != definition.name; }
};

struct Targets {
  // Stated ones in the order of the definitions, then the others by name.
  std::vector<Target<Entity>> entities;
  std::vector<Target<FeatureView>> views;
  std::vector<Target<OnDemandView>> on_demand;
  std::vector<Target<FeatureService>> services;

  /// The live entity of that name, or null.
  Entity* FindEntity(std::string_view name);
  /// The entities that the view names, as far as they are there.
  std::vector<Entity*> EntitiesOf(const FeatureView& view);
  /// Everything that is not removed.
  Definitions Live() const;
};

/// Matches and checks. `catalog` must outlive the result.
Result<Targets> MatchTargets(const Catalog& catalog, const Definitions& definitions,
                             const PlanOptions& options);

}  // namespace tidemark
