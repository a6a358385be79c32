// Pushes a frame into a table; looks entities up.
#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "model/name.h"
#include "rows/arrow_types.h"
#include "server/json/json_text.h"
#include "server/rows/json_rows.h"
#include "server/rows/json_values.h"
#include "server/semantix/request_values_internal.h"
#include "server/semantix/row_requests_internal.h"
#include "server/semantix/waiting_table_internal.h"

namespace tidemark::server {
namespace {

using http::Request;
using http::Response;
using simdjson::dom::element;

constexpr std::size_t kPreparedMax = 256;
constexpr std::int64_t kMaxAgeMs = 500;

Result<WriteTarget> TargetOf(element root) {
  std::string_view to;
  const auto found = root["to"].get(to);
  if (found == simdjson::NO_SUCH_FIELD) return WriteTarget::kBoth;
  if (found == simdjson::SUCCESS && to == "online_and_offline") return WriteTarget::kBoth;
  if (found == simdjson::SUCCESS && to == "online") return WriteTarget::kOnline;
  if (found == simdjson::SUCCESS && to == "offline") return WriteTarget::kOffline;
  return Fail(ErrorCode::kInvalidArgument, "\"to\" is online_and_offline, online or offline");
}

ColumnTypes TypesOf(const KnownView& view) {
  ColumnTypes types;
  for (const WriteColumn& column : view.write_columns) {
    const auto key = std::ranges::find(view.join_keys, column.name, &JoinKey::name);
    const bool is_open = key != view.join_keys.end() && !key->type;
    if (!is_open) types.emplace(column.name, column.type);
  }
  return types;
}

/// Keys of one column as lookups take them. The views of `column` are into this.
struct KeyValues {
  std::shared_ptr<arrow::Array> array;
  std::vector<std::string_view> texts;
  std::unique_ptr<bool[]> flags;
  KeyColumn column;
};

/// The column that a lookup reads: whole numbers are int64 for every width.
Result<KeyValues> ReadKeys(const ColumnInfo& key, simdjson::dom::array values) {
  TM_ASSIGN(DataType type, DataType::Parse(key.type));
  if (type.kind == TypeKind::kInt32) type = {.kind = TypeKind::kInt64};
  JsonColumn column(key.name, type, {.text_numbers = true, .numbers_as_text = true});
  for (const element value : values) {
    if (value.is_null())
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("entity {} has a null among its values", Quoted(key.name)));
    TM_TRY(column.Append(value));
  }
  KeyValues read;
  TM_ASSIGN(read.array, column.Finish());
  const auto count = static_cast<std::size_t>(read.array->length());
  switch (type.kind) {
    case TypeKind::kBool: {
      const auto& flags = static_cast<const arrow::BooleanArray&>(*read.array);
      read.flags = std::make_unique<bool[]>(count);
      for (std::size_t i = 0; i < count; ++i)
        read.flags[i] = flags.Value(static_cast<std::int64_t>(i));
      read.column = std::span<const bool>(read.flags.get(), count);
      return read;
    }
    case TypeKind::kString:
    case TypeKind::kBinary: {
      const auto& texts = static_cast<const arrow::BinaryArray&>(*read.array);
      for (std::int64_t i = 0; i < texts.length(); ++i)
        read.texts.push_back(texts.GetView(i));
      read.column = std::span<const std::string_view>(read.texts);
      return read;
    }
    case TypeKind::kInt64:
    case TypeKind::kTimestamp: {
      const auto& numbers = static_cast<const arrow::PrimitiveArray&>(*read.array);
      if (count == 0) {
        read.column = std::span<const std::int64_t>();
        return read;
      }
      const auto* const first = reinterpret_cast<const std::int64_t*>(numbers.values()->data());
      read.column = std::span<const std::int64_t>(first + numbers.offset(), count);
      return read;
    }
    default:
      return Fail(ErrorCode::kUnsupported, fmt::format("entity {} is {}, which this request cannot look up",
                                                       Quoted(key.name), key.type));
  }
}

using semantix::AskedEntities;
using semantix::Find;

/// Exactly the table's entities, as many values of each; how many. `limit`: at most so many.
template <typename Keys, typename NameOf>
Result<std::size_t> CheckEntities(const AskedEntities& entities, const Keys& keys, NameOf name_of,
                                  std::string_view table, std::size_t limit) {
  for (const auto& key : keys) {
    const std::string& name = std::invoke(name_of, key);
    if (Find(entities, name) == entities.end())
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("entity {} of table {} is not given", Quoted(name), Quoted(table)));
  }
  const std::size_t rows = entities.empty() ? 0 : entities.front().second.size();
  for (const auto& [name, values] : entities) {
    if (std::ranges::find(keys, name, name_of) == keys.end())
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("table {} has no entity {}", Quoted(table), Quoted(name)));
    if (values.size() != rows) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("entity {} has {} values and {} has {}: give one for each row", Quoted(name),
                              values.size(), Quoted(entities.front().first), rows));
    }
  }
  if (rows <= limit) return rows;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} entities are asked for; the limit is {}", rows, limit));
}

