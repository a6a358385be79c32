// Puts together what the registry knows of an object.
#include "engine/describe.h"

#include <limits>

#include "base/json.h"
#include "base/redaction.h"
#include "base/result.h"
#include "engine/age.h"
#include "engine/load_log.h"
#include "model/definition_json.h"
#include "model/time.h"

namespace tidemark {
namespace {

/// Paths may be any bytes; what is not UTF-8 in them is shown as U+FFFD.
std::string ToText(const Json& json) {
  return json.dump();
}

/// The definition that the registry has, without the secrets in it.
Json Shown(const RegistryObject& object) {
  Json json = Json::parse(object.document);
  const auto source = json.find("source");
  if (source == json.end()) return json;
  if (const auto uri = source->find("uri"); uri != source->end())
    *uri = RedactOption("uri", uri->get<std::string>());
  if (const auto options = source->find("options"); options != source->end()) {
    for (auto& [name, value] : options->members())
      value = RedactOption(name, value.get<std::string>());
  }
  return json;
}

Json OpenTime(std::int64_t us) {
  if (us == std::numeric_limits<std::int64_t>::min()) return nullptr;
  return FormatTimestampUs(us);
}

/// When and from where to a view was loaded, and how fresh it is.
Result<Json> OnlineState(const Registry& registry, const Clock& clock, std::uint32_t id,
                         const LoadPlace& place) {
  TM_ASSIGN(const auto note, registry.GetNote(id, kLoadLogNote));
  if (!note) return Json();
  TM_ASSIGN(const LoadLog log, LoadLogFromJson(*note, place.store_folder));
  if (log.online_store != place.online_store) return Json();
  Json files = Json::array();
  for (const LoadedFile& file : log.files)
    files.push_back(file.file.path);
  Json state{{"loaded_at", FormatTimestampUs(log.loaded_at_us)},
             {"from", OpenTime(log.last.start_us)},
             {"to", FormatTimestampUs(log.last.end_us)},
             {"rows_written", log.rows_written},
             {"files", std::move(files)}};
  if (log.newest_event_us) {
    state["newest_event_timestamp"] = FormatTimestampUs(*log.newest_event_us);
    state["age"] = FormatDurationUs(std::max<std::int64_t>(0, AgeUs(*log.newest_event_us, clock.now_us())));
  }
  return state;
}

std::vector<Entity> EntitiesOf(const Catalog& catalog, const FeatureView& view) {
  std::vector<Entity> entities;
  for (const std::string& name : view.entities) {
    if (const auto found = catalog.entities().find(name); found != catalog.entities().end()) {
      entities.push_back(found->second);
    }
  }
  return entities;
}

Json AllOf(const Catalog& catalog, ObjectKind kind) {
  Json list = Json::array();
  for (const RegistryObject& object : catalog.state().objects) {
    if (object.kind == kind) list.push_back(Shown(object));
  }
  return list;
}

}  // namespace

std::string ListObjects(const Catalog& catalog, ObjectKind kind) {
  return ToText(AllOf(catalog, kind));
}

std::string ListAll(const Catalog& catalog, std::string_view project) {
  return ToText({{"project", project},
                 {"entities", AllOf(catalog, ObjectKind::kEntity)},
                 {"feature_views", AllOf(catalog, ObjectKind::kFeatureView)},
                 {"on_demand_feature_views", AllOf(catalog, ObjectKind::kOnDemandView)},
                 {"feature_services", AllOf(catalog, ObjectKind::kFeatureService)}});
}

Result<std::string> DescribeObject(const Catalog& catalog, const Registry& registry, const Clock& clock,
                                   ObjectKind kind, std::string_view name, const LoadPlace& place) {
  TM_ASSIGN(const RegistryObject* object, catalog.Object(kind, name));
  TM_ASSIGN(const auto versions, registry.Versions(object->id));
  Json version_list = Json::array();
  for (const RegistryObject& version : versions) {
    version_list.push_back({{"version", version.version}, {"at", FormatTimestampUs(version.updated_us)}});
  }
  Json json{{"kind", ObjectKindName(kind)},
            {"name", object->name},
            {"id", object->id},
            {"definition", Shown(*object)},
            {"meta",
             {{"createdTimestamp", FormatTimestampUs(object->created_us)},
              {"lastUpdatedTimestamp", FormatTimestampUs(object->updated_us)},
              {"version", object->version}}},
            {"versions", std::move(version_list)}};
  if (kind == ObjectKind::kFeatureView) {
    TM_ASSIGN(const CatalogView* view, catalog.DefinedView(name));
    const SpecMeta meta{object->created_us, object->updated_us, object->version};
    json["spec"] =
        Json::parse(ToSpecJson(view->definition, EntitiesOf(catalog, view->definition), meta))["spec"];
    TM_ASSIGN(Json online, OnlineState(registry, clock, object->id, place));
    // Rows of a table come online as they are written; loading adds only what was not due then.
    if (view->definition.is_table() && view->definition.online) online["kept_by_writes"] = true;
    json["online"] = std::move(online);
  }
  return ToText(json);
}

}  // namespace tidemark
