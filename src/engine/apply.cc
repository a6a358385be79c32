// Turns matched and completed definitions into a plan and the transaction that carries it out.
#include "engine/apply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/apply_targets_internal.h"
#include "engine/definition_diff.h"
#include "engine/key_fields_internal.h"
#include "engine/on_demand.h"
#include "engine/stream_transform.h"
#include "engine/view_completion.h"
#include "model/definition_json.h"
#include "model/name.h"
#include "model/widening.h"

namespace tidemark {
namespace {

/// How often a plan is made when somebody else keeps changing the project.
constexpr int kAttemptsMax = 5;

/// A plan and the transaction that carries it out.
struct Prepared {
  Plan plan;
  std::int64_t serial = 0;
  std::vector<RegistryChange> changes;
};

/// What the keys of a view's online rows are made of. Integers of both widths have the same bytes.
std::vector<std::pair<std::string, TypeKind>> KeyShape(const std::vector<JoinKey>& keys) {
  std::vector<std::pair<std::string, TypeKind>> shape;
  for (const JoinKey& key : keys) {
    const TypeKind kind = key.type ? key.type->kind : TypeKind::kInt64;
    shape.emplace_back(key.name, kind == TypeKind::kInt32 ? TypeKind::kInt64 : kind);
  }
  std::ranges::sort(shape);
  return shape;
}

std::vector<JoinKey> JoinKeysOf(const std::vector<Entity*>& entities) {
  std::vector<JoinKey> keys;
  for (const Entity* entity : entities)
    keys.insert(keys.end(), entity->join_keys.begin(), entity->join_keys.end());
  return keys;
}

std::string KeysText(const std::vector<JoinKey>& keys) {
  std::vector<std::string> texts;
  for (const JoinKey& key : keys) {
    texts.push_back(key.type ? fmt::format("{} {}", key.name, key.type->ToString()) : key.name);
  }
  std::ranges::sort(texts);
  return texts.empty() ? "(none)" : fmt::format("{}", fmt::join(texts, ", "));
}

std::unexpected<Error> TableCannotChange(const std::string& view, std::string_view what) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("feature view '{}' keeps rows of its own, and {} cannot change under them; make a table "
                  "of another name, or remove this one first",
                  view, what));
}

/// Rows of a table may have keys that the narrower type has not.
Result<void> CheckKeysNotNarrower(const std::string& view, const std::vector<JoinKey>& before,
                                  const std::vector<JoinKey>& after) {
  for (const JoinKey& key : after) {
    const auto old = std::ranges::find(before, key.name, &JoinKey::name);
    if (old == before.end() || !old->type || !key.type || !IsWidened(*key.type, *old->type)) continue;
    return TableCannotChange(
        view, fmt::format("the type of its join key '{}' (from {} to {}; int32 may become int64)", key.name,
                          old->type->ToString(), key.type->ToString()));
  }
  return {};
}

/// What a table may become: it can get fields, and wider ones.
Result<void> CheckTableChange(const FeatureView& before, const FeatureView& after) {
  if (!after.is_table()) return TableCannotChange(after.name, "its place (it would have a batch source)");
  TableOptions same_place = after.table;
  same_place.catalog = before.table.catalog;
  same_place.database = before.table.database;
  if (same_place != before.table) return TableCannotChange(after.name, "its times and partitions");
  if (before.batch.has_value() != after.batch.has_value()) {
    return TableCannotChange(after.name, before.batch ? "that a query computes them (it would have none)"
                                                      : "that they are written (a query would compute them)");
  }
  for (const Field& field : before.fields) {
    const auto kept = std::ranges::find(after.fields, field.name, &Field::name);
    if (kept == after.fields.end()) {
      return TableCannotChange(after.name, fmt::format("its field '{}' (it would be gone)", field.name));
    }
    if (kept->type == field.type || IsWidened(field.type, kept->type)) continue;
    return TableCannotChange(
        after.name,
        fmt::format("the type of its field '{}' (from {} to {}; int32 may become int64, and float32 "
                    "float64)",
                    field.name, field.type.ToString(), kept->type.ToString()));
  }
  return {};
}

