// Databases, and tables made of files that lie elsewhere.
#include <fmt/format.h>

#include <utility>

#include "server/v1/json_object.h"
#include "server/v1/v1_internal.h"

namespace tidemark::server {
namespace {

using http::Body;
using http::Method;
using http::Request;
using http::Response;
using http::Runs;
using http::Scope;

Result<void> Databases(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const auto databases, store->Databases());
  AnswerJson(response, JsonObject().Texts("databases", databases).End());
  return {};
}

Result<void> CreateDatabase(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_TRY(store->CreateDatabase(request.Part("database")));
  AnswerJson(response, JsonObject().Text("database", request.Part("database")).End());
  return {};
}

Result<void> DropDatabase(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_TRY(store->DropDatabase(request.Part("database")));
  AnswerJson(response, JsonObject().Flag("removed", true).End());
  return {};
}

Result<void> Tables(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  const std::string database = query.Text("database");
  TM_TRY(query.End());
  TM_ASSIGN(response.body, store->Tables(database));
  return {};
}

Result<void> Register(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  const std::string database = body->Text("database");
  const std::string table = body->NeededText("table");
  const std::string path = body->NeededText("path");
  const RegisterOptions options{.partitions = body->Texts("partitions"),
                                .source_folders = v1.SourceFolders(request),
                                .stop = request.stop};
  TM_TRY(body->End());
  TM_ASSIGN(std::string made, store->RegisterTable(database, table, path, options));
  AnswerJson(response, std::move(made), 201);
  return {};
}

Result<void> AddPartitions(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  const std::string database = body->Text("database");
  const std::string table = body->NeededText("table");
  const auto partitions = body->Texts("partitions");
  TM_TRY(body->End());
  TM_ASSIGN(response.body, store->AddPartitions(database, table, partitions, request.stop));
  return {};
}

Result<void> Refresh(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  const auto tables = body->Texts("tables");
  TM_TRY(body->End());
  return v1.Work(
      request, response,
      {.project = {},
       .operation = "refresh",
       .scope = Scope::kAdmin,
       .work = [store, tables](const WorkOptions& work) { return store->Refresh(tables, work.stop); }});
}

Result<void> DropRegistered(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const bool removed, store->DropRegisteredTable(request.Part("name")));
  AnswerJson(response, JsonObject().Flag("removed", removed).End());
  return {};
}

}  // namespace

void AddExistingRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Scope scope, auto function) {
    routes.push_back({method, pattern, scope, Runs::kWorker, Body::kWhole,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add(Method::kGet, "/v1/projects/{project}/databases", Scope::kRead, Databases);
  add(Method::kPut, "/v1/projects/{project}/databases/{database}", Scope::kAdmin, CreateDatabase);
  add(Method::kDelete, "/v1/projects/{project}/databases/{database}", Scope::kAdmin, DropDatabase);
  add(Method::kGet, "/v1/projects/{project}/tables", Scope::kRead, Tables);
  add(Method::kPost, "/v1/projects/{project}/registered-tables", Scope::kAdmin, Register);
  add(Method::kPost, "/v1/projects/{project}/registered-tables/partitions", Scope::kAdmin, AddPartitions);
  add(Method::kPost, "/v1/projects/{project}/registered-tables/refresh", Scope::kAdmin, Refresh);
  add(Method::kDelete, "/v1/projects/{project}/registered-tables/{name}", Scope::kAdmin, DropRegistered);
}

}  // namespace tidemark::server
