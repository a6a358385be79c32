// Training sets, the rows of a table, the latest rows, and why a feature has its value.
#include <fmt/format.h>
#include <simdjson.h>

#include <memory>
#include <utility>

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

std::string JsonTextOf(const std::optional<simdjson::dom::element>& element) {
  return element ? std::string(simdjson::minify(*element)) : std::string{};
}

Result<void> Historical(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  TM_ASSIGN(RequestWithRows parts, ReadRequestWithRows(request, *request.stream, v1.limits));
  TM_ASSIGN(HistoricalOptions options, HistoricalOptionsOf(parts.request.options()));
  TM_ASSIGN(const auto known, v1.services.definitions.Get(*store));
  TM_ASSIGN(
      const std::shared_ptr<BodyRows> rows,
      RowsOfRequest(parts, v1.RowsOptions(EntityTypes(*known, options.features, options.service,
                                                      options.selection, options.event_timestamp_column),
                                          RowsUse::kLater)));
  TM_TRY(parts.request->End());
  if ((rows == nullptr) == !options.range.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                "give entity rows (the member 'entity_rows' or the part 'rows'), or else a 'range'");
  }
  auto report = std::make_shared<HistoricalReport>();
  options.ended = [report](const HistoricalReport& ended) { *report = ended; };
  options.work.stop = request.stop;
  // The stream goes first: it reads the rows.
  struct Held {
    std::shared_ptr<Store> store;
    std::shared_ptr<BodyRows> rows;
    RowStream out;
  };
  const auto held = std::make_shared<Held>();
  held->store = store;
  held->rows = rows;
  const auto blame = [rows](Error error) { return rows ? rows->Blame(std::move(error)) : error; };
  if (auto began = store->GetHistorical(rows ? rows->rows() : EntityRows{}, options, held->out.out()); !began)
    return std::unexpected(blame(std::move(began).error()));
  V1::Answer(
      request, response,
      {.format = format,
       .rows = std::shared_ptr<RowStream>(held, &held->out),
       .report =
           [report, rows] {
             if (rows && rows->cut_times())
               report->warnings.emplace_back("entity rows: timestamps finer than a microsecond were cut");
             return ToJson(*report);
           },
       .blame = blame});
  return {};
}

Result<void> AnswerTable(V1& v1, const Request& request, RequestOptions& options,
                         const std::shared_ptr<BodyRows>& entities, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  ReadTableOptions read;
  read.reading = options.Reading();
  read.columns = options.Texts("columns");
  read.start_us = options.Time("start");
  read.end_us = options.Time("end");
  read.latest = options.Flag("latest", false);
  read.stop = request.stop;
  TM_TRY(options.End());
  if (entities) read.entities = entities->rows().stream;
  auto rows = std::make_shared<RowStream>();
  auto began = store->ReadTable(request.Part("view"), read, rows->out());
  if (!began) return std::unexpected(entities ? entities->Blame(std::move(began).error()) : began.error());
  // The rows of the entities are read while the answer is.
  V1::Answer(request, response, {.format = format, .rows = std::move(rows), .blame = [entities](Error error) {
                                   return entities ? entities->Blame(std::move(error)) : error;
                                 }});
  return {};
}

Result<void> TableRows(V1& v1, const Request& request, Response& response) {
  RequestOptions query(request);
  return AnswerTable(v1, request, query, nullptr, response);
}

Result<void> ReadTable(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(RequestWithRows parts, ReadRequestWithRows(request, *request.stream, v1.limits));
  if (parts.format == RowFormat::kCsv || parts.format == RowFormat::kParquet)
    return Fail(ErrorCode::kInvalidArgument, "rows of join keys come as JSON, NDJSON or Arrow");
  TM_ASSIGN(const auto known, v1.services.definitions.Get(*store));
  TM_ASSIGN(const auto entities,
            RowsOfRequest(parts,
                          v1.RowsOptions(EntityTypes(*known, {std::string(request.Part("view"))}, {}, {}, {}),
                                         RowsUse::kLater)));
  return AnswerTable(v1, request, parts.request.options(), entities, response);
}

Result<void> AnswerLatest(V1& v1, const Request& request, RequestOptions& options, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  LatestRowsOptions read;
  read.at_us = options.Time("at");
  read.deleted = options.Flag("deleted", false);
  read.reading = options.Reading();
  read.stop = request.stop;
  TM_TRY(options.End());
  // `project.table` may be of another project.
  if (request.Part("table").find('.') != std::string_view::npos) TM_TRY(v1.CheckReadsAll(request, *store));
  auto rows = std::make_shared<RowStream>();
  TM_TRY(store->LatestRows(request.Part("table"), read, rows->out()));
  V1::Answer(request, response, {.format = format, .rows = std::move(rows)});
  return {};
}

Result<void> Latest(V1& v1, const Request& request, Response& response) {
  RequestOptions query(request);
  return AnswerLatest(v1, request, query, response);
}

Result<void> PostLatest(V1& v1, const Request& request, Response& response) {
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  return AnswerLatest(v1, request, body.options(), response);
}

Result<void> Explain(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  const std::string feature = body->NeededText("feature");
  const auto key = body->Element("key");
  const ExplainOptions options{.t_us = body->Time("time"), .work = {.stop = request.stop, .progress = {}}};
  TM_TRY(body->End());
  if (!key || !key->is_object())
    return Fail(ErrorCode::kInvalidArgument, "'key' must be an object of join keys and their values");
  TM_ASSIGN(response.body, store->Explain(feature, JsonTextOf(key), options));
  return {};
}

}  // namespace

Result<HistoricalOptions> HistoricalOptionsOf(RequestOptions& body) {
  HistoricalOptions options;
  options.features = body.Texts("features");
  options.service = body.Text("service");
  options.selection = JsonTextOf(body.Element("selection"));
  options.event_timestamp_column = body.Text("event_timestamp_column");
  options.full_feature_names = body.Flag("full_feature_names", false);
  options.include_status = body.Flag("include_status", false);
  const auto known_by = body.Element("known_by");
  std::string_view word;
  options.known_by_event =
      known_by && known_by->get_string().get(word) == simdjson::SUCCESS && word == "event";
  if (!options.known_by_event) options.known_by_us = body.Time("known_by");
  options.reading = body.Reading();
  if (const auto range = body.Element("range")) {
    RequestOptions times(*range, "'range'");
    options.range = EventRange{.start_us = times.Time("start"), .end_us = times.Time("end")};
    TM_TRY(times.End());
  }
  return options;
}

void AddReadRoutes(V1& v1, Routes& routes) {
  const auto add = [&](Method method, std::string_view pattern, Body body, auto function) {
    routes.push_back({method, pattern, Scope::kRead, Runs::kWorker, body,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add(Method::kPost, "/v1/projects/{project}/historical", Body::kStream, Historical);
  add(Method::kGet, "/v1/projects/{project}/views/{view}/rows", Body::kWhole, TableRows);
  add(Method::kPost, "/v1/projects/{project}/views/{view}/read", Body::kStream, ReadTable);
  add(Method::kGet, "/v1/projects/{project}/tables/{table}/latest", Body::kWhole, Latest);
  add(Method::kPost, "/v1/projects/{project}/tables/{table}/latest", Body::kWhole, PostLatest);
  add(Method::kPost, "/v1/projects/{project}/explain", Body::kWhole, Explain);
}

}  // namespace tidemark::server
