// The two directions, type by type.
#include "engine/json_value.h"

#include <arrow/builder.h>
#include <arrow/util/string.h>
#include <fmt/format.h>

#include <cmath>

#include "base/json.h"
#include "base/result.h"
#include "model/time.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;

std::unexpected<Error> Misfit(const Json& value, const JoinKey& key) {
  return Fail(ErrorCode::kTypeMismatch, fmt::format("join key '{}' is {}, and {} is not", key.name,
                                                    key.type->ToString(), value.dump()));
}

Result<std::int64_t> IntegerOf(const Json& value, const JoinKey& key) {
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX})
    return Misfit(value, key);
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (key.type->kind == TypeKind::kTimestamp && value.is_string()) {
    if (const auto us = ParseTimestampUs(value.text())) return *us;
  }
  return Misfit(value, key);
}

template <typename Builder, typename Value>
Result<std::shared_ptr<arrow::Array>> One(const Value& value) {
  Builder builder;
  TM_TRY(FromArrowStatus(builder.Append(value)));
  return FromArrowResult(builder.Finish());
}

Json FloatToJson(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

/// Days that no timestamp reaches stay a number.
Json DateToJson(std::int64_t days) {
  std::int64_t us = 0;
  if (__builtin_mul_overflow(days, kDayUs, &us)) return days;
  const std::string text = FormatTimestampUs(us);
  return text.substr(0, text.find('T'));
}

Json ListToJson(const arrow::Array& items, std::int64_t begin, std::int64_t end) {
  Json list = Json::array();
  for (std::int64_t i = begin; i < end; ++i)
    list.push_back(ToJsonValue(items, i));
  return list;
}

Json StructToJson(const arrow::StructArray& values, std::int64_t row) {
  Json object = Json::object();
  for (int i = 0; i < values.num_fields(); ++i) {
    object[values.struct_type()->field(i)->name()] = ToJsonValue(*values.field(i), row);
  }
  return object;
}

Json MapToJson(const arrow::MapArray& values, std::int64_t row) {
  Json object = Json::object();
  for (std::int64_t i = values.value_offset(row); i < values.value_offset(row + 1); ++i) {
    const Json name = ToJsonValue(*values.keys(), i);
    object[name.is_string() ? name.get<std::string>() : name.dump()] = ToJsonValue(*values.items(), i);
  }
  return object;
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> KeyFromJson(const Json& value, const JoinKey& key) {
  switch (key.type->kind) {
    case TypeKind::kString:
    case TypeKind::kBinary:
      if (!value.is_string()) return Misfit(value, key);
      return One<arrow::BinaryBuilder>(value.text());
    case TypeKind::kBool:
      if (!value.is_boolean()) return Misfit(value, key);
      return One<arrow::BooleanBuilder>(value.get<bool>());
    default: {
      TM_ASSIGN(const std::int64_t integer, IntegerOf(value, key));
      return One<arrow::Int64Builder>(integer);
    }
  }
}

Json ToJsonValue(const arrow::Array& values, std::int64_t row) {
  if (values.IsNull(row)) return nullptr;
  switch (values.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(values).Value(row);
    case arrow::Type::INT32:
      return static_cast<const arrow::Int32Array&>(values).Value(row);
    case arrow::Type::INT64:
      return static_cast<const arrow::Int64Array&>(values).Value(row);
    case arrow::Type::FLOAT:
      return FloatToJson(static_cast<double>(static_cast<const arrow::FloatArray&>(values).Value(row)));
    case arrow::Type::DOUBLE:
      return FloatToJson(static_cast<const arrow::DoubleArray&>(values).Value(row));
    case arrow::Type::STRING:
      return std::string(static_cast<const arrow::StringArray&>(values).GetView(row));
    case arrow::Type::BINARY:
      return arrow::HexEncode(static_cast<const arrow::BinaryArray&>(values).GetView(row));
    case arrow::Type::TIMESTAMP:
      return FormatTimestampUs(static_cast<const arrow::TimestampArray&>(values).Value(row));
    case arrow::Type::DATE32:
      return DateToJson(static_cast<const arrow::Date32Array&>(values).Value(row));
    case arrow::Type::DECIMAL128:
      return static_cast<const arrow::Decimal128Array&>(values).FormatValue(row);
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(values);
      return ListToJson(*list.values(), list.value_offset(row), list.value_offset(row + 1));
    }
    case arrow::Type::STRUCT:
      return StructToJson(static_cast<const arrow::StructArray&>(values), row);
    case arrow::Type::MAP:
      return MapToJson(static_cast<const arrow::MapArray&>(values), row);
    default:
      return values.type()->ToString();
  }
}

}  // namespace tidemark
