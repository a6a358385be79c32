// Health and metrics.
#include "server/ops/ops_dialect.h"

#include "server/json/json_text.h"
#include "server/ops/store_metrics.h"
#include "server/ops/stream_lags.h"

namespace tidemark::server {
namespace {

using http::Body;
using http::Method;
using http::Request;
using http::Response;
using http::Runs;
using http::Scope;

class OpsDialect final : public http::Dialect {
 public:
  OpsDialect(Services& services, std::shared_ptr<http::Metrics> metrics, const std::atomic<bool>& draining)
      : services_(services), metrics_(std::move(metrics)), draining_(draining), lags_(services) {
    metrics_->AddSource([this](std::string& out) { AppendStoreMetrics(services_, lags_, out); });
    if (services_.python_workers != nullptr) {
      metrics_->AddSource([this](std::string& out) { AppendPythonMetrics(*services_.python_workers, out); });
    }
  }

  std::string_view name() const override { return "ops"; }

  std::vector<http::Route> Routes() override {
    const auto ready = [this](const Request& /*request*/, Response& response) { return Ready(response); };
    return {
        {Method::kGet, "/health", Scope::kOpen, Runs::kWorker, Body::kWhole, ready},
        {Method::kGet, "/health/ready", Scope::kOpen, Runs::kWorker, Body::kWhole, ready},
        {Method::kGet, "/health/live", Scope::kOpen, Runs::kInline, Body::kWhole,
         [](const Request& /*request*/, Response& response) {
           response.content_type = "";
           return Result<void>{};
         }},
        {Method::kGet, "/metrics", Scope::kRead, Runs::kWorker, Body::kWhole,
         [this](const Request& request, Response& response) -> Result<void> {
           TM_TRY(CheckReadsAll(request));
           response.content_type = "text/plain; version=0.0.4; charset=utf-8";
           response.body = metrics_->Render();
           return Result<void>{};
         }},
    };
  }

  bool Claims(const Request& /*request*/) const override { return true; }

  void WriteError(const Request& request, int status, const Error& error, Response& response) override {
    // "detail" is where clients made for FastAPI look.
    response.body = "{\"detail\":";
    json::AppendText(response.body, status == 404   ? std::string_view("Not Found")
                                    : status == 405 ? std::string_view("Method Not Allowed")
                                                    : std::string_view(error.message));
    response.body.append(",\"error\":{\"code\":");
    json::AppendText(response.body, Describe(error.code).name);
    response.body.append(",\"message\":");
    json::AppendText(response.body, error.message);
    response.body.append(",\"request_id\":");
    json::AppendText(response.body, request.id);
    response.body.append("}}");
  }

 private:
  Result<void> CheckReadsAll(const Request& request) {
    if (request.caller.Allows(Scope::kRead, "*")) return {};
    TM_ASSIGN(const auto store, services_.stores->Get({}));
    TM_ASSIGN(const auto projects, store->Projects());
    return http::CheckReadsAll(request.caller, projects, "metrics");
  }

  Result<void> Ready(Response& response) {
    response.content_type = "";
    if (draining_) return Fail(ErrorCode::kUnavailable, "the server is stopping");
    TM_ASSIGN(const auto store, services_.stores->Get({}));
    if (const auto revision = store->Revision(0); !revision) {
      return Fail(ErrorCode::kUnavailable, revision.error().ToString());
    }
    return {};
  }

  Services& services_;
  const std::shared_ptr<http::Metrics> metrics_;
  const std::atomic<bool>& draining_;
  const StreamLags lags_;
};

}  // namespace

std::shared_ptr<http::Dialect> MakeOpsDialect(Services& services, std::shared_ptr<http::Metrics> metrics,
                                              const std::atomic<bool>& draining) {
  return std::make_shared<OpsDialect>(services, std::move(metrics), draining);
}

}  // namespace tidemark::server
