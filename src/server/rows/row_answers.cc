// One writer for each format, all over one loop: the first batch is read before the first byte is written, so
// that what goes wrong until then is an error like any other.
#include "server/rows/row_answers.h"

#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/csv/writer.h>
#include <arrow/io/interfaces.h>
#include <arrow/ipc/writer.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "base/date_text.h"
#include "rows/arrow_types.h"
#include "server/json/json_text.h"
#include "server/rows/json_values.h"

namespace tidemark::server {
namespace {

constexpr std::size_t kPieceBytes = 64UL << 10U;
constexpr std::int64_t kRowGroupRows = 1 << 20;

/// What Arrow writes, on its way to the client. Remembers the error that writing failed with.
class AnswerStream final : public arrow::io::OutputStream {
 public:
  explicit AnswerStream(http::BodyWriter& body) : body_(body) {}

  arrow::Status Write(const void* data, std::int64_t bytes) override {
    const std::string_view piece(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
    position_ += bytes;
    if (held_.size() + piece.size() < kPieceBytes) {
      held_.append(piece);
      return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(Flush());
    return Send(piece);
  }
  arrow::Status Flush() override {
    if (held_.empty()) return arrow::Status::OK();
    const arrow::Status status = Send(held_);
    held_.clear();
    return status;
  }
  arrow::Status Close() override {
    is_closed_ = true;
    return Flush();
  }
  bool closed() const override { return is_closed_; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }

  /// The error of the client's connection if that was it.
  Result<void> Check(const arrow::Status& status) const {
    if (status.ok()) return {};
    if (error_) return std::unexpected(*error_);
    return std::unexpected(BodyErrorOf(status));
  }

 private:
  arrow::Status Send(std::string_view piece) {
    auto sent = body_.Write(piece);
    if (sent) return arrow::Status::OK();
    error_ = std::move(sent).error();
    return arrow::Status::Cancelled(error_->message);
  }

  http::BodyWriter& body_;
  std::string held_;
  std::int64_t position_ = 0;
  bool is_closed_ = false;
  std::optional<Error> error_;
};

class RowWriter {
 public:
  RowWriter() = default;
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;
  virtual ~RowWriter() = default;
  virtual Result<void> Begin(const std::shared_ptr<arrow::Schema>& schema) = 0;
  virtual Result<void> Write(const std::shared_ptr<arrow::RecordBatch>& batch) = 0;
  virtual Result<void> End(const std::string& report) = 0;
  /// Tells the client what goes wrong, where the format can.
  virtual Result<void> Fail(const std::string& /*error*/) { return {}; }
};

class ArrowWriter final : public RowWriter {
 public:
  explicit ArrowWriter(http::BodyWriter& body) : out_(body) {}
  Result<void> Begin(const std::shared_ptr<arrow::Schema>& schema) override {
    auto writer = arrow::ipc::MakeStreamWriter(&out_, schema);
    TM_TRY(out_.Check(writer.status()));
    writer_ = *std::move(writer);
    schema_ = schema;
    return {};
  }
  Result<void> Write(const std::shared_ptr<arrow::RecordBatch>& batch) override {
    return out_.Check(writer_->WriteRecordBatch(*batch));
  }
  Result<void> End(const std::string& report) override {
    if (!report.empty()) TM_TRY(Tell(kReportKey, report));
    TM_TRY(out_.Check(writer_->Close()));
    return out_.Check(out_.Flush());
  }
  Result<void> Fail(const std::string& error) override {
    TM_TRY(Tell(kErrorKey, error));
    return out_.Check(out_.Flush());
  }

 private:
  Result<void> Tell(std::string_view key, const std::string& text) {
    auto empty = arrow::RecordBatch::MakeEmpty(schema_);
    TM_TRY(out_.Check(empty.status()));
    return out_.Check(
        writer_->WriteRecordBatch(**empty, arrow::key_value_metadata({std::string(key)}, {text})));
  }
  AnswerStream out_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
  std::shared_ptr<arrow::Schema> schema_;
};

class ParquetWriter final : public RowWriter {
 public:
  explicit ParquetWriter(http::BodyWriter& body) : out_(std::make_shared<AnswerStream>(body)) {}
  Result<void> Begin(const std::shared_ptr<arrow::Schema>& schema) override {
    auto properties = parquet::WriterProperties::Builder()
                          .compression(parquet::Compression::ZSTD)
                          ->enable_page_checksum()
                          ->max_row_group_length(kRowGroupRows)
                          ->build();
    auto writer =
        parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), out_, std::move(properties));
    TM_TRY(out_->Check(writer.status()));
    writer_ = *std::move(writer);
    return {};
  }
  Result<void> Write(const std::shared_ptr<arrow::RecordBatch>& batch) override {
    return out_->Check(writer_->WriteRecordBatch(*batch));
  }
  Result<void> End(const std::string& /*report*/) override {
    TM_TRY(out_->Check(writer_->Close()));
    return out_->Check(out_->Flush());
  }

