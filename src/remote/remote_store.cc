// Each method is one request, but for jobs; docs/http-api.md has the routes.
#include "remote/remote_store.h"

#include <fmt/format.h>

#include <utility>

#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/stream_export.h"
#include "remote/answer_json.h"
#include "remote/arrow_bodies.h"
#include "remote/remote_datasets.h"
#include "remote/remote_jobs.h"
#include "remote/remote_online.h"
#include "remote/remote_writes.h"

namespace tidemark::remote {
namespace {

std::string_view FolderOf(ObjectType type) {
  switch (type) {
    case ObjectType::kEntity:
      return "entities";
    case ObjectType::kFeatureView:
      return "views";
    case ObjectType::kOnDemandView:
      return "on-demand-views";
    case ObjectType::kFeatureService:
      break;
  }
  return "services";
}

std::string ApplyRequest(std::string_view definitions, const ApplyOptions& options) {
  Json request = Json::object();
  request["definitions"] = definitions;
  Set(request, "remove_missing", options.remove_missing);
  for (const auto& [type, name] : options.remove)
    request["remove"].push_back(Json{{"type", NameOf(type)}, {"name", name}});
  return request.dump();
}

std::string ViewsRequest(const std::vector<std::string>& views) {
  Json request = Json::object();
  request["views"] = views;
  return request.dump();
}

std::string TablesRequest(const std::vector<std::string>& tables) {
  Json request = Json::object();
  request["tables"] = tables;
  return request.dump();
}

std::string SqlRequest(std::string_view query, const SqlQueryOptions& options) {
  Json request = Json::object();
  request["query"] = query;
  Set(request, "memory_bytes_max", options.memory_bytes_max);
  if (options.time_limit) request["time_limit_ms"] = options.time_limit->count();
  SetReading(request, options.reading);
  return request.dump();
}

Result<Json> HistoricalRequestOf(const HistoricalOptions& options) {
  if (options.known_by_us && options.known_by_event) {
    return Fail(ErrorCode::kInvalidArgument, "known_by is a time or each row's own time, not both");
  }
  Json request = Json::object();
  TM_TRY(SetSelection(request, options.features, options.service, options.selection));
  Set(request, "event_timestamp_column", options.event_timestamp_column);
  Set(request, "full_feature_names", options.full_feature_names);
  Set(request, "include_status", options.include_status);
  Set(request, "known_by", options.known_by_us);
  if (options.known_by_event) request["known_by"] = "event";
  SetReading(request, options.reading);
  if (options.range) {
    Json range = Json::object();
    Set(range, "start", options.range->start_us);
    Set(range, "end", options.range->end_us);
    request["range"] = std::move(range);
  }
  return request;
}

/// Whether entity rows are given; without them, and without a range, the server says what is missing.
Result<bool> HasRows(const EntityRows& rows, const HistoricalOptions& options) {
  const bool has_rows = rows.stream != nullptr || !rows.path.empty();
  if (has_rows && options.range) {
    return Fail(ErrorCode::kInvalidArgument,
                "a range of event times is for requests without entity rows: give one of them");
  }
  return has_rows || !options.range;
}

/// A training set that is on its way, and what is said of it at its end.
struct TrainingSet {
  std::shared_ptr<arrow::RecordBatchReader> rows;
  std::shared_ptr<HistoricalReport> report = std::make_shared<HistoricalReport>();
};

class RemoteStore final : public Store {
 public:
  explicit RemoteStore(std::shared_ptr<const Session> session)
      : session_(std::move(session)), path_(session_->url()) {}

  const std::filesystem::path& path() const override { return path_; }
  const std::string& project() const override { return session_->project; }

  Result<std::vector<Change>> Plan(std::string_view definitions, const ApplyOptions& options) override {
    return Changes("plan", Effect::kNone, definitions, options);
  }

  Result<std::vector<Change>> Apply(std::string_view definitions, const ApplyOptions& options) override {
    return Changes("apply", Effect::kRepeatable, definitions, options);
  }

  Result<void> Teardown(const WorkOptions& work) override {
    return Remove(session_->Path({}), Effect::kRepeatable, work.stop);
  }

  Result<std::vector<std::string>> Projects() const override {
    TM_ASSIGN(const Json answer, Ask(Target("/v1/projects")));
    return Texts(answer, "projects");
  }

  Result<std::int64_t> Revision(std::int64_t max_age_ms) const override {
    TM_ASSIGN(const Json answer,
              Ask(session_->Path({"revision"}).Add("max_age_ms", std::to_string(max_age_ms))));
    return Number(answer, "revision");
  }

