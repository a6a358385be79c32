// One table of codes, both ways.
#include "server/flight/status.h"

#include <arrow/flight/types.h>

#include <cstddef>

#include "server/json/json_text.h"

namespace tidemark::server::flight {
namespace {

using arrow::flight::FlightStatusCode;
using arrow::flight::MakeFlightError;

// gRPC clients refuse more than 8 KiB of trailers, and the text is in them twice, percent-encoded.
constexpr std::size_t kTextBytesMax = 1'200;

/// At most so many bytes, whole characters.
std::string Cut(std::string text) {
  if (text.size() <= kTextBytesMax) return text;
  std::size_t end = kTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  text.resize(end);
  text.append("...");
  return text;
}

arrow::Status Make(ErrorCode code, std::string text) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTypeMismatch:
    case ErrorCode::kInvalidData:
      return arrow::Status::Invalid(std::move(text));
    case ErrorCode::kNotFound:
      return arrow::Status::KeyError(std::move(text));
    case ErrorCode::kAlreadyExists:
      return arrow::Status::AlreadyExists(std::move(text));
    case ErrorCode::kUnsupported:
      return arrow::Status::NotImplemented(std::move(text));
    case ErrorCode::kPermissionDenied:
      return MakeFlightError(FlightStatusCode::Unauthorized, std::move(text));
    case ErrorCode::kCancelled:
      return MakeFlightError(FlightStatusCode::Cancelled, std::move(text));
    case ErrorCode::kBusy:
    case ErrorCode::kUnavailable:
      return MakeFlightError(FlightStatusCode::Unavailable, std::move(text));
    case ErrorCode::kCorruption:
    case ErrorCode::kOutOfSpace:
    case ErrorCode::kIo:
    case ErrorCode::kUnknownFate:
    case ErrorCode::kInternal:
      break;
  }
  return MakeFlightError(FlightStatusCode::Internal, std::move(text));
}

}  // namespace

arrow::Status StatusOf(const Error& error) {
  return Make(error.code, Cut(error.ToString()));
}

FeastFailure::FeastFailure(Error what) : error(std::move(what)), class_name("FeastError") {
  if (error.code == ErrorCode::kPermissionDenied) class_name = "FeastPermissionError";
}

arrow::Status StatusOf(const FeastFailure& failure) {
  std::string text = R"(Flight error: {"module": "feast.errors", "class": )";
  json::AppendText(text, failure.class_name);
  text.append(R"(, "message": )");
  json::AppendText(text, Cut(failure.error.ToString()));
  text.push_back('}');
  return Make(failure.error.code, std::move(text));
}

Error ErrorOf(const arrow::Status& status) {
  Error error{.code = ErrorCode::kInternal, .message = status.message(), .context = {}};
  if (const auto detail = arrow::flight::FlightStatusDetail::UnwrapStatus(status)) {
    error.code =
        detail->code() == FlightStatusCode::Cancelled ? ErrorCode::kCancelled : ErrorCode::kUnavailable;
  } else if (status.IsCancelled()) {
    error.code = ErrorCode::kCancelled;
  } else if (status.IsInvalid() || status.IsSerializationError() || status.IsTypeError()) {
    error.code = ErrorCode::kInvalidData;
  } else if (status.IsNotImplemented()) {
    error.code = ErrorCode::kUnsupported;
  } else if (status.IsOutOfMemory() || status.IsCapacityError()) {
    error.code = ErrorCode::kOutOfSpace;
  } else if (status.IsIOError()) {
    error.code = ErrorCode::kIo;
  }
  return error;
}

}  // namespace tidemark::server::flight
