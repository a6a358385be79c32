// Errors of Arrow as errors of Tidemark, and the other way where Arrow calls us back.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include "base/result.h"

namespace tidemark {

/// The error that `status` (not ok) stands for. One that was made by ToStatus comes back as it was.
Error FromStatus(const arrow::Status& status);

/// An error as a status, for callbacks that Arrow calls.
arrow::Status ToStatus(const Error& error);

/// `TM_ASSIGN(auto x, FromArrowResult(arrow_call()))`.
template <typename T>
Result<T> FromArrowResult(arrow::Result<T> result) {
  if (!result.ok()) return std::unexpected(FromStatus(result.status()));
  return std::move(result).ValueUnsafe();
}

inline Result<void> FromArrowStatus(const arrow::Status& status) {
  if (!status.ok()) return std::unexpected(FromStatus(status));
  return {};
}

}  // namespace tidemark
