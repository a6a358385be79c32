// The kinds of Arrow's errors, and what each is to our user.
#include "adapters/files/arrow_error.h"

#include <arrow/util/io_util.h>
#include <parquet/exception.h>

#include <cerrno>
#include <string>

namespace tidemark {
namespace {

ErrorCode CodeOf(const arrow::Status& status, ErrorCode damaged) {
  const int os_error = arrow::internal::ErrnoFromStatus(status);
  if (os_error == ENOMEM || os_error == ENOSPC) return ErrorCode::kOutOfSpace;
  if (os_error != 0) return ErrorCode::kIo;
  if (status.IsOutOfMemory()) return ErrorCode::kOutOfSpace;
  if (status.IsNotImplemented()) return ErrorCode::kUnsupported;
  if (status.IsCancelled()) return ErrorCode::kCancelled;
  return damaged;
}

}  // namespace

Error FromStatus(const arrow::Status& status, ErrorCode damaged) {
  return {CodeOf(status, damaged), status.message(), {}};
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

}  // namespace tidemark
