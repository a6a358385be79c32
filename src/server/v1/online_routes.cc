// Lookups: what is prepared for a list of features is kept until definitions change.
#include <arrow/c/bridge.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <map>
#include <mutex>
#include <utility>

#include "model/time.h"
#include "rows/arrow_types.h"
#include "server/rows/body_bytes.h"
#include "server/rows/json_values.h"
#include "server/v1/entity_keys.h"
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

constexpr std::size_t kReadersMax = 1'000;
constexpr std::int64_t kMaxAgeMs = 500;

/// Lookups by what they are for. Thread safe.
class Readers {
 public:
  Result<std::shared_ptr<const OnlineReader>> Get(Store& store, const OnlineOptions& options) {
    if (!options.at_least.empty()) return store.PrepareOnline(options);  // each write has its own token
    const std::string key = KeyOf(store, options);
    {
      std::unique_lock lock(mutex_);
      if (const auto found = readers_.find(key); found != readers_.end()) {
        const auto reader = found->second;
        lock.unlock();
        TM_ASSIGN(const bool is_current, reader->IsCurrent(kMaxAgeMs));
        if (is_current) return reader;
      }
    }
    TM_ASSIGN(auto reader, store.PrepareOnline(options));
    const std::lock_guard lock(mutex_);
    if (readers_.size() >= kReadersMax) readers_.clear();
    readers_.insert_or_assign(key, reader);
    return reader;
  }

 private:
  static std::string KeyOf(const Store& store, const OnlineOptions& options) {
    return JsonObject()
        .Text("p", store.project())
        .Texts("f", options.features)
        .Text("s", options.service)
        .Text("x", options.selection)
        .Flag("n", options.full_feature_names)
        .End();
  }
  std::mutex mutex_;  // guards readers_
  std::map<std::string, std::shared_ptr<const OnlineReader>> readers_;
};

struct Lookup {
  OnlineOptions options;
  bool statuses = true;
  bool event_timestamps = true;
  bool packed = false;  // both of each row in one value
  std::optional<std::int64_t> rows;
};

Lookup LookupOf(RequestOptions& body, bool otherwise) {
  Lookup lookup;
  lookup.options.features = body.Texts("features");
  lookup.options.service = body.Text("service");
  if (const auto selection = body.Element("selection"))
    lookup.options.selection = std::string(simdjson::minify(*selection));
  lookup.options.full_feature_names = body.Flag("full_feature_names", false);
  lookup.options.at_least = body.Text("at_least");
  lookup.statuses = body.Flag("statuses", otherwise);
  lookup.event_timestamps = body.Flag("event_timestamps", otherwise);
  lookup.packed = body.Flag("packed", false);
  lookup.rows = body.Integer("rows");
  return lookup;
}

/// All rows of a stream as one batch.
Result<std::shared_ptr<arrow::RecordBatch>> OneBatch(BodyRows& rows) {
  const EntityRows given = rows.rows();
  if (given.stream == nullptr)
    return Fail(ErrorCode::kInvalidArgument, "entities come as JSON, NDJSON or Arrow: send one of these");
  TM_ASSIGN(const auto reader, OfBody(arrow::ImportRecordBatchReader(given.stream)));
  auto table = reader->ToTable();
  if (!table.ok()) return std::unexpected(rows.Blame(BodyErrorOf(table.status())));
  return OfBody((*table)->CombineChunksToBatch());
}

/// The entities of a request; nothing where it has none.
Result<std::shared_ptr<arrow::RecordBatch>> EntitiesOf(const V1& v1, RequestWithRows& parts,
                                                       const OnlineReader& reader) {
  ColumnTypes types;
  for (const ColumnInfo& key : reader.keys()) {
    TM_ASSIGN(DataType type, DataType::Parse(key.type));
    types.emplace(key.name, std::move(type));
  }
  for (const ColumnInfo& data : reader.requests()) {
    TM_ASSIGN(DataType type, DataType::Parse(data.type));
    types.emplace(data.name, std::move(type));
  }
  const BodyRowsOptions options = v1.RowsOptions(std::move(types), RowsUse::kHeld);
  const auto member = parts.request->Element("entities");
  if (member && parts.rows) {
    return Fail(ErrorCode::kInvalidArgument,
                "entities are given twice: as the part 'rows' and as the member 'entities'");
  }
  if (parts.rows) {
    TM_ASSIGN(const auto rows, BodyRows::Open(*parts.rows, parts.format, options));
    return OneBatch(*rows);
  }
  if (!member) return nullptr;
  auto batch = RowsFromJson(*member, options.json);
  if (!batch) return std::unexpected(std::move(batch).error().In("entities"));
  return batch;
}

