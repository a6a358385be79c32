// Matches stated definitions with those of the registry; follows renames and marks removals.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "engine/apply_targets_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

const FeatureView& DefinitionOf(const CatalogView& view) {
  return view.definition;
}
template <typename Definition>
const Definition& DefinitionOf(const Definition& definition) {
  return definition;  // NOLINT(bugprone-return-const-ref-from-parameter): elements of a container are passed
}

/// Existing objects are found by the name they are renamed from, or else by their own; errors are left to
/// CheckDefinitions, which sees the same objects.
template <typename Definition, typename Existing>
std::vector<Target<Definition>> Match(const std::vector<Definition>& stated,
                                      const std::map<std::string, Existing>& existing) {
  std::vector<Target<Definition>> targets;
  std::vector<const Definition*> matched;
  const auto find = [&](const std::string& name) {
    const auto found = existing.find(name);
    return found == existing.end() ? nullptr : &DefinitionOf(found->second);
  };
  for (const Definition& definition : stated) {
    const Definition* before = find(definition.name);
    if (before == nullptr && definition.renamed_from) before = find(*definition.renamed_from);
    targets.push_back({.definition = definition, .before = before, .is_stated = true});
    targets.back().definition.renamed_from.reset();
    matched.push_back(before);
  }
  for (const auto& [name, value] : existing) {
    const Definition* before = &DefinitionOf(value);
    if (std::ranges::find(matched, before) == matched.end())
      targets.push_back({.definition = *before, .before = before});
  }
  return targets;
}

template <typename Definition>
Result<void> MarkRemoved(std::vector<Target<Definition>>& targets, ObjectKind kind,
                         const PlanOptions& options) {
  for (const auto& [removed_kind, name] : options.remove) {
    if (removed_kind != kind) continue;
    std::vector<std::string> names;
    bool is_found = false;
    for (Target<Definition>& target : targets) {
      if (target.before == nullptr) continue;
      names.push_back(target.before->name);
      if (target.before->name != name) continue;
      if (target.is_stated) {
        return Fail(
            ErrorCode::kInvalidArgument,
            fmt::format("{} '{}' is to be removed and is defined at the same time; leave one of the two out",
                        ObjectKindName(kind), name));
      }
      target.is_removed = is_found = true;
    }
    if (!is_found) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no {} {} to remove{}", ObjectKindName(kind),
                                                    Quoted(name), Suggest(name, names)));
    }
  }
  return {};
}

/// The views that queries of tables read stay as long as these do.
void KeepWhatQueriesRead(Targets& targets) {
  for (const Target<FeatureView>& view : targets.views) {
    if (view.is_removed || view.is_stated || !view.definition.batch) continue;
    for (const std::string& name : view.definition.batch->views) {
      for (Target<FeatureView>& read : targets.views) {
        if (!read.is_stated && read.definition.name == name) read.is_removed = false;
      }
    }
  }
}

/// What is not stated goes, but for feature tables and their entities: no definition brings rows back.
void MarkMissing(Targets& targets) {
  std::set<std::string> used;
  for (Target<FeatureView>& view : targets.views) {
    if (view.is_stated || view.is_removed) continue;
    view.is_removed = !view.before->is_table();
  }
  KeepWhatQueriesRead(targets);
  for (const Target<FeatureView>& view : targets.views) {
    if (!view.is_stated && !view.is_removed)
      used.insert(view.definition.entities.begin(), view.definition.entities.end());
  }
  for (Target<Entity>& entity : targets.entities)
    entity.is_removed |= !entity.is_stated && !used.contains(entity.definition.name);
  for (Target<OnDemandView>& view : targets.on_demand)
    view.is_removed |= !view.is_stated;
  for (Target<FeatureService>& service : targets.services)
    service.is_removed |= !service.is_stated;
}

/// Names that change, old to new.
template <typename Definition>
std::map<std::string, std::string> Renames(const std::vector<Target<Definition>>& targets) {
  std::map<std::string, std::string> renames;
  for (const Target<Definition>& target : targets) {
    if (target.is_renamed()) renames.emplace(target.before->name, target.definition.name);
  }
  return renames;
}

