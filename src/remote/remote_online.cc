// Keys go as JSON; the answer is one Arrow record batch, whose columns are laid into the flat buffers that an
// OnlineResult has.
#include "remote/remote_online.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/c/bridge.h>
#include <arrow/table.h>
#include <arrow/util/base64.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/online_result.h"
#include "model/time.h"
#include "model/type_width.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "remote/answer_json.h"
#include "remote/arrow_bodies.h"

namespace tidemark::remote {
namespace {

constexpr std::size_t kEntitiesMax = 20'000;  // of one request

ValueForm FormOf(const DataType& type) {
  if (type.kind == TypeKind::kString || type.kind == TypeKind::kBinary) return ValueForm::kText;
  return type.is_nested() ? ValueForm::kNested : ValueForm::kFixed;
}

Result<std::shared_ptr<const ResultShape>> ShapeOf(const std::vector<ColumnInfo>& features) {
  std::vector<ResultColumn> columns;
  for (const ColumnInfo& feature : features) {
    ResultColumn column;
    column.name = feature.name;
    TM_ASSIGN(column.type, DataType::Parse(feature.type));
    column.form = FormOf(column.type);
    column.width = FixedWidth(column.type.kind);
    column.view = columns.size();  // each column has event times of its own here
    columns.push_back(std::move(column));
  }
  const std::size_t views = columns.size();
  return ResultShape::Make(std::move(columns), views);
}

/// Lays the columns of one answer into a result, from one of its rows on.
class Filling {
 public:
  Filling(const arrow::RecordBatch& batch, OnlineResult::Impl& out, std::size_t first_row)
      : batch_(batch), out_(out), first_(first_row), rows_(static_cast<std::size_t>(batch.num_rows())) {}

  /// Before the columns: which values are there, and since when.
  Result<void> FillPacked() {
    const std::size_t features = out_.shape->columns.size();
    const auto first = static_cast<int>(features);
    TM_ASSIGN(const std::uint8_t* status, PackedAt(*batch_.column(first), features));
    TM_ASSIGN(const std::uint8_t* time, PackedAt(*batch_.column(first + 1), features * sizeof(std::int64_t)));
    for (std::size_t row = 0; row < rows_; ++row) {
      for (std::size_t index = 0; index < features; ++index, ++status, time += sizeof(std::int64_t)) {
        if (*status > static_cast<std::uint8_t>(Status::kOutsideMaxAge)) {
          return Fail(ErrorCode::kInternal,
                      fmt::format("the server told the status {}, which is not known", *status));
        }
        out_.StatusAt(index, first_ + row) = static_cast<Status>(*status);
        std::memcpy(&out_.EventAt(index, first_ + row), time, sizeof(std::int64_t));
      }
    }
    return {};
  }

  Result<void> Fill(std::size_t index) {
    const ResultColumn& column = out_.shape->columns[index];
    const auto& values = batch_.column(static_cast<int>(index));
    if (!values->type()->Equals(*ToArrow(column.type))) {
      return Fail(ErrorCode::kBusy,
                  fmt::format("feature '{}' is {} now and was {} when the lookup was prepared: "
                              "prepare it again",
                              column.name, values->type()->ToString(), column.type.ToString()));
    }
    switch (column.form) {
      case ValueForm::kFixed:
        FillFixed(index, *values);
        break;
      case ValueForm::kText:
        FillTexts(index, static_cast<const arrow::BinaryArray&>(*values));
        break;
      case ValueForm::kNested:
        pieces_of_nested_.push_back(values);
        break;
    }
    return {};
  }

  /// The columns that only Arrow holds, in their order.
  const arrow::ArrayVector& nested() const { return pieces_of_nested_; }

 private:
  /// The bytes of a column that has so many in each row.
  static Result<const std::uint8_t*> PackedAt(const arrow::Array& column, std::size_t width) {
    const bool fits = column.type_id() == arrow::Type::FIXED_SIZE_BINARY && column.null_count() == 0 &&
                      static_cast<const arrow::FixedSizeBinaryType&>(*column.type()).byte_width() ==
                          static_cast<std::int32_t>(width);
    if (fits) return static_cast<const arrow::FixedSizeBinaryArray&>(column).raw_values();
    return Fail(ErrorCode::kInternal,
                fmt::format("the server's answer to a lookup has a column of type {} where "
                            "none belongs",
                            column.type()->ToString()));
  }

