// Commands into calls of the store's API.
#include "server/flight/own_calls.h"

#include <arrow/array/array_binary.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

#include "server/flight/command_internal.h"
#include "server/flight/reports.h"
#include "server/flight/status.h"

namespace tidemark::server::flight {
namespace {

constexpr std::size_t kErrorsShown = 20;

using Upload = arrow::flight::FlightMessageReader;
using GetCall = Result<Answer> (*)(const Call&, Command&);
using ExchangeCall = Result<Answer> (*)(const Call&, Command&, Upload&);
using PutCall = Result<std::string> (*)(const Call&, Command&, Upload&);

/// How rows of this call tell an error that comes behind the first of them.
StoreRows::ToStatus Telling(const Call& call) {
  return [&call](const Error& error) { return call.Failed(error); };
}

template <typename F>
struct Named {
  std::string_view name;
  F function;
};

/// The call of that name; kInvalidArgument that lists those which `method` knows.
template <typename F>
Result<F> Find(std::span<const Named<F>> calls, std::string_view method, const std::string& name) {
  const auto found = std::ranges::find(calls, name, &Named<F>::name);
  if (found != calls.end()) return found->function;
  std::vector<std::string_view> names;
  for (const Named<F>& call : calls)
    names.push_back(call.name);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} has no call '{}'; it has {}", method, name, fmt::join(names, ", ")));
}

Result<Answer> RowsOf(const Call& call, OwnedStream& stream, std::shared_ptr<Store> store) {
  TM_ASSIGN(auto rows, StoreRows::Open(stream.get(), std::move(store), Telling(call)));
  return Answer{.rows = std::move(rows)};
}

// --- reading

Result<SqlQueryOptions> QueryOptions(const Call& call, Command& command) {
  SqlQueryOptions options{.stop = call.stop()};
  TM_ASSIGN(options.reading, command.Reading());
  TM_ASSIGN(options.memory_bytes_max, command.Integer("memory_bytes_max"));
  TM_ASSIGN(const auto time_limit_ms, command.Integer("time_limit_ms"));
  if (time_limit_ms) options.time_limit = std::chrono::milliseconds(*time_limit_ms);
  return options;
}

Result<Answer> Sql(const Call& call, Command& command) {
  TM_ASSIGN(const std::string query, command.Text("query"));
  TM_ASSIGN(const SqlQueryOptions options, QueryOptions(call, command));
  TM_TRY(command.NothingElse());
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  TM_TRY(call.CheckReadsAll(*store));
  OwnedStream rows;
  TM_TRY(store->Sql(query, options, rows.get()));
  return RowsOf(call, rows, std::move(store));
}

Result<Answer> Latest(const Call& call, Command& command) {
  LatestRowsOptions options{.stop = call.stop()};
  TM_ASSIGN(const std::string table, command.Text("table"));
  TM_ASSIGN(options.at_us, command.Time("at"));
  TM_ASSIGN(options.deleted, command.Flag("deleted"));
  TM_ASSIGN(options.reading, command.Reading());
  TM_TRY(command.NothingElse());
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  OwnedStream rows;
  TM_TRY(store->LatestRows(table, options, rows.get()));
  return RowsOf(call, rows, std::move(store));
}

Result<Answer> Dump(const Call& call, Command& command) {
  TM_ASSIGN(const std::string id, command.Text("id"));
  TM_TRY(command.NothingElse());
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  TM_TRY(call.CheckReadsAll(*store));
  OwnedStream rows;
  TM_TRY(store->ReadDump(id, call.stop(), rows.get()));
  return RowsOf(call, rows, std::move(store));
}

Result<Answer> ReadTableRows(const Call& call, Command& command, Upload* upload) {
  ReadTableOptions options{.stop = call.stop()};
  TM_ASSIGN(const std::string view, command.Text("view"));
  TM_ASSIGN(options.columns, command.Texts("columns"));
  TM_ASSIGN(options.start_us, command.Time("start"));
  TM_ASSIGN(options.end_us, command.Time("end"));
  TM_ASSIGN(options.latest, command.Flag("latest"));
  TM_ASSIGN(options.reading, command.Reading());
  TM_TRY(command.NothingElse());
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  OwnedStream entities;
  OwnedStream rows;
  if (upload != nullptr) {
    TM_ASSIGN(const auto uploaded, call.Upload(*upload));
    TM_ASSIGN(auto all, TakeAll(*uploaded, call.uploads()));
    TM_TRY(ToStream(std::move(all), entities.get()));
    options.entities = entities.get();
  }
  TM_TRY(store->ReadTable(view, options, rows.get()));
  return RowsOf(call, rows, std::move(store));
}

Result<Answer> Read(const Call& call, Command& command) {
  return ReadTableRows(call, command, nullptr);
}

Result<Answer> ReadEntities(const Call& call, Command& command, Upload& upload) {
  return ReadTableRows(call, command, &upload);
}

// --- training sets

Result<HistoricalOptions> TrainingOptions(const Call& call, Command& command) {
  HistoricalOptions options;
  TM_ASSIGN(options.features, command.Texts("features"));
  TM_ASSIGN(options.service, command.Text("service", ""));
  options.selection = command.Json("selection");
  TM_ASSIGN(options.event_timestamp_column, command.Text("event_timestamp_column", ""));
  TM_ASSIGN(options.full_feature_names, command.Flag("full_feature_names"));
  TM_ASSIGN(options.include_status, command.Flag("include_status"));
  if (const auto* known_by = command.Value("known_by"); known_by != nullptr && *known_by == "event") {
    options.known_by_event = true;
  } else {
    TM_ASSIGN(options.known_by_us, command.Time("known_by"));
  }
  TM_ASSIGN(options.reading, command.Reading());
  options.work.stop = call.stop();
  return options;
}

Result<std::optional<EventRange>> RangeOf(Command& command) {
  const auto* members = command.Value("range");
  if (members == nullptr) return std::nullopt;
  if (!members->is_object()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        R"(the option 'range' must be an object such as {"start": "2026-01-01", "end": "2026-02-01"})");
  }
  Command inner = Command::OfOptions("range", *members);
  EventRange range;
  TM_ASSIGN(range.start_us, inner.Time("start"));
  TM_ASSIGN(range.end_us, inner.Time("end"));
  TM_TRY(inner.NothingElse());
  return range;
}

