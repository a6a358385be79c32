// Tables are made of the schema as it comes; one that is there already is compared with it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "model/name.h"
#include "server/json/json_text.h"
#include "server/rows/json_rows.h"
#include "server/semantix/table_requests_internal.h"

namespace tidemark::server {
namespace {

using http::Request;
using http::Response;
using simdjson::dom::element;

constexpr std::string_view kTimeColumn = "event_timestamp";

Error WrongSchema(std::string_view what) {
  return {
      .code = ErrorCode::kInvalidArgument,
      .message = fmt::format("the schema {}; it is {{\"name\": \"t\", \"entities\": [\"id\"], \"schema\": "
                             "[{{\"name\": \"event_timestamp\", \"type\": \"timestamp\"}}]}}",
                             what),
      .context = {}};
}

/// What a schema says: enough to compare a table with.
struct WantedTable {
  std::string name;
  std::vector<std::string> entities;
  std::map<std::string, DataType> columns;
};

Result<WantedTable> ReadWanted(element root) {
  WantedTable wanted;
  std::string_view name;
  simdjson::dom::array entities;
  simdjson::dom::array columns;
  if (root["name"].get(name) != simdjson::SUCCESS) return std::unexpected(WrongSchema("has no name"));
  if (root["entities"].get(entities) != simdjson::SUCCESS)
    return std::unexpected(WrongSchema("has no list of entities"));
  if (root["schema"].get(columns) != simdjson::SUCCESS)
    return std::unexpected(WrongSchema("has no list of columns"));
  wanted.name = name;
  for (const element entity : entities) {
    std::string_view text;
    if (entity.get(text) != simdjson::SUCCESS)
      return std::unexpected(WrongSchema("has an entity that is no name"));
    wanted.entities.emplace_back(text);
  }
  for (const element column : columns) {
    std::string_view column_name;
    std::string_view type_name;
    if (column["name"].get(column_name) != simdjson::SUCCESS ||
        column["type"].get(type_name) != simdjson::SUCCESS)
      return std::unexpected(WrongSchema("has a column that is not {\"name\", \"type\"}"));
    TM_ASSIGN(DataType type, DataType::Parse(std::string(type_name)));
    wanted.columns.emplace(column_name, std::move(type));
  }
  return wanted;
}

/// How a table that is there differs from what is wanted; nothing if it does not.
std::optional<std::string> DifferenceTo(const WantedTable& wanted, const KnownView& view) {
  std::map<std::string, DataType> columns = wanted.columns;
  std::vector<std::string> entities = wanted.entities;
  std::ranges::sort(entities);
  std::vector<std::string> keys;
  for (const JoinKey& key : view.join_keys) {
    keys.push_back(key.name);
    const auto stated = columns.extract(key.name);
    if (!stated.empty() && key.type && stated.mapped() != *key.type)
      return fmt::format("its entity {} is {}", key.name, key.type->ToString());
  }
  std::ranges::sort(keys);
  if (keys != entities) return fmt::format("its entities are {}", fmt::join(keys, ", "));
  columns.erase(std::string(kTimeColumn));
  for (const Field& field : view.definition.fields) {
    const auto stated = columns.extract(field.name);
    if (stated.empty()) return fmt::format("it has the feature {} too", field.name);
    if (stated.mapped() != field.type)
      return fmt::format("its feature {} is {}", field.name, field.type.ToString());
  }
  if (!columns.empty()) return fmt::format("it has no feature {}", columns.begin()->first);
  return std::nullopt;
}

void AppendColumn(std::string& out, std::string_view name, std::string_view type) {
  if (!out.ends_with('[')) out.push_back(',');
  out.append("{\"name\":");
  json::AppendText(out, name);
  out.append(",\"type\":");
  json::AppendText(out, type);
  out.push_back('}');
}

void AppendView(std::string& out, const KnownView& view) {
  out.append("{\"name\":");
  json::AppendText(out, view.definition.name);
  out.append(",\"entities\":[");
  for (const JoinKey& key : view.join_keys) {
    if (!out.ends_with('[')) out.push_back(',');
    json::AppendText(out, key.name);
  }
  out.append("],\"schema\":[");
  for (const WriteColumn& column : view.write_columns) {
    const auto key = std::ranges::find(view.join_keys, column.name, &JoinKey::name);
    const bool is_open = key != view.join_keys.end() && !key->type;  // until the first rows
    AppendColumn(out, column.name, is_open ? std::string("unknown") : column.type.ToString());
  }
  out.append("]}");
}

}  // namespace

Result<void> TableRequests::Create(const Request& request, Response& response) {
  TM_ASSIGN(const auto document, JsonDocument::Parse(request.body, limits_.json_depth_max));
  TM_ASSIGN(const WantedTable wanted, ReadWanted(document.root()));
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  const auto made = store->CreateTable(request.body, {});
  if (!made && made.error().code != ErrorCode::kAlreadyExists) return made;
  if (!made) {
    TM_ASSIGN(const auto definitions, services_.definitions.GetNow(*store));
    TM_ASSIGN(const KnownView* view, definitions->View(wanted.name));
    if (const auto difference = DifferenceTo(wanted, *view)) {
      return Fail(ErrorCode::kAlreadyExists, fmt::format("there is a feature table {} already, and {}: give "
                                                         "yours another name, or delete that one first",
                                                         Quoted(wanted.name), *difference));
    }
  }
  response.status = made ? 201 : 200;
  response.body = "{\"name\":";
  json::AppendText(response.body, wanted.name);
  response.body.append(made ? ",\"created\":true}" : ",\"created\":false}");
  return {};
}

Result<void> TableRequests::List(const Request& request, Response& response) {
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  TM_ASSIGN(const auto definitions, services_.definitions.GetNow(*store));
  response.body = "{\"feature_views\":[";
  bool is_first = true;
  for (const FeatureView& definition : definitions->all().views) {
    TM_ASSIGN(const KnownView* view, definitions->View(definition.name));
    if (!std::exchange(is_first, false)) response.body.push_back(',');
    AppendView(response.body, *view);
  }
  response.body.append("]}");
  return {};
}

Result<void> TableRequests::Delete(const Request& request, Response& response) {
  const std::string name(request.Part("name"));
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  TM_ASSIGN(const auto definitions, services_.definitions.GetNow(*store));
  TM_TRY(definitions->View(name));
  ApplyOptions options;
  options.remove = {{ObjectType::kFeatureView, name}};
  TM_TRY(store->Apply("{}", options));
  response.body = "{\"name\":";
  json::AppendText(response.body, name);
  response.body.append(",\"deleted\":true}");
  return {};
}

}  // namespace tidemark::server
