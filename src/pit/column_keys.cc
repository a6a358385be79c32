// Join key columns to the kernel's forms.
#include <arrow/builder.h>
#include <fmt/format.h>

#include <limits>

#include "model/type.h"
#include "pit/array_values_internal.h"
#include "pit/buffer_pool.h"
#include "pit/columns.h"

namespace tidemark {

using namespace pit_internal;  // NOLINT(google-build-using-namespace): this file is a part of it

namespace {

struct KeyColumn {
  const DataType& type;
  std::string_view name;
  std::int64_t first_row = 0;
};

std::unexpected<Error> Mismatch(const KeyColumn& column, const arrow::Array& keys) {
  std::string_view hint = "cast the column";
  if (IsFloat(keys.type_id())) {
    hint =
        "floats are no keys; cast the column (pandas makes floats of integers with missing values: use "
        "'Int64')";
  }
  return Fail(ErrorCode::kTypeMismatch,
              fmt::format("join key column '{}' is {}, the key is declared as {}; {}", column.name,
                          keys.type()->ToString(), column.type.ToString(), hint));
}

Result<void> CheckNoNulls(const arrow::Array& keys, const KeyColumn& column) {
  if (keys.null_count() == 0) return {};
  std::int64_t row = 0;
  while (keys.IsValid(row))
    ++row;
  return Fail(ErrorCode::kInvalidData, fmt::format("{}: null; every row needs a join key",
                                                   PlaceOf(column.name, column.first_row + row)));
}

Result<std::shared_ptr<arrow::Array>> Integers(const std::shared_ptr<arrow::Array>& keys,
                                               const KeyColumn& column) {
  if (keys->type_id() == arrow::Type::INT64) return keys;
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> buffer,
            FromArrowResult(arrow::AllocateBuffer(
                keys->length() * static_cast<std::int64_t>(sizeof(std::int64_t)), BufferPool())));
  auto* out = reinterpret_cast<std::int64_t*>(buffer->mutable_data());
  std::int64_t beyond = -1;
  WithNumbers(*keys, [&](const auto& values) {
    for (std::int64_t row = values.length() - 1; row >= 0; --row) {
      out[row] = static_cast<std::int64_t>(values.Value(row));
      if (keys->type_id() == arrow::Type::UINT64 && out[row] < 0) beyond = row;
    }
  });
  if (beyond >= 0) {
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("{}: {} is beyond int64; use a string key",
                            PlaceOf(column.name, column.first_row + beyond),
                            static_cast<const arrow::UInt64Array&>(*keys).Value(beyond)));
  }
  return std::make_shared<arrow::Int64Array>(keys->length(), std::move(buffer));
}

// Plain offsets in 32 bits where they suffice, so that most keys have one form.
Result<std::shared_ptr<arrow::Array>> NarrowOffsets(const arrow::LargeBinaryArray& keys) {
  const std::int64_t begin = keys.value_offset(0);
  const std::int64_t end = keys.value_offset(keys.length());
  if (end - begin > std::numeric_limits<std::int32_t>::max()) return Reinterpret(keys, arrow::large_binary());
  TM_ASSIGN(std::shared_ptr<arrow::Buffer> offsets,
            FromArrowResult(arrow::AllocateBuffer(
                (keys.length() + 1) * static_cast<std::int64_t>(sizeof(std::int32_t)), BufferPool())));
  auto* out = reinterpret_cast<std::int32_t*>(offsets->mutable_data());
  for (std::int64_t row = 0; row <= keys.length(); ++row) {
    out[row] = static_cast<std::int32_t>(keys.value_offset(row) - begin);
  }
  auto values =
      keys.value_data() == nullptr ? nullptr : arrow::SliceBuffer(keys.value_data(), begin, end - begin);
  return std::make_shared<arrow::BinaryArray>(keys.length(), std::move(offsets), std::move(values));
}

Result<std::shared_ptr<arrow::Array>> Bytes(const arrow::Array& keys) {
  switch (keys.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return Reinterpret(keys, arrow::binary());
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      if (keys.length() > 0) return NarrowOffsets(static_cast<const arrow::LargeBinaryArray&>(keys));
      [[fallthrough]];
    default: {
      arrow::LargeBinaryBuilder builder;
      const auto filled = WithBytes(keys, [&builder](const auto& values) {
        for (std::int64_t row = 0; row < values.length(); ++row)
          ARROW_RETURN_NOT_OK(builder.Append(values.GetView(row)));
        return arrow::Status::OK();
      });
      if (!filled.ok()) return std::unexpected(FromStatus(filled));
      TM_ASSIGN(auto large, FromArrowResult(builder.Finish()));
      return NarrowOffsets(static_cast<const arrow::LargeBinaryArray&>(*large));
    }
  }
}

Result<std::shared_ptr<arrow::Array>> Timestamps(const arrow::Array& keys, const KeyColumn& column) {
  bool cut = false;
  TM_ASSIGN(auto micros, TimesToMicros(keys, column.name, column.first_row, &cut));
  if (cut) {
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format("join key column '{}' has times finer than a microsecond, so that different keys would "
                    "become one; round the column",
                    column.name));
  }
  return micros;
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> CanonicalKey(const std::shared_ptr<arrow::Array>& given,
                                                   const DataType& type, std::string_view name,
                                                   std::int64_t first_row) {
  const KeyColumn column{type, name, first_row};
  TM_ASSIGN(auto keys, Plain(given));
  TM_TRY(CheckNoNulls(*keys, column));
  if (keys->type_id() == arrow::Type::NA) {  // without rows, or CheckNoNulls would have refused it
    TM_ASSIGN(keys, FromArrowResult(arrow::MakeEmptyArray(ToArrow(type))));
  }
  const arrow::Type::type id = keys->type_id();
  switch (type.kind) {
    case TypeKind::kInt32:
    case TypeKind::kInt64:
      if (IsInteger(id)) return Integers(keys, column);
      return Mismatch(column, *keys);
    case TypeKind::kBool:
      if (id == arrow::Type::BOOL) return keys;
      return Mismatch(column, *keys);
    case TypeKind::kString:
    case TypeKind::kBinary:
      if (IsBytes(id)) return Bytes(*keys);
      return Mismatch(column, *keys);
    case TypeKind::kTimestamp:
    case TypeKind::kDate:
      if (id == arrow::Type::TIMESTAMP || arrow::is_date(id) || IsText(id)) return Timestamps(*keys, column);
      return Mismatch(column, *keys);
    default:
      return Fail(ErrorCode::kTypeMismatch,
                  fmt::format("join key column '{}' is declared as {}, which cannot be a key", name,
                              type.ToString()));
  }
}

}  // namespace tidemark