Result<void> AppendColumn(std::string& out, std::string_view name, const arrow::Array& array) {
  if (!out.ends_with('{')) out.push_back(',');
  json::AppendText(out, name);
  out.append(":[");
  TM_ASSIGN(const JsonValues values, JsonValues::Of(array));
  for (std::int64_t row = 0; row < array.length(); ++row) {
    if (row > 0) out.push_back(',');
    values.Append(out, row);
  }
  out.push_back(']');
  return {};
}

/// Request data of features that are computed: a column for each, nulls and all.
Result<std::shared_ptr<arrow::RecordBatch>> ReadRequests(const std::vector<ColumnInfo>& requests,
                                                         const AskedEntities& entities, std::size_t rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const ColumnInfo& request : requests) {
    TM_ASSIGN(const DataType type, DataType::Parse(request.type));
    JsonColumn column(request.name, type, {.text_numbers = true});
    for (const element value : Find(entities, request.name)->second)
      TM_TRY_IN(column.Append(value), "request data");
    TM_ASSIGN(arrays.emplace_back(), column.Finish());
    fields.push_back(arrow::field(request.name, arrays.back()->type()));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<std::int64_t>(rows),
                                  std::move(arrays));
}

Result<void> LookUp(const OnlineReader& reader, const std::vector<KeyValues>& keys,
                    const std::shared_ptr<arrow::RecordBatch>& requests, std::size_t rows,
                    OnlineResult& result) {
  std::vector<KeyColumn> columns;  // into `keys`
  columns.reserve(keys.size());
  for (const KeyValues& each : keys)
    columns.push_back(each.column);
  if (requests->num_columns() == 0) return reader.Read(columns, rows, result);
  ArrowSchema schema{};
  ArrowArray array{};
  TM_TRY(OfBody(arrow::ExportRecordBatch(*requests, &array, &schema)));
  return reader.ReadWith(columns, rows, &schema, &array, result);
}

/// What a request asks for of a table, a view or a service.
struct AskedFeaturesOf {
  std::string_view name;
  const std::vector<std::string>& wanted;  // empty: all of them
};

/// Entities and request data as they came, and the features in the order that was asked for.
Result<void> AnswerFound(const OnlineReader& reader, const AskedEntities& entities,
                         const std::vector<KeyValues>& keys, const std::shared_ptr<arrow::RecordBatch>& given,
                         const AskedFeaturesOf& asked, const OnlineResult& result, std::string& out) {
  ArrowSchema schema{};
  ArrowArray array{};
  TM_TRY(result.ToArrow(false, false, &schema, &array));
  TM_ASSIGN(const auto batch, OfBody(arrow::ImportRecordBatch(&array, &schema)));
  out = "{";
  for (const auto& [name, unused] : entities) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (reader.keys()[i].name == name) TM_TRY(AppendColumn(out, name, *keys[i].array));
    }
    if (const auto column = given->GetColumnByName(name)) TM_TRY(AppendColumn(out, name, *column));
  }
  const auto& features = reader.features();
  std::vector<std::string> shown = asked.wanted;
  if (shown.empty()) std::ranges::transform(features, std::back_inserter(shown), &ColumnInfo::name);
  for (const std::string& name : shown) {
    const auto found = std::ranges::find(features, name, &ColumnInfo::name);
    if (found == features.end())
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} has no feature {}", Quoted(asked.name), Quoted(name)));
    TM_TRY(AppendColumn(out, name, *batch->column(static_cast<int>(found - features.begin()))));
  }
  out.push_back('}');
  return {};
}