/// The column of the files that definitions call `name`.
const std::string& ColumnOf(const BatchSource& source, const std::string& name) {
  const auto mapped =
      std::ranges::find(source.field_mapping, name, [](const auto& member) { return member.second; });
  return mapped == source.field_mapping.end() ? name : mapped->first;
}

/// Where the rows of a source in a warehouse come from; empty for files.
std::string IdentityOf(const BatchSource& source) {
  return source.warehouse ? source.warehouse->identity() : "";
}

/// A definition that was printed shows no secret; applied again, it means the one that is known.
void KeepSecrets(const Catalog& catalog, FeatureView& view) {
  if (!view.source || !view.source->warehouse) return;
  auto known = catalog.views().find(view.name);
  if (known == catalog.views().end() && view.renamed_from) known = catalog.views().find(*view.renamed_from);
  if (known == catalog.views().end()) return;
  const auto& source = known->second.definition.source;
  if (source && source->warehouse) RestoreSecrets(*source->warehouse, *view.source->warehouse);
}

class Planner {
 public:
  Planner(const Catalog& catalog, const PlanOptions& options, const SourceOpener& open)
      : catalog_(catalog), options_(options), open_(open) {}

  Result<Prepared> Run(const Definitions& definitions);

 private:
  void KeepKeyTypes();
  Result<void> CompleteViews();
  Result<void> CompleteOne(Target<FeatureView>& view);
  Result<void> CompleteFromSource(Target<FeatureView>& view);
  Result<std::vector<CatalogView>> InputsOf(const FeatureView& view);
  Result<void> CheckRegisteredTables() const;
  bool HasOtherKeys(const Target<FeatureView>& view);
  static bool HasOtherTimes(const Target<FeatureView>& view);
  bool ReadsOtherData(const Target<FeatureView>& view) const;
  Result<void> AddViewChange(const Target<FeatureView>& view);
  template <typename Definition>
  Result<void> AddChange(ObjectKind kind, const Target<Definition>& target);
  template <typename Definition>
  Result<void> AddRemovals(ObjectKind kind, const std::vector<Target<Definition>>& targets);
  Result<std::uint32_t> IdOf(ObjectKind kind, const std::string& name) const;

  const Catalog& catalog_;
  const PlanOptions& options_;
  const SourceOpener& open_;
  Targets targets_;
  std::set<const Target<FeatureView>*> completed_;
  Prepared prepared_;
};

/// A join key whose type is not stated keeps the one that was found before.
void Planner::KeepKeyTypes() {
  for (Target<Entity>& entity : targets_.entities) {
    if (entity.before == nullptr) continue;
    for (JoinKey& key : entity.definition.join_keys) {
      const auto before = std::ranges::find(entity.before->join_keys, key.name, &JoinKey::name);
      if (!key.type && before != entity.before->join_keys.end()) key.type = before->type;
    }
  }
}

/// SQL and other engines find views and registered tables under one kind of name.
Result<void> Planner::CheckRegisteredTables() const {
  std::map<std::string, std::string> registered;  // by folded name
  for (const RegistryObject& object : catalog_.state().objects) {
    if (object.kind == ObjectKind::kRegisteredTable) registered.emplace(FoldName(object.name), object.name);
  }
  for (const Target<FeatureView>& view : targets_.views) {
    if (view.is_removed) continue;
    const std::string& stated = view.definition.table.database;
    const std::string& database = stated.empty() ? options_.own_database : stated;
    const auto found = registered.find(FoldName(database + "." + view.definition.name));
    if (found == registered.end()) continue;
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("feature view '{}' would have the name of registered table '{}': choose another one, "
                    "or drop that table",
                    view.definition.name, found->second));
  }
  return {};
}

bool Planner::HasOtherKeys(const Target<FeatureView>& view) {
  // Without types there were no rows yet.
  if (view.before == nullptr || !catalog_.views().at(view.before->name).is_typed()) return false;
  const std::vector<JoinKey>& before = catalog_.views().at(view.before->name).join_keys;
  return KeyShape(before) != KeyShape(JoinKeysOf(targets_.EntitiesOf(view.definition)));
}