void Follow(const std::map<std::string, std::string>& renames, std::string& name) {
  if (const auto found = renames.find(name); found != renames.end()) name = found->second;
}

/// Fields that the definition of a known view renames, old to new.
std::map<std::string, std::string> FieldRenames(const Target<FeatureView>& view) {
  std::map<std::string, std::string> renames;
  if (view.before == nullptr) return renames;
  const auto is_known = [&](const std::string& name) {
    return std::ranges::find(view.before->fields, name, &Field::name) != view.before->fields.end();
  };
  for (const Field& field : view.definition.fields) {
    if (field.renamed_from && is_known(*field.renamed_from) && !is_known(field.name)) {
      renames.emplace(*field.renamed_from, field.name);
    }
  }
  return renames;
}

/// Objects that are not stated go on meaning what they mean now.
void FollowRenames(Targets& targets) {
  const auto entity_renames = Renames(targets.entities);
  for (Target<FeatureView>& view : targets.views) {
    if (view.is_stated) continue;
    for (std::string& entity : view.definition.entities)
      Follow(entity_renames, entity);
  }
  auto view_renames = Renames(targets.views);
  view_renames.merge(Renames(targets.on_demand));
  std::map<std::string, std::map<std::string, std::string>> field_renames;  // by the view's name until now
  for (const Target<FeatureView>& view : targets.views) {
    if (view.before != nullptr) field_renames.emplace(view.before->name, FieldRenames(view));
  }
  for (Target<OnDemandView>& view : targets.on_demand) {
    if (view.is_stated) continue;
    for (OnDemandSource& source : view.definition.sources) {
      for (std::string& feature : source.features)
        Follow(field_renames[source.view], feature);
      // Expressions keep the name that they have it by.
      if (source.alias.empty() && view_renames.contains(source.view)) source.alias = source.view;
      Follow(view_renames, source.view);
    }
  }
  for (Target<FeatureService>& service : targets.services) {
    if (service.is_stated) continue;
    for (ViewSelection& selection : service.definition.views) {
      for (std::string& feature : selection.features)
        Follow(field_renames[selection.view], feature);
      // Its columns keep the names that models know them by.
      if (selection.alias.empty() && view_renames.contains(selection.view)) selection.alias = selection.view;
      Follow(view_renames, selection.view);
    }
  }
}

std::unexpected<Error> StillUsed(std::string_view what, const std::string& name, std::string_view by,
                                 const std::string& user) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} '{}' cannot be removed: {} '{}' uses it. Remove or change that too", what, name,
                          by, user));
}

template <typename Definition>
bool IsRemoved(const std::vector<Target<Definition>>& targets, const std::string& name) {
  return std::ranges::any_of(
      targets, [&](const auto& target) { return target.is_removed && target.definition.name == name; });
}

Result<void> CheckRemovals(const Targets& targets) {
  for (const Target<FeatureView>& view : targets.views) {
    if (view.is_removed) continue;
    for (const std::string& entity : view.definition.entities) {
      if (IsRemoved(targets.entities, entity))
        return StillUsed("entity", entity, "feature view", view.definition.name);
    }
    if (!view.definition.batch) continue;
    for (const std::string& read : view.definition.batch->views) {
      if (IsRemoved(targets.views, read))
        return StillUsed("feature view", read, "feature view", view.definition.name);
    }
  }
  for (const Target<FeatureService>& service : targets.services) {
    if (service.is_removed) continue;
    for (const ViewSelection& selection : service.definition.views) {
      if (IsRemoved(targets.views, selection.view)) {
        return StillUsed("feature view", selection.view, "feature service", service.definition.name);
      }
      if (IsRemoved(targets.on_demand, selection.view)) {
        return StillUsed("on-demand feature view", selection.view, "feature service",
                         service.definition.name);
      }
    }
  }
  for (const Target<OnDemandView>& view : targets.on_demand) {
    if (view.is_removed) continue;
    for (const OnDemandSource& source : view.definition.sources) {
      if (IsRemoved(targets.views, source.view) || IsRemoved(targets.on_demand, source.view)) {
        return StillUsed("feature view", source.view, "on-demand feature view", view.definition.name);
      }
    }
  }
  return {};
}

