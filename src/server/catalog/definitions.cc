// Parses what the store says of its definitions.
#include "server/catalog/definitions.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/definition_json.h"
#include "model/feature_table.h"
#include "model/name.h"

namespace tidemark::server {
namespace {

constexpr std::int64_t kMaxAgeMs = 500;

/// The event times of a view as a write gives them: of the type that a table keeps, or timestamps.
WriteColumn EventTime(const FeatureView& view) {
  if (view.is_table()) return {.name = view.table.timestamp_field, .type = view.table.timestamp_type};
  return {.name = view.source->timestamp_field, .type = {.kind = TypeKind::kTimestamp}};
}

}  // namespace

KnownDefinitions::KnownDefinitions(std::int64_t revision, Definitions definitions)
    : revision_(revision), definitions_(std::move(definitions)) {
  for (const FeatureView& view : definitions_.views) {
    KnownView known{.definition = view, .join_keys = {}, .write_columns = {}};
    std::map<std::string, JoinKey> keys;
    for (const std::string& name : view.entities) {
      const Entity* entity = EntityNamed(name);
      if (entity == nullptr) continue;
      for (const JoinKey& key : entity->join_keys)
        keys.emplace(key.name, key);
    }
    for (const auto& [name, key] : keys) {
      known.join_keys.push_back(key);
      known.write_columns.push_back({.name = name, .type = key.type.value_or(DataType{})});
    }
    known.write_columns.push_back(EventTime(view));
    // A table without such a column counts by when rows arrived, which nobody writes.
    if (!view.created_column().empty() && view.created_column() != system_column::kArrival) {
      known.write_columns.push_back({.name = view.created_column(), .type = {.kind = TypeKind::kTimestamp}});
    }
    for (const Field& field : view.fields)
      known.write_columns.push_back({.name = field.name, .type = field.type});
    folded_.emplace(FoldName(view.name), view.name);
    views_.emplace(view.name, std::move(known));
  }
}

Result<const KnownView*> KnownDefinitions::View(std::string_view name) const {
  if (const auto found = views_.find(name); found != views_.end()) return &found->second;
  std::vector<std::string> names;
  names.reserve(views_.size());
  for (const auto& [known, view] : views_)
    names.push_back(known);
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no feature view {}{}", Quoted(name), Suggest(name, names)));
}

const KnownView* KnownDefinitions::ViewInAnyCase(std::string_view name) const {
  if (const auto found = views_.find(name); found != views_.end()) return &found->second;
  const auto folded = folded_.find(FoldName(name));
  return folded == folded_.end() ? nullptr : &views_.at(folded->second);
}

const OnDemandView* KnownDefinitions::OnDemand(std::string_view name) const {
  const auto found = std::ranges::find(definitions_.on_demand, name, &OnDemandView::name);
  return found == definitions_.on_demand.end() ? nullptr : &*found;
}

std::vector<const KnownView*> KnownDefinitions::StoredViewsOf(std::string_view name) const {
  std::vector<const KnownView*> views;
  if (const auto found = views_.find(name); found != views_.end()) views.push_back(&found->second);
  const OnDemandView* computed = OnDemand(name);
  if (computed == nullptr) return views;
  for (const OnDemandSource& source : computed->sources) {
    for (const KnownView* view : StoredViewsOf(source.view)) {
      if (std::ranges::find(views, view) == views.end()) views.push_back(view);
    }
  }
  return views;
}

std::vector<Field> KnownDefinitions::RequestFieldsOf(std::string_view name) const {
  std::vector<Field> fields;
  const OnDemandView* computed = OnDemand(name);
  if (computed == nullptr) return fields;
  for (const RequestSource& request : computed->requests)
    fields.insert(fields.end(), request.fields.begin(), request.fields.end());
  for (const OnDemandSource& source : computed->sources) {
    const std::vector<Field> more = RequestFieldsOf(source.view);
    fields.insert(fields.end(), more.begin(), more.end());
  }
  return fields;
}

const FeatureService* KnownDefinitions::Service(std::string_view name) const {
  const auto found = std::ranges::find(definitions_.services, name, &FeatureService::name);
  return found == definitions_.services.end() ? nullptr : &*found;
}

const Entity* KnownDefinitions::EntityNamed(std::string_view name) const {
  const auto found = std::ranges::find(definitions_.entities, name, &Entity::name);
  return found == definitions_.entities.end() ? nullptr : &*found;
}

std::vector<const KnownView*> KnownDefinitions::ViewsOfPushSource(std::string_view name) const {
  std::vector<const KnownView*> views;
  for (const auto& [view_name, view] : views_) {
    if (view.definition.push && view.definition.push->name == name) views.push_back(&view);
  }
  return views;
}

Result<std::shared_ptr<const KnownDefinitions>> DefinitionsCache::Get(const Store& store) {
  return GetAsOf(store, kMaxAgeMs);
}

Result<std::shared_ptr<const KnownDefinitions>> DefinitionsCache::GetNow(const Store& store) {
  return GetAsOf(store, 0);
}

Result<std::shared_ptr<const KnownDefinitions>> DefinitionsCache::GetAsOf(const Store& store,
                                                                          std::int64_t max_age_ms) {
  TM_ASSIGN(const std::int64_t revision, store.Revision(max_age_ms));
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(store.project());
    if (found != known_.end() && found->second->revision() == revision) return found->second;
  }
  TM_ASSIGN(const ProjectDefinitions read, store.AllDefinitions());
  TM_ASSIGN(Definitions definitions, DefinitionsFromJson(read.json));
  auto known = std::make_shared<const KnownDefinitions>(read.revision, std::move(definitions));
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(store.project(), known);
  return known;
}

}  // namespace tidemark::server
