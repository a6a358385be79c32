// A reader for each format; each remembers the error that it failed with, which Arrow would keep as text
// only.
#include "server/rows/body_rows.h"

#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "rows/arrow_types.h"
#include "server/rows/body_bytes.h"
#include "server/rows/body_memory.h"
#include "server/rows/ndjson_reader.h"
#include "server/rows/parquet_rows.h"

namespace tidemark::server {
namespace {

/// What readers and the object that they belong to share; the reader may outlive it.
struct Told {
  std::optional<Error> error;
  bool cut_times = false;
};

/// What cannot be held is too large; the rest is of the body, in its format.
Error UnfoldedErrorOf(const arrow::Status& status, std::string_view format) {
  Error error = BodyErrorOf(status);
  if (!status.IsCapacityError()) return std::move(error).In(format);
  error.code = ErrorCode::kInvalidArgument;
  error.context = kBodyTooLarge;
  return error;
}

/// Reads an Arrow IPC stream. What it claims about its buffers is checked before anyone believes it.
class ArrowRows final : public arrow::RecordBatchReader {
 public:
  static Result<std::shared_ptr<arrow::RecordBatchReader>> Open(
      const std::shared_ptr<arrow::io::InputStream>& stream, BodyStream* body, std::shared_ptr<Told> told) {
    auto options = arrow::ipc::IpcReadOptions::Defaults();
    options.use_threads = false;
    options.memory_pool = &BodyMemory::OfProcess();
    auto reader = arrow::ipc::RecordBatchStreamReader::Open(stream, options);
    if (!reader.ok()) {
      if (body != nullptr && body->error()) return std::unexpected(*body->error());
      return std::unexpected(UnfoldedErrorOf(reader.status(), "the Arrow stream"));
    }
    return std::make_shared<ArrowRows>(*std::move(reader), body, std::move(told));
  }
  ArrowRows(std::shared_ptr<arrow::RecordBatchReader> reader, BodyStream* body, std::shared_ptr<Told> told)
      : reader_(std::move(reader)), body_(body), told_(std::move(told)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    arrow::Status status = reader_->ReadNext(batch);
    if (status.ok()) status = *batch != nullptr ? (*batch)->ValidateFull() : CheckEnd();
    if (status.ok()) return status;
    told_->error =
        body_ != nullptr && body_->error() ? *body_->error() : UnfoldedErrorOf(status, "the Arrow stream");
    return status;
  }

 private:
  /// Sees the end of the body, too, so that its connection can be used again.
  arrow::Status CheckEnd() {
    if (body_ == nullptr) return arrow::Status::OK();
    char byte = 0;
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, body_->Read(1, &byte));
    return got == 0 ? arrow::Status::OK() : arrow::Status::Invalid("there are bytes behind its end");
  }

  std::shared_ptr<arrow::RecordBatchReader> reader_;
  BodyStream* body_;
  std::shared_ptr<Told> told_;
};

/// Counts what rows take, unfolded, and ends with an error where that is too much.
class BoundedRows final : public arrow::RecordBatchReader {
 public:
  BoundedRows(std::shared_ptr<arrow::RecordBatchReader> reader, const BodyRowsOptions& options,
              std::shared_ptr<Told> told)
      : reader_(std::move(reader)), told_(std::move(told)), is_held_(options.use != RowsUse::kStreamed) {
    bytes_max_ = is_held_ ? options.held_bytes_max : options.unfolded_bytes_max;
  }
  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    ARROW_RETURN_NOT_OK(reader_->ReadNext(batch));
    if (*batch == nullptr) return arrow::Status::OK();
    // Some types cannot be measured by what they refer to; then whole buffers count. A row takes something.
    const auto referred = arrow::util::ReferencedBufferSize(**batch);
    const std::int64_t bytes = referred.ok() ? *referred : arrow::util::TotalBufferSize(**batch);
    bytes_ += static_cast<std::uint64_t>(std::max(bytes, (*batch)->num_rows()));
    if (bytes_ <= bytes_max_) return arrow::Status::OK();
    told_->error = Error{.code = ErrorCode::kInvalidArgument,
                         .message = fmt::format("the rows take more than {} bytes, unfolded, which is the "
                                                "limit ({}): send them in parts",
                                                bytes_max_, is_held_ ? "memory_max" : "stream_max"),
                         .context = std::string(kBodyTooLarge)};
    return arrow::Status::CapacityError(told_->error->message);
  }