  bool IsPresent(std::size_t index, std::size_t row) const {
    return out_.StatusAt(index, first_ + row) == Status::kPresent;
  }

  void FillFixed(std::size_t index, const arrow::Array& values) {
    const ResultColumn& column = out_.shape->columns[index];
    std::byte* const to = out_.FixedAt(column, first_);
    if (column.type.kind == TypeKind::kBool) {
      const auto& bits = static_cast<const arrow::BooleanArray&>(values);
      for (std::size_t row = 0; row < rows_; ++row) {
        const bool value = IsPresent(index, row) && bits.Value(static_cast<std::int64_t>(row));
        to[row] = std::byte{value};
      }
      return;
    }
    const auto* const from = reinterpret_cast<const std::byte*>(values.data()->buffers[1]->data()) +
                             static_cast<std::size_t>(values.offset()) * column.width;
    for (std::size_t row = 0; row < rows_; ++row) {
      if (IsPresent(index, row))
        std::memcpy(to + row * column.width, from + row * column.width, column.width);
    }
  }

  void FillTexts(std::size_t index, const arrow::BinaryArray& values) {
    OnlineResult::Impl::Text& text = out_.texts[out_.shape->columns[index].place];
    for (std::size_t row = 0; row < rows_; ++row) {
      if (IsPresent(index, row)) text.bytes.append(values.GetView(static_cast<std::int64_t>(row)));
      text.ends.push_back(text.bytes.size());
    }
  }

  const arrow::RecordBatch& batch_;
  OnlineResult::Impl& out_;
  const std::size_t first_;
  const std::size_t rows_;
  arrow::ArrayVector pieces_of_nested_;
};

void AppendJsonText(std::string& out, std::string_view text) {
  out.append(Json(text).dump());
}

/// Some of the entities.
struct Span {
  std::size_t begin = 0;
  std::size_t count = 0;
};

void AppendKeys(std::string& out, const KeyColumn& column, Span span, bool is_binary) {
  out.push_back('[');
  const std::size_t begin = out.size();
  const auto separate = [&] {
    if (out.size() > begin) out.push_back(',');
  };
  if (const auto* const integers = std::get_if<0>(&column)) {
    std::array<char, 24> digits{};
    for (const std::int64_t value : integers->subspan(span.begin, span.count)) {
      separate();
      out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    }
  } else if (const auto* const texts = std::get_if<1>(&column)) {
    for (const std::string_view text : texts->subspan(span.begin, span.count)) {
      separate();
      AppendJsonText(out, is_binary ? arrow::util::base64_encode(text) : std::string(text));
    }
  } else {
    for (const bool value : std::get<2>(column).subspan(span.begin, span.count)) {
      separate();
      out.append(value ? "true" : "false");
    }
  }
  out.push_back(']');
}

Result<std::string> RequestValue(const arrow::Array& column, std::int64_t row) {
  if (column.IsNull(row)) return "null";
  switch (column.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(column).Value(row) ? "true" : "false";
    case arrow::Type::INT32:
      return std::to_string(static_cast<const arrow::Int32Array&>(column).Value(row));
    case arrow::Type::INT64:
      return std::to_string(static_cast<const arrow::Int64Array&>(column).Value(row));
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE: {
      const double value = column.type_id() == arrow::Type::FLOAT
                               ? static_cast<double>(static_cast<const arrow::FloatArray&>(column).Value(row))
                               : static_cast<const arrow::DoubleArray&>(column).Value(row);
      if (std::isfinite(value)) return Json(value).dump();
      return Fail(ErrorCode::kUnsupported, "NaN and infinities cannot be sent to a server");
    }
    case arrow::Type::STRING:
      return Json(static_cast<const arrow::StringArray&>(column).GetView(row)).dump();
    case arrow::Type::BINARY:
      return Json(arrow::util::base64_encode(static_cast<const arrow::BinaryArray&>(column).GetView(row)))
          .dump();
    case arrow::Type::TIMESTAMP:
      return Json(FormatTimestampUs(static_cast<const arrow::TimestampArray&>(column).Value(row))).dump();
    case arrow::Type::DATE32: {
      constexpr std::int64_t kDayUs = 86'400'000'000;
      const std::int64_t day = static_cast<const arrow::Date32Array&>(column).Value(row);
      return Json(FormatTimestampUs(day * kDayUs).substr(0, 10)).dump();
    }
    default:
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("values of {} cannot be sent to a server", column.type()->ToString()));
  }
}

Result<void> AppendRequestData(std::string& out, const arrow::Array& column, Span span) {
  out.push_back('[');
  for (std::size_t i = 0; i < span.count; ++i) {
    if (i > 0) out.push_back(',');
    TM_ASSIGN(const std::string value, RequestValue(column, static_cast<std::int64_t>(span.begin + i)));
    out.append(value);
  }
  out.push_back(']');
  return {};
}

std::size_t LengthOf(const KeyColumn& column) {
  return std::visit([](const auto& values) { return values.size(); }, column);
}

class RemoteReader final : public OnlineReader {
 public:
  RemoteReader(std::shared_ptr<const Session> session, const Json& request)
      : session_(std::move(session)), target_(session_->Path({"online"}).text()), head_(request.dump()) {
    head_.pop_back();  // the '}': entities follow
  }

