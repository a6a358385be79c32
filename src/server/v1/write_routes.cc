// Rows on their way in: made tables, ingested, pushed, deleted, erased.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
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

constexpr std::string_view kCutWarning = "timestamps finer than a microsecond were cut";

Result<WriteTarget> TargetNamed(std::string_view name) {
  if (name.empty()) return WriteTarget::kUsual;
  if (name == "online") return WriteTarget::kOnline;
  if (name == "offline") return WriteTarget::kOffline;
  if (name == "online_and_offline") return WriteTarget::kBoth;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'to' is '{}', and not one of online, offline and online_and_offline", name));
}

Result<IngestOptions> IngestOptionsOf(const Request& request, RequestOptions& query) {
  IngestOptions options;
  TM_ASSIGN(options.to, TargetNamed(query.Text("to")));
  options.dry_run = query.Flag("dry_run", false);
  options.skip_bad_rows = query.Flag("skip_bad_rows", false);
  options.reads_text = query.Flag("reads_text", false);
  options.ignore_other_columns = query.Flag("ignore_other_columns", false);
  options.idempotency_key = request.Header("idempotency-key").value_or("");
  options.stop = request.stop;
  return options;
}

/// Types of a view's columns, as far as they are known: the store says what is wrong with the name.
Result<ColumnTypes> TypesOf(V1& v1, const Store& store, std::string_view view) {
  TM_ASSIGN(const auto known, v1.services.definitions.Get(store));
  ColumnTypes types;
  if (const KnownView* found = known->ViewInAnyCase(view)) AddWriteTypes(*found, types);
  return types;
}

/// Rows that give the join keys their types are held: they are known to be good before the first is written.
Result<RowsUse> UseOf(V1& v1, const Store& store, std::string_view view) {
  TM_ASSIGN(const auto known, v1.services.definitions.Get(store));
  const KnownView* found = known->ViewInAnyCase(view);
  if (found == nullptr) return RowsUse::kStreamed;
  const bool is_typed =
      std::ranges::all_of(found->join_keys, [](const JoinKey& key) { return key.type.has_value(); });
  return is_typed ? RowsUse::kStreamed : RowsUse::kHeld;
}

/// Rows of the body of a write; in JSON those that do not fit are marked where bad ones are skipped.
Result<std::unique_ptr<BodyRows>> RowsToWrite(const V1& v1, const Request& request, ColumnTypes types,
                                              const IngestOptions& write, RowsUse use) {
  BodyRowsOptions options = v1.RowsOptions(std::move(types), use);
  options.json.marks_bad_rows = write.skip_bad_rows;
  return V1::RowsOf(request, options);
}

Result<void> CreateTable(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(JsonRequest body, JsonRequest::Parse(request.body, v1.limits));
  const auto schema = body->Element("schema");
  if (!schema || !schema->is_object())
    return Fail(ErrorCode::kInvalidArgument,
                "'schema' must be an object: {\"name\", \"entities\", \"schema\"}");
  CreateTableOptions options;
  if (const std::string column = body->Text("time_column"); !column.empty()) options.time_column = column;
  options.time_unit = body->Text("time_unit");
  options.online = body->Flag("online", true);
  options.catalog = body->Flag("catalog", true);
  options.database = body->Text("database");
  TM_TRY(body->End());
  TM_TRY(store->CreateTable(std::string(simdjson::minify(*schema)), options));
  RequestOptions made(*schema, "'schema'");
  const std::string name = made.Text("name");
  AnswerJson(response, JsonObject().Text("table", name).End(), 201);
  return {};
}

Result<void> Ingest(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  TM_ASSIGN(const IngestOptions options, IngestOptionsOf(request, query));
  const bool wants_rejected = query.Flag("rejected_rows", false);
  TM_TRY(query.End());
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  if (wants_rejected && format != RowFormat::kJson && format != RowFormat::kArrow)
    return Fail(ErrorCode::kInvalidArgument, "rejected rows come as JSON or Arrow: accept one of these");
  TM_ASSIGN(ColumnTypes types, TypesOf(v1, *store, request.Part("view")));
  TM_ASSIGN(const RowsUse use, UseOf(v1, *store, request.Part("view")));
  TM_ASSIGN(const auto rows, RowsToWrite(v1, request, std::move(types), options, use));
  auto rejected = std::make_shared<RowStream>();
  auto report =
      store->Ingest(request.Part("view"), rows->rows(), options, wants_rejected ? rejected->out() : nullptr);
  if (!report) return std::unexpected(rows->Blame(std::move(report).error()));
  if (rows->cut_times()) report->warnings.emplace_back(kCutWarning);
  if (!wants_rejected) {
    AnswerJson(response, ToJson(*report));
    return {};
  }
  V1::Answer(request, response,
             {.format = format, .rows = rejected, .report = [text = ToJson(*report)] { return text; }});
  return {};
}

