// The table of routes.
#include "server/feast/feast_dialect.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "server/feast/body_shape.h"
#include "server/feast/materializations.h"
#include "server/feast/online_features.h"
#include "server/feast/refusal.h"
#include "server/feast/writes.h"
#include "server/json/json_text.h"

namespace tidemark::server {
namespace {

using feast::Answer;
using feast::BodyField;
using feast::Refusal;
using feast::Shape;
using http::Body;
using http::Method;
using http::Request;
using http::Response;
using http::Runs;
using http::Scope;

constexpr std::array<BodyField, 8> kSearchFields{{{.name = "feature_service", .shape = Shape::kTextOrNull},
                                                  {.name = "features", .shape = Shape::kTexts},
                                                  {.name = "full_feature_names", .shape = Shape::kFlag},
                                                  {.name = "top_k", .shape = Shape::kNumberOrNull},
                                                  {.name = "query", .shape = Shape::kNumbersOrNull},
                                                  {.name = "query_string", .shape = Shape::kTextOrNull},
                                                  {.name = "distance_metric", .shape = Shape::kTextOrNull},
                                                  {.name = "api_version", .shape = Shape::kNumberOrNull}}};

constexpr std::array<BodyField, 4> kVectorSearchFields{
    {{.name = "query", .shape = Shape::kAnything, .is_required = true},
     {.name = "max_num_results", .shape = Shape::kNumberOrNull},
     {.name = "rewrite_query", .shape = Shape::kAnything},
     {.name = "metadata", .shape = Shape::kAnything}}};

constexpr std::array<std::string_view, 7> kPaths{
    "/get-online-features",     "/push",   "/write-to-online-store",    "/materialize",
    "/materialize-incremental", "/search", "/retrieve-online-documents"};

/// {"error":{"message","type"}}, as OpenAI's API has it.
void WriteNoVectorStore(const Request& request, Response& response) {
  response.status = 404;
  response.body = "{\"error\":{\"message\":";
  json::AppendText(response.body, "No vector store found with id '" + std::string(request.Part("id")) + "'");
  response.body.append(R"(,"type":"not_found_error"}})");
}

Result<void> Finish(const Answer<void>& answer, Response& response) {
  if (!answer) {
    response.body.clear();
    feast::Send(answer.error(), response);
  }
  return {};
}

class FeastDialect final : public http::Dialect {
 public:
  FeastDialect(Services& services, const http::Limits& limits)
      : limits_(limits), online_(services, limits), writes_(services, limits), loads_(services, limits) {}

  std::string_view name() const override { return "feast"; }

  std::vector<http::Route> Routes() override {
    using Kind = feast::Materializations::Kind;
    const auto online = [this](const Request& request, Response& response) {
      online_.Respond(request, response);
      return Result<void>{};
    };
    const auto push = [this](const Request& request, Response& response) {
      return Finish(writes_.Push(request, response), response);
    };
    const auto write = [this](const Request& request, Response& response) {
      return Finish(writes_.WriteOnline(request, response), response);
    };
    const auto materialize = [this](Kind kind) {
      return [this, kind](const Request& request, Response& response) {
        return Finish(loads_.Respond(kind, request, response), response);
      };
    };
    const auto search = [this](const Request& request, Response& response) {
      return Finish(Search(request), response);
    };
    const auto no_store = [](const Request& request, Response& response) {
      WriteNoVectorStore(request, response);
      return Result<void>{};
    };
    return {
        {Method::kPost, "/get-online-features", Scope::kRead, Runs::kInline, Body::kWhole, online},
        {Method::kPost, "/push", Scope::kWrite, Runs::kWorker, Body::kWhole, push},
        {Method::kPost, "/write-to-online-store", Scope::kWrite, Runs::kWorker, Body::kWhole, write},
        {Method::kPost, "/materialize", Scope::kWrite, Runs::kWorker, Body::kWhole,
         materialize(Kind::kRange)},
        {Method::kPost, "/materialize-incremental", Scope::kWrite, Runs::kWorker, Body::kWhole,
         materialize(Kind::kIncremental)},
        {Method::kPost, "/search", Scope::kRead, Runs::kWorker, Body::kWhole, search},
        {Method::kPost, "/retrieve-online-documents", Scope::kRead, Runs::kWorker, Body::kWhole, search},
        {Method::kGet, "/v1/vector_stores", Scope::kRead, Runs::kInline, Body::kWhole,
         [](const Request& /*request*/, Response& response) {
           response.body = R"({"object":"list","data":[]})";
           return Result<void>{};
         }},
        {Method::kGet, "/v1/vector_stores/{id}", Scope::kRead, Runs::kInline, Body::kWhole, no_store},
        {Method::kPost, "/v1/vector_stores/{id}/search", Scope::kRead, Runs::kWorker, Body::kWhole,
         [this](const Request& request, Response& response) {
           feast::BodyReader reader;
           const auto body = reader.Read(request.body, limits_.json_depth_max, kVectorSearchFields);
           if (body) {
             WriteNoVectorStore(request, response);
           } else {
             feast::Send(body.error(), response);
           }
           return Result<void>{};
         }},
    };
  }

  bool Claims(const Request& request) const override {
    return std::ranges::find(kPaths, request.path) != kPaths.end();
  }

  void WriteError(const Request& /*request*/, int status, const Error& error, Response& response) override {
    if (status == 404 || status == 405) {
      return feast::Send(feast::NoSuchRoute(status, status == 404 ? "Not Found" : "Method Not Allowed"),
                         response);
    }
    Refusal refusal(error);
    refusal.status = status;
    feast::Send(refusal, response);
  }

 private:
  /// A Feast server answers so whose online store has no vectors.
  Answer<void> Search(const Request& request) const {
    feast::BodyReader reader;
    TM_TRY(reader.Read(request.body, limits_.json_depth_max, kSearchFields));
    return feast::Refuse(500,
                         "Online document retrieval is not supported by the online store of this server");
  }

  const http::Limits limits_;
  feast::OnlineFeatures online_;
  feast::Writes writes_;
  feast::Materializations loads_;
};

}  // namespace

std::shared_ptr<http::Dialect> MakeFeastDialect(Services& services, const http::Limits& limits) {
  return std::make_shared<FeastDialect>(services, limits);
}

}  // namespace tidemark::server