  Result<void> Prepare(const Json& answer) {
    keys_ = Columns(answer, "keys");
    features_ = Columns(answer, "features");
    requests_ = Columns(answer, "requests");  // of none, a server that does not know of them
    revision_ = Number(answer, "revision");
    checked_ = std::chrono::steady_clock::now().time_since_epoch().count();
    for (const ColumnInfo& key : keys_) {
      TM_ASSIGN(DataType type, DataType::Parse(key.type));
      key_types_.push_back(std::move(type));
      key_names_.push_back(Json(key.name).dump());
    }
    TM_ASSIGN(shape_, ShapeOf(features_));
    return {};
  }

  const std::vector<ColumnInfo>& keys() const override { return keys_; }
  const std::vector<ColumnInfo>& features() const override { return features_; }
  const std::vector<ColumnInfo>& requests() const override { return requests_; }

  Result<void> Read(std::span<const KeyColumn> keys, std::size_t rows, OnlineResult& result) const override {
    return ReadAll(keys, rows, nullptr, result);
  }

  Result<void> ReadWith(std::span<const KeyColumn> keys, std::size_t rows, ArrowSchema* schema,
                        ArrowArray* batch, OnlineResult& result) const override {
    TM_ASSIGN(const auto data, FromArrowResult(arrow::ImportRecordBatch(batch, schema)));
    if (data->num_rows() != static_cast<std::int64_t>(rows)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("request data has {} rows for {} entities", data->num_rows(), rows));
    }
    return ReadAll(keys, rows, data.get(), result);
  }

