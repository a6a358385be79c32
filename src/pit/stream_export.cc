// Arrow's own export writes a status as it would print it; a caller could not tell our codes apart by that.
#include "pit/stream_export.h"

#include <arrow/c/bridge.h>
#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "pit/arrow_status.h"
#include "tidemark/store.h"

namespace tidemark {
namespace {

int ErrnoOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCancelled:
      return ECANCELED;
    case ErrorCode::kOutOfSpace:
      return ENOMEM;
    case ErrorCode::kIo:
    case ErrorCode::kCorruption:
      return EIO;
    default:
      return EINVAL;
  }
}

/// What the C functions work on; owned by the stream's private_data.
class Exported {
 public:
  Exported(std::shared_ptr<arrow::RecordBatchReader> reader, StreamEnd ended)
      : reader_(std::move(reader)), ended_(std::move(ended)) {}

  int GetSchema(ArrowSchema* out) { return Remember(arrow::ExportSchema(*reader_->schema(), out)); }

  int GetNext(ArrowArray* out) {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (const int failed = Remember(reader_->ReadNext(&batch)); failed != 0) return failed;
    if (batch != nullptr) {
      rows_ += batch->num_rows();
      return Remember(arrow::ExportRecordBatch(*batch, out));
    }
    *out = {};
    if (ended_) std::exchange(ended_, {})(rows_);
    return 0;
  }

  const char* last_error() const { return error_.empty() ? nullptr : error_.c_str(); }

 private:
  int Remember(const arrow::Status& status) {
    error_.clear();
    if (status.ok()) return 0;
    const Error error = FromStatus(status);
    error_ = fmt::format("{}: {}", Describe(error.code).name, error.ToString());
    return ErrnoOf(error.code);
  }

  std::shared_ptr<arrow::RecordBatchReader> reader_;
  StreamEnd ended_;
  std::int64_t rows_ = 0;
  std::string error_;
};

Exported& Of(ArrowArrayStream* stream) {
  return *static_cast<Exported*>(stream->private_data);
}

/// The code whose name stands in front of `text`, which is then cut off.
std::optional<ErrorCode> TakeCode(std::string_view& text) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const std::string_view name = Describe(code).name;
    if (!text.starts_with(name) || !text.substr(name.size()).starts_with(": ")) continue;
    text.remove_prefix(name.size() + 2);
    return code;
  }
  return {};
}

}  // namespace

Error StreamError(ArrowArrayStream* stream, int error_number) {
  const char* const told = stream->get_last_error(stream);
  std::string_view text = told == nullptr ? "reading the stream failed without a reason" : told;
  const std::optional<ErrorCode> code = TakeCode(text);
  if (code) return {*code, std::string(text), {}};
  return {error_number == ENOMEM ? ErrorCode::kOutOfSpace : ErrorCode::kIo, std::string(text), {}};
}

void ExportStream(std::shared_ptr<arrow::RecordBatchReader> reader, StreamEnd ended, ArrowArrayStream* out) {
  out->get_schema = [](ArrowArrayStream* stream, ArrowSchema* schema) {
    return Of(stream).GetSchema(schema);
  };
  out->get_next = [](ArrowArrayStream* stream, ArrowArray* batch) { return Of(stream).GetNext(batch); };
  out->get_last_error = [](ArrowArrayStream* stream) { return Of(stream).last_error(); };
  out->release = [](ArrowArrayStream* stream) {
    delete &Of(stream);
    stream->release = nullptr;
  };
  out->private_data = new Exported(std::move(reader), std::move(ended));
}

}  // namespace tidemark
