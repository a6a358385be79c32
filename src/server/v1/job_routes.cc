// Jobs: watched and cancelled.
#include <fmt/format.h>

#include <algorithm>
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

constexpr std::int64_t kWaitMsMax = 30'000;

Result<void> ListJobs(V1& v1, const Request& request, Response& response) {
  TM_TRY(RequestOptions(request).End());
  const auto jobs = v1.jobs.List(request.project);
  AnswerJson(response,
             JsonObject()
                 .Json("jobs", JsonList(jobs, [](const std::string& job) -> std::string_view { return job; }))
                 .End());
  return {};
}

/// Whoever may start a job of this kind may watch and cancel it.
Result<void> CheckOwnScope(V1& v1, const Request& request, std::string_view doing) {
  TM_ASSIGN(const Scope scope, v1.jobs.ScopeOf(request.project, request.Part("id")));
  if (request.caller.Allows(scope, request.project)) return {};
  return Fail(ErrorCode::kPermissionDenied, fmt::format("{} this job needs the scope {} in project {}", doing,
                                                        NameOf(scope), request.project));
}

Result<void> GetJob(V1& v1, const Request& request, Response& response) {
  RequestOptions query(request);
  const std::int64_t wait_ms = query.Integer("wait_ms").value_or(0);
  const std::int64_t version = query.Integer("version").value_or(0);
  TM_TRY(query.End());
  if (!request.caller.Allows(Scope::kRead, request.project)) TM_TRY(CheckOwnScope(v1, request, "watching"));
  TM_ASSIGN(response.body, v1.jobs.Get(request.project, request.Part("id"), version,
                                       std::clamp(wait_ms, std::int64_t{0}, kWaitMsMax), request.stop));
  return {};
}

Result<void> CancelJob(V1& v1, const Request& request, Response& response) {
  TM_TRY(RequestOptions(request).End());
  TM_TRY(CheckOwnScope(v1, request, "cancelling"));
  TM_ASSIGN(const bool cancelled, v1.jobs.Cancel(request.project, request.Part("id")));
  AnswerJson(response, JsonObject().Flag("cancelled", cancelled).End());
  return {};
}

}  // namespace

void AddJobRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Scope scope, auto function) {
    routes.push_back({method, pattern, scope, Runs::kWorker, Body::kWhole,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add(Method::kGet, "/v1/projects/{project}/jobs", Scope::kRead, ListJobs);
  add(Method::kGet, "/v1/projects/{project}/jobs/{id}", Scope::kAny, GetJob);
  add(Method::kDelete, "/v1/projects/{project}/jobs/{id}", Scope::kAny, CancelJob);
}

}  // namespace tidemark::server
