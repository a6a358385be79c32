// Routes, and errors that HTTP itself or the keys have.
#include "server/sagemaker/sagemaker_dialect.h"

#include <string>
#include <utility>

#include "server/sagemaker/control.h"
#include "server/sagemaker/groups.h"
#include "server/sagemaker/refusal.h"
#include "server/sagemaker/runtime.h"

namespace tidemark::sagemaker {
namespace {

using http::Body;
using http::Method;
using http::Request;
using http::Response;
using http::Runs;
using http::Scope;

/// The code for a caller who is not known, by what the authenticator says; empty for any other error.
std::string_view KeyCode(const Error& error) {
  if (error.context == http::kNoCredentials) return "MissingAuthenticationTokenException";
  if (error.context == http::kUnknownKey) return "UnrecognizedClientException";
  if (error.context == http::kWrongSignature) return "InvalidSignatureException";
  return {};
}

class SagemakerDialect final : public http::Dialect {
 public:
  SagemakerDialect(server::Services& services, Settings settings, std::size_t json_depth_max)
      : groups_(services),
        control_(groups_, std::move(settings), json_depth_max),
        runtime_(groups_, json_depth_max) {}

  std::string_view name() const override { return "sagemaker"; }

  std::vector<http::Route> Routes() override {
    const auto on = [](auto& api, auto operation) -> http::Handler {
      return [&api, operation](const Request& request, Response& response) -> Result<void> {
        if (auto done = (api.*operation)(request, response); !done) {
          response.body.clear();
          WriteRefusal(request, done.error(), response);
          return {};
        }
        WriteHead(request, response);
        return {};
      };
    };
    // What an operation of the control plane asks for beyond reading, it checks itself: they share a route.
    return {
        {Method::kPost, "/", Scope::kRead, Runs::kWorker, Body::kWhole, on(control_, &Control::Call)},
        {Method::kPut, "/FeatureGroup/{group}", Scope::kWrite, Runs::kWorker, Body::kWhole,
         on(runtime_, &Runtime::PutRecord)},
        {Method::kGet, "/FeatureGroup/{group}", Scope::kRead, Runs::kInline, Body::kWhole,
         on(runtime_, &Runtime::GetRecord)},
        {Method::kDelete, "/FeatureGroup/{group}", Scope::kWrite, Runs::kWorker, Body::kWhole,
         on(runtime_, &Runtime::DeleteRecord)},
        {Method::kPost, "/BatchGetRecord", Scope::kRead, Runs::kWorker, Body::kWhole,
         on(runtime_, &Runtime::BatchGetRecord)},
        {Method::kPost, "/BatchWriteRecord", Scope::kWrite, Runs::kWorker, Body::kWhole,
         on(runtime_, &Runtime::BatchWriteRecord)},
        {Method::kPost, "/FeatureGroup/{group}/Record", Scope::kWrite, Runs::kWorker, Body::kWhole,
         on(runtime_, &Runtime::UpdateRecord)},
        {Method::kPost, "/FeatureGroup/{group}/ListRecords", Scope::kRead, Runs::kWorker, Body::kWhole,
         on(runtime_, &Runtime::ListRecords)},
    };
  }

  bool Claims(const Request& request) const override {
    return request.path.starts_with("/FeatureGroup/") || request.path == "/BatchGetRecord" ||
           request.path == "/BatchWriteRecord" || request.Header("x-amz-target").has_value() ||
           request.Header("x-amz-date").has_value();
  }

  void WriteError(const Request& request, int status, const Error& error, Response& response) override {
    const Api api = ApiOf(request);
    if (const std::string_view code = KeyCode(error); !code.empty())
      return WriteRefusal(request, code, 403, error.message, response);
    if (status == 429)  // retried by clients, by its status as by its code
      return WriteRefusal(request, NameOf(Why::kThrottled, api).code, status, error.ToString(), response);
    if (status == 404 || status == 405)
      return WriteRefusal(request, NameOf(Why::kUnknownOperation, api).code, status, error.ToString(),
                          response);
    const Why why = status == 403                    ? Why::kForbidden
                    : status == 408 || status == 503 ? Why::kUnavailable
                    : status >= 500                  ? Why::kInternal
                                                     : Why::kInvalid;
    WriteRefusal(request, NameOf(why, api).code, status, error.ToString(), response);
  }

 private:
  Groups groups_;
  Control control_;
  Runtime runtime_;
};

}  // namespace

std::shared_ptr<http::Dialect> MakeDialect(server::Services& services, Settings settings,
                                           std::size_t json_depth_max) {
  return std::make_shared<SagemakerDialect>(services, std::move(settings), json_depth_max);
}

}  // namespace tidemark::sagemaker