  Result<ProjectDefinitions> AllDefinitions() const override {
    TM_ASSIGN(const Json answer, Ask(session_->Path({"definitions"})));
    return ProjectDefinitions{.revision = Number(answer, "revision"),
                              .json = Member(answer, "definitions").dump()};
  }

  Result<std::string> List(ObjectType type) const override {
    return session_->Get(session_->Path({FolderOf(type)}));
  }

  Result<std::string> Describe(ObjectType type, std::string_view name) const override {
    return session_->Get(session_->Path({FolderOf(type), name}));
  }

  Result<void> GetHistorical(EntityRows rows, const HistoricalOptions& options,
                             ArrowArrayStream* out) override {
    TM_ASSIGN(TrainingSet set, Start(rows, options));
    StreamEnd ended;
    if (options.ended) {
      ended = [report = set.report, told = options.ended](std::int64_t count) {
        report->rows = count;
        told(*report);
      };
    }
    ExportStream(std::move(set.rows), std::move(ended), out);
    return {};
  }

  Result<HistoricalReport> WriteHistorical(EntityRows rows, const HistoricalOptions& options,
                                           const std::filesystem::path& out) override {
    TM_ASSIGN(const TrainingSet set, Start(rows, options));
    TM_ASSIGN(set.report->rows, session_->write_file(*set.rows, out));
    return std::move(*set.report);
  }

  Result<std::string> SaveDataset(std::string_view name, EntityRows rows, const HistoricalOptions& what,
                                  const SaveDatasetOptions& options) override {
    TM_ASSIGN(Json asked, HistoricalRequestOf(what));
    TM_ASSIGN(const bool has_rows, HasRows(rows, what));
    return remote::SaveDataset(*session_, name, has_rows ? &rows : nullptr, std::move(asked), what, options);
  }
  Result<std::string> SavedDatasets() override { return session_->Get(session_->Path({"datasets"})); }
  Result<std::string> SavedDataset(std::string_view name) override {
    return session_->Get(session_->Path({"datasets", name}));
  }
  Result<void> ReadSavedDataset(std::string_view name, const std::stop_token& stop,
                                ArrowArrayStream* out) override {
    Request request{.target = session_->Path({"datasets", name, "rows"}).text()};
    request.stop = stop;
    TM_ASSIGN(auto rows, session_->Rows(request));
    ExportStream(std::move(rows), {}, out);
    return {};
  }
  Result<std::filesystem::path> RebuildDataset(std::string_view name, const std::filesystem::path& out,
                                               const WorkOptions& work) override {
    return remote::RebuildDataset(*session_, name, out, work);
  }
  Result<void> FetchSavedDataset(std::string_view name, DatasetFile file, const std::filesystem::path& out,
                                 const std::stop_token& stop) override {
    return remote::FetchSavedDataset(*session_, name, file, out, stop);
  }
  Result<void> DeleteSavedDataset(std::string_view name) override {
    return Remove(session_->Path({"datasets", name}), Effect::kOnce);
  }
  Result<std::string> SaveTable(std::string_view table, ArrowArrayStream* rows,
                                const SaveTableOptions& options, const std::stop_token& stop) override {
    return remote::SaveTable(*session_, table, rows, options, stop);
  }

  Result<MaterializeReport> Materialize(const MaterializeOptions& options) override {
    Json request{{"views", options.views}, {"end", options.end_us}};
    Set(request, "start", options.start_us);
    Set(request, "reload", options.reload);
    TM_ASSIGN(const std::string body,
              RunJob(*session_, session_->Path({"materialize"}), request.dump(), options.work));
    TM_ASSIGN(const Json report, Parse(body));
    return MaterializeReportOf(report);
  }

  Result<BackfillReport> Backfill(std::string_view view, const BackfillOptions& options) override {
    if (options.to == WriteTarget::kOnline)
      return Fail(ErrorCode::kInvalidArgument, "a backfill writes to offline or to both");
    Json request{{"step", FormatDurationUs(options.step_us)}};
    Set(request, "start", options.start_us);
    Set(request, "end", options.end_us);
    Set(request, "restart", options.restart);
    if (options.to != WriteTarget::kUsual)
      request["to"] = options.to == WriteTarget::kOffline ? "offline" : "online_and_offline";
    TM_ASSIGN(const std::string body,
              RunJob(*session_, session_->Path({"views", view, "backfill"}), request.dump(), options.work));
    TM_ASSIGN(const Json report, Parse(body));
    return BackfillReportOf(report);
  }