/// The answer of a table without rows: what was asked for comes back, and nothing is known of it.
Result<void> AnswerNothing(const AskedEntities& entities, const std::vector<std::string>& features,
                           const KnownView& view, std::size_t limit, std::string& out) {
  const std::string& table = view.definition.name;
  TM_ASSIGN(const std::size_t rows, CheckEntities(entities, view.join_keys, &JoinKey::name, table, limit));
  std::string nulls;
  for (std::size_t row = 0; row < rows; ++row)
    nulls.append(row == 0 ? "null" : ",null");
  out = "{";
  for (const auto& [name, values] : entities) {
    if (!out.ends_with('{')) out.push_back(',');
    json::AppendText(out, name);
    out.push_back(':');
    out.append(simdjson::minify(values));
  }
  const auto append = [&](const std::string& feature) {
    out.push_back(',');
    json::AppendText(out, feature);
    fmt::format_to(std::back_inserter(out), ":[{}]", nulls);
  };
  const std::vector<Field>& fields = view.definition.fields;
  for (const std::string& feature : features) {
    if (std::ranges::find(fields, feature, &Field::name) == fields.end())
      return Fail(ErrorCode::kNotFound,
                  fmt::format("table {} has no feature {}", Quoted(table), Quoted(feature)));
    append(feature);
  }
  if (features.empty()) std::ranges::for_each(fields, append, &Field::name);
  out.push_back('}');
  return {};
}

}  // namespace

Result<void> RowRequests::Push(const Request& request, Response& response) {
  const std::string name(request.Part("name"));
  TM_ASSIGN(const auto document,
            JsonDocument::Parse(semantix::PlainJson(request.body), limits_.json_depth_max));
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  TM_ASSIGN(auto definitions, services_.definitions.Get(*store));
  if (!definitions->View(name)) {
    TM_ASSIGN(definitions, services_.definitions.GetNow(*store));  // it may have just been made
  }
  TM_ASSIGN(const KnownView* view, definitions->View(name));
  element frame;
  simdjson::dom::object columns;
  if (document.root()["df"].get(frame) != simdjson::SUCCESS || frame.get(columns) != simdjson::SUCCESS)
    return Fail(ErrorCode::kInvalidArgument,
                "the body is {\"df\": {\"column\": [values]}, \"to\": \"online_and_offline\"}");
  IngestOptions options;
  TM_ASSIGN(options.to, TargetOf(document.root()));
  if (!view->definition.online && options.to == WriteTarget::kBoth) options.to = WriteTarget::kOffline;
  options.idempotency_key = request.Header("idempotency-key").value_or("");
  options.stop = request.stop;
  JsonRowsOptions reading;
  reading.types = TypesOf(*view);
  reading.policy = {.numbers_as_text = true, .nan_is_null = true};
  reading.rows_max = limits_.rows_max;
  reading.depth_max = limits_.json_depth_max;
  TM_ASSIGN(const auto batch, RowsFromJson(frame, reading));
  TM_ASSIGN(const auto reader, OfBody(arrow::RecordBatchReader::Make({batch}, batch->schema())));
  ArrowArrayStream stream{};
  TM_TRY(OfBody(arrow::ExportRecordBatchReader(reader, &stream)));
  TM_ASSIGN(const IngestReport report,
            store->Ingest(name, {.stream = &stream, .path = {}}, options, nullptr));
  response.body = fmt::format("{{\"rows\":{}}}", report.rows);
  return {};
}