bool Planner::HasOtherTimes(const Target<FeatureView>& view) {
  if (view.before == nullptr || view.before->is_table()) return false;
  if (!view.definition.source) return true;  // it becomes a table
  const BatchSource& before = *view.before->source;
  const BatchSource& after = *view.definition.source;
  return before.timestamp_field != after.timestamp_field ||
         before.created_timestamp_column != after.created_timestamp_column;
}

/// True if what is online was read from other files, or from other columns of them. A field that is renamed
/// along with its mapping is the same column.
bool Planner::ReadsOtherData(const Target<FeatureView>& view) const {
  if (view.is_removed || !view.definition.online) return false;
  if (view.before == nullptr || !view.before->source || !view.definition.source) return false;
  const BatchSource& before = *view.before->source;
  const BatchSource& after = *view.definition.source;
  if (before.place() != after.place() || before.format != after.format) return true;
  if (IdentityOf(before) != IdentityOf(after)) return true;
  const auto is_moved = [&](const std::string& name_before, const std::string& name) {
    return ColumnOf(before, name_before) != ColumnOf(after, name);
  };
  for (const Field& field : view.definition.fields) {
    const auto same = std::ranges::find(view.before->fields, field.id, &Field::id);
    if (same != view.before->fields.end() && is_moved(same->name, field.name)) return true;
  }
  for (const JoinKey& key : catalog_.views().at(view.before->name).join_keys) {
    if (is_moved(key.name, key.name)) return true;
  }
  return is_moved(before.timestamp_field, after.timestamp_field) ||
         is_moved(before.created_timestamp_column, after.created_timestamp_column);
}

Result<void> Planner::CompleteViews() {
  for (Target<FeatureView>& view : targets_.views)
    TM_TRY(CompleteOne(view));
  return {};
}

Result<void> Planner::CompleteOne(Target<FeatureView>& view) {
  if (!completed_.insert(&view).second) return {};
  if (!view.is_removed && view.before != nullptr && view.before->is_table()) {
    TM_TRY(CheckKeysNotNarrower(view.definition.name, catalog_.views().at(view.before->name).join_keys,
                                JoinKeysOf(targets_.EntitiesOf(view.definition))));
  }
  // One that is not stated is as its source was when it was applied, unless its entities became others.
  if (view.is_removed || (!view.is_stated && !HasOtherKeys(view))) return {};
  TM_TRY(CompleteFromSource(view));
  if (view.before != nullptr && view.before->is_table()) {
    if (HasOtherKeys(view)) return TableCannotChange(view.definition.name, "its join keys");
    TM_TRY(CheckTableChange(*view.before, view.definition));
  }
  AssignFieldIds(view.before == nullptr ? nullptr : &catalog_.views().at(view.before->name), view.definition);
  return {};
}

Result<void> Planner::CompleteFromSource(Target<FeatureView>& view) {
  const auto entities = targets_.EntitiesOf(view.definition);
  if (!view.definition.batch) return CompleteView(entities, open_, view.definition);
  const std::string place = fmt::format("feature view {}", view.definition.name);
  if (!options_.describe_query) {
    return std::unexpected(
        Error{ErrorCode::kUnsupported, "there is no SQL engine here to check its query", {}}.In(place));
  }
  auto inputs = InputsOf(view.definition);
  if (!inputs) return std::unexpected(std::move(inputs).error().In(place));
  auto columns = options_.describe_query(view.definition, *inputs);
  if (!columns) return std::unexpected(std::move(columns).error().In("the query").In(place));
  return CompleteByQuery(entities, **columns, view.definition);
}

/// The views that a query reads, as they will be.
Result<std::vector<CatalogView>> Planner::InputsOf(const FeatureView& view) {
  std::vector<CatalogView> inputs;
  for (const std::string& name : view.batch->views) {
    const auto found = std::ranges::find_if(targets_.views, [&](const Target<FeatureView>& target) {
      return !target.is_removed && target.definition.name == name;
    });
    if (found == targets_.views.end())
      return Fail(ErrorCode::kNotFound, fmt::format("feature view {} is not defined", Quoted(name)));
    TM_TRY(CompleteOne(*found));
    CatalogView& input = inputs.emplace_back();
    input.definition = found->definition;
    input.join_keys = JoinKeysOf(targets_.EntitiesOf(found->definition));
    std::ranges::sort(input.join_keys, {}, &JoinKey::name);
    if (input.is_typed()) continue;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("its query reads feature view {}, whose join keys have no types yet: declare them in "
                    "its entities, or write its first rows before",
                    Quoted(name)));
  }
  return inputs;
}

