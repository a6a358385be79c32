// Loading the online store, and what keeps tables in order.
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

std::int64_t NowUs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Result<void> Materialize(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  MaterializeOptions wanted;
  wanted.views = body->Texts("views");
  wanted.start_us = body->Time("start");
  const auto end_us = body->Time("end");
  wanted.end_us = end_us ? *end_us : NowUs();
  wanted.reload = body->Flag("reload", false);
  TM_TRY(body->End());
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "materialize",
                  .scope = Scope::kWrite,
                  .work = [store, wanted](const WorkOptions& work) -> Result<std::string> {
                    MaterializeOptions options = wanted;
                    options.work = work;
                    TM_ASSIGN(const MaterializeReport report, store->Materialize(options));
                    return ToJson(report);
                  }},
                 true);
}

Result<WriteTarget> BackfillTarget(const std::string& name) {
  if (name.empty()) return WriteTarget::kUsual;
  if (name == "offline") return WriteTarget::kOffline;
  if (name == "online_and_offline") return WriteTarget::kBoth;
  return Fail(ErrorCode::kInvalidArgument, "'to' is offline or online_and_offline");
}

Result<void> Backfill(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  BackfillOptions wanted;
  wanted.start_us = body->Time("start");
  wanted.end_us = body->Time("end");
  const std::string step = body->Text("step");
  const std::string to = body->Text("to");
  wanted.restart = body->Flag("restart", false);
  TM_TRY(body->End());
  if (!step.empty()) {
    TM_ASSIGN(wanted.step_us, ParseDuration(step));
  }
  TM_ASSIGN(wanted.to, BackfillTarget(to));
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "backfill",
                  .scope = Scope::kWrite,
                  .work = [store, wanted, view = std::string(request.Part("view"))](
                              const WorkOptions& work) -> Result<std::string> {
                    BackfillOptions options = wanted;
                    options.work = work;
                    TM_ASSIGN(const BackfillReport report, store->Backfill(view, options));
                    return ToJson(report);
                  }},
                 true);
}

Result<std::vector<std::string>> ViewsOf(const V1& v1, const Request& request) {
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  auto views = body->Texts("views");
  TM_TRY(body->End());
  return views;
}

Result<void> Flush(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_ASSIGN(auto views, ViewsOf(v1, request));
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "flush",
                  .scope = Scope::kWrite,
                  .work = [store, views](const WorkOptions& /*work*/) -> Result<std::string> {
                    TM_ASSIGN(const FlushReport report, store->Flush(views));
                    return ToJson(report);
                  }});
}

Result<void> Compact(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_ASSIGN(auto views, ViewsOf(v1, request));
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "compact",
                  .scope = Scope::kWrite,
                  .work = [store, views](const WorkOptions& work) -> Result<std::string> {
                    TM_ASSIGN(const CompactReport report, store->Compact(views, work));
                    return ToJson(report);
                  }});
}

Result<void> ExpireSnapshots(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  const auto views = body->Texts("views");
  const auto older_than_us = body->Time("older_than");
  const std::int64_t keep = body->Integer("keep").value_or(ExpireSnapshotsOptions{}.keep);
  TM_TRY(body->End());
  if (!older_than_us)
    return Fail(ErrorCode::kInvalidArgument,
                "'older_than' must be given: snapshots committed before it may go");
  const ExpireSnapshotsOptions options{.older_than_us = *older_than_us, .keep = keep};
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "expire-snapshots",
                  .scope = Scope::kAdmin,
                  .work = [store, views, options](const WorkOptions& /*work*/) -> Result<std::string> {
                    TM_ASSIGN(const ExpireSnapshotsReport report, store->ExpireSnapshots(views, options));
                    return ToJson(report);
                  }});
}

Result<void> Relocate(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "relocate",
                  .scope = Scope::kAdmin,
                  .work = [store](const WorkOptions& /*work*/) -> Result<std::string> {
                    TM_ASSIGN(const RelocateReport report, store->Relocate());
                    return ToJson(report);
                  }});
}

Result<void> Snapshots(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(response.body, store->Snapshots(request.Part("view")));
  return {};
}

Result<void> Erasures(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  const auto views = query.Texts("view");
  TM_TRY(query.End());
  TM_ASSIGN(response.body, store->Erasures(views));
  return {};
}

Result<void> StreamsStatus(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  const auto views = query.Texts("view");
  TM_TRY(query.End());
  TM_ASSIGN(response.body, store->StreamStatus(views));
  return {};
}

Result<void> RestartStream(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  RestartStreamOptions options;
  const std::string from = body->NeededText("from");
  options.partitions = body->Texts("partitions");
  options.dry_run = body->Flag("dry_run", false);
  TM_TRY(body->End());
  const auto stated = ParseStreamRestart(from);
  if (!stated) return Fail(ErrorCode::kInvalidArgument, "'from' is earliest, latest or continue");
  options.from = *stated;
  TM_ASSIGN(response.body, store->RestartStream(request.Part("view"), options));
  return {};
}

Result<void> Stats(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(response.body, store->Stats());
  return {};
}

}  // namespace

void AddUpkeepRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Scope scope, auto function) {
    routes.push_back({method, pattern, scope, Runs::kWorker, Body::kWhole,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add(Method::kPost, "/v1/projects/{project}/materialize", Scope::kWrite, Materialize);
  add(Method::kPost, "/v1/projects/{project}/views/{view}/backfill", Scope::kWrite, Backfill);
  add(Method::kPost, "/v1/projects/{project}/flush", Scope::kWrite, Flush);
  add(Method::kPost, "/v1/projects/{project}/compact", Scope::kWrite, Compact);
  add(Method::kPost, "/v1/projects/{project}/expire-snapshots", Scope::kAdmin, ExpireSnapshots);
  add(Method::kPost, "/v1/projects/{project}/relocate", Scope::kAdmin, Relocate);
  add(Method::kGet, "/v1/projects/{project}/views/{view}/snapshots", Scope::kRead, Snapshots);
  add(Method::kGet, "/v1/projects/{project}/erasures", Scope::kRead, Erasures);
  add(Method::kGet, "/v1/projects/{project}/streams", Scope::kRead, StreamsStatus);
  add(Method::kPost, "/v1/projects/{project}/streams/{view}/restart", Scope::kAdmin, RestartStream);
  add(Method::kGet, "/v1/projects/{project}/stats", Scope::kRead, Stats);
}

}  // namespace tidemark::server