 private:
  std::shared_ptr<AnswerStream> out_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

/// Days since 1970 of a date or time; nothing for values of other types and nulls.
std::optional<std::int64_t> DayOf(const arrow::Array& array, std::int64_t row) {
  if (array.IsNull(row)) return std::nullopt;
  switch (array.type_id()) {
    case arrow::Type::DATE32:
      return static_cast<const arrow::Date32Array&>(array).Value(row);
    case arrow::Type::DATE64:
      return static_cast<const arrow::Date64Array&>(array).Value(row) / 86'400'000;
    case arrow::Type::TIMESTAMP:
      break;
    default:
      return std::nullopt;
  }
  std::int64_t per_day = 86'400;
  const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
  for (int i = 0; i < static_cast<int>(unit); ++i)
    per_day *= 1'000;  // units follow each other by thousands
  return static_cast<const arrow::TimestampArray&>(array).Value(row) / per_day;
}

/// Arrow's texts of dates have years of 16 bits, which begin again beyond.
Result<void> CheckYears(const arrow::RecordBatch& batch) {
  constexpr std::int64_t kDaysMax = 32'000L * 365;
  for (int i = 0; i < batch.num_columns(); ++i) {
    const arrow::Array& column = *batch.column(i);
    const auto type = column.type_id();
    if (type != arrow::Type::DATE32 && type != arrow::Type::DATE64 && type != arrow::Type::TIMESTAMP)
      continue;
    for (std::int64_t row = 0; row < column.length(); ++row) {
      const auto day = DayOf(column, row);
      if (!day || std::abs(*day) < kDaysMax) continue;
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("column '{}' has {}, which CSV cannot hold: ask for another format",
                              batch.column_name(i), FormatDate(*day)));
    }
  }
  return {};
}

class CsvWriter final : public RowWriter {
 public:
  explicit CsvWriter(http::BodyWriter& body) : out_(body) {}
  Result<void> Begin(const std::shared_ptr<arrow::Schema>& schema) override {
    for (const auto& field : schema->fields()) {
      if (field->type()->num_fields() == 0) continue;
      return std::unexpected(Error{.code = ErrorCode::kUnsupported,
                                   .message = fmt::format("column '{}' is {}, which CSV cannot hold: ask for "
                                                          "another format",
                                                          field->name(), TypeNameOf(*field->type())),
                                   .context = {}});
    }
    auto writer = arrow::csv::MakeCSVWriter(&out_, schema);
    TM_TRY(out_.Check(writer.status()));
    writer_ = *std::move(writer);
    return {};
  }
  Result<void> Write(const std::shared_ptr<arrow::RecordBatch>& batch) override {
    TM_TRY(CheckYears(*batch));
    return out_.Check(writer_->WriteRecordBatch(*batch));
  }
  Result<void> End(const std::string& /*report*/) override {
    TM_TRY(out_.Check(writer_->Close()));
    return out_.Check(out_.Flush());
  }

 private:
  AnswerStream out_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

/// JSON and NDJSON, which differ in what is around values.
class JsonWriter final : public RowWriter {
 public:
  JsonWriter(http::BodyWriter& body, bool is_lines) : body_(body), is_lines_(is_lines) {}

