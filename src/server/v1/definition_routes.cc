// Definitions: listed, described, planned, applied, removed.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

#include "server/v1/json_object.h"
#include "server/v1/reports.h"
#include "server/v1/v1_internal.h"

namespace tidemark::server {
namespace {

using http::Body;
using http::Method;
using http::Request;
using http::Response;
using http::Runs;
using http::Scope;

struct Kind {
  ObjectType type;
  std::string_view all;  // patterns
  std::string_view one;
};
constexpr std::array<Kind, 4> kKinds{{
    {ObjectType::kEntity, "/v1/projects/{project}/entities", "/v1/projects/{project}/entities/{name}"},
    {ObjectType::kFeatureView, "/v1/projects/{project}/views", "/v1/projects/{project}/views/{name}"},
    {ObjectType::kOnDemandView, "/v1/projects/{project}/on-demand-views",
     "/v1/projects/{project}/on-demand-views/{name}"},
    {ObjectType::kFeatureService, "/v1/projects/{project}/services",
     "/v1/projects/{project}/services/{name}"},
}};

Result<ObjectType> TypeNamed(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (NameOf(kind.type) == name) return kind.type;
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format(
          "type is '{}', and not one of entity, feature_view, on_demand_feature_view and feature_service",
          name));
}

struct Statement {
  std::string definitions;
  ApplyOptions options;
};

/// Definitions as they are, options in the query.
Result<Statement> PlainStatement(const Request& request) {
  Statement statement{.definitions = std::string(request.body), .options = {}};
  RequestOptions query(request);
  statement.options.remove_missing = query.Flag("remove_missing", false);
  for (const std::string& removed : query.Texts("remove")) {
    const std::size_t colon = std::min(removed.find(':'), removed.size());
    TM_ASSIGN(const ObjectType type, TypeNamed(std::string_view(removed).substr(0, colon)));
    statement.options.remove.emplace_back(type, removed.substr(std::min(colon + 1, removed.size())));
  }
  TM_TRY(query.End());
  return statement;
}

Result<Statement> JsonStatement(const V1& v1, const Request& request) {
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  Statement statement;
  if (const auto definitions = body->Element("definitions")) {
    std::string_view text;
    statement.definitions = definitions->get_string().get(text) == simdjson::SUCCESS
                                ? std::string(text)
                                : std::string(simdjson::minify(*definitions));
  }
  statement.options.remove_missing = body->Flag("remove_missing", false);
  if (const auto removed = body->Element("remove")) {
    simdjson::dom::array array;
    if (removed->get_array().get(array) != simdjson::SUCCESS)
      return Fail(ErrorCode::kInvalidArgument, "'remove' must be a list of {\"type\", \"name\"}");
    for (const simdjson::dom::element item : array) {
      RequestOptions object(item, "an item of 'remove'");
      TM_ASSIGN(const ObjectType type, TypeNamed(object.NeededText("type")));
      statement.options.remove.emplace_back(type, object.NeededText("name"));
      TM_TRY(object.End());
    }
  }
  TM_TRY(body->End());
  if (statement.definitions.empty()) statement.definitions = "{}";
  return statement;
}

Result<Statement> StatementOf(const V1& v1, const Request& request) {
  const std::string_view type = WithoutParameters(request.Header("content-type").value_or(""));
  for (const std::string_view yaml : {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}) {
    if (EqualInAnyCase(type, yaml)) return PlainStatement(request);
  }
  return JsonStatement(v1, request);
}

Result<void> Plan(const V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_ASSIGN(Statement statement, StatementOf(v1, request));
  statement.options.work.stop = request.stop;
  statement.options.source_folders = v1.SourceFolders(request);
  TM_ASSIGN(const auto changes, store->Plan(statement.definitions, statement.options));
  AnswerJson(response, ToJson(changes));
  return {};
}

Result<void> Apply(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_ASSIGN(Statement statement, StatementOf(v1, request));
  statement.options.source_folders = v1.SourceFolders(request);
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "apply",
                  .scope = Scope::kAdmin,
                  .work = [store, statement](const WorkOptions& work) -> Result<std::string> {
                    ApplyOptions options = statement.options;
                    options.work = work;
                    TM_ASSIGN(const auto changes, store->Apply(statement.definitions, options));
                    return ToJson(changes);
                  }});
}

Result<void> Remove(const V1& v1, ObjectType type, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  ApplyOptions options;
  options.remove.emplace_back(type, request.Part("name"));
  options.work.stop = request.stop;
  TM_ASSIGN(const auto changes, store->Apply("{}", options));
  AnswerJson(response, ToJson(changes));
  return {};
}

Result<void> Teardown(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "teardown",
                  .scope = Scope::kAdmin,
                  .work = [store](const WorkOptions& work) -> Result<std::string> {
                    TM_TRY(store->Teardown(work));
                    return JsonObject().Flag("removed", true).End();
                  }});
}

Result<void> AllDefinitions(const V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const ProjectDefinitions all, store->AllDefinitions());
  AnswerJson(response, JsonObject().Number("revision", all.revision).Json("definitions", all.json).End());
  return {};
}

Result<void> Revision(const V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  const std::int64_t max_age_ms = query.Integer("max_age_ms").value_or(0);
  TM_TRY(query.End());
  TM_ASSIGN(const std::int64_t revision, store->Revision(max_age_ms));
  AnswerJson(response, JsonObject().Number("revision", revision).End());
  return {};
}

void AddKindRoutes(V1& v1, const Kind& kind, Routes& routes) {
  routes.push_back({Method::kGet, kind.all, Scope::kRead, Runs::kWorker, Body::kWhole,
                    [&v1, type = kind.type](const Request& request, Response& response) -> Result<void> {
                      TM_ASSIGN(const auto store, v1.StoreOf(request));
                      TM_TRY(RequestOptions(request).End());
                      TM_ASSIGN(response.body, store->List(type));
                      return {};
                    }});
  routes.push_back({Method::kGet, kind.one, Scope::kRead, Runs::kWorker, Body::kWhole,
                    [&v1, type = kind.type](const Request& request, Response& response) -> Result<void> {
                      TM_ASSIGN(const auto store, v1.StoreOf(request));
                      TM_TRY(RequestOptions(request).End());
                      TM_ASSIGN(response.body, store->Describe(type, request.Part("name")));
                      return {};
                    }});
  routes.push_back({Method::kDelete, kind.one, Scope::kAdmin, Runs::kWorker, Body::kWhole,
                    [&v1, type = kind.type](const Request& request, Response& response) {
                      return Remove(v1, type, request, response);
                    }});
}

}  // namespace

void AddDefinitionRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Scope scope, auto function) {
    routes.push_back({method, pattern, scope, Runs::kWorker, Body::kWhole,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  for (const Kind& kind : kKinds)
    AddKindRoutes(v1, kind, routes);
  add(Method::kGet, "/v1/projects/{project}/definitions", Scope::kRead, AllDefinitions);
  add(Method::kGet, "/v1/projects/{project}/revision", Scope::kRead, Revision);
  add(Method::kPost, "/v1/projects/{project}/plan", Scope::kAdmin, Plan);
  add(Method::kPost, "/v1/projects/{project}/apply", Scope::kAdmin, Apply);
  add(Method::kDelete, "/v1/projects/{project}", Scope::kAdmin, Teardown);
}

}  // namespace tidemark::server
