// Rows of a training set do not depend on the versions that a view had before: each has one here.
#include "engine/datasets/used_definitions.h"

#include <set>
#include <utility>

#include "base/result.h"
#include "store/registry.h"

namespace tidemark {

std::vector<UsedDefinition> DefinitionsUsed(const Catalog& catalog, const Selection& selection,
                                            const std::string& service) {
  std::set<std::string> views;
  std::set<std::string> entities;
  for (const SelectedView& selected : selection.views) {
    const FeatureView& definition = selected.view->definition;
    views.insert(definition.name);
    entities.insert(definition.entities.begin(), definition.entities.end());
  }
  const auto is_used = [&](const RegistryObject& object) {
    switch (object.kind) {
      case ObjectKind::kEntity:
        return entities.contains(object.name);
      case ObjectKind::kFeatureView:
        return views.contains(object.name);
      case ObjectKind::kFeatureService:
        return object.name == service;
      case ObjectKind::kOnDemandView:
        return selection.on_demand != nullptr;
      case ObjectKind::kRegisteredTable:
      case ObjectKind::kSavedDataset:
        break;
    }
    return false;
  };
  std::vector<UsedDefinition> used;
  for (const RegistryObject& object : catalog.state().objects) {
    if (is_used(object))
      used.push_back({object.id, object.kind, object.name, object.version, object.document});
  }
  return used;
}

Result<std::shared_ptr<const Catalog>> CatalogOf(const std::vector<UsedDefinition>& definitions) {
  RegistryState state;
  for (const UsedDefinition& definition : definitions) {
    RegistryObject object;
    object.id = definition.id;
    object.kind = definition.kind;
    object.name = definition.name;
    object.version = 1;
    object.document = definition.document;
    state.objects.push_back(std::move(object));
  }
  const std::vector<RegistryObject> objects = state.objects;
  return Catalog::Of(std::move(state), [&](std::uint32_t id) -> Result<std::vector<RegistryObject>> {
    std::vector<RegistryObject> versions;
    for (const RegistryObject& object : objects) {
      if (object.id == id) versions.push_back(object);
    }
    return versions;
  });
}

}  // namespace tidemark
