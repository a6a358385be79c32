// Batches become messages of the Arrow IPC format one by one, in both directions: neither a request nor an
// answer is ever held whole.
#include "remote/arrow_bodies.h"

#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/compression.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <deque>
#include <filesystem>
#include <random>
#include <utility>
#include <vector>

#include "pit/arrow_status.h"
#include "remote/error_answer.h"

namespace tidemark::remote {
namespace {

constexpr std::int64_t kBatchRowsMax = 32'768;      // of one message
constexpr std::size_t kKeptBytesMax = 16UL << 20U;  // of a body, for sending it again
constexpr std::size_t kFilePieceBytes = 1UL << 20U;
constexpr const char* kReportKey = "tidemark.report";
constexpr const char* kErrorKey = "tidemark.error";

/// Collects what the IPC writer writes.
class TextSink final : public arrow::io::OutputStream {
 public:
  explicit TextSink(std::string& text) : text_(text) { set_mode(arrow::io::FileMode::WRITE); }

  arrow::Status Write(const void* data, std::int64_t bytes) override {
    text_.append(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
    told_ += bytes;
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> Tell() const override { return told_; }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

 private:
  std::string& text_;
  std::int64_t told_ = 0;
  bool closed_ = false;
};

class EncodedRows final : public RowsBody {
 public:
  EncodedRows(std::shared_ptr<arrow::RecordBatchReader> rows, Around around,
              std::function<void(std::int64_t)> sent)
      : rows_(std::move(rows)), around_(std::move(around)), sent_(std::move(sent)), sink_(piece_) {}

  std::int64_t rows() const override { return count_; }

  Result<std::string_view> Next() override {
    if (next_ < kept_.size()) return kept_[next_++];
    if (is_over_) return std::string_view();
    piece_.clear();
    TM_TRY(Encode());
    if (!keeps_) return piece_;
    kept_bytes_ += piece_.size();
    if (kept_bytes_ > kKeptBytesMax) {
      keeps_ = false;
      kept_.clear();
      next_ = 0;
      return piece_;
    }
    kept_.push_back(piece_);
    ++next_;
    return piece_;
  }

  bool Restart() override {
    next_ = 0;
    return keeps_;
  }

 private:
  /// The next piece: the text before and the schema, a batch, or the end and the text behind.
  Result<void> Encode() {
    if (writer_ == nullptr) {
      piece_.append(around_.before);
      TM_ASSIGN(writer_, FromArrowResult(arrow::ipc::MakeStreamWriter(&sink_, rows_->schema())));
    }
    while (rest_ == nullptr || rest_->num_rows() == 0) {
      TM_TRY(FromArrowStatus(rows_->ReadNext(&rest_)));
      if (rest_ != nullptr) continue;
      TM_TRY(FromArrowStatus(writer_->Close()));
      piece_.append(around_.behind);
      is_over_ = true;
      return {};
    }
    const auto batch = rest_->Slice(0, kBatchRowsMax);
    rest_ = rest_->Slice(batch->num_rows());
    TM_TRY(FromArrowStatus(writer_->WriteRecordBatch(*batch)));
    count_ += batch->num_rows();
    if (sent_) sent_(count_);
    return {};
  }

  std::shared_ptr<arrow::RecordBatchReader> rows_;
  const Around around_;
  const std::function<void(std::int64_t)> sent_;
  std::string piece_;
  TextSink sink_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
  std::shared_ptr<arrow::RecordBatch> rest_;  // of a batch that is longer than a message
  std::int64_t count_ = 0;
  bool is_over_ = false;
  std::deque<std::string> kept_;
  std::size_t kept_bytes_ = 0;
  std::size_t next_ = 0;  // of the kept ones
  bool keeps_ = true;
};

/// A file's bytes, with text before and behind them.
class FileBody final : public RequestBody {
 public:
  FileBody(std::string path, RowsBody::Around around) : path_(std::move(path)), around_(std::move(around)) {}

  Result<void> Open() {
    TM_ASSIGN(const auto file, FromArrowResult(arrow::io::ReadableFile::Open(path_)));
    stream_ = file;
    state_ = State::kBefore;
    if (!path_.ends_with(".gz")) return {};
    TM_ASSIGN(codec_, FromArrowResult(arrow::util::Codec::Create(arrow::Compression::GZIP)));
    TM_ASSIGN(stream_, FromArrowResult(arrow::io::CompressedInputStream::Make(codec_.get(), file)));
    return {};
  }

  Result<std::string_view> Next() override {
    if (state_ == State::kBefore) {
      state_ = State::kBytes;
      if (!around_.before.empty()) return around_.before;
    }
    if (state_ == State::kBytes) {
      piece_.resize(kFilePieceBytes);
      TM_ASSIGN(const std::int64_t got,
                FromArrowResult(stream_->Read(static_cast<std::int64_t>(piece_.size()), piece_.data())));
      if (got > 0) return std::string_view(piece_).substr(0, static_cast<std::size_t>(got));
      state_ = State::kOver;
      return around_.behind;
    }
    return std::string_view();
  }

  bool Restart() override { return Open().has_value(); }

 private:
  enum class State : std::uint8_t { kBefore, kBytes, kOver } state_ = State::kBefore;
  const std::string path_;
  const RowsBody::Around around_;
  std::unique_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::io::InputStream> stream_;
  std::string piece_;
};

/// An answer's body for Arrow's reader.
class AnswerInput final : public arrow::io::InputStream {
 public:
  explicit AnswerInput(std::unique_ptr<Answer> answer) : answer_(std::move(answer)) {
    set_mode(arrow::io::FileMode::READ);
  }

  arrow::Result<std::int64_t> Read(std::int64_t bytes, void* out) override {
    const std::span<char> into(static_cast<char*>(out), static_cast<std::size_t>(bytes));
    std::size_t size = 0;
    while (size < into.size()) {
      const auto got = answer_->Read(into.subspan(size));
      if (!got) return ToStatus(got.error());
      if (*got == 0) break;
      size += *got;
    }
    told_ += static_cast<std::int64_t>(size);
    return static_cast<std::int64_t>(size);
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(bytes));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, Read(bytes, buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(got, false));
    buffer->ZeroPadding();
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }

  arrow::Result<std::int64_t> Tell() const override { return told_; }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

 private:
  std::unique_ptr<Answer> answer_;
  std::int64_t told_ = 0;
  bool closed_ = false;
};

/// A stream of batches, of which those that only carry a report or an error are taken out.
class AnswerRows final : public arrow::RecordBatchReader {
 public:
  AnswerRows(std::shared_ptr<arrow::io::InputStream> input, OnReport on_report)
      : input_(std::move(input)), on_report_(std::move(on_report)) {}