Result<std::shared_ptr<const OnlineReader>> RowRequests::Prepared(Store& store,
                                                                  const OnlineOptions& options) {
  const std::string place =
      fmt::format("{}\n{}\n{}", store.project(), options.service, fmt::join(options.features, "\n"));
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = prepared_.find(place); found != prepared_.end()) {
      if (found->second->IsCurrent(kMaxAgeMs).value_or(false)) return found->second;
      prepared_.erase(found);
    }
  }
  TM_ASSIGN(auto reader, store.PrepareOnline(options));
  const std::lock_guard lock(mutex_);
  if (prepared_.size() >= kPreparedMax) prepared_.clear();
  prepared_.insert_or_assign(place, reader);
  return reader;
}

Result<std::shared_ptr<const OnlineReader>> RowRequests::PreparedByName(
    Store& store, const std::string& name, const std::vector<std::string>& wanted) {
  TM_ASSIGN(auto definitions, services_.definitions.Get(store));
  if (!definitions->View(name) && definitions->Service(name) == nullptr) {
    TM_ASSIGN(definitions, services_.definitions.GetNow(store));  // it may have just been made
  }
  OnlineOptions options;
  if (definitions->Service(name) != nullptr && !definitions->View(name)) {
    options.service = name;
    return Prepared(store, options);
  }
  for (const std::string& feature : wanted)
    options.features.push_back(fmt::format("{}:{}", name, feature));
  if (wanted.empty()) options.features.push_back(name);
  return Prepared(store, options);
}

Result<const KnownView*> RowRequests::WaitingTable(Store& store, const std::string& table,
                                                   std::shared_ptr<const KnownDefinitions>* definitions) {
  TM_ASSIGN(*definitions, services_.definitions.GetNow(store));
  const auto view = (*definitions)->View(table);
  return view && semantix::WaitsForRows(**view) ? *view : nullptr;
}

Result<void> RowRequests::Online(const Request& request, Response& response) {
  const std::string table(request.Part("name"));
  TM_TRY(request.CheckQuery());
  const auto text = semantix::FormValue(request, "entities");
  if (!text) return Fail(ErrorCode::kInvalidArgument, "the query has no entities");
  TM_ASSIGN(const auto document, JsonDocument::Parse(*text, limits_.json_depth_max));
  TM_ASSIGN(const auto entities, semantix::ReadEntities(document));
  TM_ASSIGN(const auto names, semantix::NameList(request, "feature_refs"));
  std::vector<std::string> wanted;
  for (const std::string& name : names.value_or(std::vector<std::string>{}))
    wanted.emplace_back(semantix::FeatureOf(name, table));
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  auto prepared = PreparedByName(*store, table, wanted);
  if (!prepared) {
    std::shared_ptr<const KnownDefinitions> definitions;
    TM_ASSIGN(const KnownView* waiting, WaitingTable(*store, table, &definitions));
    if (waiting == nullptr) return std::unexpected(std::move(prepared).error());
    return AnswerNothing(entities, wanted, *waiting, limits_.entities_max, response.body);
  }
  const auto reader = *std::move(prepared);

  std::vector<ColumnInfo> given = reader->keys();
  given.insert(given.end(), reader->requests().begin(), reader->requests().end());
  TM_ASSIGN(const std::size_t rows,
            CheckEntities(entities, given, &ColumnInfo::name, table, limits_.entities_max));
  std::vector<KeyValues> keys;
  for (const ColumnInfo& key : reader->keys()) {
    TM_ASSIGN(KeyValues values, ReadKeys(key, Find(entities, key.name)->second));
    keys.push_back(std::move(values));
  }
  TM_ASSIGN(const auto requests, ReadRequests(reader->requests(), entities, rows));
  OnlineResult result;
  TM_TRY(LookUp(*reader, keys, requests, rows, result));
  return AnswerFound(*reader, entities, keys, requests, {table, wanted}, result, response.body);
}

}  // namespace tidemark::server
