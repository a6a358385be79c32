// Queries and their kept results.
#include <fmt/format.h>

#include <chrono>
#include <utility>

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

struct Query {
  std::string text;
  SqlQueryOptions options;
};

Result<Query> QueryOf(const V1& v1, const Request& request) {
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  Query query{.text = body->NeededText("query"), .options = {}};
  query.options.reading = body->Reading();
  query.options.memory_bytes_max = body->Integer("memory_bytes_max");
  const auto time_limit_ms = body->Integer("time_limit_ms");
  TM_TRY(body->End());
  for (const auto& [name, value] : {std::pair{"memory_bytes_max", query.options.memory_bytes_max},
                                    std::pair{"time_limit_ms", time_limit_ms}}) {
    if (value && *value <= 0)
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' must be more than 0", name));
  }
  if (time_limit_ms) query.options.time_limit = std::chrono::milliseconds(*time_limit_ms);
  return query;
}

Result<void> Sql(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(v1.CheckReadsAll(request, *store));
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  TM_ASSIGN(Query query, QueryOf(v1, request));
  query.options.stop = request.stop;
  auto rows = std::make_shared<RowStream>();
  TM_TRY(store->Sql(query.text, query.options, rows->out()));
  V1::Answer(request, response, {.format = format, .rows = std::move(rows)});
  return {};
}

Result<void> Dump(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(v1.CheckReadsAll(request, *store));
  TM_ASSIGN(Query query, QueryOf(v1, request));
  TM_TRY(v1.Work(request, response,
                 {.project = {},
                  .operation = "dump",
                  .scope = Scope::kWrite,
                  .work = [store, query](const WorkOptions& work) -> Result<std::string> {
                    SqlQueryOptions options = query.options;
                    options.stop = work.stop;
                    TM_ASSIGN(const DumpReport report, store->Dump(query.text, options));
                    return ToJson(report);
                  }}));
  if (response.status == 200) response.status = 201;
  return {};
}

Result<void> Dumps(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(v1.CheckReadsAll(request, *store));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(response.body, store->Dumps());
  return {};
}

Result<void> ReadDump(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(v1.CheckReadsAll(request, *store));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  auto rows = std::make_shared<RowStream>();
  TM_TRY(store->ReadDump(request.Part("id"), request.stop, rows->out()));
  V1::Answer(request, response, {.format = format, .rows = std::move(rows)});
  return {};
}

Result<void> RemoveDump(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(v1.CheckReadsAll(request, *store));
  TM_TRY(RequestOptions(request).End());
  TM_TRY(store->RemoveDump(request.Part("id")));
  AnswerJson(response, JsonObject().Flag("removed", true).End());
  return {};
}

}  // namespace

void AddSqlRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Scope scope, auto function) {
    routes.push_back({method, pattern, scope, Runs::kWorker, Body::kWhole,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add(Method::kPost, "/v1/projects/{project}/sql", Scope::kRead, Sql);
  add(Method::kPost, "/v1/projects/{project}/dumps", Scope::kWrite, Dump);
  add(Method::kGet, "/v1/projects/{project}/dumps", Scope::kRead, Dumps);
  add(Method::kGet, "/v1/projects/{project}/dumps/{id}", Scope::kRead, ReadDump);
  add(Method::kDelete, "/v1/projects/{project}/dumps/{id}", Scope::kWrite, RemoveDump);
}

}  // namespace tidemark::server