  Result<bool> IsCurrent(std::int64_t max_age_ms) const override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const std::chrono::steady_clock::duration age =
        now - std::chrono::steady_clock::duration(checked_.load(std::memory_order_relaxed));
    if (age < std::chrono::milliseconds(max_age_ms)) return is_current_.load();
    TM_ASSIGN(const std::string body, session_->Get(session_->Path({"revision"})));
    TM_ASSIGN(const Json answer, ParseAnswer(session_->url(), body));
    is_current_.store(Number(answer, "revision") == revision_);
    checked_.store(now.count(), std::memory_order_relaxed);
    return is_current_.load();
  }

 private:
  Result<void> ReadAll(std::span<const KeyColumn> keys, std::size_t rows, const arrow::RecordBatch* data,
                       OnlineResult& result) const {
    auto read = ReadInto(keys, rows, data, result.impl());
    if (read) return read;
    result.impl().Clear();  // half an answer is none
    if (read.error().code == ErrorCode::kBusy) is_current_.store(false);
    return read;
  }

  Result<void> CheckKeys(std::span<const KeyColumn> keys, std::size_t rows) const {
    if (keys.size() != keys_.size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} key columns were given and {} are wanted", keys.size(), keys_.size()));
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const TypeKind kind = key_types_[i].kind;
      const bool is_text = kind == TypeKind::kString || kind == TypeKind::kBinary;
      const std::size_t form = kind == TypeKind::kBool ? 2 : is_text ? 1 : 0;
      if (keys[i].index() == form && LengthOf(keys[i]) == rows) continue;
      return Fail(ErrorCode::kInvalidArgument, fmt::format("the values of key '{}' are not {} of type {}",
                                                           keys_[i].name, rows, keys_[i].type));
    }
    return {};
  }

  /// Many entities are asked for in several requests, each within what a server takes at once.
  Result<void> ReadInto(std::span<const KeyColumn> keys, std::size_t rows, const arrow::RecordBatch* data,
                        OnlineResult::Impl& out) const {
    TM_TRY(CheckKeys(keys, rows));
    out.Reset(shape_, rows);
    out.nested.clear();
    std::vector<arrow::ArrayVector> nested;  // of each request
    std::size_t begin = 0;
    do {
      const Span span{.begin = begin, .count = std::min(rows - begin, kEntitiesMax)};
      TM_ASSIGN(const auto batch, Ask(keys, data, span));
      Filling filling(*batch, out, begin);
      TM_TRY(filling.FillPacked());
      for (std::size_t i = 0; i < features_.size(); ++i)
        TM_TRY(filling.Fill(i));
      nested.push_back(filling.nested());
      begin += span.count;
    } while (begin < rows);
    for (std::size_t i = 0; i < nested[0].size(); ++i) {
      arrow::ArrayVector pieces;
      for (const arrow::ArrayVector& each : nested)
        pieces.push_back(each[i]);
      TM_ASSIGN(auto whole, FromArrowResult(arrow::Concatenate(pieces)));
      out.nested_done.push_back(std::move(whole));
    }
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Ask(std::span<const KeyColumn> keys,
                                                  const arrow::RecordBatch* data, Span span) const {
    Request request{.method = "POST", .target = target_};
    request.accept = kArrowStream;
    request.body = head_;
    request.body.append(",\"entities\":{");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i > 0) request.body.push_back(',');
      request.body.append(key_names_[i]).push_back(':');
      AppendKeys(request.body, keys[i], span, key_types_[i].kind == TypeKind::kBinary);
    }
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      const auto column = data == nullptr ? nullptr : data->GetColumnByName(requests_[i].name);
      if (column == nullptr) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("request data '{}' ({}) is needed: give it with the entity rows",
                                requests_[i].name, requests_[i].type));
      }
      if (i > 0 || !keys.empty()) request.body.push_back(',');
      request.body.append(Json(requests_[i].name).dump()).push_back(':');
      TM_TRY_IN(AppendRequestData(request.body, *column, span), "request data " + requests_[i].name);
    }
    request.body.append("}");
    if (keys.empty() && requests_.empty()) request.body.append(fmt::format(",\"rows\":{}", span.count));
    request.body.append("}");
    TM_ASSIGN(std::string body, session_->client->Call(request));
    TM_ASSIGN(const auto table, ReadTable(std::move(body), {}));
    TM_ASSIGN(auto batch, FromArrowResult(table->CombineChunksToBatch()));
    if (static_cast<std::size_t>(batch->num_rows()) == span.count &&
        static_cast<std::size_t>(batch->num_columns()) == features_.size() + 2) {
      return batch;
    }
    return Fail(ErrorCode::kBusy,
                "the definitions have changed since the lookup was prepared: prepare it again");
  }

  const std::shared_ptr<const Session> session_;
  const std::string target_;
  std::string head_;  // of every request's body
  std::vector<ColumnInfo> keys_;
  std::vector<DataType> key_types_;
  std::vector<std::string> key_names_;  // as JSON
  std::vector<ColumnInfo> features_;
  std::vector<ColumnInfo> requests_;
  std::shared_ptr<const ResultShape> shape_;
  std::int64_t revision_ = 0;
  mutable std::atomic<std::chrono::steady_clock::rep> checked_ = 0;
  mutable std::atomic<bool> is_current_ = true;
};

}  // namespace

Result<std::shared_ptr<const OnlineReader>> PrepareOnline(const std::shared_ptr<const Session>& session,
                                                          const OnlineOptions& options) {
  Json asked = Json::object();
  TM_TRY(SetSelection(asked, options.features, options.service, options.selection));
  Set(asked, "full_feature_names", options.full_feature_names);
  Json preparing = asked;
  Set(preparing, "at_least", options.at_least);
  TM_ASSIGN(const std::string body,
            session->Post(session->Path({"online", "prepare"}), Effect::kNone, preparing.dump()));
  TM_ASSIGN(const Json answer, ParseAnswer(session->url(), body));
  asked["statuses"] = true;
  asked["event_timestamps"] = true;
  asked["packed"] = true;
  auto reader = std::make_shared<RemoteReader>(session, asked);
  TM_TRY(reader->Prepare(answer));
  return reader;
}

}  // namespace tidemark::remote
