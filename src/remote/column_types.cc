// What the definitions say of columns: text in CSV files is read as that, so that "007" stays text where the
// key is text.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/definition_json.h"
#include "model/feature_ref.h"
#include "model/name.h"
#include "remote/session.h"

namespace tidemark::remote {
namespace {

using Types = std::map<std::string, DataType>;

const FeatureView* ViewNamed(const Definitions& all, std::string_view name) {
  const auto plain = name.substr(name.rfind('.') + 1);  // of "database.table"
  const auto found = std::ranges::find_if(
      all.views, [&](const FeatureView& view) { return view.name == name || view.name == plain; });
  return found == all.views.end() ? nullptr : &*found;
}

/// `columns`: join key -> column of the rows, where it has another name there.
void AddKeys(const Definitions& all, const FeatureView& view,
             const std::map<std::string, std::string>& columns, Types& types) {
  for (const std::string& name : view.entities) {
    const auto entity = std::ranges::find(all.entities, name, &Entity::name);
    if (entity == all.entities.end()) continue;
    for (const JoinKey& key : entity->join_keys) {
      const auto column = columns.find(key.name);
      if (key.type) types.emplace(column == columns.end() ? key.name : column->second, *key.type);
    }
  }
}

void AddWritten(const Definitions& all, const FeatureView& view, Types& types) {
  AddKeys(all, view, {}, types);
  for (const Field& field : view.fields)
    types.emplace(field.name, field.type);
  const DataType timestamp{.kind = TypeKind::kTimestamp};
  types.emplace(view.event_column(), timestamp);
  if (!view.created_column().empty()) types.emplace(view.created_column(), timestamp);
  if (view.is_table()) types.insert_or_assign(view.table.timestamp_field, view.table.timestamp_type);
}

Result<std::vector<ViewSelection>> SelectionOf(const Definitions& all,
                                               const std::vector<std::string>& features,
                                               const std::string& service, const std::string& selection) {
  if (!selection.empty()) {
    TM_ASSIGN(FeatureService asked,
              FeatureServiceFromJson(fmt::format(R"({{"name": "request", "features": {}}})", selection)));
    return std::move(asked.views);
  }
  if (!service.empty()) {
    const auto found = std::ranges::find(all.services, service, &FeatureService::name);
    return found == all.services.end() ? std::vector<ViewSelection>() : found->views;
  }
  std::vector<ViewSelection> views;
  for (const std::string& feature : features) {
    TM_ASSIGN(FeatureRef ref, ParseFeatureRef(feature));
    views.push_back({.view = std::move(ref.view), .features = {}, .join_key_map = {}, .alias = {}});
  }
  return views;
}

}  // namespace

Result<Types> WriteTypes(const Session& session, std::string_view view_or_source) {
  TM_ASSIGN(const Definitions all, session.ReadDefinitions());
  Types types;
  for (const FeatureView& view : all.views) {
    if (view.push && view.push->name == view_or_source) AddWritten(all, view, types);
  }
  if (!types.empty()) return types;
  if (const FeatureView* const view = ViewNamed(all, view_or_source)) AddWritten(all, *view, types);
  return types;  // of an unknown name none: the server says so
}

Result<Types> KeyTypes(const Session& session, const std::vector<std::string>& features,
                       const std::string& service, const std::string& selection) {
  TM_ASSIGN(const Definitions all, session.ReadDefinitions());
  TM_ASSIGN(const auto views, SelectionOf(all, features, service, selection));
  Types types;
  for (const ViewSelection& selected : views) {
    if (const FeatureView* const view = ViewNamed(all, selected.view)) {
      AddKeys(all, *view, selected.join_key_map, types);
    }
  }
  return types;
}

}  // namespace tidemark::remote
