// Integers of any width, times in microseconds, text and bytes.
#include "server/v1/entity_keys.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/name.h"

namespace tidemark::server {
namespace {

/// True for a type of key whose values are numbers.
bool IsNumber(std::string_view type) {
  return type == "int32" || type == "int64" || type == "timestamp";
}

template <typename Array, typename Value>
void Take(const arrow::Array& values, std::vector<Value>& out) {
  const auto& typed = static_cast<const Array&>(values);
  for (std::int64_t row = 0; row < typed.length(); ++row)
    out.push_back(static_cast<Value>(typed.GetView(row)));
}

bool TakeIntegers(const arrow::Array& values, std::string_view wanted, std::vector<std::int64_t>& out) {
  out.reserve(static_cast<std::size_t>(values.length()));
  switch (values.type_id()) {
    case arrow::Type::INT8:
      Take<arrow::Int8Array>(values, out);
      return true;
    case arrow::Type::INT16:
      Take<arrow::Int16Array>(values, out);
      return true;
    case arrow::Type::INT32:
      Take<arrow::Int32Array>(values, out);
      return true;
    case arrow::Type::INT64:
      Take<arrow::Int64Array>(values, out);
      return true;
    case arrow::Type::UINT8:
      Take<arrow::UInt8Array>(values, out);
      return true;
    case arrow::Type::UINT16:
      Take<arrow::UInt16Array>(values, out);
      return true;
    case arrow::Type::UINT32:
      Take<arrow::UInt32Array>(values, out);
      return true;
    case arrow::Type::TIMESTAMP:
      if (wanted != "timestamp" ||
          static_cast<const arrow::TimestampType&>(*values.type()).unit() != arrow::TimeUnit::MICRO)
        return false;
      Take<arrow::TimestampArray>(values, out);
      return true;
    default:
      return false;
  }
}

bool TakeTexts(const arrow::Array& values, std::vector<std::string_view>& out) {
  out.reserve(static_cast<std::size_t>(values.length()));
  switch (values.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      Take<arrow::BinaryArray>(values, out);
      return true;
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      Take<arrow::LargeBinaryArray>(values, out);
      return true;
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      Take<arrow::BinaryViewArray>(values, out);
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<EntityKeys> EntityKeys::Of(std::shared_ptr<arrow::RecordBatch> rows,
                                  const std::vector<ColumnInfo>& keys,
                                  const std::vector<ColumnInfo>& requests) {
  EntityKeys out;
  out.batch_ = std::move(rows);
  std::vector<std::string> names;
  for (const ColumnInfo& key : keys)
    names.push_back(key.name);
  for (const std::string& given : out.batch_->schema()->field_names()) {
    if (std::ranges::find(names, given) != names.end()) continue;
    if (std::ranges::find(requests, given, &ColumnInfo::name) != requests.end()) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the entities have a column '{}', which is no join key of these features{}",
                            given, Suggest(given, names)));
  }
  for (const ColumnInfo& key : keys) {
    const auto column = out.batch_->GetColumnByName(key.name);
    if (column == nullptr) {
      return Fail(
          ErrorCode::kNotFound,
          fmt::format("the entities have no column '{}' (or have it twice), which is a join key", key.name));
    }
    if (column->null_count() > 0) {
      std::int64_t row = 0;
      while (!column->IsNull(row))
        ++row;
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("column '{}', row {}: a join key is null", key.name, row));
    }
    TM_TRY(out.Add(*column, key));
  }
  return out;
}

Result<void> EntityKeys::Add(const arrow::Array& values, const ColumnInfo& key) {
  const bool is_empty_null = values.type_id() == arrow::Type::NA;  // without rows only: nulls were refused
  if (key.type == "bool") {
    if (is_empty_null || values.type_id() == arrow::Type::BOOL) {
      const auto rows = static_cast<std::size_t>(values.length());
      auto& flags = flags_.emplace_back(std::make_unique<bool[]>(rows + 1));
      for (std::size_t row = 0; row < rows; ++row)
        flags[row] = static_cast<const arrow::BooleanArray&>(values).Value(static_cast<std::int64_t>(row));
      columns_.emplace_back(std::span<const bool>(flags.get(), rows));
      return {};
    }
  } else if (IsNumber(key.type)) {
    auto& integers = integers_.emplace_back();
    if (is_empty_null || TakeIntegers(values, key.type, integers)) {
      columns_.emplace_back(std::span<const std::int64_t>(integers));
      return {};
    }
  } else {
    auto& texts = texts_.emplace_back();
    if (is_empty_null || TakeTexts(values, texts)) {
      columns_.emplace_back(std::span<const std::string_view>(texts));
      return {};
    }
  }
  return Fail(ErrorCode::kTypeMismatch, fmt::format("column '{}' has the type {}, and the join key is {}",
                                                    key.name, values.type()->ToString(), key.type));
}

}  // namespace tidemark::server
