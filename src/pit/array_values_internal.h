// Uniform access to the values of Arrow arrays that differ only in their layout.
#pragma once

#include <arrow/array.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pit/arrow_status.h"

namespace tidemark::pit_internal {

/// True for string and binary in every layout: plain, large, view, fixed size.
bool IsBytes(arrow::Type::type id);
/// True for text: string, large string, string view.
bool IsText(arrow::Type::type id);
bool IsInteger(arrow::Type::type id);
bool IsFloat(arrow::Type::type id);

/// The array without dictionary encoding and without an extension's wrapper; itself if it has neither. A
/// failure of Arrow is kInternal or kOutOfSpace.
Result<std::shared_ptr<arrow::Array>> Plain(const std::shared_ptr<arrow::Array>& array);

/// Calls `task(typed)` with the array as its own class, which has GetView(row). Only if IsBytes.
template <typename Task>
decltype(auto) WithBytes(const arrow::Array& array, const Task& task) {
  switch (array.type_id()) {
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return task(static_cast<const arrow::LargeBinaryArray&>(array));
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return task(static_cast<const arrow::BinaryViewArray&>(array));
    case arrow::Type::FIXED_SIZE_BINARY:
      return task(static_cast<const arrow::FixedSizeBinaryArray&>(array));
    default:
      return task(static_cast<const arrow::BinaryArray&>(array));
  }
}

/// Calls `task(typed)` with the array as its own class, which has Value(row). Only if IsInteger or IsFloat.
template <typename Task>
decltype(auto) WithNumbers(const arrow::Array& array, const Task& task) {
  switch (array.type_id()) {
    case arrow::Type::INT8:
      return task(static_cast<const arrow::Int8Array&>(array));
    case arrow::Type::INT16:
      return task(static_cast<const arrow::Int16Array&>(array));
    case arrow::Type::INT32:
      return task(static_cast<const arrow::Int32Array&>(array));
    case arrow::Type::UINT8:
      return task(static_cast<const arrow::UInt8Array&>(array));
    case arrow::Type::UINT16:
      return task(static_cast<const arrow::UInt16Array&>(array));
    case arrow::Type::UINT32:
      return task(static_cast<const arrow::UInt32Array&>(array));
    case arrow::Type::UINT64:
      return task(static_cast<const arrow::UInt64Array&>(array));
    case arrow::Type::HALF_FLOAT:
      return task(static_cast<const arrow::HalfFloatArray&>(array));
    case arrow::Type::FLOAT:
      return task(static_cast<const arrow::FloatArray&>(array));
    case arrow::Type::DOUBLE:
      return task(static_cast<const arrow::DoubleArray&>(array));
    default:
      return task(static_cast<const arrow::Int64Array&>(array));
  }
}

/// "column 'ts', row 12".
std::string PlaceOf(std::string_view column, std::int64_t row);

/// The array's validity bitmap moved to offset 0; null if it has no nulls.
Result<std::shared_ptr<arrow::Buffer>> ValidityOf(const arrow::Array& array);

/// The same values under another type of the same layout.
std::shared_ptr<arrow::Array> Reinterpret(const arrow::Array& array, std::shared_ptr<arrow::DataType> type);

}  // namespace tidemark::pit_internal