  Result<OnlineWriteReport> WriteToOnlineStore(std::string_view view, ArrowArrayStream* rows) override {
    return WriteOnline(*session_, view, rows);
  }

  Result<std::shared_ptr<const OnlineReader>> PrepareOnline(const OnlineOptions& options) override {
    return remote::PrepareOnline(session_, options);
  }

  Result<void> CreateTable(std::string_view schema, const CreateTableOptions& options) override {
    auto parsed = ParseJson(schema);
    if (!parsed) return std::unexpected(std::move(parsed).error().In("the table's schema"));
    const Json request{{"schema", *std::move(parsed)},   {"time_column", options.time_column},
                       {"time_unit", options.time_unit}, {"online", options.online},
                       {"catalog", options.catalog},     {"database", options.database}};
    TM_TRY(session_->Post(session_->Path({"tables"}), Effect::kOnce, request.dump()));
    return {};
  }

  Result<IngestReport> Ingest(std::string_view view, EntityRows rows, const IngestOptions& options,
                              ArrowArrayStream* rejected) override {
    return remote::Ingest(*session_, view, rows, options, rejected);
  }

  Result<IngestReport> Delete(std::string_view view, EntityRows rows, std::optional<std::int64_t> event_us,
                              const IngestOptions& options) override {
    return remote::Delete(*session_, view, rows, event_us, options);
  }

  Result<std::vector<std::pair<std::string, IngestReport>>> Push(std::string_view source, EntityRows rows,
                                                                 const IngestOptions& options) override {
    return remote::Push(*session_, source, rows, options);
  }

  Result<FlushReport> Flush(const std::vector<std::string>& views) override {
    TM_ASSIGN(const Json answer, Tell(session_->Path({"flush"}), Effect::kRepeatable, ViewsRequest(views)));
    return FlushReportOf(answer);
  }

  Result<std::string> Snapshots(std::string_view view) override {
    return session_->Get(session_->Path({"views", view, "snapshots"}));
  }

  Result<CompactReport> Compact(const std::vector<std::string>& views, const WorkOptions& work) override {
    TM_ASSIGN(const std::string body,
              RunJob(*session_, session_->Path({"compact"}), ViewsRequest(views), work));
    TM_ASSIGN(const Json report, Parse(body));
    return CompactReportOf(report);
  }

  Result<ExpireSnapshotsReport> ExpireSnapshots(const std::vector<std::string>& views,
                                                const ExpireSnapshotsOptions& options) override {
    const Json request{{"views", views}, {"older_than", options.older_than_us}, {"keep", options.keep}};
    TM_ASSIGN(const Json answer,
              Tell(session_->Path({"expire-snapshots"}), Effect::kRepeatable, request.dump()));
    return ExpireSnapshotsReportOf(answer);
  }

  Result<std::string> Erase(std::string_view view, EntityRows keys, const WorkOptions& work) override {
    return remote::Erase(*session_, view, keys, work);
  }

  Result<std::string> Erasures(const std::vector<std::string>& views) override {
    Target target = session_->Path({"erasures"});
    for (const std::string& view : views)
      target.Add("view", view);
    return session_->Get(target);
  }

  Result<void> ReadTable(std::string_view view, const ReadTableOptions& options,
                         ArrowArrayStream* out) override {
    Json request = Json::object();
    if (!options.columns.empty()) request["columns"] = options.columns;
    Set(request, "start", options.start_us);
    Set(request, "end", options.end_us);
    Set(request, "latest", options.latest);
    SetReading(request, options.reading);
    const EntityRows entities{.stream = options.entities, .path = {}};
    return Stream({"views", view, "read"}, request, options.entities == nullptr ? nullptr : &entities,
                  options.stop, out);
  }

  Result<void> Sql(std::string_view query, const SqlQueryOptions& options, ArrowArrayStream* out) override {
    TM_ASSIGN(auto rows, Query(query, options));
    ExportStream(std::move(rows), {}, out);
    return {};
  }

  Result<std::int64_t> WriteSql(std::string_view query, const SqlQueryOptions& options,
                                const std::filesystem::path& out) override {
    TM_ASSIGN(const auto rows, Query(query, options));
    return session_->write_file(*rows, out);
  }

  Result<void> LatestRows(std::string_view table, const LatestRowsOptions& options,
                          ArrowArrayStream* out) override {
    Json request = Json::object();
    Set(request, "at", options.at_us);
    Set(request, "deleted", options.deleted);
    SetReading(request, options.reading);
    return Stream({"tables", table, "latest"}, request, nullptr, options.stop, out);
  }