Result<std::uint32_t> Planner::IdOf(ObjectKind kind, const std::string& name) const {
  TM_ASSIGN(const RegistryObject* object, catalog_.Object(kind, name));
  return object->id;
}

template <typename Definition>
Result<void> Planner::AddChange(ObjectKind kind, const Target<Definition>& target) {
  const Definition& after = target.definition;
  if (target.is_removed || (target.before != nullptr && *target.before == after)) return {};
  RegistryChange change{.id = 0, .kind = kind, .name = after.name, .document = ToJson(after)};
  PlannedChange planned{.action = PlannedChange::Action::kAdd,
                        .kind = kind,
                        .name = after.name,
                        .from_name = {},
                        .details = {}};
  if (target.before == nullptr) {
    planned.details = Summary(after);
  } else {
    TM_ASSIGN(change.id, IdOf(kind, target.before->name));
    planned.action = target.is_renamed() ? PlannedChange::Action::kRename : PlannedChange::Action::kChange;
    if (target.is_renamed()) planned.from_name = target.before->name;
    planned.details = Differences(*target.before, after);
  }
  prepared_.plan.changes.push_back(std::move(planned));
  prepared_.changes.push_back(std::move(change));
  return {};
}

/// Rows under keys of another make would be found by nobody, or by the wrong one, and rows that were ordered
/// by other times could win over later ones: the view goes on under a new id.
Result<void> Planner::AddViewChange(const Target<FeatureView>& view) {
  const bool other_keys = HasOtherKeys(view);
  if (view.is_removed || (!other_keys && !HasOtherTimes(view))) {
    TM_TRY(AddChange(ObjectKind::kFeatureView, view));
    if (ReadsOtherData(view)) {
      prepared_.plan.changes.back().details.emplace_back(
          "online values are those of the source as it was until they are materialized again; then all is "
          "loaded");
    }
    return {};
  }
  const FeatureView& after = view.definition;
  TM_ASSIGN(const std::uint32_t id, IdOf(ObjectKind::kFeatureView, view.before->name));
  prepared_.changes.push_back({.id = id,
                               .kind = ObjectKind::kFeatureView,
                               .name = view.before->name,
                               .document = {},
                               .remove = true});
  prepared_.changes.push_back(
      {.id = 0, .kind = ObjectKind::kFeatureView, .name = after.name, .document = ToJson(after)});
  prepared_.plan.dropped_view_ids.push_back(id);
  PlannedChange planned{
      .action = view.is_renamed() ? PlannedChange::Action::kRename : PlannedChange::Action::kChange,
      .kind = ObjectKind::kFeatureView,
      .name = after.name,
      .from_name = view.is_renamed() ? view.before->name : std::string(),
      .details = Differences(*view.before, after)};
  planned.details.insert(
      planned.details.begin(),
      other_keys ? fmt::format("join keys: {} -> {} (online rows are dropped: materialize again)",
                               KeysText(catalog_.views().at(view.before->name).join_keys),
                               KeysText(JoinKeysOf(targets_.EntitiesOf(after))))
                 : "rows are ordered by other times (online rows are dropped: materialize again)");
  prepared_.plan.changes.push_back(std::move(planned));
  return {};
}

template <typename Definition>
Result<void> Planner::AddRemovals(ObjectKind kind, const std::vector<Target<Definition>>& targets) {
  for (const Target<Definition>& target : targets) {
    if (!target.is_removed) continue;
    const std::string& name = target.before->name;
    TM_ASSIGN(const std::uint32_t id, IdOf(kind, name));
    prepared_.changes.push_back({.id = id, .kind = kind, .name = name, .document = {}, .remove = true});
    prepared_.plan.changes.push_back({.action = PlannedChange::Action::kRemove,
                                      .kind = kind,
                                      .name = name,
                                      .from_name = {},
                                      .details = {}});
    if constexpr (std::is_same_v<Definition, FeatureView>) {
      prepared_.plan.dropped_view_ids.push_back(id);
      prepared_.plan.changes.back().details.emplace_back(
          target.before->is_table() ? "its rows are removed for good, offline and online"
                                    : "its online rows are dropped");
    }
  }
  return {};
}

