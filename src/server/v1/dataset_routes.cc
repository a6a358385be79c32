// Training sets that are kept; their files lie in the store's folder, and are fetched from there.
#include <fmt/format.h>

#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <utility>

#include "base/json.h"
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

constexpr std::string_view kParquet = "application/vnd.apache.parquet";

Result<std::map<std::string, std::string>> TagsOf(RequestOptions& body) {
  std::map<std::string, std::string> tags;
  const auto given = body.Element("tags");
  if (!given) return tags;
  simdjson::dom::object members;
  const auto wrong = [] { return Fail(ErrorCode::kInvalidArgument, "'tags' must be an object of texts"); };
  if (given->get_object().get(members) != simdjson::SUCCESS) return wrong();
  for (const auto [name, value] : members) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return wrong();
    tags.emplace(name, text);
  }
  return tags;
}

/// A dataset that is to be made.
struct Saving {
  std::shared_ptr<Store> store;
  std::string name;
  HistoricalOptions what;
  SaveDatasetOptions options;
  std::shared_ptr<BodyRows> rows;  // null: of a range

  Result<std::string> Run(const WorkOptions& work) const {
    HistoricalOptions made = what;
    HistoricalReport report;
    made.work = work;
    made.ended = [&report](const HistoricalReport& ended) { report = ended; };
    auto saved = store->SaveDataset(name, rows ? rows->rows() : EntityRows{}, made, options);
    if (!saved) return std::unexpected(rows ? rows->Blame(std::move(saved).error()) : saved.error());
    if (rows && rows->cut_times())
      report.warnings.emplace_back("entity rows: timestamps finer than a microsecond were cut");
    return JsonObject().Json("dataset", *saved).Texts("warnings", report.warnings).End();
  }
};

Result<void> SaveDataset(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(RequestWithRows parts, ReadRequestWithRows(request, *request.stream, v1.limits));
  const auto saving = std::make_shared<Saving>();
  saving->name = parts.request->NeededText("name");
  TM_ASSIGN(saving->what, HistoricalOptionsOf(parts.request.options()));
  TM_ASSIGN(saving->options.tags, TagsOf(parts.request.options()));
  saving->options.feature_service = parts.request->Text("feature_service");
  saving->options.allow_overwrite = parts.request->Flag("allow_overwrite", false);
  TM_ASSIGN(const auto known, v1.services.definitions.Get(*store));
  const HistoricalOptions& what = saving->what;
  TM_ASSIGN(saving->rows,
            RowsOfRequest(parts, v1.RowsOptions(EntityTypes(*known, what.features, what.service,
                                                            what.selection, what.event_timestamp_column),
                                                RowsUse::kLater)));
  TM_TRY(parts.request->End());
  if ((saving->rows == nullptr) == !what.range.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                "give entity rows (the member 'entity_rows' or the part 'rows'), or else a 'range'");
  }
  saving->store = std::move(store);
  TM_TRY(v1.Work(request, response,
                 {.project = {},
                  .operation = "save-dataset",
                  .scope = Scope::kWrite,
                  .work = [saving](const WorkOptions& work) { return saving->Run(work); }}));
  if (response.status == 200) response.status = 201;
  return {};
}

Result<void> Datasets(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(response.body, store->SavedDatasets());
  return {};
}

Result<void> Dataset(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(response.body, store->SavedDataset(request.Part("name")));
  return {};
}

Result<void> DeleteDataset(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_TRY(store->DeleteSavedDataset(request.Part("name")));
  AnswerJson(response, JsonObject().Flag("removed", true).End());
  return {};
}

Result<void> DatasetRows(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  auto rows = std::make_shared<RowStream>();
  TM_TRY(store->ReadSavedDataset(request.Part("name"), request.stop, rows->out()));
  V1::Answer(request, response, {.format = format, .rows = std::move(rows)});
  return {};
}

Result<void> WriteFileTo(std::ifstream& file, const std::filesystem::path& path, http::BodyWriter& out) {
  std::array<char, 65'536> bytes{};
  while (file) {
    file.read(bytes.data(), bytes.size());
    if (file.gcount() > 0) TM_TRY(out.Write({bytes.data(), static_cast<std::size_t>(file.gcount())}));
  }
  if (file.eof()) return {};
  return Fail(ErrorCode::kIo, fmt::format("'{}' cannot be read", path.string()));
}