/// A service that is not stated must not lose a feature silently, and the message must name it.
Result<void> CheckFieldsUsed(const Targets& targets) {
  for (const Target<FeatureService>& service : targets.services) {
    if (service.is_removed || service.is_stated) continue;
    for (const ViewSelection& selection : service.definition.views) {
      const auto view = std::ranges::find_if(targets.views, [&](const auto& target) {
        return !target.is_removed && target.definition.name == selection.view;
      });
      if (view == targets.views.end() || view->definition.fields.empty()) continue;
      for (const std::string& feature : selection.features) {
        const auto& fields = view->definition.fields;
        if (std::ranges::find(fields, feature, &Field::name) != fields.end()) continue;
        return StillUsed("feature", selection.view + ":" + feature, "feature service",
                         service.definition.name);
      }
    }
  }
  return {};
}

/// What the registry holds and keeps, as CheckDefinitions takes it: under the names until now, but with
/// references that follow the renames.
template <typename Definition>
std::vector<Definition> Known(const std::vector<Target<Definition>>& targets) {
  std::vector<Definition> known;
  for (const Target<Definition>& target : targets) {
    if (target.before == nullptr || target.is_removed) continue;
    known.push_back(target.is_stated ? *target.before : target.definition);
  }
  return known;
}

}  // namespace

Entity* Targets::FindEntity(std::string_view name) {
  for (Target<Entity>& entity : entities) {
    if (!entity.is_removed && entity.definition.name == name) return &entity.definition;
  }
  return nullptr;
}

std::vector<Entity*> Targets::EntitiesOf(const FeatureView& view) {
  std::vector<Entity*> found;
  for (const std::string& name : view.entities) {
    if (Entity* entity = FindEntity(name); entity != nullptr) found.push_back(entity);
  }
  return found;
}

Definitions Targets::Live() const {
  Definitions live;
  for (const auto& entity : entities) {
    if (!entity.is_removed) live.entities.push_back(entity.definition);
  }
  for (const auto& view : views) {
    if (!view.is_removed) live.views.push_back(view.definition);
  }
  for (const auto& view : on_demand) {
    if (!view.is_removed) live.on_demand.push_back(view.definition);
  }
  for (const auto& service : services) {
    if (!service.is_removed) live.services.push_back(service.definition);
  }
  return live;
}

Result<Targets> MatchTargets(const Catalog& catalog, const Definitions& definitions,
                             const PlanOptions& options) {
  Targets targets{.entities = Match(definitions.entities, catalog.entities()),
                  .views = Match(definitions.views, catalog.views()),
                  .on_demand = Match(definitions.on_demand, catalog.on_demand()),
                  .services = Match(definitions.services, catalog.services())};
  TM_TRY(MarkRemoved(targets.entities, ObjectKind::kEntity, options));
  TM_TRY(MarkRemoved(targets.views, ObjectKind::kFeatureView, options));
  TM_TRY(MarkRemoved(targets.on_demand, ObjectKind::kOnDemandView, options));
  TM_TRY(MarkRemoved(targets.services, ObjectKind::kFeatureService, options));
  if (options.remove_missing) MarkMissing(targets);
  FollowRenames(targets);
  TM_TRY(CheckRemovals(targets));
  TM_TRY(CheckFieldsUsed(targets));
  const Definitions known{.project = {},
                          .entities = Known(targets.entities),
                          .views = Known(targets.views),
                          .on_demand = Known(targets.on_demand),
                          .services = Known(targets.services)};
  TM_TRY(CheckDefinitions(definitions, known));
  return targets;
}

}  // namespace tidemark