  Result<void> Open() {
    TM_ASSIGN(reader_, FromArrowResult(arrow::ipc::RecordBatchStreamReader::Open(input_)));
    return {};
  }

  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* out) override {
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto next, reader_->ReadNext());
      *out = next.batch;
      if (next.batch == nullptr) return ReadEnd();
      if (next.custom_metadata == nullptr) return arrow::Status::OK();
      if (const auto error = next.custom_metadata->Get(kErrorKey); error.ok()) return Told(*error);
      const auto report = next.custom_metadata->Get(kReportKey);
      if (!report.ok()) return arrow::Status::OK();
      if (on_report_) std::exchange(on_report_, {})(*report);
    }
  }

 private:
  static arrow::Status Told(const std::string& error) {
    if (const auto known = ErrorFromJson(error)) return ToStatus(*known);
    return ToStatus({ErrorCode::kInternal, "the server told an error that is not understood: " + error, {}});
  }

  /// The body ends where the stream does: only then is it whole.
  arrow::Status ReadEnd() {
    char byte = 0;
    ARROW_ASSIGN_OR_RAISE(const std::int64_t more, input_->Read(1, &byte));
    if (more == 0) return arrow::Status::OK();
    return ToStatus({ErrorCode::kUnavailable, "the server's answer goes on behind its rows", {}});
  }

