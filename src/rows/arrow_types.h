// Types of columns between definitions and Arrow, and errors of Arrow, for the server: it sees the store
// through its public API only.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/type.h>

#include <memory>

#include "base/result.h"
#include "model/type.h"

namespace tidemark {

/// The Arrow type of values of a type: timestamp is timestamp[us, UTC], date is date32, decimal is
/// decimal128, string is utf8.
std::shared_ptr<arrow::DataType> ArrowTypeOf(const DataType& type);

/// The name of the type that a column of an answer has, as in definitions; Arrow's own name for one that
/// definitions do not know.
std::string TypeNameOf(const arrow::DataType& type);

/// The error that a status of Arrow (not ok) is about a body that a client sent: kInvalidData, but for memory
/// and the disk.
Error BodyErrorOf(const arrow::Status& status);

template <typename T>
Result<T> OfBody(arrow::Result<T> result) {
  if (!result.ok()) return std::unexpected(BodyErrorOf(result.status()));
  return std::move(result).ValueUnsafe();
}

inline Result<void> OfBody(const arrow::Status& status) {
  if (!status.ok()) return std::unexpected(BodyErrorOf(status));
  return {};
}

}  // namespace tidemark