/// A training set without an upload: of a range, of a query's rows, or of a file on the server's disk, which
/// only those may name who may do everything.
Result<Answer> HistoricalOfRange(const Call& call, Command& command) {
  TM_ASSIGN(HistoricalOptions options, TrainingOptions(call, command));
  TM_ASSIGN(options.range, RangeOf(command));
  TM_ASSIGN(const std::string query, command.Text("entity_sql", ""));
  TM_ASSIGN(const std::string path, command.Text("entity_path", ""));
  TM_TRY(command.NothingElse());
  const int given = static_cast<int>(options.range.has_value()) + static_cast<int>(!query.empty()) +
                    static_cast<int>(!path.empty());
  if (given != 1) {
    return Fail(ErrorCode::kInvalidArgument,
                "DoGet of a training set needs one of 'range', 'entity_sql' and 'entity_path'; entity rows "
                "of your own are sent with DoExchange");
  }
  if (!path.empty() && !call.caller().Allows(http::Scope::kAdmin, "*")) {
    return Fail(ErrorCode::kPermissionDenied,
                "'entity_path' names a file on the server: that asks for the scope admin in all projects");
  }
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  OwnedStream entities;
  EntityRows rows{.path = path};
  if (!query.empty()) {
    TM_TRY(QueryRows(call, *store, query, entities));
    rows.stream = entities.get();
  }
  return TrainingSet(std::move(store), rows, std::move(options), Telling(call));
}

