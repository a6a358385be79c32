// Parses what the registry holds, and links views to their entities and their older versions.
#include "engine/catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/definition_json.h"
#include "model/name.h"

namespace tidemark {
namespace {

std::string PlaceOf(const RegistryObject& object) {
  return fmt::format("{} {}: version {}", ObjectKindName(object.kind), object.name, object.version);
}

/// The definition in a registry object; what cannot be read there is damage, not the user's mistake.
template <typename Definition>
Result<Definition> ParseDocument(const RegistryObject& object,
                                 Result<Definition> (*parse)(std::string_view)) {
  auto parsed = parse(object.document);
  if (parsed && parsed->name == object.name) return parsed;
  const std::string why =
      parsed ? fmt::format("it is named {}", Quoted(parsed->name)) : parsed.error().ToString();
  return std::unexpected(
      Error{ErrorCode::kCorruption,
            fmt::format("the registry's definition cannot be read: {}. Restore the registry from "
                        "a backup, or remove the {} and apply it again",
                        why, ObjectKindName(object.kind)),
            PlaceOf(object)});
}

/// What versions 1 to that of `live` say. A later one may be there by now; it is not part of this state.
Result<void> ReadVersions(const Catalog::VersionsOf& versions_of, const RegistryObject& live,
                          CatalogView& view) {
  TM_ASSIGN(const std::vector<RegistryObject> versions, versions_of(live.id));
  std::vector<std::vector<Field>>& fields = view.field_versions;
  std::optional<BatchSource> before;
  for (const RegistryObject& version : versions) {
    if (version.version > live.version) break;
    TM_ASSIGN(FeatureView parsed, ParseDocument(version, &FeatureViewFromJson));
    std::optional<BatchSource> source;
    if (parsed.source) source = PlaceOfRows(*std::move(parsed.source));
    if (!fields.empty() && source != before) view.source_since_us = version.updated_us;
    before = std::move(source);
    fields.push_back(std::move(parsed.fields));
  }
  if (std::ssize(fields) == live.version) return {};
  return std::unexpected(
      Error{ErrorCode::kCorruption,
            fmt::format("the registry holds only {} of its versions; restore the registry from a "
                        "backup",
                        fields.size()),
            PlaceOf(live)});
}

/// The join keys of a view's entities, by name. An entity that is missing is damage: apply lets none go.
Result<std::vector<JoinKey>> JoinKeysOf(const RegistryObject& object, const FeatureView& view,
                                        const std::map<std::string, Entity>& entities) {
  const auto damaged = [&](const std::string& message) {
    return std::unexpected(Error{
        ErrorCode::kCorruption,
        message + "; restore the registry from a backup, or apply the definitions again", PlaceOf(object)});
  };
  std::map<std::string, JoinKey> keys;
  for (const std::string& name : view.entities) {
    const auto entity = entities.find(name);
    if (entity == entities.end()) return damaged(fmt::format("its entity '{}' is not in the registry", name));
    for (const JoinKey& key : entity->second.join_keys) {
      if (!key.type && !view.is_table())
        return damaged(fmt::format("its join key '{}' has no type in the registry", key.name));
      keys.emplace(key.name, key);
    }
  }
  std::vector<JoinKey> sorted;
  for (auto& [name, key] : keys)
    sorted.push_back(std::move(key));
  return sorted;
}

template <typename Value>
Result<const Value*> Find(const std::map<std::string, Value>& all, std::string_view what,
                          std::string_view name) {
  if (const auto found = all.find(std::string(name)); found != all.end()) return &found->second;
  std::vector<std::string> names;
  for (const auto& [known, value] : all)
    names.push_back(known);
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no {} {}{}", what, Quoted(name), Suggest(name, names)));
}

}  // namespace

Result<std::shared_ptr<const Catalog>> Catalog::Load(const Registry& registry, std::string_view project) {
  TM_ASSIGN(RegistryState state, registry.Load(project));
  return Of(std::move(state), [&](std::uint32_t id) { return registry.Versions(id); });
}

Result<std::shared_ptr<const Catalog>> Catalog::Of(RegistryState state, const VersionsOf& versions) {
  const std::shared_ptr<Catalog> catalog(new Catalog());
  catalog->state_ = std::move(state);
  catalog->serial_ = catalog->state_.serial;
  for (const RegistryObject& object : catalog->state_.objects) {
    if (object.kind == ObjectKind::kEntity) {
      TM_ASSIGN(Entity entity, ParseDocument(object, &EntityFromJson));
      catalog->entities_.emplace(object.name, std::move(entity));
    } else if (object.kind == ObjectKind::kOnDemandView) {
      TM_ASSIGN(OnDemandView view, ParseDocument(object, &OnDemandViewFromJson));
      catalog->on_demand_.emplace(object.name, std::move(view));
    } else if (object.kind == ObjectKind::kFeatureService) {
      TM_ASSIGN(FeatureService service, ParseDocument(object, &FeatureServiceFromJson));
      catalog->services_.emplace(object.name, std::move(service));
    }
  }
  for (const RegistryObject& object : catalog->state_.objects) {
    if (object.kind != ObjectKind::kFeatureView) continue;
    CatalogView view{.id = object.id,
                     .version = object.version,
                     .definition = {},
                     .join_keys = {},
                     .field_versions = {},
                     .source_since_us = 0};
    TM_ASSIGN(view.definition, ParseDocument(object, &FeatureViewFromJson));
    TM_ASSIGN(view.join_keys, JoinKeysOf(object, view.definition, catalog->entities_));
    TM_TRY(ReadVersions(versions, object, view));
    catalog->views_.emplace(object.name, std::move(view));
  }
  return catalog;
}

BatchSource PlaceOfRows(BatchSource source) {
  source.name = {};
  source.metadata = {};
  if (source.warehouse) {
    Warehouse& warehouse = *source.warehouse;
    warehouse = WithoutSecrets(std::move(warehouse));
    warehouse.timeout_us = 0;
  }
  return source;
}

bool CatalogView::is_typed() const {
  return std::ranges::all_of(join_keys, [](const JoinKey& key) { return key.type.has_value(); });
}

Result<const CatalogView*> Catalog::DefinedView(std::string_view name) const {
  return Find(views_, "feature view", name);
}

Result<const CatalogView*> Catalog::View(std::string_view name) const {
  TM_ASSIGN(const CatalogView* view, DefinedView(name));
  if (view->is_typed()) return view;
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("feature view '{}' has no rows yet, and the types of its join keys are those of its "
                  "first rows: ingest some, or declare the types",
                  name));
}

const OnDemandView* Catalog::OnDemand(std::string_view name) const {
  const auto found = on_demand_.find(std::string(name));
  return found == on_demand_.end() ? nullptr : &found->second;
}

Result<const FeatureService*> Catalog::Service(std::string_view name) const {
  return Find(services_, "feature service", name);
}

Result<const Entity*> Catalog::EntityNamed(std::string_view name) const {
  return Find(entities_, "entity", name);
}

Result<const RegistryObject*> Catalog::Object(ObjectKind kind, std::string_view name) const {
  std::vector<std::string> names;
  for (const RegistryObject& object : state_.objects) {
    if (object.kind != kind) continue;
    if (object.name == name) return &object;
    names.push_back(object.name);
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no {} {}{}", ObjectKindName(kind), Quoted(name), Suggest(name, names)));
}

}  // namespace tidemark