 private:
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  std::shared_ptr<Told> told_;
  const bool is_held_;
  std::uint64_t bytes_max_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Remembers the error that reading Parquet ends with.
class ToldRows final : public arrow::RecordBatchReader {
 public:
  ToldRows(std::shared_ptr<arrow::RecordBatchReader> reader, std::shared_ptr<Told> told)
      : reader_(std::move(reader)), told_(std::move(told)) {}
  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    const arrow::Status status = reader_->ReadNext(batch);
    if (!status.ok()) told_->error = UnfoldedErrorOf(status, "the Parquet file");
    return status;
  }

 private:
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  std::shared_ptr<Told> told_;
};

class NdjsonRows final : public arrow::RecordBatchReader {
 public:
  NdjsonRows(std::shared_ptr<NdjsonReader> reader, std::shared_ptr<Told> told)
      : reader_(std::move(reader)), told_(std::move(told)) {}
  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    auto read = reader_->Next();
    told_->cut_times = reader_->cut_times();
    if (read) {
      *batch = *std::move(read);
      return arrow::Status::OK();
    }
    told_->error = std::move(read).error();
    return arrow::Status::Invalid(told_->error->message);
  }

 private:
  std::shared_ptr<NdjsonReader> reader_;
  std::shared_ptr<Told> told_;
};

void RemoveAll(std::string& text, const std::string& what, std::string_view instead) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
    text.replace(at, what.size(), instead);
}

}  // namespace

struct BodyRows::Impl {
  std::shared_ptr<Told> told = std::make_shared<Told>();
  std::unique_ptr<SpooledBody> spooled;
  std::shared_ptr<BodyStream> body_stream;
  std::shared_ptr<arrow::RecordBatchReader> reader;  // nullptr: the spooled file is the rows
  ArrowArrayStream stream{};

  Result<void> OpenArrow(http::BodyReader& body, const BodyRowsOptions& options) {
    std::shared_ptr<arrow::io::InputStream> bytes;
    if (options.use == RowsUse::kLater) {
      TM_ASSIGN(spooled, SpooledBody::Write(body, options.spool_folder, ".arrow"));
      TM_ASSIGN(bytes, OfBody(arrow::io::ReadableFile::Open(spooled->path().string())));
    } else {
      body_stream = std::make_shared<BodyStream>(body);
      bytes = body_stream;
    }
    TM_ASSIGN(reader, ArrowRows::Open(bytes, body_stream.get(), told));
    return {};
  }

  Result<void> OpenParquet(http::BodyReader& body, const BodyRowsOptions& options) {
    TM_ASSIGN(spooled, SpooledBody::Write(body, options.spool_folder, ".parquet"));
    const auto opened = OpenParquetRows(spooled->path());
    if (!opened.ok()) return std::unexpected(UnfoldedErrorOf(opened.status(), "the Parquet file"));
    reader = std::make_shared<ToldRows>(*opened, told);
    return {};
  }

  /// CSV is held as about what it is.
  Result<void> CheckHeldFile(const BodyRowsOptions& options) const {
    std::error_code error;
    const std::uint64_t bytes = std::filesystem::file_size(spooled->path(), error);
    if (error || options.use == RowsUse::kStreamed || bytes <= options.held_bytes_max) return {};
    return std::unexpected(Error{.code = ErrorCode::kInvalidArgument,
                                 .message = fmt::format("the rows take {} bytes, and the limit is {} "
                                                        "(memory_max): send them in parts",
                                                        bytes, options.held_bytes_max),
                                 .context = std::string(kBodyTooLarge)});
  }

  Result<void> OpenJson(http::BodyReader& body, const BodyRowsOptions& options) {
    TM_ASSIGN(const std::string text, ReadWhole(body, options.body_bytes_max, "the JSON body"));
    TM_ASSIGN(const JsonDocument document, JsonDocument::Parse(text, options.json.depth_max));
    TM_ASSIGN(const auto batch, RowsFromJson(document.root(), options.json, &told->cut_times));
    TM_ASSIGN(reader, OfBody(arrow::RecordBatchReader::Make({batch}, batch->schema())));
    return {};
  }