  Result<DumpReport> Dump(std::string_view query, const SqlQueryOptions& options) override {
    TM_ASSIGN(const Json answer,
              Tell(session_->Path({"dumps"}), Effect::kOnce, SqlRequest(query, options), options.stop));
    return DumpReport{.id = Text(answer, "id"),
                      .path = Text(answer, "path"),
                      .rows = Number(answer, "rows"),
                      .bytes = Number(answer, "bytes")};
  }

  Result<void> ReadDump(std::string_view id, const std::stop_token& stop, ArrowArrayStream* out) override {
    Request request{.target = session_->Path({"dumps", id}).text()};
    request.stop = stop;
    TM_ASSIGN(auto rows, session_->Rows(request));
    ExportStream(std::move(rows), {}, out);
    return {};
  }

  Result<std::string> Dumps() override { return session_->Get(session_->Path({"dumps"})); }

  Result<void> RemoveDump(std::string_view id) override {
    return Remove(session_->Path({"dumps", id}), Effect::kOnce);
  }

  Result<std::vector<std::string>> Databases() override {
    TM_ASSIGN(const Json answer, Ask(session_->Path({"databases"})));
    return Texts(answer, "databases");
  }

  Result<void> CreateDatabase(std::string_view name) override {
    Request request{
        .method = "PUT", .target = session_->Path({"databases", name}).text(), .effect = Effect::kRepeatable};
    TM_TRY(session_->client->Call(request));
    return {};
  }

  Result<void> DropDatabase(std::string_view name) override {
    return Remove(session_->Path({"databases", name}), Effect::kOnce);
  }

  Result<std::string> RegisterTable(std::string_view database, std::string_view table, std::string_view path,
                                    const RegisterOptions& options) override {
    const Json request{{"database", std::string(database)},
                       {"table", std::string(table)},
                       {"path", std::string(path)},
                       {"partitions", options.partitions}};
    return session_->Post(session_->Path({"registered-tables"}), Effect::kOnce, request.dump(), options.stop);
  }

  Result<std::string> AddPartitions(std::string_view database, std::string_view table,
                                    const std::vector<std::string>& partitions,
                                    const std::stop_token& stop) override {
    const Json request{
        {"database", std::string(database)}, {"table", std::string(table)}, {"partitions", partitions}};
    return session_->Post(session_->Path({"registered-tables", "partitions"}), Effect::kRepeatable,
                          request.dump(), stop);
  }

  Result<std::string> Refresh(const std::vector<std::string>& tables, const std::stop_token& stop) override {
    return session_->Post(session_->Path({"registered-tables", "refresh"}), Effect::kRepeatable,
                          TablesRequest(tables), stop);
  }

  Result<std::string> Tables(std::string_view database) override {
    return session_->Get(session_->Path({"tables"}).Set("database", database));
  }

  Result<bool> DropRegisteredTable(std::string_view name) override {
    Request request{.method = "DELETE",
                    .target = session_->Path({"registered-tables", name}).text(),
                    .effect = Effect::kOnce};
    TM_ASSIGN(const std::string body, session_->client->Call(request));
    TM_ASSIGN(const Json answer, Parse(body));
    return Flag(answer, "removed");
  }

  Result<RelocateReport> Relocate() override {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("relocating is about the folder that a store lies in, which is the server's: run "
                            "`tidemark relocate --store DIR` where {} runs",
                            session_->url()));
  }

  Result<void> RunStreams(const std::vector<std::string>& /*views*/,
                          const RunStreamsOptions& /*options*/) override {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("streams are read where the store's folder is: set `streams` of the server at {}, or run "
                    "`tidemark stream run` there",
                    session_->url()));
  }

  Result<std::string> StreamStatus(const std::vector<std::string>& views) override {
    auto target = session_->Path({"streams"});
    for (const std::string& view : views)
      target.Add("view", view);
    return session_->Get(target);
  }

  Result<std::string> RestartStream(std::string_view view, const RestartStreamOptions& options) override {
    Json request{{"from", std::string(NameOf(options.from))}, {"dry_run", options.dry_run}};
    if (!options.partitions.empty()) request["partitions"] = options.partitions;
    return session_->Post(session_->Path({"streams", view, "restart"}), Effect::kOnce, request.dump());
  }

  Result<std::string> Explain(std::string_view feature, std::string_view key,
                              const ExplainOptions& options) override {
    auto parsed = ParseJson(key);
    if (!parsed) return std::unexpected(std::move(parsed).error().In("the entity's key"));
    Json request{{"feature", feature}, {"key", *std::move(parsed)}};
    Set(request, "time", options.t_us);
    return session_->Post(session_->Path({"explain"}), Effect::kNone, request.dump(), options.work.stop);
  }