Result<Answer> Historical(const Call& call, Command& command, Upload& upload) {
  TM_ASSIGN(HistoricalOptions options, TrainingOptions(call, command));
  TM_TRY(command.NothingElse());
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  TM_ASSIGN(const auto uploaded, call.Upload(upload));
  TM_ASSIGN(auto all, TakeAll(*uploaded, call.uploads()));
  OwnedStream entities;
  TM_TRY(ToStream(std::move(all), entities.get()));
  return TrainingSet(std::move(store), {.stream = entities.get()}, std::move(options), Telling(call));
}

// --- writing

/// Rows up, into a call of the store that takes them over.
template <typename F>
auto Write(const Call& call, Upload& upload, F&& write) -> decltype(write(EntityRows{})) {
  TM_ASSIGN(const auto uploaded, call.Upload(upload));
  OwnedStream rows;
  TM_TRY(ToStream(uploaded, rows.get()));
  auto written = std::forward<F>(write)(EntityRows{.stream = rows.get()});
  if (!written) return std::unexpected(uploaded->ReasonOf(std::move(written).error()));
  return written;
}

Result<IngestReport> IngestRows(const Call& call, Command& command, Upload& upload, OwnedStream& rejected,
                                std::shared_ptr<Store>& store) {
  TM_ASSIGN(const std::string view, command.Text("view"));
  TM_ASSIGN(IngestOptions options, command.Writing());
  options.stop = call.stop();
  TM_TRY(command.NothingElse());
  TM_ASSIGN(store, call.Open(command.project(), http::Scope::kWrite));
  return Write(call, upload, [&](EntityRows rows) {
    return store->Ingest(view, std::move(rows), options, rejected.get());
  });
}

/// What is wrong with the first of the rows that were left out.
Result<std::vector<std::string>> FirstErrors(const Call& call, OwnedStream& rejected,
                                             std::shared_ptr<Store> store) {
  std::vector<std::string> errors;
  if (rejected.is_empty()) return errors;
  TM_ASSIGN(const auto rows, StoreRows::Open(rejected.get(), std::move(store), Telling(call)));
  std::shared_ptr<arrow::RecordBatch> batch;
  TM_TRY(FromArrow(rows->ReadNext(&batch)));
  const auto column = batch == nullptr ? nullptr : batch->GetColumnByName("error");
  if (column == nullptr || column->type_id() != arrow::Type::STRING) return errors;
  const auto& texts = static_cast<const arrow::StringArray&>(*column);
  for (std::int64_t row = 0; row < texts.length() && errors.size() < kErrorsShown; ++row)
    errors.push_back(texts.GetString(row));
  return errors;
}

Result<std::string> Ingest(const Call& call, Command& command, Upload& upload) {
  OwnedStream rejected;
  std::shared_ptr<Store> store;
  TM_ASSIGN(const IngestReport report, IngestRows(call, command, upload, rejected, store));
  TM_ASSIGN(const auto errors, FirstErrors(call, rejected, std::move(store)));
  return ReportOf(report, errors);
}

Result<Answer> IngestReturning(const Call& call, Command& command, Upload& upload) {
  OwnedStream rejected;
  std::shared_ptr<Store> store;
  TM_ASSIGN(const IngestReport report, IngestRows(call, command, upload, rejected, store));
  Answer answer{.rows = nullptr, .report = [text = ReportOf(report)] { return text; }};
  if (rejected.is_empty()) {
    TM_ASSIGN(answer.rows, FromArrow(arrow::RecordBatchReader::Make({}, arrow::schema({}))));
  } else {
    TM_ASSIGN(answer.rows, StoreRows::Open(rejected.get(), std::move(store), Telling(call)));
  }
  return answer;
}