  Result<void> OpenNdjson(http::BodyReader& body, const BodyRowsOptions& options) {
    TM_ASSIGN(std::shared_ptr<NdjsonReader> lines,
              NdjsonReader::Open(body, options.json, options.body_bytes_max));
    std::shared_ptr<arrow::RecordBatchReader> rows = std::make_shared<NdjsonRows>(lines, told);
    if (options.use != RowsUse::kLater) {
      reader = std::move(rows);
      return {};
    }
    rows = std::make_shared<BoundedRows>(std::move(rows), options, told);
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (!rows->ReadNext(&batch).ok()) return std::unexpected(*told->error);
      if (batch == nullptr) break;
      batches.push_back(std::move(batch));
    }
    TM_ASSIGN(reader, OfBody(arrow::RecordBatchReader::Make(std::move(batches), lines->schema())));
    return {};
  }
};

BodyRows::BodyRows(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

BodyRows::~BodyRows() {
  if (impl_->stream.release != nullptr) impl_->stream.release(&impl_->stream);
}

Result<std::unique_ptr<BodyRows>> BodyRows::Open(http::BodyReader& body, RowFormat format,
                                                 const BodyRowsOptions& options) {
  auto impl = std::make_unique<Impl>();
  switch (format) {
    case RowFormat::kJson:
      TM_TRY(impl->OpenJson(body, options));
      break;
    case RowFormat::kNdjson:
      TM_TRY(impl->OpenNdjson(body, options));
      break;
    case RowFormat::kArrow:
      TM_TRY(impl->OpenArrow(body, options));
      break;
    case RowFormat::kCsv: {
      TM_ASSIGN(impl->spooled, SpooledBody::Write(body, options.spool_folder, ".csv"));
      TM_TRY(impl->CheckHeldFile(options));
      break;
    }
    case RowFormat::kParquet: {
      TM_TRY(impl->OpenParquet(body, options));
      break;
    }
  }
  if (impl->reader != nullptr && format != RowFormat::kJson)
    impl->reader = std::make_shared<BoundedRows>(std::move(impl->reader), options, impl->told);
  return std::unique_ptr<BodyRows>(new BodyRows(std::move(impl)));
}

std::unique_ptr<BodyRows> BodyRows::Of(std::shared_ptr<arrow::RecordBatch> rows) {
  auto impl = std::make_unique<Impl>();
  auto schema = rows->schema();
  // Of batches of one schema this cannot fail.
  impl->reader = arrow::RecordBatchReader::Make({std::move(rows)}, std::move(schema)).ValueOrDie();
  return std::unique_ptr<BodyRows>(new BodyRows(std::move(impl)));
}

EntityRows BodyRows::rows() {
  if (impl_->reader == nullptr) return {.stream = nullptr, .path = impl_->spooled->path()};
  // Fails for a null reader only.
  (void)arrow::ExportRecordBatchReader(std::exchange(impl_->reader, nullptr), &impl_->stream);
  return {.stream = &impl_->stream, .path = {}};
}

Error BodyRows::Blame(Error error) const {
  if (impl_->told->error) return *impl_->told->error;
  if (impl_->body_stream && impl_->body_stream->error()) return *impl_->body_stream->error();
  if (impl_->spooled == nullptr) return error;
  const std::string path = impl_->spooled->path().string();
  const std::string name = impl_->spooled->path().filename().string();
  const bool is_about_it =
      error.message.find(name) != std::string::npos || error.context.find(name) != std::string::npos;
  if (is_about_it && error.code == ErrorCode::kCorruption) error.code = ErrorCode::kInvalidData;
  for (std::string* text : {&error.message, &error.context}) {
    RemoveAll(*text, path, "of the body");
    RemoveAll(*text, name, "of the body");
  }
  return error;
}

bool BodyRows::cut_times() const {
  return impl_->told->cut_times;
}

}  // namespace tidemark::server
