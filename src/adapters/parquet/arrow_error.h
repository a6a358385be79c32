// Turns the errors of Arrow and Parquet into ours: the only place of this adapter where that is done.
#pragma once

#include <arrow/status.h>
#include <fmt/format.h>

#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tidemark {

/// True if `status` carries an error that was ours before it went through Arrow (ToStatus).
bool IsOwn(const arrow::Status& status);

/// `status` (not OK) as FromStatus of pit/arrow_status.h has it, but that the system's own errors have their
/// codes, and whatever says that data cannot be read as what they should be has the code `damaged`.
Error FromStatus(const arrow::Status& status, ErrorCode damaged);

/// Calls `work`, which returns a Result and may throw what Parquet and Arrow throw; that becomes an error.
template <typename Work>
auto Guarded(ErrorCode damaged, Work&& work) -> decltype(work());

/// The error of the exception that is being handled.
Error FromCurrentException(ErrorCode damaged);

template <typename Work>
auto Guarded(ErrorCode damaged, Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (...) {
    return std::unexpected(FromCurrentException(damaged));
  }
}

/// The same of work that returns a Status or Result of Arrow's.
template <typename Work>
auto WithoutExceptions(Work&& work) -> decltype(work());

/// What Parquet or the allocator threw, which is being handled; anything else is thrown on.
arrow::Status StatusOfCurrentException();

template <typename Work>
auto WithoutExceptions(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (...) {
    return StatusOfCurrentException();
  }
}

}  // namespace tidemark

/// `TM_ASSIGN_ARROW(auto x, F(), code)`: x is the value of an arrow::Result, or its error is returned.
#define TM_ASSIGN_ARROW(lhs, expr, damaged) \
  TM_ASSIGN_ARROW_INNER(TM_CONCAT(tm_arrow_, __LINE__), lhs, expr, damaged)
#define TM_ASSIGN_ARROW_INNER(tmp, lhs, expr, damaged)                     \
  auto tmp = (expr);                                                       \
  if (!tmp.ok()) [[unlikely]]                                              \
    return std::unexpected(::tidemark::FromStatus(tmp.status(), damaged)); \
  lhs = std::move(tmp).ValueUnsafe()

/// `TM_TRY_ARROW(F(), code)`: go on if the arrow::Status is OK, or return its error.
#define TM_TRY_ARROW(expr, damaged)                                             \
  do {                                                                          \
    const ::arrow::Status tm_arrow_status = (expr);                             \
    if (!tm_arrow_status.ok()) [[unlikely]]                                     \
      return std::unexpected(::tidemark::FromStatus(tm_arrow_status, damaged)); \
  } while (false)
