// An error travels through Arrow as the detail of a status.
#include "pit/arrow_status.h"

#include <memory>
#include <string>
#include <utility>

namespace tidemark {
namespace {

class ErrorDetail final : public arrow::StatusDetail {
 public:
  explicit ErrorDetail(Error error) : error_(std::move(error)) {}
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return error_.ToString(); }
  const Error& error() const { return error_; }

  static constexpr const char* kTypeId = "tidemark::Error";

 private:
  Error error_;
};

ErrorCode CodeOf(const arrow::Status& status) {
  switch (status.code()) {
    case arrow::StatusCode::OutOfMemory:
    case arrow::StatusCode::CapacityError:
      return ErrorCode::kOutOfSpace;
    case arrow::StatusCode::IOError:
      return ErrorCode::kIo;
    case arrow::StatusCode::Cancelled:
      return ErrorCode::kCancelled;
    case arrow::StatusCode::TypeError:
      return ErrorCode::kTypeMismatch;
    case arrow::StatusCode::Invalid:
    case arrow::StatusCode::SerializationError:
      return ErrorCode::kInvalidData;
    case arrow::StatusCode::NotImplemented:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

Error FromStatus(const arrow::Status& status) {
  if (const auto& detail = status.detail(); detail != nullptr && detail->type_id() == ErrorDetail::kTypeId) {
    return static_cast<const ErrorDetail&>(*detail).error();
  }
  // What the system said ("[errno 28] No space left on device") is a detail of Arrow's own.
  std::string message = status.message();
  if (status.detail() != nullptr) message += ": " + status.detail()->ToString();
  return {CodeOf(status), std::move(message), {}};
}

arrow::Status ToStatus(const Error& error) {
  return {error.code == ErrorCode::kCancelled ? arrow::StatusCode::Cancelled : arrow::StatusCode::Invalid,
          error.ToString(), std::make_shared<ErrorDetail>(error)};
}

}  // namespace tidemark
