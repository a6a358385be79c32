// Moves the types of join keys from fields to entities.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/key_fields_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

/// The entity of that name among those that are stated, or null.
Entity* FindStated(Definitions& definitions, const std::string& name) {
  const auto stated = std::ranges::find(definitions.entities, name, &Entity::name);
  return stated == definitions.entities.end() ? nullptr : &*stated;
}

/// Takes the field of that name out of the view.
std::optional<DataType> TakeField(FeatureView& view, const std::string& name) {
  const auto field = std::ranges::find(view.fields, name, &Field::name);
  if (field == view.fields.end()) return std::nullopt;
  DataType type = std::move(field->type);
  view.fields.erase(field);
  return type;
}

Result<void> StateType(JoinKey& key, DataType type, const std::string& entity) {
  if (!CanBeJoinKey(type)) {
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format(
            "field {} is a join key of entity {} and cannot be {}; a join key is string, int32, int64, "
            "binary, bool or timestamp",
            Quoted(key.name), Quoted(entity), type.ToString()));
  }
  if (key.type && *key.type != type) {
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("field {} is a join key, {} here and {} in entity {}: state one type",
                            Quoted(key.name), type.ToString(), key.type->ToString(), Quoted(entity)));
  }
  key.type = std::move(type);
  return {};
}

Result<void> TakeKeys(FeatureView& view, const std::string& entity_name, const Catalog& catalog,
                      Definitions& definitions) {
  Entity* stated = FindStated(definitions, entity_name);
  const auto known = catalog.entities().find(entity_name);
  if (stated == nullptr && known == catalog.entities().end()) return {};  // CheckDefinitions reports it
  Entity entity = stated != nullptr ? *stated : known->second;
  const Entity before = entity;
  for (JoinKey& key : entity.join_keys) {
    if (auto type = TakeField(view, key.name)) TM_TRY(StateType(key, *std::move(type), entity.name));
  }
  if (entity == before) return {};
  if (stated != nullptr) {
    *stated = std::move(entity);
  } else {
    definitions.entities.push_back(std::move(entity));
  }
  return {};
}

}  // namespace

Result<Definitions> WithoutKeyFields(Definitions definitions, const Catalog& catalog) {
  for (FeatureView& view : definitions.views) {
    for (const std::string& entity : view.entities)
      TM_TRY_IN(TakeKeys(view, entity, catalog, definitions),
                fmt::format("feature view {}", Quoted(view.name)));
  }
  return definitions;
}

}  // namespace tidemark
