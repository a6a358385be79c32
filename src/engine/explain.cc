// Runs the kernel for one entity row, counts what it saw on the way, and asks the online store beside it.
#include "engine/explain.h"

#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/result.h"
#include "engine/age.h"
#include "engine/json_value.h"
#include "engine/on_demand.h"
#include "engine/online_reader.h"
#include "engine/row_values.h"
#include "engine/selection.h"
#include "model/feature_ref.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr RowLocation kRowMask = (RowLocation{1} << 40) - 1;

Result<arrow::ArrayVector> KeysFromJson(const Json& key, const CatalogView& view) {
  arrow::ArrayVector keys;
  for (const JoinKey& join_key : view.join_keys) {
    if (!key.contains(join_key.name)) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("the key of view '{}' needs '{}': {} lacks it",
                                                           view.definition.name, join_key.name, key.dump()));
    }
    TM_ASSIGN(auto value, KeyFromJson(key.at(join_key.name), join_key));
    keys.push_back(std::move(value));
  }
  return keys;
}

Result<Json> ParseObject(std::string_view text) {
  Json key = ParseJson(text).value_or(nullptr);
  if (key.is_object()) return key;
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("the key must be a JSON object of join keys, such as {{\"driver_id\": 1001}}, and not {}",
                  Quoted(text)));
}

Result<Json> ParseKey(std::string_view text, const CatalogView& view) {
  TM_ASSIGN(Json key, ParseObject(text));
  std::vector<std::string> names;
  for (const JoinKey& join_key : view.join_keys)
    names.push_back(join_key.name);
  for (const auto& [name, value] : key.items()) {
    if (std::ranges::find(names, name) == names.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("view '{}' has no join key {}{}; its join keys are: {}", view.definition.name,
                              Quoted(name), Suggest(name, names), fmt::join(names, ", ")));
    }
    // Nor is anything printed that may be nested without end.
    if (value.is_structured()) {
      return Fail(ErrorCode::kTypeMismatch, fmt::format("join key '{}' must be a single value", name));
    }
  }
  return key;
}

/// What there is of the key in the source.
struct Found {
  Winner winner;
  CreatedTime created;
  std::int64_t rows_of_key = 0;
  std::int64_t rows_up_to_then = 0;
  Json value;
  std::shared_ptr<arrow::Array> array;  // the value; null if there is no row
  Json row;                             // null if there is no row
};

class Search {
 public:
  Search(const ViewSource& source, const Field& field, std::int64_t t_us, const ExplainParts& parts)
      : source_(source), field_(field), t_us_(t_us), threads_(parts.threads), stop_(parts.stop) {}

  Result<Found> Run(const arrow::ArrayVector& keys) {
    TM_ASSIGN(fragments_, source_.Fragments());
    TM_ASSIGN(const Winner at_t, Join(keys, t_us_, &found_.rows_of_key, &found_.rows_up_to_then));
    found_.winner = at_t;
    if (at_t.location == kNoRow) return found_;
    TM_TRY(ReadWinner());
    return found_;
  }

 private:
  /// The winner at t; on the way every row of the key is counted by asking each alone.
  Result<Winner> Join(const arrow::ArrayVector& keys, std::int64_t t_us, std::int64_t* all,
                      std::int64_t* up_to) {
    arrow::Int64Builder builder;
    TM_TRY(FromArrowStatus(builder.Append(t_us)));
    TM_ASSIGN(const auto times, FromArrowResult(builder.Finish()));
    TM_ASSIGN(const EntityGroups groups,
              EntityGroups::Make(keys, static_cast<const arrow::Int64Array&>(*times)));
    PointInTimeJoin join(groups,
                         {.known_by = {}, .ttl_us = source_.view().definition.ttl_us, .threads = threads_});
    std::atomic<std::int64_t> all_rows{0};
    std::atomic<std::int64_t> earlier_rows{0};
    const auto scan = [&](std::size_t i, std::size_t thread) {
      return source_.ScanKeys(fragments_[i], [&](const FeatureRows& rows) -> Result<void> {
        if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
        Count(keys, rows, all_rows, earlier_rows);
        return join.Add(rows, thread);
      });
    };
    TM_TRY(ParallelFor(fragments_.size(), threads_, stop_, scan));
    *all = all_rows.load();
    *up_to = earlier_rows.load();
    return join.Finish().front();
  }