  Result<void> Begin(const std::shared_ptr<arrow::Schema>& schema) override {
    for (const auto& field : schema->fields()) {
      std::string& name = names_.emplace_back();
      json::AppendText(name, field->name());
      name.push_back(':');
    }
    if (is_lines_) return {};
    text_.append("{\"columns\":[");
    for (int i = 0; i < schema->num_fields(); ++i) {
      text_.append(i > 0 ? ",{\"name\":" : "{\"name\":");
      json::AppendText(text_, schema->field(i)->name());
      text_.append(",\"type\":");
      json::AppendText(text_, TypeNameOf(*schema->field(i)->type()));
      text_.push_back('}');
    }
    text_.append("],\"rows\":[");
    return {};
  }
  Result<void> Write(const std::shared_ptr<arrow::RecordBatch>& batch) override {
    std::vector<JsonValues> columns;
    for (const auto& column : batch->columns()) {
      TM_ASSIGN(columns.emplace_back(), JsonValues::Of(*column));
    }
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      if (!is_lines_ && std::exchange(has_rows_, true)) text_.push_back(',');
      text_.push_back(is_lines_ ? '{' : '[');
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (i > 0) text_.push_back(',');
        if (is_lines_) text_.append(names_[i]);
        columns[i].Append(text_, row);
      }
      text_.append(is_lines_ ? "}\n" : "]");
      if (text_.size() < kPieceBytes) continue;
      TM_TRY(body_.Write(text_));
      text_.clear();
    }
    return {};
  }
  Result<void> End(const std::string& report) override {
    if (!is_lines_) {
      text_.push_back(']');
      if (!report.empty()) text_.append(",\"report\":").append(report);
      text_.push_back('}');
    }
    return text_.empty() ? Result<void>{} : body_.Write(text_);
  }

 private:
  http::BodyWriter& body_;
  const bool is_lines_;
  std::vector<std::string> names_;
  std::string text_;
  bool has_rows_ = false;
};

std::unique_ptr<RowWriter> MakeWriter(RowFormat format, http::BodyWriter& body) {
  switch (format) {
    case RowFormat::kArrow:
      return std::make_unique<ArrowWriter>(body);
    case RowFormat::kParquet:
      return std::make_unique<ParquetWriter>(body);
    case RowFormat::kCsv:
      return std::make_unique<CsvWriter>(body);
    case RowFormat::kNdjson:
      return std::make_unique<JsonWriter>(body, true);
    case RowFormat::kJson:
      break;
  }
  return std::make_unique<JsonWriter>(body, false);
}

Result<void> WriteRows(const RowAnswer& answer, RowWriter& writer) {
  const auto blamed = [&](Error error) { return answer.blame ? answer.blame(std::move(error)) : error; };
  auto schema = answer.rows->Schema();
  if (!schema) return std::unexpected(blamed(std::move(schema).error()));
  auto batch = answer.rows->Next();
  if (!batch) return std::unexpected(blamed(std::move(batch).error()));
  TM_TRY(writer.Begin(*schema));
  while (*batch != nullptr) {
    TM_TRY(writer.Write(*batch));
    batch = answer.rows->Next();
    if (batch) continue;
    Error error = blamed(std::move(batch).error());
    if (answer.error_text) TM_TRY(writer.Fail(answer.error_text(error)));
    return std::unexpected(std::move(error));
  }
  return writer.End(answer.report ? answer.report() : std::string{});
}

}  // namespace

RowStream::~RowStream() {
  if (stream_.release != nullptr) stream_.release(&stream_);
}

Result<std::shared_ptr<arrow::Schema>> RowStream::Schema() {
  if (schema_) return schema_;
  if (stream_.release == nullptr) return schema_ = arrow::schema(arrow::FieldVector{});
  ArrowSchema schema{};
  if (const int error = stream_.get_schema(&stream_, &schema); error != 0)
    return std::unexpected(StreamError(&stream_, error));
  TM_ASSIGN(schema_, OfBody(arrow::ImportSchema(&schema)));
  return schema_;
}

Result<std::shared_ptr<arrow::RecordBatch>> RowStream::Next() {
  if (stream_.release == nullptr) return nullptr;
  TM_ASSIGN(const auto schema, Schema());
  ArrowArray array{};
  if (const int error = stream_.get_next(&stream_, &array); error != 0)
    return std::unexpected(StreamError(&stream_, error));
  if (array.release == nullptr) return nullptr;
  return OfBody(arrow::ImportRecordBatch(&array, schema));
}

void AnswerRows(RowAnswer answer, http::Response& response) {
  response.content_type = ContentTypeOf(answer.format);
  response.stream = [answer = std::move(answer)](http::BodyWriter& body) {
    const auto writer = MakeWriter(answer.format, body);
    return WriteRows(answer, *writer);
  };
}

}  // namespace tidemark::server
