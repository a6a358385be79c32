// Our types and Arrow's.
#include "pit/columns.h"

#include <arrow/extension_type.h>
#include <fmt/format.h>

#include "base/check.h"

namespace tidemark {
namespace {

constexpr int kDecimalPrecisionMax = 38;

std::unexpected<Error> NoCounterpart(const arrow::DataType& type, std::string_view hint) {
  return Fail(ErrorCode::kTypeMismatch,
              fmt::format("type {} has no counterpart here; {}", type.ToString(), hint));
}

Result<DataType> FromDecimal(const arrow::DecimalType& type) {
  if (type.precision() > kDecimalPrecisionMax || type.scale() < 0 || type.scale() > type.precision()) {
    return NoCounterpart(type, "decimals have 1 to 38 digits and a scale from 0 to their precision");
  }
  return DataType{
      .kind = TypeKind::kDecimal, .precision = type.precision(), .scale = type.scale(), .children = {}};
}

DataType Simple(TypeKind kind) {
  return {.kind = kind, .precision = 0, .scale = 0, .children = {}};
}

Result<DataType> FromNested(const arrow::DataType& type) {
  DataType out = Simple(TypeKind::kStruct);
  if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    out.kind = TypeKind::kMap;
    TM_ASSIGN(auto key, FromArrow(*map.key_type()));
    TM_ASSIGN(auto value, FromArrow(*map.item_type()));
    out.children = {{"key", std::move(key)}, {"value", std::move(value)}};
    return out;
  }
  for (const auto& field : type.fields()) {
    auto child = FromArrow(*field->type());
    if (!child) return std::unexpected(std::move(child).error().In(fmt::format("in '{}'", field->name())));
    out.children.push_back({field->name(), *std::move(child)});
  }
  if (type.id() != arrow::Type::STRUCT) {
    out.kind = TypeKind::kList;
    out.children[0].name = "item";
  }
  return out;
}

}  // namespace

std::shared_ptr<arrow::DataType> ToArrow(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return arrow::boolean();
    case TypeKind::kInt32:
      return arrow::int32();
    case TypeKind::kInt64:
      return arrow::int64();
    case TypeKind::kFloat32:
      return arrow::float32();
    case TypeKind::kFloat64:
      return arrow::float64();
    case TypeKind::kString:
      return arrow::utf8();
    case TypeKind::kBinary:
      return arrow::binary();
    case TypeKind::kTimestamp: {
      static const auto kType = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
      return kType;
    }
    case TypeKind::kDate:
      return arrow::date32();
    case TypeKind::kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case TypeKind::kList:
      TM_CHECK(type.children.size() == 1, "a list has one child");
      return arrow::list(arrow::field("item", ToArrow(type.children[0].type)));
    case TypeKind::kMap:
      TM_CHECK(type.children.size() == 2, "a map has two children");
      return arrow::map(ToArrow(type.children[0].type), ToArrow(type.children[1].type));
    case TypeKind::kStruct:
      break;
  }
  arrow::FieldVector fields;
  for (const NamedType& child : type.children)
    fields.push_back(arrow::field(child.name, ToArrow(child.type)));
  return arrow::struct_(fields);
}

std::shared_ptr<arrow::Field> ToArrow(const Field& field) {
  return arrow::field(field.name, ToArrow(field.type));
}

Result<DataType> FromArrow(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return Simple(TypeKind::kBool);
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
      return Simple(TypeKind::kInt32);
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
    case arrow::Type::INT64:
      return Simple(TypeKind::kInt64);
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
      return Simple(TypeKind::kFloat32);
    case arrow::Type::DOUBLE:
      return Simple(TypeKind::kFloat64);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return Simple(TypeKind::kString);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      return Simple(TypeKind::kBinary);
    case arrow::Type::TIMESTAMP:
      return Simple(TypeKind::kTimestamp);
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return Simple(TypeKind::kDate);
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      return FromDecimal(static_cast<const arrow::DecimalType&>(type));
    case arrow::Type::DICTIONARY:
      return FromArrow(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::EXTENSION:
      return FromArrow(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::LIST_VIEW:
    case arrow::Type::LARGE_LIST_VIEW:
    case arrow::Type::STRUCT:
    case arrow::Type::MAP:
      return FromNested(type);
    case arrow::Type::NA:
      return NoCounterpart(type, "a column of nothing but nulls does not tell its type: declare it");
    default:
      return NoCounterpart(type, "cast the column to a supported type or leave it out");
  }
}

}  // namespace tidemark
