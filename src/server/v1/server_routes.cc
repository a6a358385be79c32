// The server itself: its version, its projects, the document of its routes.
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

Result<void> Projects(const V1& v1, const Request& request, Response& response) {
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const auto store, v1.services.stores->Get({}));
  TM_ASSIGN(auto projects, store->Projects());
  if (!request.caller.unlimited) {
    std::erase_if(projects,
                  [&](const std::string& project) { return !request.caller.Allows(Scope::kRead, project); });
  }
  AnswerJson(response, JsonObject().Texts("projects", projects).Text("project", request.project).End());
  return {};
}

}  // namespace

void AddServerRoutes(V1& v1, Routes& routes) {
  routes.push_back(
      {Method::kGet, "/v1", Scope::kOpen, Runs::kInline, Body::kWhole,
       [](const Request& /*request*/, Response& response) -> Result<void> {
         AnswerJson(response,
                    JsonObject().Text("name", "tidemark").Text("version", kVersion).Text("api", "v1").End());
         return {};
       }});
  routes.push_back({Method::kGet, "/v1/openapi.json", Scope::kOpen, Runs::kInline, Body::kWhole,
                    [](const Request& /*request*/, Response& response) -> Result<void> {
                      response.body = OpenApiText();
                      return {};
                    }});
  routes.push_back(
      {Method::kGet, "/v1/projects", Scope::kRead, Runs::kWorker, Body::kWhole,
       [&v1](const Request& request, Response& response) { return Projects(v1, request, response); }});
}

}  // namespace tidemark::server
