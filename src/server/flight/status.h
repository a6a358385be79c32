// Errors as Flight tells them, and Arrow's own as errors of ours.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tidemark::server::flight {

/// The status that gives clients the nearest code of gRPC: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS,
/// UNIMPLEMENTED, PERMISSION_DENIED, UNAVAILABLE, CANCELLED, or else INTERNAL. Text that is too long for a
/// trailer is cut.
arrow::Status StatusOf(const Error& error);

/// An error for a client of Feast: which class of its `feast.errors` is to be raised.
struct FeastFailure {
  FeastFailure(Error what);  // NOLINT(google-explicit-constructor): TM_ASSIGN passes errors on; by its code
  FeastFailure(Error what, std::string_view name) : error(std::move(what)), class_name(name) {}
  Error error;
  std::string_view class_name;  // a constant
};

/// The same status, its text "Flight error: {"module", "class", "message"}", as Feast's client reads it.
arrow::Status StatusOf(const FeastFailure& failure);

/// The error that a status (not ok) of Arrow or gRPC stands for.
Error ErrorOf(const arrow::Status& status);

/// `TM_ASSIGN(auto x, FromArrow(arrow_call()))`.
template <typename T>
Result<T> FromArrow(arrow::Result<T> result) {
  if (!result.ok()) return std::unexpected(ErrorOf(result.status()));
  return std::move(result).ValueUnsafe();
}

inline Result<void> FromArrow(const arrow::Status& status) {
  if (!status.ok()) return std::unexpected(ErrorOf(status));
  return {};
}

}  // namespace tidemark::server::flight
