// Names of Feast's into ours.
#include "server/flight/feast_views.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "model/name.h"

namespace tidemark::server::flight {
namespace {

bool HasSource(const FeatureView& view, std::string_view source) {
  if (view.name == source) return true;
  if (view.source) {
    const BatchSource& batch = *view.source;
    if (batch.name == source || batch.path == source || batch.table == source) return true;
  }
  return (view.push && view.push->name == source) || (view.kafka && view.kafka->name == source) ||
         (view.kinesis && view.kinesis->name == source);
}

bool HasColumns(const KnownView& view, const std::vector<std::string>& columns) {
  return std::ranges::all_of(columns, [&](const std::string& column) {
    return std::ranges::find(view.write_columns, column, &WriteColumn::name) != view.write_columns.end();
  });
}

/// The join key map of the service that gives `view` this alias.
std::map<std::string, std::string> JoinKeyMapOf(const KnownDefinitions& definitions, std::string_view view,
                                                std::string_view alias) {
  for (const FeatureService& service : definitions.all().services) {
    for (const ViewSelection& selection : service.views) {
      if (selection.view == view && selection.alias == alias) return selection.join_key_map;
    }
  }
  return {};
}

/// Features of one view, or of one under an alias.
struct Wanted {
  const KnownView* view;
  std::string name;  // in references and output
  std::vector<std::string> features;
};

/// What is wanted under `name`, made if it is new.
FeastResult<Wanted*> WantedOf(const KnownDefinitions& definitions, std::vector<Wanted>& wanted,
                              const std::map<std::string, std::string, std::less<>>& views,
                              std::string_view name) {
  if (const auto found = std::ranges::find(wanted, name, &Wanted::name); found != wanted.end())
    return &*found;
  const auto named = views.find(name);
  auto view = FeastView(definitions, named == views.end() ? name : std::string_view(named->second));
  if (!view) return std::unexpected(std::move(view).error());
  wanted.push_back({.view = *view, .name = std::string(name), .features = {}});
  return &wanted.back();
}

}  // namespace

FeastResult<const KnownView*> FeastView(const KnownDefinitions& definitions, std::string_view name) {
  auto view = definitions.View(name);
  if (!view) return std::unexpected(FeastFailure(std::move(view).error(), "FeatureViewNotFoundException"));
  return *view;
}

FeastResult<const KnownView*> ViewOfSource(const KnownDefinitions& definitions, std::string_view source,
                                           const std::vector<std::string>& columns) {
  const KnownView* found = nullptr;
  for (const FeatureView& view : definitions.all().views) {
    if (!HasSource(view, source)) continue;
    TM_ASSIGN(const KnownView* const known, definitions.View(view.name));
    if (HasColumns(*known, columns)) return known;
    found = known;
  }
  if (found != nullptr && columns.empty()) return found;
  Error error{.code = ErrorCode::kNotFound, .message = {}, .context = {}};
  error.message = found == nullptr ? fmt::format("no feature view has the data source {}", Quoted(source))
                                   : fmt::format("the data source {} does not have all of the columns {}",
                                                 Quoted(source), fmt::join(columns, ", "));
  return std::unexpected(FeastFailure(std::move(error), "DataSourceObjectNotFoundException"));
}

FeastResult<std::string> SelectionOf(const KnownDefinitions& definitions,
                                     const std::vector<std::string>& views,
                                     const std::vector<std::string>& aliases,
                                     const std::vector<std::string>& references) {
  std::map<std::string, std::string, std::less<>> named;  // alias or name -> view
  for (std::size_t i = 0; i < views.size(); ++i)
    named.emplace(i < aliases.size() && !aliases[i].empty() ? aliases[i] : views[i], views[i]);
  std::vector<Wanted> wanted;
  for (const std::string_view reference : references) {
    const std::size_t colon = reference.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == reference.size()) {
      return std::unexpected(FeastFailure(
          {.code = ErrorCode::kInvalidArgument,
           .message = fmt::format("{} is no feature reference: write view:feature", Quoted(reference)),
           .context = {}}));
    }
    const std::string_view view = reference.substr(0, std::min(colon, reference.find('@')));
    auto of_view = WantedOf(definitions, wanted, named, view);
    if (!of_view) return std::unexpected(std::move(of_view).error());
    (*of_view)->features.emplace_back(reference.substr(colon + 1));
  }
  Json selection = Json::array();
  for (const Wanted& one : wanted) {
    const std::string& view = one.view->definition.name;
    Json members{{"view", view}, {"features", one.features}};
    if (one.name != view) {
      members["alias"] = one.name;
      const auto map = JoinKeyMapOf(definitions, view, one.name);
      if (!map.empty()) members["join_key_map"] = map;
    }
    selection.push_back(std::move(members));
  }
  return selection.dump();
}

std::string ArrowTypeName(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kFloat32:
      return "float";
    case TypeKind::kFloat64:
      return "double";
    case TypeKind::kTimestamp:
      return "timestamp[us, tz=UTC]";
    case TypeKind::kDate:
      return "date32[day]";
    case TypeKind::kDecimal:
      return fmt::format("decimal128({}, {})", type.precision, type.scale);
    case TypeKind::kList:
      return fmt::format("list<item: {}>", ArrowTypeName(type.children[0].type));
    case TypeKind::kMap:
      return fmt::format("map<{}, {}>", ArrowTypeName(type.children[0].type),
                         ArrowTypeName(type.children[1].type));
    case TypeKind::kStruct: {
      std::vector<std::string> members;
      for (const NamedType& member : type.children)
        members.push_back(fmt::format("{}: {}", member.name, ArrowTypeName(member.type)));
      return fmt::format("struct<{}>", fmt::join(members, ", "));
    }
    case TypeKind::kBool:
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kString:
    case TypeKind::kBinary:
      break;
  }
  return type.ToString();
}

}  // namespace tidemark::server::flight