Result<Prepared> Planner::Run(const Definitions& definitions) {
  TM_ASSIGN(targets_, MatchTargets(catalog_, definitions, options_));
  KeepKeyTypes();
  TM_TRY(CompleteViews());
  TM_TRY(CheckRegisteredTables());
  // Once more with all that was found out: a column that became a feature may clash with another.
  TM_TRY(CheckDefinitions(targets_.Live(), {}));
  TM_TRY(CheckExpressions(targets_.Live()));
  TM_TRY(CheckStreamTransforms(targets_.Live()));
  prepared_.serial = catalog_.serial();
  for (const auto& entity : targets_.entities)
    TM_TRY(AddChange(ObjectKind::kEntity, entity));
  for (const auto& view : targets_.views)
    TM_TRY(AddViewChange(view));
  for (const auto& view : targets_.on_demand)
    TM_TRY(AddChange(ObjectKind::kOnDemandView, view));
  for (const auto& service : targets_.services)
    TM_TRY(AddChange(ObjectKind::kFeatureService, service));
  TM_TRY(AddRemovals(ObjectKind::kFeatureService, targets_.services));
  TM_TRY(AddRemovals(ObjectKind::kOnDemandView, targets_.on_demand));
  TM_TRY(AddRemovals(ObjectKind::kFeatureView, targets_.views));
  TM_TRY(AddRemovals(ObjectKind::kEntity, targets_.entities));
  return std::move(prepared_);
}

Result<Prepared> Prepare(const Registry& registry, std::string_view project, const Definitions& definitions,
                         const PlanOptions& options, const SourceOpener& open) {
  TM_TRY(CheckName("project", project));
  if (!definitions.project.empty() && definitions.project != project) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the definitions are of project '{}', and the store is opened for project '{}'. Open it "
                    "for that project, or leave the project out of the definitions",
                    definitions.project, project));
  }
  TM_ASSIGN(const std::shared_ptr<const Catalog> catalog, Catalog::Load(registry, project));
  TM_ASSIGN(Definitions stated, WithoutKeyFields(definitions, *catalog));
  for (FeatureView& view : stated.views)
    KeepSecrets(*catalog, view);
  return Planner(*catalog, options, open).Run(stated);
}

}  // namespace

Result<Plan> PlanApply(const Registry& registry, std::string_view project, const Definitions& definitions,
                       const PlanOptions& options, const SourceOpener& open) {
  TM_ASSIGN(Prepared prepared, Prepare(registry, project, definitions, options, open));
  return std::move(prepared.plan);
}

Result<Plan> Apply(Registry& registry, std::string_view project, const Definitions& definitions,
                   const PlanOptions& options, const SourceOpener& open, const Clock& clock) {
  for (int attempt = 1;; ++attempt) {
    TM_ASSIGN(Prepared prepared, Prepare(registry, project, definitions, options, open));
    if (prepared.changes.empty()) return std::move(prepared.plan);
    auto committed = registry.Commit(project, prepared.serial, prepared.changes, clock.now_us());
    if (committed) return std::move(prepared.plan);
    if (committed.error().code != ErrorCode::kBusy || attempt == kAttemptsMax) {
      return std::unexpected(std::move(committed).error());
    }
    TM_ASSIGN(const std::int64_t serial, registry.Serial(project));
    const bool was_overtaken = serial != prepared.serial;
    if (!was_overtaken) return std::unexpected(std::move(committed).error());
  }
}

Result<std::vector<std::uint32_t>> Teardown(Registry& registry, std::string_view project) {
  TM_ASSIGN(const RegistryState state, registry.Load(project));
  std::set<std::uint32_t> others;
  for (const RegistryObject& object : state.objects) {
    const bool has_rows =
        object.kind == ObjectKind::kFeatureView || object.kind == ObjectKind::kRegisteredTable;
    if (!has_rows) others.insert(object.id);
  }
  TM_ASSIGN(std::vector<std::uint32_t> ids, registry.RemoveProject(project));
  std::erase_if(ids, [&](std::uint32_t id) { return others.contains(id); });
  return ids;
}

}  // namespace tidemark