  void Count(const arrow::ArrayVector& keys, const FeatureRows& rows, std::atomic<std::int64_t>& all,
             std::atomic<std::int64_t>& up_to) const {
    std::vector<char> same(static_cast<std::size_t>(rows.event->length()), 1);
    for (std::size_t k = 0; k < keys.size(); ++k)
      Compare(*keys[k], *rows.keys[k], same);
    for (std::size_t row = 0; row < same.size(); ++row) {
      if (same[row] == 0) continue;
      all.fetch_add(1);
      if (rows.event->Value(static_cast<std::int64_t>(row)) <= t_us_) up_to.fetch_add(1);
    }
  }

  /// Takes out of `same` the rows whose key column is not the one value of `key`.
  static void Compare(const arrow::Array& key, const arrow::Array& column, std::vector<char>& same) {
    const auto compare = [&](const auto& values, const auto& wanted) {
      for (std::size_t row = 0; row < same.size(); ++row) {
        if (values.GetView(static_cast<std::int64_t>(row)) != wanted) same[row] = 0;
      }
    };
    switch (column.type_id()) {
      case arrow::Type::INT64:
        return compare(static_cast<const arrow::Int64Array&>(column),
                       static_cast<const arrow::Int64Array&>(key).GetView(0));
      case arrow::Type::BOOL:
        return compare(static_cast<const arrow::BooleanArray&>(column),
                       static_cast<const arrow::BooleanArray&>(key).GetView(0));
      case arrow::Type::LARGE_BINARY:
        return compare(static_cast<const arrow::LargeBinaryArray&>(column),
                       static_cast<const arrow::BinaryArray&>(key).GetView(0));
      default:
        TM_CHECK(column.type_id() == arrow::Type::BINARY, "a key column is not canonical");
        return compare(static_cast<const arrow::BinaryArray&>(column),
                       static_cast<const arrow::BinaryArray&>(key).GetView(0));
    }
  }

  Result<void> ReadWinner() {
    const RowLocation location = found_.winner.location;
    TM_ASSIGN(const RowValues values, ReadRowValues(source_, fragments_, {location},
                                                    {.features = {field_},
                                                     .with_keys = false,
                                                     .in_order = false,
                                                     .threads = threads_,
                                                     .stop = stop_}));
    found_.array = values.features.front();
    found_.value = ToJsonValue(*found_.array, 0);
    const std::size_t file = location >> 40;
    found_.row = {{"file", source_.source().files()[file].path}};
    // Rows of a warehouse have no numbers: key and times tell them.
    if (const auto& source = source_.view().definition.source; !source || !source->warehouse)
      found_.row["row"] = location & kRowMask;
    found_.row["event_timestamp"] = FormatTimestampUs(found_.winner.event_us);
    if (source_.has_created()) {
      TM_ASSIGN(const std::int64_t created_us, CreatedOf(location));
      found_.row["created_timestamp"] = FormatTimestampUs(created_us);
    }
    found_.row["age"] = FormatDurationUs(AgeUs(found_.winner.event_us, t_us_));
    return {};
  }

  Result<std::int64_t> CreatedOf(RowLocation location) const {
    const auto after = std::ranges::upper_bound(fragments_, location, {}, &Fragment::first_location);
    std::int64_t created_us = 0;
    TM_TRY(source_.ScanKeys(*(after - 1), [&](const FeatureRows& rows) -> Result<void> {
      if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      const RowLocation end = rows.first_location + static_cast<RowLocation>(rows.event->length());
      if (location >= rows.first_location && location < end) {
        created_us = rows.created->Value(static_cast<std::int64_t>(location - rows.first_location));
      }
      return {};
    }));
    return created_us;
  }

  const ViewSource& source_;
  const Field& field_;
  const std::int64_t t_us_;
  const std::size_t threads_;
  const std::stop_token stop_;
  std::vector<Fragment> fragments_;
  Found found_;
};

/// Only rows of the key are looked at.
SourceNeeds OfKey(const CatalogView& view, const arrow::ArrayVector& keys) {
  SourceNeeds needs;
  for (std::size_t i = 0; i < keys.size(); ++i)
    needs.key.emplace_back(view.join_keys[i].name, keys[i]);
  return needs;
}

