// The routes put together, and what they share.
#include "server/v1/v1_dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/definition_json.h"
#include "server/rows/body_bytes.h"
#include "server/rows/body_memory.h"
#include "server/v1/json_object.h"
#include "server/v1/reports.h"
#include "server/v1/v1_internal.h"

namespace tidemark::server {
namespace {

using http::Request;
using http::Response;

constexpr std::string_view kContentType = "Content-Type";  // the place of FormatOfContentType's error
constexpr std::string_view kSpoolFolder = ".tidemark/bodies";

class V1Dialect final : public http::Dialect {
 public:
  V1Dialect(Services& services, const http::Limits& limits)
      : v1_{.services = services,
            .limits = limits,
            .spool_folder = services.stores->folder() / kSpoolFolder,
            .jobs = Jobs(JobsLimits{})} {
    RemoveLeftBodies(v1_.spool_folder);
  }

  std::string_view name() const override { return "tidemark"; }

  std::vector<http::Route> Routes() override {
    std::vector<http::Route> routes;
    AddServerRoutes(v1_, routes);
    AddDefinitionRoutes(v1_, routes);
    AddWriteRoutes(v1_, routes);
    AddReadRoutes(v1_, routes);
    AddOnlineRoutes(v1_, routes);
    AddSqlRoutes(v1_, routes);
    AddUpkeepRoutes(v1_, routes);
    AddExistingRoutes(v1_, routes);
    AddDatasetRoutes(v1_, routes);
    AddJobRoutes(v1_, routes);
    return routes;
  }

  bool Claims(const Request& request) const override {
    return request.path == "/v1" || request.path.starts_with("/v1/");
  }

  void WriteError(const Request& request, int status, const Error& error, Response& response) override {
    // What this version does not know is asked for by the client: the server is in order.
    if (status == 501) response.status = error.context == kContentType ? 415 : 422;
    if (status == 400 && error.context == kBodyTooLarge) response.status = 413;
    response.body = JsonObject().Json("error", ToJson(error, request.id)).End();
  }

 private:
  V1 v1_;
};

ColumnTypes KeyTypes(const KnownDefinitions& known, const ViewSelection& selection) {
  ColumnTypes types;
  // Request data of an on-demand view, and the keys of what it is computed from.
  for (const Field& field : known.RequestFieldsOf(selection.view))
    types.emplace(field.name, field.type);
  if (known.OnDemand(selection.view) != nullptr) {
    for (const KnownView* stored : known.StoredViewsOf(selection.view)) {
      for (const JoinKey& key : stored->join_keys) {
        if (key.type) types.emplace(key.name, *key.type);
      }
    }
    return types;
  }
  const KnownView* view = known.ViewInAnyCase(selection.view);
  if (view == nullptr) return types;
  for (const JoinKey& key : view->join_keys) {
    if (!key.type) continue;
    const auto mapped = selection.join_key_map.find(key.name);
    types.emplace(mapped == selection.join_key_map.end() ? key.name : mapped->second, *key.type);
  }
  return types;
}

}  // namespace

std::shared_ptr<http::Dialect> MakeV1Dialect(Services& services, const http::Limits& limits) {
  BodyMemory::OfProcess().set_bytes_max(static_cast<std::int64_t>(limits.memory_bytes_max));
  return std::make_shared<V1Dialect>(services, limits);
}

Result<std::shared_ptr<Store>> V1::StoreOf(const Request& request) const {
  return services.stores->Get(request.project);
}

BodyRowsOptions V1::RowsOptions(ColumnTypes types, RowsUse use) const {
  return {.json = {.types = std::move(types),
                   .policy = {},
                   .rows_max = limits.rows_max,
                   .depth_max = limits.json_depth_max},
          .body_bytes_max = limits.body_bytes_max,
          .spool_folder = spool_folder,
          .use = use,
          .unfolded_bytes_max = limits.stream_bytes_max,
          .held_bytes_max = limits.memory_bytes_max};
}

Result<std::unique_ptr<BodyRows>> V1::RowsOf(const Request& request, const BodyRowsOptions& options) {
  TM_ASSIGN(const RowFormat format, FormatOfContentType(request.Header("content-type").value_or("")));
  return BodyRows::Open(*request.stream, format, options);
}

Result<void> V1::Work(const Request& request, Response& response, JobRequest job, bool always_job) {
  job.project = request.project;
  const std::string_view prefer = request.Header("prefer").value_or("");
  if (!always_job && prefer.find("respond-async") == std::string_view::npos) {
    TM_ASSIGN(std::string report, job.work({.stop = request.stop, .progress = {}}));
    AnswerJson(response, std::move(report));
    return {};
  }
  TM_ASSIGN(const std::string started, jobs.Start(std::move(job)));
  AnswerJson(response, JsonObject().Json("job", started).End(), 202);
  // The job's id is the first member of its JSON.
  constexpr std::string_view kBefore = R"({"id":")";
  const std::string_view id = std::string_view(started).substr(kBefore.size());
  response.headers.emplace_back(
      "Location", fmt::format("/v1/projects/{}/jobs/{}", request.project, id.substr(0, id.find('"'))));
  return {};
}