  Result<std::string> OnlineStats() const override {
    return session_->Get(session_->Path({"online", "stats"}));
  }

  Result<std::string> Stats() override { return session_->Get(session_->Path({"stats"})); }

 private:
  Result<Json> Parse(const std::string& body) const { return ParseAnswer(session_->url(), body); }

  Result<Json> Ask(const Target& target) const {
    TM_ASSIGN(const std::string body, session_->Get(target));
    return Parse(body);
  }

  Result<Json> Tell(const Target& target, Effect effect, std::string body, const std::stop_token& stop = {}) {
    TM_ASSIGN(const std::string answer, session_->Post(target, effect, std::move(body), stop));
    return Parse(answer);
  }

  Result<void> Remove(const Target& target, Effect effect, const std::stop_token& stop = {}) {
    Request request{.method = "DELETE", .target = target.text(), .effect = effect};
    request.stop = stop;
    TM_TRY(session_->client->Call(request));
    return {};
  }

  Result<std::vector<Change>> Changes(std::string_view route, Effect effect, std::string_view definitions,
                                      const ApplyOptions& options) {
    TM_ASSIGN(const Json answer,
              Tell(session_->Path({route}), effect, ApplyRequest(definitions, options), options.work.stop));
    return ChangesOf(answer);
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(std::string_view query,
                                                          const SqlQueryOptions& options) {
    Request request{.method = "POST", .target = session_->Path({"sql"}).text()};
    request.body = SqlRequest(query, options);
    request.stop = options.stop;
    return session_->Rows(request);
  }

  /// Rows that answer a request in JSON, or one with rows of its own beside it.
  Result<void> Stream(std::initializer_list<std::string_view> path, const Json& asked, const EntityRows* rows,
                      const std::stop_token& stop, ArrowArrayStream* out) {
    Request request{.method = "POST", .target = session_->Path(path).text()};
    request.stop = stop;
    TM_ASSIGN(const GivenRows given, Attach(request, asked, rows));
    TM_ASSIGN(auto answer, session_->Rows(request));
    ExportStream(std::move(answer), {}, out);
    return {};
  }

  /// Gives the request its body: of two parts if there are rows.
  static Result<GivenRows> Attach(Request& request, const Json& asked, const EntityRows* rows) {
    GivenRows given;
    if (rows == nullptr) {
      request.body = asked.dump();
      return given;
    }
    TM_ASSIGN(given, TakeRows(*rows, asked.dump()));
    request.content_type = given.content_type;
    request.stream = given.body.get();
    return given;
  }

  Result<TrainingSet> Start(const EntityRows& rows, const HistoricalOptions& options) {
    TM_ASSIGN(const bool has_rows, HasRows(rows, options));
    TM_ASSIGN(const Json asked, HistoricalRequestOf(options));
    Request request{.method = "POST", .target = session_->Path({"historical"}).text()};
    request.stop = options.work.stop;
    TM_ASSIGN(const GivenRows given, Attach(request, asked, has_rows ? &rows : nullptr));
    TrainingSet set;
    const auto on_report = [report = set.report](const std::string& text) {
      const auto told = ParseJson(text);
      if (!told) return;  // its rows are whole all the same
      report->rows = Number(*told, "rows");
      report->warnings = Texts(*told, "warnings");
    };
    TM_ASSIGN(set.rows, session_->Rows(request, on_report));
    return set;
  }

  const std::shared_ptr<const Session> session_;
  const std::filesystem::path path_;
};

/// The project that the server means when none is named. It also shows that the server takes the key.
Result<std::string> FindProject(const Session& session, const std::string& wanted) {
  if (!wanted.empty()) {
    TM_TRY(CheckName("project", wanted));
    return wanted;
  }
  TM_ASSIGN(const std::string body, session.Get(Target("/v1/projects")));
  TM_ASSIGN(const Json answer, ParseAnswer(session.url(), body));
  std::string own = Text(answer, "project");
  return own.empty() ? "default" : own;
}

}  // namespace

Result<std::unique_ptr<Store>> OpenRemoteStore(const ConnectOptions& options, WriteFile write_file) {
  auto session = std::make_shared<Session>();
  TM_ASSIGN(session->client, HttpClient::Make(options));
  session->write_file = std::move(write_file);
  TM_ASSIGN(session->project, FindProject(*session, options.project));
  if (!options.project.empty()) TM_TRY(session->Get(session->Path({"revision"})));
  return std::make_unique<RemoteStore>(std::move(session));
}

}  // namespace tidemark::remote