Result<std::size_t> RowsOfLookup(const V1& v1, const Lookup& lookup, const OnlineReader& reader,
                                 const arrow::RecordBatch* entities) {
  std::int64_t rows = 0;
  if (reader.keys().empty() && (reader.requests().empty() || entities == nullptr)) {
    rows = lookup.rows.value_or(1);
  } else {
    if (lookup.rows)
      return Fail(ErrorCode::kInvalidArgument, "'rows' is for features of views without entities only");
    if (entities == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'entities' must be given: the values of '{}'", reader.keys().front().name));
    }
    rows = entities->num_rows();
  }
  if (rows >= 0 && static_cast<std::size_t>(rows) <= v1.limits.entities_max)
    return static_cast<std::size_t>(rows);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("there are {} entities, and a request may have 0 to {} (entities_max)", rows,
                          v1.limits.entities_max));
}

void AppendStatuses(std::string& out, const OnlineResult& result, std::size_t column) {
  for (std::size_t row = 0; row < result.rows(); ++row) {
    if (row > 0) out.push_back(',');
    out.push_back('"');
    out.append(StatusName(result.status(column, row)));
    out.push_back('"');
  }
}

void AppendEventTimes(std::string& out, const OnlineResult& result, std::size_t column) {
  for (std::size_t row = 0; row < result.rows(); ++row) {
    if (row > 0) out.push_back(',');
    if (result.status(column, row) == Status::kNotFound) {
      out.append("null");
    } else {
      out.append("\"").append(FormatTimestampUs(result.event_time_us(column, row))).append("\"");
    }
  }
}

template <typename Function>
std::string ListOfColumns(std::size_t columns, const Function& append) {
  std::string out = "[";
  for (std::size_t column = 0; column < columns; ++column) {
    out.append(column > 0 ? ",[" : "[");
    append(out, column);
    out.push_back(']');
  }
  out.push_back(']');
  return out;
}

Result<std::string> ResultAsJson(const OnlineReader& reader, const Lookup& lookup,
                                 const OnlineResult& result) {
  ArrowSchema c_schema{};
  ArrowArray c_batch{};
  TM_TRY(result.ToArrow(false, false, &c_schema, &c_batch));
  TM_ASSIGN(const auto batch, OfBody(arrow::ImportRecordBatch(&c_batch, &c_schema)));
  std::vector<JsonValues> columns;
  for (const auto& column : batch->columns()) {
    TM_ASSIGN(columns.emplace_back(), JsonValues::Of(*column));
  }
  JsonObject answer;
  answer.Json("columns", ToJson(reader.features()))
      .Number("rows", static_cast<std::int64_t>(result.rows()))
      .Json("values", ListOfColumns(columns.size(), [&](std::string& out, std::size_t column) {
              for (std::size_t row = 0; row < result.rows(); ++row) {
                if (row > 0) out.push_back(',');
                columns[column].Append(out, static_cast<std::int64_t>(row));
              }
            }));
  if (lookup.statuses) {
    answer.Json("statuses", ListOfColumns(result.columns(), [&](std::string& out, std::size_t column) {
                  AppendStatuses(out, result, column);
                }));
  }
  if (lookup.event_timestamps) {
    answer.Json("event_timestamps",
                ListOfColumns(result.columns(), [&](std::string& out, std::size_t column) {
                  AppendEventTimes(out, result, column);
                }));
  }
  return answer.End();
}

/// A column of the bytes that a row has, of each feature's `kWidth`; `append` adds those of one.
template <std::size_t kWidth, typename Function>
std::shared_ptr<arrow::Array> PackedColumn(const OnlineResult& result, const Function& append) {
  std::string bytes;
  bytes.reserve(result.rows() * result.columns() * kWidth);
  for (std::size_t row = 0; row < result.rows(); ++row) {
    for (std::size_t column = 0; column < result.columns(); ++column)
      append(bytes, column, row);
  }
  return std::make_shared<arrow::FixedSizeBinaryArray>(
      arrow::fixed_size_binary(static_cast<std::int32_t>(result.columns() * kWidth)),
      static_cast<std::int64_t>(result.rows()), arrow::Buffer::FromString(std::move(bytes)));
}

/// The values, and behind them what is asked for beside them: two columns instead of two for each feature,
/// which cost more than all the rest of a small lookup.
Result<std::shared_ptr<arrow::RecordBatch>> PackedBatch(std::shared_ptr<arrow::RecordBatch> batch,
                                                        const Lookup& lookup, const OnlineResult& result) {
  if (lookup.statuses) {
    const auto statuses =
        PackedColumn<1>(result, [&](std::string& bytes, std::size_t column, std::size_t row) {
          bytes.push_back(static_cast<char>(result.status(column, row)));
        });
    TM_ASSIGN(batch, OfBody(batch->AddColumn(batch->num_columns(), "__statuses", statuses)));
  }
  if (lookup.event_timestamps) {
    const auto times = PackedColumn<sizeof(std::int64_t)>(
        result, [&](std::string& bytes, std::size_t column, std::size_t row) {
          const std::int64_t time_us = result.event_time_us(column, row);
          bytes.append(reinterpret_cast<const char*>(&time_us), sizeof(time_us));
        });
    TM_ASSIGN(batch, OfBody(batch->AddColumn(batch->num_columns(), "__event_timestamps", times)));
  }
  return batch;
}

