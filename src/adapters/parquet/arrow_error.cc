// The kinds of Arrow's errors, and what each is to our user.
#include "adapters/parquet/arrow_error.h"

#include <arrow/util/io_util.h>
#include <parquet/exception.h>

#include <cerrno>
#include <string>

#include "pit/arrow_status.h"

namespace tidemark {
namespace {

bool IsFull(int os_error) {
  return os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG || os_error == ENOMEM;
}

}  // namespace

bool IsOwn(const arrow::Status& status) {
  return status.detail() != nullptr && FromStatus(status).ToString() == status.detail()->ToString();
}

Error FromStatus(const arrow::Status& status, ErrorCode damaged) {
  Error error = FromStatus(status);
  if (IsOwn(status)) return error;
  const int os_error = arrow::internal::ErrnoFromStatus(status);
  if (IsFull(os_error)) {
    error.code = ErrorCode::kOutOfSpace;
  } else if (os_error != 0) {
    error.code = ErrorCode::kIo;
  } else if (error.code != ErrorCode::kOutOfSpace && error.code != ErrorCode::kUnsupported &&
             error.code != ErrorCode::kCancelled) {
    error.code = damaged;
  }
  return error;
}

Error FromCurrentException(ErrorCode damaged) {
  try {
    throw;
  } catch (const parquet::ParquetStatusException& error) {
    return FromStatus(error.status(), damaged);
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kOutOfSpace, "out of memory", {}};
  } catch (const std::exception& error) {
    return {damaged, error.what(), {}};
  }
}

arrow::Status StatusOfCurrentException() {
  try {
    throw;
  } catch (const parquet::ParquetStatusException& error) {
    return error.status();
  } catch (const parquet::ParquetException& error) {
    return arrow::Status::IOError(error.what());
  } catch (const std::bad_alloc&) {
    return arrow::Status::OutOfMemory("no memory is left");
  }
}

}  // namespace tidemark
