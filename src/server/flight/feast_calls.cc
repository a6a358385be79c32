// Feast's apis into calls of the store's API.
#include "server/flight/feast_calls.h"

#include <arrow/array/builder_binary.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "model/name.h"
#include "model/time.h"
#include "server/flight/command_internal.h"
#include "server/flight/feast_views.h"
#include "server/flight/narrowed_rows.h"
#include "server/flight/own_calls.h"
#include "server/flight/status.h"

namespace tidemark::server::flight {
namespace {

/// How rows of this call tell an error that comes behind the first of them.
StoreRows::ToStatus Telling(const Call& call) {
  return [&call](const Error& error) { return call.Failed(FeastFailure(error)); };
}

std::unexpected<FeastFailure> Refuse(ErrorCode code, std::string message) {
  return std::unexpected(FeastFailure({.code = code, .message = std::move(message), .context = {}}));
}

/// Entries of a list of texts, some of them null.
Result<std::vector<std::string>> TextsOrNulls(Command& command, std::string_view name) {
  std::vector<std::string> texts;
  const auto* list = command.Value(name);
  if (list == nullptr) return texts;
  const auto wrong = [&] {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("the option '{}' must be a list of texts", name));
  };
  if (!list->is_array()) return wrong();
  for (const auto& text : *list) {
    if (!text.is_string() && !text.is_null()) return wrong();
    texts.push_back(text.is_null() ? std::string{} : text.get<std::string>());
  }
  return texts;
}

/// Columns by which pandas keeps the index of a frame: no data of the user's.
std::vector<std::string> IndexColumns(const arrow::Schema& schema) {
  std::vector<std::string> names;
  for (const std::string& name : schema.field_names()) {
    if (name.starts_with("__index_level_") && name.ends_with("__")) names.push_back(name);
  }
  return names;
}

/// What clients send who have no rows to send: one column "key".
bool IsPlaceholder(const arrow::Schema& schema) {
  return schema.num_fields() == 1 && schema.field(0)->name() == "key";
}

Result<Answer> HistoricalOfUpload(const Call& call, std::shared_ptr<Store> store, UploadedRows& rows,
                                  HistoricalOptions options) {
  rows.Drop(IndexColumns(*rows.schema()));
  TM_ASSIGN(auto all, TakeAll(rows, call.uploads()));
  OwnedStream entities;
  TM_TRY(ToStream(std::move(all), entities.get()));
  TM_ASSIGN(Answer answer,
            TrainingSet(std::move(store), {.stream = entities.get()}, std::move(options), Telling(call)));
  answer.report = {};
  return answer;
}

FeastResult<Answer> Historical(const Call& call, Command& command, UploadedRows& rows) {
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  TM_ASSIGN(const auto definitions, call.DefinitionsOf(*store));
  TM_ASSIGN(const auto views, command.Texts("feature_view_names"));
  TM_ASSIGN(const auto aliases, TextsOrNulls(command, "name_aliases"));
  TM_ASSIGN(const auto references, command.Texts("feature_refs"));
  TM_ASSIGN(const std::string query, command.Text("entity_df_sql", ""));
  EventRange range;
  TM_ASSIGN(range.start_us, command.Time("start_date"));
  TM_ASSIGN(range.end_us, command.Time("end_date"));
  HistoricalOptions options{.work = {.stop = call.stop()}};
  TM_ASSIGN(options.full_feature_names, command.Flag("full_feature_names"));
  auto selection = SelectionOf(*definitions, views, aliases, references);
  if (!selection) return std::unexpected(std::move(selection).error());
  options.selection = *std::move(selection);

  if (!IsPlaceholder(*rows.schema()))
    return HistoricalOfUpload(call, std::move(store), rows, std::move(options));
  OwnedStream entities;
  EntityRows given;
  if (!query.empty()) {
    TM_TRY(QueryRows(call, *store, query, entities));
    given.stream = entities.get();
  } else if (range.start_us || range.end_us) {
    options.range = range;
  } else {
    return Refuse(ErrorCode::kInvalidArgument,
                  "a training set needs an entity_df: a frame, a query of this store's tables, or none with "
                  "start_date and end_date");
  }
  TM_ASSIGN(Answer answer, TrainingSet(std::move(store), given, std::move(options), Telling(call)));
  answer.report = {};
  return answer;
}

// --- rows of a data source

struct PullRequest {
  std::vector<std::string> columns;
  std::string time_column;
  std::optional<std::int64_t> start_us;
  std::optional<std::int64_t> end_us;
  bool latest = false;
};

Result<PullRequest> PullRequestOf(Command& command, bool latest) {
  PullRequest request;
  request.latest = latest;
  TM_ASSIGN(request.time_column, command.Text("timestamp_field"));
  TM_ASSIGN(request.start_us, command.Time("start_date"));
  TM_ASSIGN(request.end_us, command.Time("end_date"));
  TM_ASSIGN(const std::string created, command.Text("created_timestamp_column", ""));
  TM_ASSIGN(request.columns, command.Texts("join_key_columns"));
  TM_ASSIGN(const auto features, command.Texts("feature_name_columns"));
  request.columns.insert(request.columns.end(), features.begin(), features.end());
  request.columns.push_back(request.time_column);
  if (!created.empty()) request.columns.push_back(created);
  return request;
}

/// The query of a view over files for the rows of a time.
std::string QueryOf(const std::string& view, const PullRequest& request) {
  const auto quoted = [](std::string_view name) {
    std::string text = "\"";
    for (const char c : name)
      text.append(c == '"' ? 2 : 1, c);
    return text + '"';
  };
  std::vector<std::string> columns;
  std::vector<std::string> conditions{"true"};
  for (const std::string& column : request.columns)
    columns.push_back(quoted(column));
  const std::string time = quoted(request.time_column);
  if (request.start_us)
    conditions.push_back(fmt::format("{} >= TIMESTAMPTZ '{}'", time, FormatTimestampUs(*request.start_us)));
  if (request.end_us)
    conditions.push_back(fmt::format("{} <= TIMESTAMPTZ '{}'", time, FormatTimestampUs(*request.end_us)));
  return fmt::format("SELECT {} FROM {} WHERE {}", fmt::join(columns, ", "), quoted(view),
                     fmt::join(conditions, " AND "));
}

Result<Answer> PullRows(const Call& call, std::shared_ptr<Store> store, const FeatureView& view,
                        const PullRequest& request) {
  OwnedStream stream;
  Narrowing narrowing{.columns = request.columns, .time_column = request.time_column};
  if (view.is_table()) {
    ReadTableOptions options{.start_us = request.start_us,
                             .end_us = request.end_us,
                             .latest = request.latest,
                             .stop = call.stop()};
    narrowing.drop_deleted = true;
    TM_TRY(store->ReadTable(view.name, options, stream.get()));
  } else if (request.latest) {
    narrowing.from_us = request.start_us;
    TM_TRY(store->LatestRows(view.name, {.at_us = request.end_us, .stop = call.stop()}, stream.get()));
  } else {
    TM_TRY(store->Sql(QueryOf(view.name, request), {.stop = call.stop()}, stream.get()));
  }
  TM_ASSIGN(auto rows, StoreRows::Open(stream.get(), std::move(store), Telling(call)));
  TM_ASSIGN(auto narrowed, Narrow(std::move(rows), std::move(narrowing)));
  return Answer{.rows = std::move(narrowed)};
}

FeastResult<Answer> Pull(const Call& call, Command& command, bool latest) {
  TM_ASSIGN(const std::string source, command.Text("data_source_name"));
  TM_ASSIGN(const PullRequest request, PullRequestOf(command, latest));
  TM_ASSIGN(auto store, call.Open(command.project(), http::Scope::kRead));
  TM_ASSIGN(const auto definitions, call.DefinitionsOf(*store));
  const auto view = ViewOfSource(*definitions, source, request.columns);
  if (!view) return std::unexpected(view.error());
  TM_ASSIGN(Answer answer, PullRows(call, std::move(store), (*view)->definition, request));
  return answer;
}

/// The name of the data source that `data_source_proto` (Feast's message as JSON) describes.
Result<std::string> SourceNameOf(Command& command) {
  TM_ASSIGN(const std::string text, command.Text("data_source_proto"));
  const auto source = ParseJson(text);
  const Json* const name = source ? source->member("name") : nullptr;
  if (name == nullptr || !name->is_string())
    return Fail(ErrorCode::kInvalidArgument, "the option 'data_source_proto' is no data source with a name");
  return name->text();
}

FeastResult<const KnownView*> DescribedView(const KnownDefinitions& definitions, Command& command) {
  TM_ASSIGN(const std::string source, SourceNameOf(command));
  return ViewOfSource(definitions, source, {});
}

FeastResult<Answer> ColumnsOfSource(const Call& call, Command& command) {
  TM_ASSIGN(const auto store, call.Open(command.project(), http::Scope::kRead));
  TM_ASSIGN(const auto definitions, call.DefinitionsOf(*store));
  const auto view = DescribedView(*definitions, command);
  if (!view) return std::unexpected(view.error());
  arrow::StringBuilder names;
  arrow::StringBuilder types;
  for (const WriteColumn& column : (*view)->write_columns) {
    TM_TRY(FromArrow(names.Append(column.name)));
    TM_TRY(FromArrow(types.Append(ArrowTypeName(column.type))));
  }
  TM_ASSIGN(auto name_column, FromArrow(names.Finish()));
  TM_ASSIGN(auto type_column, FromArrow(types.Finish()));
  const auto schema =
      arrow::schema({arrow::field("name", arrow::utf8()), arrow::field("type", arrow::utf8())});
  const std::int64_t rows = name_column->length();
  auto batch = arrow::RecordBatch::Make(schema, rows, {std::move(name_column), std::move(type_column)});
  TM_ASSIGN(auto reader, FromArrow(arrow::RecordBatchReader::Make({std::move(batch)}, schema)));
  return Answer{.rows = std::move(reader)};
}

// --- writing

FeastResult<void> WriteBatch(const Call& call, Command& command, const std::shared_ptr<UploadedRows>& rows) {
  TM_ASSIGN(const auto views, command.Texts("feature_view_names"));
  if (views.size() != 1)
    return Refuse(ErrorCode::kInvalidArgument,
                  "offline_write_batch writes to one view: name it in 'feature_view_names'");
  TM_ASSIGN(const auto store, call.Open(command.project(), http::Scope::kWrite));
  TM_ASSIGN(const auto definitions, call.DefinitionsOf(*store));
  const auto view = FeastView(*definitions, views[0]);
  if (!view) return std::unexpected(view.error());
  std::vector<std::string> left_out = IndexColumns(*rows->schema());
  // Feast's clients add it, whether the source has one or not.
  if ((*view)->definition.created_column() != "created") left_out.emplace_back("created");
  rows->Drop(left_out);
  OwnedStream stream;
  TM_TRY(ToStream(rows, stream.get()));
  IngestOptions options{.to = WriteTarget::kOffline, .stop = call.stop()};
  auto written = store->Ingest((*view)->definition.name, {.stream = stream.get()}, options, nullptr);
  if (!written) return std::unexpected(FeastFailure(rows->ReasonOf(std::move(written).error())));
  return {};
}

FeastResult<void> ValidateSource(const Call& call, Command& command) {
  TM_ASSIGN(const auto store, call.Open(command.project(), http::Scope::kRead));
  TM_ASSIGN(const auto definitions, call.DefinitionsOf(*store));
  const auto view = DescribedView(*definitions, command);
  if (!view) return std::unexpected(view.error());
  return {};
}

std::unexpected<FeastFailure> Unknown(const Command& command, std::string_view method) {
  return Refuse(ErrorCode::kUnsupported,
                fmt::format("this store does not answer {} by {}", Quoted(command.call()), method));
}

FeastResult<Answer> Exchange(const Call& call, Command& command, UploadedRows& rows) {
  const std::string& api = command.call();
  if (api == "get_historical_features") return Historical(call, command, rows);
  if (api == "pull_latest_from_table_or_query") return Pull(call, command, /*latest=*/true);
  if (api == "pull_all_from_table_or_query") return Pull(call, command, /*latest=*/false);
  if (api == "get_table_column_names_and_types_from_data_source") return ColumnsOfSource(call, command);
  return Unknown(command, "DoExchange");
}

FeastResult<void> Put(const Call& call, Command& command, const std::shared_ptr<UploadedRows>& rows) {
  const std::string& api = command.call();
  if (api == "offline_write_batch") return WriteBatch(call, command, rows);
  if (api == "validate_data_source") return ValidateSource(call, command);
  if (api == "write_logged_features") {
    return Refuse(ErrorCode::kUnsupported,
                  "this store does not log served features: write them to a feature view of their own");
  }
  if (api == "persist") {
    return Refuse(
        ErrorCode::kUnsupported,
        "this protocol keeps no saved datasets: write the result with to_df() or to_arrow() where it "
        "is needed, or save it by Tidemark's own API");
  }
  if (api == "get_historical_features" || api.starts_with("pull_") || api.starts_with("get_table_"))
    return Refuse(ErrorCode::kUnsupported, "send this by DoExchange, as current clients of Feast do");
  return Unknown(command, "DoPut");
}

}  // namespace

FeastResult<Answer> FeastExchange(const Call& call, Command& command,
                                  arrow::flight::FlightMessageReader& reader) {
  TM_ASSIGN(const auto rows, call.Upload(reader));
  return Exchange(call, command, *rows);
}

FeastResult<void> FeastPut(const Call& call, Command& command, arrow::flight::FlightMessageReader& reader) {
  TM_ASSIGN(const auto rows, call.Upload(reader));
  return Put(call, command, rows);
}

}  // namespace tidemark::server::flight