Result<void> AnswerBatch(const Request& request, RowFormat format, const Lookup& lookup,
                         const OnlineResult& result, Response& response) {
  ArrowSchema c_schema{};
  ArrowArray c_batch{};
  const bool is_apart = !lookup.packed;
  TM_TRY(
      result.ToArrow(is_apart && lookup.statuses, is_apart && lookup.event_timestamps, &c_schema, &c_batch));
  TM_ASSIGN(auto batch, OfBody(arrow::ImportRecordBatch(&c_batch, &c_schema)));
  if (lookup.packed) {
    TM_ASSIGN(batch, PackedBatch(std::move(batch), lookup, result));
  }
  TM_ASSIGN(const auto reader, OfBody(arrow::RecordBatchReader::Make({batch}, batch->schema())));
  auto rows = std::make_shared<RowStream>();
  TM_TRY(OfBody(arrow::ExportRecordBatchReader(reader, rows->out())));
  V1::Answer(request, response, {.format = format, .rows = std::move(rows)});
  return {};
}

/// Keys and request data are columns of the entities.
Result<void> Read(const OnlineReader& reader, const std::shared_ptr<arrow::RecordBatch>& entities,
                  std::size_t rows, OnlineResult& result) {
  EntityKeys keys;
  if (!reader.keys().empty()) {
    TM_ASSIGN(keys, EntityKeys::Of(entities, reader.keys(), reader.requests()));
  }
  if (reader.requests().empty() || entities == nullptr) return reader.Read(keys.columns(), rows, result);
  ArrowSchema c_schema{};
  ArrowArray c_batch{};
  TM_TRY(OfBody(arrow::ExportRecordBatch(*entities, &c_batch, &c_schema)));
  return reader.ReadWith(keys.columns(), rows, &c_schema, &c_batch, result);
}

Result<RequestWithRows> PartsOf(const V1& v1, const Request& request, WholeBody& body) {
  TM_TRY(RequestOptions(request).End());
  return ReadRequestWithRows(request, body, v1.limits);
}

Result<void> Online(V1& v1, Readers& readers, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_ASSIGN(const RowFormat format, WantedFormat(request));
  WholeBody body(request.body);
  TM_ASSIGN(RequestWithRows parts, PartsOf(v1, request, body));
  const Lookup lookup = LookupOf(parts.request.options(), format == RowFormat::kJson);
  (void)parts.request->Element("entities");
  TM_TRY(parts.request->End());
  if (lookup.packed && format != RowFormat::kArrow)
    return Fail(ErrorCode::kInvalidArgument, "'packed' is of answers in Arrow: accept these");
  TM_ASSIGN(const auto reader, readers.Get(*store, lookup.options));
  TM_ASSIGN(const auto entities, EntitiesOf(v1, parts, *reader));
  TM_ASSIGN(const std::size_t rows, RowsOfLookup(v1, lookup, *reader, entities.get()));
  thread_local OnlineResult result;
  TM_TRY(Read(*reader, entities, rows, result));
  if (format != RowFormat::kJson) return AnswerBatch(request, format, lookup, result, response);
  TM_ASSIGN(response.body, ResultAsJson(*reader, lookup, result));
  return {};
}

Result<void> Prepare(V1& v1, Readers& readers, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  WholeBody body(request.body);
  TM_ASSIGN(RequestWithRows parts, PartsOf(v1, request, body));
  const Lookup lookup = LookupOf(parts.request.options(), true);
  (void)parts.request->Element("entities");
  TM_TRY(parts.request->End());
  // Before the lookup is prepared: definitions that change in between are then seen as newer.
  TM_ASSIGN(const std::int64_t revision, store->Revision(0));
  TM_ASSIGN(const auto reader, readers.Get(*store, lookup.options));
  AnswerJson(response, JsonObject()
                           .Json("keys", ToJson(reader->keys()))
                           .Json("requests", ToJson(reader->requests()))
                           .Json("features", ToJson(reader->features()))
                           .Number("revision", revision)
                           .End());
  return {};
}

Result<void> Stats(V1& v1, Readers& /*readers*/, const Request& request, Response& response) {
  TM_ASSIGN(const auto store, v1.StoreOf(request));
  TM_TRY(RequestOptions(request).End());
  TM_ASSIGN(response.body, store->OnlineStats());
  return {};
}

}  // namespace

void AddOnlineRoutes(V1& v1, Routes& routes) {
  const auto readers = std::make_shared<Readers>();
  const auto add = [&](Method method, std::string_view pattern, auto function) {
    routes.push_back({method, pattern, Scope::kRead, Runs::kWorker, Body::kWhole,
                      [&v1, readers, function](const Request& request, Response& response) {
                        return function(v1, *readers, request, response);
                      }});
  };
  add(Method::kPost, "/v1/projects/{project}/online", Online);
  add(Method::kPost, "/v1/projects/{project}/online/prepare", Prepare);
  add(Method::kGet, "/v1/projects/{project}/online/stats", Stats);
}

}  // namespace tidemark::server