std::string Decision(const Found& found, Status status, std::int64_t t_us, std::int64_t ttl_us) {
  const std::string age = FormatDurationUs(AgeUs(found.winner.event_us, t_us));
  const std::string ttl = ttl_us == 0 ? "no ttl" : "ttl " + FormatDurationUs(ttl_us);
  switch (status) {
    case Status::kPresent:
    case Status::kNullValue:
      return fmt::format("the latest row up to then is {} old ({}): it counts{}", age, ttl,
                         status == Status::kNullValue ? ", and its value is null" : "");
    case Status::kOutsideMaxAge:
      if (StatusAt({EventTime{found.winner.event_us}}, t_us, ttl_us) == Status::kPresent)
        return "the latest row up to then has expired by its own expires_at: it does not count, and older "
               "rows never do";
      return fmt::format(
          "the latest row up to then is {} old, older than {}: it does not count, and older rows never do",
          age, ttl);
    case Status::kNotFound:
      break;
  }
  if (found.rows_of_key == 0) return "the source has no row of this key";
  if (found.rows_up_to_then == 0) return "every row of this key is later than that";
  return "the latest row up to then is a deletion";
}

/// Arrays of one key as a reader takes them.
class OneKey {
 public:
  explicit OneKey(const arrow::ArrayVector& keys) : texts_(keys.size()), bools_(new bool[keys.size() + 1]) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i]->type_id() == arrow::Type::INT64) {
        columns_.emplace_back(
            std::span<const std::int64_t>(static_cast<const arrow::Int64Array&>(*keys[i]).raw_values(), 1));
      } else if (keys[i]->type_id() == arrow::Type::BOOL) {
        bools_[i] = static_cast<const arrow::BooleanArray&>(*keys[i]).Value(0);
        columns_.emplace_back(std::span<const bool>(&bools_[i], 1));
      } else {
        texts_[i] = static_cast<const arrow::BinaryArray&>(*keys[i]).GetView(0);
        columns_.emplace_back(std::span<const std::string_view>(&texts_[i], 1));
      }
    }
  }
  const std::vector<KeyColumn>& columns() const { return columns_; }

 private:
  std::vector<KeyColumn> columns_;
  std::vector<std::string_view> texts_;
  std::unique_ptr<bool[]> bools_;
};

/// The one feature of a result of one row.
Result<Json> AnswerOf(const OnlineResult& result) {
  ArrowSchema schema;
  ArrowArray array;
  TM_TRY(result.ToArrow(false, false, &schema, &array));
  TM_ASSIGN(const auto batch, FromArrowResult(arrow::ImportRecordBatch(&array, &schema)));
  return Json{{"status", StatusName(result.status(0, 0))}, {"value", ToJsonValue(*batch->column(0), 0)}};
}

Result<Json> OnlineAnswer(const ExplainParts& parts, const FeatureRef& ref, const arrow::ArrayVector& keys) {
  TM_ASSIGN(const auto wanted, SelectionsFromRefs({fmt::format("{}:{}", ref.view, ref.feature)}));
  TM_ASSIGN(Selection selection, Resolve(*parts.catalog, wanted, false));
  TM_ASSIGN(const auto reader, MakeOnlineReader({parts.catalog, std::move(selection), parts.project,
                                                 parts.online, parts.registry, parts.clock}));
  const OneKey key(keys);
  OnlineResult result;
  TM_TRY(reader->Read(key.columns(), 1, result));
  TM_ASSIGN(Json answer, AnswerOf(result));
  if (result.status(0, 0) != Status::kNotFound) {
    answer["event_timestamp"] = FormatTimestampUs(result.event_time_us(0, 0));
  }
  return answer;
}

/// What is said of a stored feature, and its value as it counts at that moment.
struct ExplainedValue {
  Json json;
  std::shared_ptr<arrow::Array> value;  // of one row
};

