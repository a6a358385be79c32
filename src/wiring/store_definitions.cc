// Definitions: stating, listing and describing them, and the databases that their tables lie in.
#include <fmt/format.h>

#include "base/json.h"
#include "engine/describe.h"
#include "engine/online_rows.h"
#include "model/definition_json.h"
#include "wiring/databases.h"
#include "wiring/embedded_store_internal.h"
#include "wiring/source_bounds.h"
#include "wiring/table_schema.h"

namespace tidemark {
namespace {

ObjectKind KindOf(ObjectType type) {
  switch (type) {
    case ObjectType::kEntity:
      return ObjectKind::kEntity;
    case ObjectType::kFeatureView:
      return ObjectKind::kFeatureView;
    case ObjectType::kOnDemandView:
      return ObjectKind::kOnDemandView;
    case ObjectType::kFeatureService:
      break;
  }
  return ObjectKind::kFeatureService;
}

ObjectType TypeOf(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kEntity:
      return ObjectType::kEntity;
    case ObjectKind::kFeatureView:
      return ObjectType::kFeatureView;
    case ObjectKind::kOnDemandView:
      return ObjectType::kOnDemandView;
    case ObjectKind::kFeatureService:
    case ObjectKind::kRegisteredTable:
    case ObjectKind::kSavedDataset:
      break;
  }
  return ObjectType::kFeatureService;
}

Result<Definitions> ReadDefinitions(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && text[begin] == '{') return DefinitionsFromJson(text);
  return DefinitionsFromYaml(text);
}

static_assert(static_cast<int>(Change::Action::kRemove) == static_cast<int>(PlannedChange::Action::kRemove) &&
              static_cast<int>(Change::Action::kRename) == static_cast<int>(PlannedChange::Action::kRename) &&
              static_cast<int>(Change::Action::kChange) == static_cast<int>(PlannedChange::Action::kChange));

std::vector<Change> ToChanges(const tidemark::Plan& plan) {
  std::vector<Change> changes;
  for (const PlannedChange& planned : plan.changes) {
    changes.push_back({static_cast<Change::Action>(planned.action), TypeOf(planned.kind), planned.name,
                       planned.from_name, planned.details});
  }
  return changes;
}

}  // namespace

Result<std::vector<Change>> EmbeddedStore::Plan(std::string_view definitions, const ApplyOptions& options) {
  TM_ASSIGN(const Stated stated, Read(definitions, options));
  TM_TRY(CheckDatabases(stated.definitions));
  TM_ASSIGN(const auto plan, PlanApply(*registry_, config_.project, stated.definitions, stated.options,
                                       Opener(options.work.stop, kAllTypes)));
  return ToChanges(plan);
}

Result<std::vector<Change>> EmbeddedStore::Apply(std::string_view definitions, const ApplyOptions& options) {
  TM_ASSIGN(const Stated stated, Read(definitions, options));
  TM_TRY(CheckDatabases(stated.definitions));
  TM_TRY(tables_.CheckHere());
  TM_ASSIGN(const auto plan, tidemark::Apply(*registry_, config_.project, stated.definitions, stated.options,
                                             Opener(options.work.stop, kAllTypes), *clock_));
  TM_TRY_IN(RemoveRows(plan.dropped_view_ids, options.keep_files),
            "the definitions are applied; removing the rows of views that are gone");
  TM_TRY_IN(tables_.Follow([this] { return LoadCatalog(); }),
            "the definitions are applied; making their tables");
  return ToChanges(plan);
}