void V1::Answer(const Request& request, Response& response, RowAnswer answer) {
  answer.error_text = [id = std::string(request.id)](const Error& error) { return ToJson(error, id); };
  AnswerRows(std::move(answer), response);
}

Result<void> V1::CheckReadsAll(const Request& request, const Store& store) const {
  if (request.caller.unlimited) return {};
  TM_ASSIGN(const auto projects, store.Projects());
  return http::CheckReadsAll(request.caller, projects, "queries and dumps");
}

std::optional<std::vector<std::filesystem::path>> V1::SourceFolders(const Request& request) const {
  if (request.caller.Allows(http::Scope::kAdmin, "*")) return std::nullopt;
  return services.source_folders;
}

Result<JsonRequest> JsonRequest::Parse(std::string_view body, const http::Limits& limits) {
  JsonRequest request;
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) body = "{}";
  TM_ASSIGN(auto document, JsonDocument::Parse(body, limits.json_depth_max));
  request.document_ = std::make_unique<JsonDocument>(std::move(document));
  request.options_ = std::make_unique<RequestOptions>(request.document_->root(), "the request");
  return request;
}

Result<RequestWithRows> ReadRequestWithRows(const Request& request, http::BodyReader& body,
                                            const http::Limits& limits) {
  const std::string_view content_type = request.Header("content-type").value_or("");
  RequestWithRows parts;
  if (!EqualInAnyCase(WithoutParameters(content_type), "multipart/form-data")) {
    TM_ASSIGN(const std::string text, ReadWhole(body, limits.body_bytes_max, "the request"));
    TM_ASSIGN(parts.request, JsonRequest::Parse(text, limits));
    return parts;
  }
  const auto boundary = HeaderParameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) {
    return Fail(ErrorCode::kInvalidArgument, "the Content-Type multipart/form-data names no boundary");
  }
  auto multipart = std::make_unique<MultipartBody>(body, *boundary);
  TM_ASSIGN(const auto first, multipart->Next());
  if (!first || first->name != "request") {
    return Fail(ErrorCode::kInvalidArgument, "the first part of the multipart body must be 'request' (JSON)");
  }
  TM_ASSIGN(const std::string text, ReadWhole(*multipart, limits.body_bytes_max, "the part 'request'"));
  TM_ASSIGN(parts.request, JsonRequest::Parse(text, limits));
  TM_ASSIGN(const auto second, multipart->Next());
  if (!second) return parts;
  if (second->name != "rows") {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the second part of the multipart body must be 'rows' and is '{}'", second->name));
  }
  TM_ASSIGN(parts.format, FormatOfContentType(second->content_type));
  parts.rows = std::move(multipart);
  return parts;
}

Result<std::shared_ptr<BodyRows>> RowsOfRequest(RequestWithRows& parts, BodyRowsOptions options) {
  options.use = RowsUse::kLater;
  const auto member = parts.request->Element("entity_rows");
  if (parts.rows) {
    if (member) {
      return Fail(ErrorCode::kInvalidArgument,
                  "rows are given twice: as the part 'rows' and as the member 'entity_rows'");
    }
    TM_ASSIGN(std::shared_ptr<BodyRows> rows, BodyRows::Open(*parts.rows, parts.format, options));
    TM_ASSIGN(const auto more, parts.rows->Next());
    if (!more) return rows;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the multipart body has a part '{}' behind its rows", more->name));
  }
  if (!member) return nullptr;
  auto batch = RowsFromJson(*member, options.json);
  if (!batch) return std::unexpected(std::move(batch).error().In("entity_rows"));
  return BodyRows::Of(*std::move(batch));
}

void AddWriteTypes(const KnownView& view, ColumnTypes& types) {
  for (const JoinKey& key : view.join_keys) {
    if (key.type) types.emplace(key.name, *key.type);
  }
  for (const WriteColumn& column : view.write_columns) {
    const bool is_key =
        std::ranges::find(view.join_keys, column.name, &JoinKey::name) != view.join_keys.end();
    if (!is_key) types.emplace(column.name, column.type);
  }
  types.emplace("expires_at", DataType{.kind = TypeKind::kTimestamp});
}

ColumnTypes EntityTypes(const KnownDefinitions& known, const std::vector<std::string>& features,
                        const std::string& service, const std::string& selection,
                        const std::string& event_column) {
  ColumnTypes types;
  types.emplace(event_column.empty() ? "event_timestamp" : event_column,
                DataType{.kind = TypeKind::kTimestamp});
  for (const std::string& feature : features) {
    ViewSelection one;
    one.view = feature.substr(0, feature.find(':'));
    types.merge(KeyTypes(known, one));
  }
  std::vector<ViewSelection> views;
  if (const FeatureService* found = known.Service(service)) views = found->views;
  if (!selection.empty()) {
    // A selection has the form of a service's features. What is wrong with it the store says.
    const auto read = DefinitionsFromJson(
        fmt::format(R"({{"feature_services":[{{"name":"selection","features":{}}}]}})", selection));
    if (read && !read->services.empty()) views = read->services.front().views;
  }
  for (const ViewSelection& view : views)
    types.merge(KeyTypes(known, view));
  return types;
}

void AnswerJson(Response& response, std::string json, int status) {
  response.status = status;
  response.body = std::move(json);
}

}  // namespace tidemark::server