Result<ExplainedValue> ExplainStored(const ExplainParts& parts, const CatalogView& view, const Field& field,
                                     const Json& key_json, std::int64_t at_us) {
  const FeatureRef ref{view.definition.name, field.name};
  TM_ASSIGN(const arrow::ArrayVector keys, KeysFromJson(key_json, view));
  TM_ASSIGN(const auto source, ViewSource::Open(view, parts.open, {field}, OfKey(view, keys)));
  TM_ASSIGN(const Found found, Search(*source, field, at_us, parts).Run(keys));
  Status status = found.winner.status;
  if (status == Status::kPresent && found.value.is_null()) status = Status::kNullValue;
  Json json{{"feature", fmt::format("{}:{}", ref.view, ref.feature)},
            {"key", key_json},
            {"at", FormatTimestampUs(at_us)},
            {"status", StatusName(status)},
            {"value", status == Status::kPresent ? found.value : Json()},
            {"decision", Decision(found, status, at_us, view.definition.ttl_us)},
            {"row", found.row},
            {"rows_of_key", found.rows_of_key},
            {"rows_up_to_then", found.rows_up_to_then},
            {"ttl", FormatDurationUs(view.definition.ttl_us)},
            {"online", nullptr}};
  if (view.definition.online) {
    TM_ASSIGN(json["online"], OnlineAnswer(parts, ref, keys));
  }
  ExplainedValue explained{.json = std::move(json), .value = found.array};
  if (status != Status::kPresent) {
    TM_ASSIGN(explained.value, FromArrowResult(arrow::MakeArrayOfNull(ToArrow(field.type), 1)));
  }
  return explained;
}

/// A computed feature, with everything that it is computed from.
class ComputedExplanation {
 public:
  ComputedExplanation(const ExplainParts& parts, const Selection& selection, Json given, std::int64_t at_us)
      : parts_(parts), selection_(selection), given_(std::move(given)), at_us_(at_us) {}

  Result<Json> Explain(const FeatureRef& ref) {
    TM_TRY(CheckNames(ref));
    const OnDemandPlan& plan = *selection_.on_demand;
    OnDemandInput input;
    input.rows = 1;
    input.now_us = at_us_;
    input.stop = parts_.stop;
    Json inputs = Json::array();
    bool is_online = true;
    for (const Selection::Column& column : selection_.columns) {
      const SelectedView& view = selection_.views[column.view];
      TM_ASSIGN(ExplainedValue explained,
                ExplainStored(parts_, *view.view, view.features[column.feature].field, KeyOf(view), at_us_));
      input.fetched.push_back(explained.value);
      inputs.push_back(std::move(explained.json));
      is_online = is_online && view.view->definition.online;
    }
    for (const RequestColumn& request : plan.requests) {
      TM_ASSIGN(input.requests.emplace_back(), RequestFromJson(request));
      inputs.push_back(Json{{"request", request.name}, {"value", given_[request.name]}});
    }
    const arrow::ArrayVector requests = input.requests;
    TM_ASSIGN(const auto values, ComputeOnDemand(plan, std::move(input)));
    const OnDemandView& definition = *parts_.catalog->OnDemand(ref.view);
    const auto field = std::ranges::find(definition.fields, ref.feature, &Field::name);
    const auto place = static_cast<std::size_t>(field - definition.fields.begin());
    const bool is_sql = definition.mode == OnDemandMode::kSql;
    Json json{{"feature", fmt::format("{}:{}", ref.view, ref.feature)},
              {"key", given_},
              {"at", FormatTimestampUs(at_us_)},
              {"status", StatusName(values[0]->IsNull(0) ? Status::kNullValue : Status::kPresent)},
              {"value", ToJsonValue(*values[0], 0)},
              {"expression", is_sql ? Json(definition.expressions[place]) : Json()},
              {"function", is_sql ? Json() : Json(definition.function_name)},
              {"inputs", std::move(inputs)},
              {"online", nullptr}};
    if (is_online && !selection_.views.empty()) {
      TM_ASSIGN(json["online"], Online(requests));
    }
    return json;
  }