/// A file as it is: whoever fetches it has its sum. Opened before the answer begins, so that it is whole
/// though another takes its place.
Result<void> SendFile(const std::string& path, Response& response) {
  const auto file = std::make_shared<std::ifstream>(path, std::ios::binary);
  if (!*file) return Fail(ErrorCode::kNotFound, fmt::format("its file '{}' is gone", path));
  response.content_type = kParquet;
  response.stream = [file, path](http::BodyWriter& out) { return WriteFileTo(*file, path, out); };
  return {};
}

Result<void> DatasetFile(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const std::string told, store->SavedDataset(request.Part("name")));
  TM_ASSIGN(const Json dataset, ParseJson(told));
  return SendFile(dataset.at("path").get<std::string>(), response);
}

Result<void> DatasetEntityRows(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const std::string told, store->SavedDataset(request.Part("name")));
  TM_ASSIGN(const Json dataset, ParseJson(told));
  const Json& path = dataset.at("entity_rows");
  if (!path.is_string()) {
    return Fail(ErrorCode::kNotFound, fmt::format("saved dataset '{}' is of a range of times: it has no "
                                                  "entity rows",
                                                  request.Part("name")));
  }
  return SendFile(path.get<std::string>(), response);
}

Result<void> Rebuild(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  TM_TRY(body->End());
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "rebuild-dataset",
                  .scope = Scope::kWrite,
                  .work = [store, name = std::string(request.Part("name"))](
                              const WorkOptions& work) -> Result<std::string> {
                    TM_ASSIGN(const auto path, store->RebuildDataset(name, {}, work));
                    return JsonObject().Text("path", path.string()).End();
                  }});
}

Result<void> SaveTable(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  const SaveTableOptions options{.allow_overwrite = query.Flag("allow_overwrite", false)};
  TM_TRY(query.End());
  TM_ASSIGN(const RowFormat format, FormatOfContentType(request.Header("content-type").value_or("")));
  if (format == RowFormat::kCsv || format == RowFormat::kParquet)
    return Fail(ErrorCode::kInvalidArgument, "rows of a table that is kept come as JSON, NDJSON or Arrow");
  TM_ASSIGN(const auto rows, BodyRows::Open(*request.stream, format, v1.RowsOptions({}, RowsUse::kStreamed)));
  auto saved = store->SaveTable(request.Part("table"), rows->rows().stream, options, request.stop);
  if (!saved) return std::unexpected(rows->Blame(std::move(saved).error()));
  AnswerJson(response, *std::move(saved), 201);
  return {};
}

}  // namespace

void AddDatasetRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Scope scope, Body body, auto function) {
    routes.push_back({method, pattern, scope, Runs::kWorker, body,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add(Method::kPost, "/v1/projects/{project}/datasets", Scope::kWrite, Body::kStream, SaveDataset);
  add(Method::kGet, "/v1/projects/{project}/datasets", Scope::kRead, Body::kWhole, Datasets);
  add(Method::kGet, "/v1/projects/{project}/datasets/{name}", Scope::kRead, Body::kWhole, Dataset);
  add(Method::kDelete, "/v1/projects/{project}/datasets/{name}", Scope::kWrite, Body::kWhole, DeleteDataset);
  add(Method::kGet, "/v1/projects/{project}/datasets/{name}/rows", Scope::kRead, Body::kWhole, DatasetRows);
  add(Method::kGet, "/v1/projects/{project}/datasets/{name}/file", Scope::kRead, Body::kWhole, DatasetFile);
  add(Method::kGet, "/v1/projects/{project}/datasets/{name}/entity-rows", Scope::kRead, Body::kWhole,
      DatasetEntityRows);
  add(Method::kPost, "/v1/projects/{project}/datasets/{name}/rebuild", Scope::kWrite, Body::kWhole, Rebuild);
  add(Method::kPut, "/v1/projects/{project}/saved-tables/{table}", Scope::kAdmin, Body::kStream, SaveTable);
}

}  // namespace tidemark::server
