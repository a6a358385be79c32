// Lossless casts, shared between flat values (cast_values.cc) and nested ones (cast_column.cc).
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "model/type.h"
#include "pit/array_values_internal.h"

namespace tidemark::pit_internal {

/// Why a cast failed: the row within the array that was given, and what to say of it. Whoever called with a
/// part of a column says in which row of the column, and in which field, that lies.
struct CastProblem {
  ErrorCode code = ErrorCode::kTypeMismatch;
  std::int64_t row = -1;  // -1: the column as a whole
  std::string field;      // path within a nested value; empty at the top
  std::string what;
};

using CastResult = std::expected<std::shared_ptr<arrow::Array>, CastProblem>;

/// A flat `array` (not encoded) as ToArrow(type).
CastResult CastValues(const arrow::Array& array, const DataType& type);

/// Timestamps, dates and text as int64 microseconds; see NullableTimesToMicros.
CastResult MicrosOf(const arrow::Array& array, bool* cut);

/// Any array as ToArrow(type).
CastResult CastAny(const std::shared_ptr<arrow::Array>& array, const DataType& type);

std::unexpected<CastProblem> CastFail(std::int64_t row, std::string what,
                                      ErrorCode code = ErrorCode::kTypeMismatch);
std::unexpected<CastProblem> CastFail(const Error& error);

}  // namespace tidemark::pit_internal