 private:
  Result<void> CheckNames(const FeatureRef& ref) const {
    std::vector<std::string> names;
    for (const SelectedView& view : selection_.views)
      names.insert(names.end(), view.key_columns.begin(), view.key_columns.end());
    for (const RequestColumn& request : selection_.on_demand->requests)
      names.push_back(request.name);
    for (const std::string& name : names) {
      if (given_.contains(name)) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is computed from {}: the key lacks {}", Quoted(ref.view),
                              fmt::join(names, ", "), Quoted(name)));
    }
    for (const auto& [name, value] : given_.items()) {
      if (std::ranges::find(names, name) == names.end()) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("{} is not computed by {}{}; it takes {}", Quoted(ref.view), Quoted(name),
                                Suggest(name, names), fmt::join(names, ", ")));
      }
      if (value.is_structured())
        return Fail(ErrorCode::kTypeMismatch, fmt::format("{} must be a single value", Quoted(name)));
    }
    return {};
  }

  Json KeyOf(const SelectedView& view) const {
    Json key = Json::object();
    for (std::size_t i = 0; i < view.key_columns.size(); ++i)
      key[view.view->join_keys[i].name] = given_[view.key_columns[i]];
    return key;
  }

  /// Single values; a list or struct is nothing to be written as a key.
  Result<std::shared_ptr<arrow::Array>> RequestFromJson(const RequestColumn& request) const {
    const Json& value = given_[request.name];
    const auto type = ToArrow(request.type);
    if (value.is_null()) return FromArrowResult(arrow::MakeArrayOfNull(type, 1));
    std::shared_ptr<arrow::Array> given;
    if (value.is_number() &&
        (request.type.kind == TypeKind::kFloat32 || request.type.kind == TypeKind::kFloat64)) {
      arrow::DoubleBuilder builder;
      TM_TRY(FromArrowStatus(builder.Append(value.get<double>())));
      TM_ASSIGN(given, FromArrowResult(builder.Finish()));
      return FromArrowResult(arrow::compute::Cast(*given, type, arrow::compute::CastOptions::Unsafe()));
    }
    if (request.type.is_nested() || request.type.kind == TypeKind::kDecimal ||
        request.type.kind == TypeKind::kDate || request.type.kind == TypeKind::kFloat32 ||
        request.type.kind == TypeKind::kFloat64) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("request data '{}' is {}: explain takes numbers, texts, bools and timestamps",
                              request.name, request.type.ToString()));
    }
    TM_ASSIGN(given, KeyFromJson(value, {.name = request.name, .type = request.type}));
    if (given->type()->Equals(*type)) return given;
    if (type->id() == arrow::Type::TIMESTAMP || type->id() == arrow::Type::STRING)
      return FromArrowResult(given->View(type));
    return RequestValues(request, given, 0);
  }

  Result<Json> Online(const arrow::ArrayVector& requests) const {
    TM_ASSIGN(const auto reader, MakeOnlineReader({parts_.catalog, selection_, parts_.project, parts_.online,
                                                   parts_.registry, parts_.clock}));
    arrow::ArrayVector keys;
    for (const ColumnInfo& key : reader->keys()) {
      TM_ASSIGN(const DataType type, DataType::Parse(key.type));
      TM_ASSIGN(keys.emplace_back(), KeyFromJson(given_[key.name], {.name = key.name, .type = type}));
    }
    const OneKey key(keys);
    OnlineResult result;
    if (requests.empty()) {
      TM_TRY(reader->Read(key.columns(), 1, result));
      return AnswerOf(result);
    }
    arrow::FieldVector fields;
    for (const ColumnInfo& request : reader->requests())
      fields.push_back(arrow::field(request.name, requests[fields.size()]->type()));
    const auto batch = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), 1, requests);
    ArrowSchema schema;
    ArrowArray array;
    TM_TRY(FromArrowStatus(arrow::ExportRecordBatch(*batch, &array, &schema)));
    TM_TRY(reader->ReadWith(key.columns(), 1, &schema, &array, result));
    return AnswerOf(result);
  }

  const ExplainParts& parts_;
  const Selection& selection_;
  const Json given_;
  const std::int64_t at_us_;
};

}  // namespace

Result<std::string> Explain(const ExplainParts& parts, std::string_view feature, std::string_view key,
                            std::optional<std::int64_t> t_us) {
  TM_ASSIGN(const FeatureRef ref, ParseFeatureRef(feature));
  if (ref.feature.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("name one feature as view:feature, not '{}'", feature));
  }
  TM_ASSIGN(const auto wanted, SelectionsFromRefs({std::string(feature)}));
  TM_ASSIGN(const Selection selection, Resolve(*parts.catalog, wanted, false, parts.functions));
  const std::int64_t at_us = t_us.value_or(parts.clock->now_us());
  // Paths and text may be any bytes; what is not UTF-8 in them is shown as U+FFFD.
  if (selection.on_demand != nullptr) {
    TM_ASSIGN(Json given, ParseObject(key));
    TM_ASSIGN(const Json explained,
              ComputedExplanation(parts, selection, std::move(given), at_us).Explain(ref));
    return explained.dump();
  }
  const CatalogView& view = *selection.views.front().view;
  const Field& field = selection.views.front().features.front().field;
  TM_ASSIGN(const Json key_json, ParseKey(key, view));
  TM_ASSIGN(const ExplainedValue explained, ExplainStored(parts, view, field, key_json, at_us));
  return explained.json.dump();
}

}  // namespace tidemark
