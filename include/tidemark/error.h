// Errors and results: the one way in which Tidemark says that something went wrong.
//
// No exception crosses a Tidemark boundary. A missing feature value is not an error (see `Status` in
// online.h); an `Error` is for a request that cannot be answered.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "tidemark/export.h"

namespace tidemark {

/// What kind of thing went wrong. The table in error.cc gives each code its text, HTTP status and exit code.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,   // the request itself is wrong: a bad name, a range that ends before it starts
  kNotFound,          // a view, feature, service, column or file that is named does not exist
  kAlreadyExists,     // a name or an output column is taken
  kTypeMismatch,      // a value or column does not fit its declared type without loss
  kInvalidData,       // data that cannot be read as what it should be: a timestamp, a null key, ragged rows
  kCorruption,        // a checksum or an invariant of a file does not hold
  kBusy,              // another process holds what is needed; trying again may work
  kOutOfSpace,        // a disk, a map or a memory limit is full
  kIo,                // the operating system refused a read or a write
  kUnsupported,       // a format or feature that this version does not know
  kCancelled,         // the caller interrupted the work
  kUnknownFate,       // a commit may or may not have happened: look before trying again
  kPermissionDenied,  // asked of what is not open to the caller: a file outside the catalog, a wrong password
  kUnavailable,       // another system that is needed cannot be reached, or did not answer in time
  kInternal,          // a defect of Tidemark
};

/// One row of the table of codes.
struct ErrorCodeInfo {
  std::string_view name;  // "NOT_FOUND"
  int http_status;
  int exit_code;
};

/// The name, HTTP status and exit code of `code`.
TIDEMARK_EXPORT ErrorCodeInfo Describe(ErrorCode code);

/// Says what was wrong, where, and what to do. `message` is one sentence or two for a person; `context` is
/// where it happened, outermost first ("view driver_stats: file x.parquet: row 12").
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string context;

  /// Message with its context in front, as it is shown to a user.
  TIDEMARK_EXPORT std::string ToString() const;

  /// The same error, seen from one place further out; a place that is there already is not said twice.
  TIDEMARK_EXPORT Error In(std::string_view place) &&;
};

template <typename T>
using Result = std::expected<T, Error>;

/// `return Fail(ErrorCode::kNotFound, "...")` from any function that returns a Result.
inline std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message), {}});
}

}  // namespace tidemark