  std::shared_ptr<arrow::io::InputStream> input_;
  OnReport on_report_;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> reader_;
};

/// What stands around rows in a multipart body whose first part is the request itself.
struct Multipart {
  static Multipart Of(std::string_view request, std::string_view rows_type);
  std::string content_type;
  RowsBody::Around around;
};

/// Of a file, by its ending.
Result<std::string> MediaTypeOf(const std::filesystem::path& path) {
  std::error_code failed;
  const std::string name = path.string();
  std::string type;
  if (name.ends_with(".parquet") || name.ends_with(".pq")) type = "application/vnd.apache.parquet";
  if (name.ends_with(".csv") || name.ends_with(".csv.gz")) type = "text/csv";
  if (type.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' does not end in .parquet, .csv or .csv.gz: say by its name what it is", name));
  }
  if (std::filesystem::is_regular_file(path, failed)) return type;
  return Fail(ErrorCode::kNotFound, fmt::format("there is no file '{}'", name));
}

std::string NewBoundary() {
  std::random_device random;
  return fmt::format("tidemark{:08x}{:08x}{:08x}", random(), random(), random());
}

Multipart Multipart::Of(std::string_view request, std::string_view rows_type) {
  const std::string boundary = NewBoundary();
  Multipart made;
  made.content_type = "multipart/form-data; boundary=" + boundary;
  made.around.before = fmt::format(
      "--{0}\r\nContent-Disposition: form-data; name=\"request\"\r\nContent-Type: application/json\r\n\r\n"
      "{1}\r\n--{0}\r\nContent-Disposition: form-data; name=\"rows\"; filename=\"rows\"\r\n"
      "Content-Type: {2}\r\n\r\n",
      boundary, request, rows_type);
  made.around.behind = fmt::format("\r\n--{}--\r\n", boundary);
  return made;
}

}  // namespace

std::unique_ptr<RowsBody> RowsBody::Make(std::shared_ptr<arrow::RecordBatchReader> rows, Around around,
                                         std::function<void(std::int64_t)> sent) {
  return std::make_unique<EncodedRows>(std::move(rows), std::move(around), std::move(sent));
}

Result<GivenRows> TakeRows(const EntityRows& rows, std::string_view request,
                           std::function<void(std::int64_t)> sent) {
  std::shared_ptr<arrow::RecordBatchReader> reader;
  if (rows.stream != nullptr) {
    if (rows.stream->release == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "the stream of rows is empty: it was released or read before");
    }
    TM_ASSIGN(reader, FromArrowResult(arrow::ImportRecordBatchReader(rows.stream)));
  }
  if ((reader == nullptr) == rows.path.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "rows come as a stream or from a file: give exactly one");
  }
  GivenRows given;
  given.content_type = kArrowStream;
  if (reader == nullptr) {
    TM_ASSIGN(given.content_type, MediaTypeOf(rows.path));
  }
  RowsBody::Around around;
  if (!request.empty()) {
    Multipart parts = Multipart::Of(request, given.content_type);
    given.content_type = std::move(parts.content_type);
    around = std::move(parts.around);
  }
  if (reader == nullptr) {
    auto file = std::make_unique<FileBody>(rows.path.string(), std::move(around));
    TM_TRY(file->Open());
    given.body = std::move(file);
    return given;
  }
  auto body = RowsBody::Make(std::move(reader), std::move(around), std::move(sent));
  given.stream = body.get();
  given.body = std::move(body);
  return given;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> ReadRows(std::unique_ptr<Answer> answer,
                                                           OnReport on_report) {
  auto made =
      std::make_shared<AnswerRows>(std::make_shared<AnswerInput>(std::move(answer)), std::move(on_report));
  TM_TRY(made->Open());
  return made;
}

Result<std::shared_ptr<arrow::Table>> ReadTable(std::string body, const OnReport& on_report) {
  const auto input = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(body)));
  AnswerRows rows(input, on_report);
  TM_TRY(rows.Open());
  return FromArrowResult(rows.ToTable());
}

}  // namespace tidemark::remote