Result<std::string> Push(const Call& call, Command& command, Upload& upload) {
  TM_ASSIGN(const std::string source, command.Text("source"));
  TM_ASSIGN(IngestOptions options, command.Writing());
  options.stop = call.stop();
  TM_TRY(command.NothingElse());
  TM_ASSIGN(const auto store, call.Open(command.project(), http::Scope::kWrite));
  TM_ASSIGN(const auto reports, Write(call, upload, [&](EntityRows rows) {
              return store->Push(source, std::move(rows), options);
            }));
  return ReportOf(reports);
}

Result<std::string> Delete(const Call& call, Command& command, Upload& upload) {
  TM_ASSIGN(const std::string view, command.Text("view"));
  TM_ASSIGN(const auto event_us, command.Time("event_time"));
  TM_ASSIGN(IngestOptions options, command.Writing());
  options.stop = call.stop();
  TM_TRY(command.NothingElse());
  TM_ASSIGN(const auto store, call.Open(command.project(), http::Scope::kWrite));
  TM_ASSIGN(const IngestReport report, Write(call, upload, [&](EntityRows rows) {
              return store->Delete(view, std::move(rows), event_us, options);
            }));
  return ReportOf(report);
}

Result<std::string> WriteOnline(const Call& call, Command& command, Upload& upload) {
  TM_ASSIGN(const std::string view, command.Text("view"));
  TM_TRY(command.NothingElse());
  TM_ASSIGN(const auto store, call.Open(command.project(), http::Scope::kWrite));
  TM_ASSIGN(const OnlineWriteReport report, Write(call, upload, [&](const EntityRows& rows) {
              return store->WriteToOnlineStore(view, rows.stream);
            }));
  return ReportOf(report);
}

constexpr std::array<Named<GetCall>, 6> kGetCalls{{{"sql", Sql},
                                                   {"historical", HistoricalOfRange},
                                                   {"read", Read},
                                                   {"latest", Latest},
                                                   {"snapshot", Latest},
                                                   {"dump", Dump}}};
constexpr std::array<Named<ExchangeCall>, 3> kExchangeCalls{
    {{"historical", Historical}, {"read", ReadEntities}, {"ingest", IngestReturning}}};
constexpr std::array<Named<PutCall>, 4> kPutCalls{
    {{"ingest", Ingest}, {"push", Push}, {"delete", Delete}, {"write_online", WriteOnline}}};

}  // namespace

Result<Answer> GetRows(const Call& call, Command& command) {
  TM_ASSIGN(const GetCall get, Find<GetCall>(kGetCalls, "DoGet", command.call()));
  return get(call, command);
}

Result<Answer> ExchangeRows(const Call& call, Command& command, arrow::flight::FlightMessageReader& reader) {
  TM_ASSIGN(const ExchangeCall exchange, Find<ExchangeCall>(kExchangeCalls, "DoExchange", command.call()));
  return exchange(call, command, reader);
}

Result<std::string> PutRows(const Call& call, Command& command, arrow::flight::FlightMessageReader& reader) {
  TM_ASSIGN(const PutCall put, Find<PutCall>(kPutCalls, "DoPut", command.call()));
  return put(call, command, reader);
}

Result<void> QueryRows(const Call& call, Store& store, const std::string& query, OwnedStream& out) {
  TM_TRY(call.CheckReadsAll(store));
  return store.Sql(query, {.stop = call.stop()}, out.get());
}

Result<Answer> TrainingSet(std::shared_ptr<Store> store, EntityRows entities, HistoricalOptions options,
                           StoreRows::ToStatus to_status) {
  const auto report = std::make_shared<std::string>();
  options.ended = [report](const HistoricalReport& ended) { *report = ReportOf(ended); };
  OwnedStream rows;
  TM_TRY(store->GetHistorical(std::move(entities), options, rows.get()));
  TM_ASSIGN(auto answered, StoreRows::Open(rows.get(), std::move(store), std::move(to_status)));
  return Answer{.rows = std::move(answered), .report = [report] { return *report; }};
}

}  // namespace tidemark::server::flight
