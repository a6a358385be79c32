// entities | views | fields | services, each with list and describe.
#include <fmt/format.h>

#include "base/json.h"
#include "cli/definition_documents.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

/// How objects of one type are listed: columns, and an object's cells.
struct Listing {
  ObjectType type;
  std::vector<std::string> columns;
  Row (*cells)(const Json& definition);
};

std::string Joined(const Json& list, const char* member = nullptr) {
  std::string text;
  for (const Json& each : list) {
    const Json& named = member != nullptr && each.is_object() ? each.at(member) : each;
    text += (text.empty() ? "" : ", ") + CellText(named);
  }
  return text;
}

Row EntityCells(const Json& entity) {
  std::string keys;
  for (const Json& key : entity.value("join_keys", Json::array())) {
    keys += keys.empty() ? "" : ", ";
    keys +=
        key.is_object() ? fmt::format("{} {}", key.value("name", ""), key.value("type", "")) : CellText(key);
  }
  return {entity["name"], keys, entity.value("description", ""), entity.value("owner", "")};
}

/// Where rows come from: a path, a table with its schema, or a query.
Json SourcePlace(const Json& source) {
  for (const char* member : {"path", "query"}) {
    if (source.contains(member)) return source[member];
  }
  if (!source.contains("table")) return {};
  std::string place = source["table"].text();
  for (const char* outer : {"schema", "catalog"}) {
    if (source.contains(outer)) place = fmt::format("{}.{}", source.value(outer, ""), place);
  }
  return place;
}

Row ViewCells(const Json& view) {
  const Json source = view.value("source", Json::object());
  return {view["name"],
          Joined(view.value("entities", Json::array())),
          view.value("fields", Json::array()).size(),
          view.contains("ttl") ? view["ttl"] : Json("0s"),
          view.value("online", true),
          SourcePlace(source),
          view.value("description", "")};
}

/// Views and request sources that features are computed from.
Row OnDemandCells(const Json& view) {
  std::string sources;
  for (const Json& source : view.value("sources", Json::array())) {
    sources += sources.empty() ? "" : ", ";
    sources += source.contains("view") ? source.value("view", "") : source.value("request", "");
  }
  return {view["name"], view.value("mode", ""), sources, view.value("fields", Json::array()).size(),
          view.value("description", "")};
}

Row ServiceCells(const Json& service) {
  return {service["name"], Joined(service.value("features", Json::array()), "view"),
          service.value("description", "")};
}

Result<void> List(const Session& session, const Listing& listing) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const auto documents, ListObjects(*store, listing.type));
  std::vector<Row> rows;
  for (const Json& document : documents)
    rows.push_back(listing.cells(document));
  return PrintRows(session.output, listing.columns, rows);
}

Result<void> DescribeOne(const Session& session, ObjectType type, const std::string& name) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(Json described, DescribeObject(*store, type, name));
  // The definition says again what the spec says, where there is one; a person reads one of them.
  if (session.output == OutputFormat::kTable && described.contains("spec")) described.erase("definition");
  return PrintDocument(session.output, described);
}

Row FieldCells(const Json& view, const Json& field) {
  return {view["name"], field["name"], field.value("type", ""), field.value("description", "")};
}

const std::vector<std::string> kFieldColumns{"view", "name", "type", "description"};

Result<void> ListFields(const Session& session, const std::string& view) {
  TM_ASSIGN(const auto store, session.Open());
  std::vector<Json> views;
  if (view.empty()) {
    TM_ASSIGN(views, ListObjects(*store, ObjectType::kFeatureView));
  } else {
    TM_ASSIGN(const Json described, DescribeObject(*store, ObjectType::kFeatureView, view));
    views.push_back(described.value("definition", Json::object()));
  }
  std::vector<Row> rows;
  for (const Json& each : views) {
    for (const Json& field : each.value("fields", Json::array()))
      rows.push_back(FieldCells(each, field));
  }
  return PrintRows(session.output, kFieldColumns, rows);
}

Result<void> DescribeField(const Session& session, const std::string& text) {
  TM_ASSIGN(const FeatureName name, SplitFeature(text));
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const Json described, DescribeObject(*store, ObjectType::kFeatureView, name.view));
  const Json view = described.value("definition", Json::object());
  for (const Json& field : view.value("fields", Json::array())) {
    if (field.value("name", "") != name.feature) continue;
    Json document{{"view", name.view}};
    for (const auto& [member, value] : field.items())
      document[member] = value;
    return PrintDocument(session.output, document);
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("view '{}' has no feature '{}'; its features are: {}", name.view, name.feature,
                          Joined(view.value("fields", Json::array()), "name")));
}

void AddObjectCommands(Command app, Session& session, const std::string& name, const std::string& what,
                       const Listing& listing) {
  const Command group = app.add_subcommand(name, what);
  group.require_subcommand();
  group.add_subcommand("list", "List all").callback([&session, listing] {
    session.command = [&session, listing] { return List(session, listing); };
  });
  const Command describe = group.add_subcommand("describe", "Show one, with its spec and versions");
  const auto wanted = std::make_shared<std::string>();
  describe.add_option("name", *wanted, "Its name").required();
  describe.callback([&session, listing, wanted] {
    session.command = [&session, listing, wanted] { return DescribeOne(session, listing.type, *wanted); };
  });
}

void AddFieldCommands(Command app, Session& session) {
  const Command group = app.add_subcommand("fields", "Features of the views");
  group.require_subcommand();
  const Command list = group.add_subcommand("list", "List the features of all views or one");
  const auto view = std::make_shared<std::string>();
  list.add_option("view", *view, "Only of this view");
  list.callback(
      [&session, view] { session.command = [&session, view] { return ListFields(session, *view); }; });
  const Command describe = group.add_subcommand("describe", "Show one feature");
  const auto feature = std::make_shared<std::string>();
  describe.add_option("feature", *feature, "view:feature").required();
  describe.callback([&session, feature] {
    session.command = [&session, feature] { return DescribeField(session, *feature); };
  });
}

}  // namespace

void AddListCommands(Command app, Session& session) {
  AddObjectCommands(app, session, "entities", "What features are about",
                    {ObjectType::kEntity, {"name", "join_keys", "description", "owner"}, EntityCells});
  AddObjectCommands(app, session, "views", "Feature views",
                    {ObjectType::kFeatureView,
                     {"name", "entities", "features", "ttl", "online", "source", "description"},
                     ViewCells});
  AddFieldCommands(app, session);
  AddObjectCommands(
      app, session, "on-demand-views", "Views that are computed when they are asked for",
      {ObjectType::kOnDemandView, {"name", "mode", "sources", "features", "description"}, OnDemandCells});
  AddObjectCommands(app, session, "services", "Feature services",
                    {ObjectType::kFeatureService, {"name", "features", "description"}, ServiceCells});
}

}  // namespace tidemark::cli