Result<void> EmbeddedStore::Teardown(const WorkOptions& work) {
  if (work.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted: nothing was removed");
  TM_TRY(tables_.CheckHere());
  TM_ASSIGN(const auto datasets, datasets_.List());
  TM_ASSIGN(const auto ids, tidemark::Teardown(*registry_, config_.project));
  TM_TRY_IN(RemoveRows(ids, false), "the definitions are removed; removing their rows");
  TM_TRY_IN(datasets_.RemoveFolders(datasets), "the definitions are removed; removing saved datasets");
  return {};
}

Result<std::int64_t> EmbeddedStore::Revision(std::int64_t max_age_ms) const {
  return revision_.Get(*registry_, config_.project, clock_->now_us(), max_age_ms);
}

Result<ProjectDefinitions> EmbeddedStore::AllDefinitions() const {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  return ProjectDefinitions{.revision = catalog->serial(), .json = ListAll(*catalog, config_.project)};
}

Result<std::string> EmbeddedStore::List(ObjectType type) const {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  return ListObjects(*catalog, KindOf(type));
}

Result<std::string> EmbeddedStore::Describe(ObjectType type, std::string_view name) const {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  LoadPlace place{.online_store = {}, .store_folder = PlainFolder()};  // of no store: nothing was loaded
  std::string plain(name);
  if (type == ObjectType::kFeatureView) {
    TM_ASSIGN(plain, ViewName(*catalog, name));
    if (HasOnline()) {
      TM_ASSIGN(const auto online, Online());
      place.online_store = online->identity();
    }
  }
  TM_ASSIGN(std::string described, DescribeObject(*catalog, *registry_, *clock_, KindOf(type), plain, place));
  const auto view = catalog->views().find(plain);
  if (type != ObjectType::kFeatureView || view == catalog->views().end() || !view->second.definition.batch)
    return described;
  TM_ASSIGN(Json document, ParseJson(described));
  TM_ASSIGN(document["computed"], ComputedRanges(view->second));
  return document.dump();
}

Result<void> EmbeddedStore::CreateTable(std::string_view schema, const CreateTableOptions& options) {
  TM_ASSIGN(const auto before, LoadCatalog());
  TM_ASSIGN(const Definitions definitions, DefinitionsOfSchema(schema, options, *before));
  TM_TRY(CheckDatabases(definitions));
  TM_TRY(tables_.CheckHere());
  const PlanOptions plan{.own_database = DatabaseOf(config_.project)};
  TM_TRY(tidemark::Apply(*registry_, config_.project, definitions, plan, Opener({}), *clock_));
  return tables_.Follow([this] { return LoadCatalog(); });
}

Result<std::vector<std::string>> EmbeddedStore::Databases() {
  TM_ASSIGN(const auto catalog, tables_.Catalog());
  return ListDatabases(*catalog, DatabaseOf(config_.project));
}

Result<void> EmbeddedStore::CreateDatabase(std::string_view name) {
  TM_ASSIGN(const auto catalog, tables_.Catalog());
  return tidemark::CreateDatabase(*catalog, DatabaseOf(config_.project), name);
}

Result<void> EmbeddedStore::DropDatabase(std::string_view name) {
  TM_ASSIGN(const auto catalog, tables_.Catalog());
  return tidemark::DropDatabase(*catalog, *registry_, DatabaseOf(config_.project), name);
}

Result<EmbeddedStore::Stated> EmbeddedStore::Read(std::string_view text, const ApplyOptions& options) const {
  Stated stated;
  TM_ASSIGN(stated.definitions, ReadDefinitions(text));
  if (!stated.definitions.project.empty() && stated.definitions.project != config_.project) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the definitions are of project '{}' and the store was opened for project '{}'",
                            stated.definitions.project, config_.project));
  }
  stated.options.remove_missing = options.remove_missing;
  stated.options.own_database = DatabaseOf(config_.project);
  stated.options.describe_query = [this, stop = options.work.stop](const FeatureView& view,
                                                                   const std::vector<CatalogView>& inputs) {
    return sql_.DescribeBatch(view, inputs, stop);
  };
  TM_ASSIGN(const auto catalog, LoadCatalog());
  if (options.source_folders) {
    TM_TRY(tidemark::CheckSources(stated.definitions, *catalog,
                                  {.store_folder = PlainFolder(), .folders = *options.source_folders}));
  }
  for (const auto& [type, name] : options.remove) {
    std::string plain = name;
    if (type == ObjectType::kFeatureView) {
      TM_ASSIGN(plain, ViewName(*catalog, name));
    }
    stated.options.remove.emplace_back(KindOf(type), std::move(plain));
  }
  return stated;
}

Result<void> EmbeddedStore::CheckDatabases(const Definitions& definitions) {
  if (!NameDatabases(definitions)) return {};
  TM_ASSIGN(const auto catalog, tables_.Catalog());
  return tidemark::CheckDatabases(*catalog, DatabaseOf(config_.project), definitions);
}

Result<void> EmbeddedStore::RemoveRows(const std::vector<std::uint32_t>& view_ids, bool keep_files) {
  TM_TRY(tables_.Drop(view_ids, keep_files));
  if (view_ids.empty() || !HasOnline()) return {};
  TM_ASSIGN(const auto online, Online());
  for (const std::uint32_t id : view_ids)
    TM_TRY(online->RemovePrefix(ViewPrefix(id)));
  return online->Sync();
}

Result<std::string> NormalizeDefinitions(std::string_view text) {
  TM_ASSIGN(const Definitions definitions, ReadDefinitions(text));
  return ToJson(definitions);
}

}  // namespace tidemark
