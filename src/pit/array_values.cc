// What the conversions of columns share.
#include "pit/array_values_internal.h"

#include <arrow/compute/api.h>
#include <arrow/extension_type.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>

namespace tidemark::pit_internal {

bool IsText(arrow::Type::type id) {
  return id == arrow::Type::STRING || id == arrow::Type::LARGE_STRING || id == arrow::Type::STRING_VIEW;
}

bool IsBytes(arrow::Type::type id) {
  return IsText(id) || id == arrow::Type::BINARY || id == arrow::Type::LARGE_BINARY ||
         id == arrow::Type::BINARY_VIEW || id == arrow::Type::FIXED_SIZE_BINARY;
}

bool IsInteger(arrow::Type::type id) {
  return arrow::is_integer(id);
}
bool IsFloat(arrow::Type::type id) {
  return arrow::is_floating(id);
}

Result<std::shared_ptr<arrow::Array>> Plain(const std::shared_ptr<arrow::Array>& array) {
  if (array->type_id() == arrow::Type::EXTENSION) {
    return Plain(static_cast<const arrow::ExtensionArray&>(*array).storage());
  }
  if (array->type_id() != arrow::Type::DICTIONARY) return array;
  const auto& encoded = static_cast<const arrow::DictionaryArray&>(*array);
  // Arrow takes no values out of arrays of views, which Polars makes of its categories.
  auto words = encoded.dictionary();
  if (words->type_id() == arrow::Type::STRING_VIEW || words->type_id() == arrow::Type::BINARY_VIEW) {
    const auto plain = words->type_id() == arrow::Type::STRING_VIEW ? arrow::utf8() : arrow::binary();
    TM_ASSIGN(words, FromArrowResult(arrow::compute::Cast(*words, plain)));
  }
  TM_ASSIGN(auto taken, FromArrowResult(arrow::compute::Take(*words, *encoded.indices())));
  return Plain(taken);
}

std::string PlaceOf(std::string_view column, std::int64_t row) {
  return fmt::format("column '{}', row {}", column, row);
}

Result<std::shared_ptr<arrow::Buffer>> ValidityOf(const arrow::Array& array) {
  if (array.null_count() == 0) return nullptr;
  if (array.null_bitmap_data() == nullptr) return nullptr;
  TM_ASSIGN(auto copied,
            FromArrowResult(arrow::internal::CopyBitmap(
                arrow::default_memory_pool(), array.null_bitmap_data(), array.offset(), array.length())));
  return copied;
}

std::shared_ptr<arrow::Array> Reinterpret(const arrow::Array& array, std::shared_ptr<arrow::DataType> type) {
  auto data = array.data()->Copy();
  data->type = std::move(type);
  return arrow::MakeArray(data);
}

}  // namespace tidemark::pit_internal