Result<void> Delete(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  TM_ASSIGN(const IngestOptions options, IngestOptionsOf(request, query));
  const auto event_us = query.Time("event_time");
  TM_TRY(query.End());
  TM_ASSIGN(ColumnTypes types, TypesOf(v1, *store, request.Part("view")));
  TM_ASSIGN(const auto rows, RowsToWrite(v1, request, std::move(types), options, RowsUse::kStreamed));
  auto report = store->Delete(request.Part("view"), rows->rows(), event_us, options);
  if (!report) return std::unexpected(rows->Blame(std::move(report).error()));
  if (rows->cut_times()) report->warnings.emplace_back(kCutWarning);
  AnswerJson(response, ToJson(*report));
  return {};
}

Result<void> Erase(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(ColumnTypes types, TypesOf(v1, *store, request.Part("view")));
  TM_ASSIGN(std::shared_ptr<BodyRows> keys,
            V1::RowsOf(request, v1.RowsOptions(std::move(types), RowsUse::kLater)));
  return v1.Work(request, response,
                 {.project = {},
                  .operation = "erase",
                  .scope = Scope::kAdmin,
                  .work = [store, keys, view = std::string(request.Part("view"))](
                              const WorkOptions& work) -> Result<std::string> {
                    auto receipt = store->Erase(view, keys->rows(), work);
                    if (!receipt) return std::unexpected(keys->Blame(std::move(receipt).error()));
                    return receipt;
                  }});
}

Result<void> WriteOnline(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(ColumnTypes types, TypesOf(v1, *store, request.Part("view")));
  TM_ASSIGN(const RowFormat format, FormatOfContentType(request.Header("content-type").value_or("")));
  if (format == RowFormat::kCsv || format == RowFormat::kParquet) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "rows for the online store alone come as JSON, NDJSON or Arrow: send one of these, or ingest");
  }
  TM_ASSIGN(const auto rows,
            BodyRows::Open(*request.stream, format, v1.RowsOptions(std::move(types), RowsUse::kStreamed)));
  const EntityRows given = rows->rows();
  auto report = store->WriteToOnlineStore(request.Part("view"), given.stream);
  if (!report) return std::unexpected(rows->Blame(std::move(report).error()));
  AnswerJson(response, ToJson(*report));
  return {};
}

Result<void> Push(V1& v1, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  RequestOptions query(request);
  TM_ASSIGN(const IngestOptions options, IngestOptionsOf(request, query));
  TM_TRY(query.End());
  TM_ASSIGN(const auto known, v1.services.definitions.Get(*store));
  ColumnTypes types;
  for (const KnownView* view : known->ViewsOfPushSource(request.Part("source")))
    AddWriteTypes(*view, types);
  if (types.empty()) {
    if (const KnownView* view = known->ViewInAnyCase(request.Part("source"))) AddWriteTypes(*view, types);
  }
  TM_ASSIGN(const auto rows, RowsToWrite(v1, request, std::move(types), options, RowsUse::kHeld));
  auto reports = store->Push(request.Part("source"), rows->rows(), options);
  if (!reports) return std::unexpected(rows->Blame(std::move(reports).error()));
  for (auto& [view, report] : *reports) {
    if (rows->cut_times()) report.warnings.emplace_back(kCutWarning);
  }
  AnswerJson(response, ToJson(*reports));
  return {};
}

}  // namespace

void AddWriteRoutes(V1& v1, Routes& routes) {
  const auto add = [&](std::string_view pattern, Scope scope, Body body, auto function) {
    routes.push_back({Method::kPost, pattern, scope, Runs::kWorker, body,
                      [&v1, function](const Request& request, Response& response) {
                        return function(v1, request, response);
                      }});
  };
  add("/v1/projects/{project}/tables", Scope::kAdmin, Body::kWhole, CreateTable);
  add("/v1/projects/{project}/views/{view}/ingest", Scope::kWrite, Body::kStream, Ingest);
  add("/v1/projects/{project}/views/{view}/delete", Scope::kWrite, Body::kStream, Delete);
  add("/v1/projects/{project}/views/{view}/erase", Scope::kAdmin, Body::kStream, Erase);
  add("/v1/projects/{project}/views/{view}/write-online", Scope::kWrite, Body::kStream, WriteOnline);
  add("/v1/projects/{project}/push/{source}", Scope::kWrite, Body::kStream, Push);
}

}  // namespace tidemark::server
