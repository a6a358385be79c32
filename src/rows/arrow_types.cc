// The two directions, type by type.
#include "rows/arrow_types.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace tidemark {
namespace {

std::shared_ptr<arrow::DataType> ArrowStructOf(const DataType& type) {
  arrow::FieldVector fields;
  for (const NamedType& member : type.children)
    fields.push_back(arrow::field(member.name, ArrowTypeOf(member.type)));
  return arrow::struct_(fields);
}

std::string StructNameOf(const arrow::DataType& type) {
  std::string name = "struct<";
  for (int i = 0; i < type.num_fields(); ++i) {
    if (i > 0) name.append(", ");
    name.append(type.field(i)->name()).append(": ").append(TypeNameOf(*type.field(i)->type()));
  }
  return name.append(">");
}

}  // namespace

std::shared_ptr<arrow::DataType> ArrowTypeOf(const DataType& type) {
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
    case TypeKind::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeKind::kDate:
      return arrow::date32();
    case TypeKind::kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case TypeKind::kList:
      return arrow::list(ArrowTypeOf(type.children.at(0).type));
    case TypeKind::kStruct:
      return ArrowStructOf(type);
    case TypeKind::kMap:
      return arrow::map(ArrowTypeOf(type.children.at(0).type), ArrowTypeOf(type.children.at(1).type));
  }
  return arrow::null();
}

std::string TypeNameOf(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::FLOAT:
      return "float32";
    case arrow::Type::DOUBLE:
      return "float64";
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return "string";
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
      return "binary";
    case arrow::Type::TIMESTAMP:
      return "timestamp";
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return "date";
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      return fmt::format("decimal({}, {})", decimal.precision(), decimal.scale());
    }
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
      return fmt::format("list<{}>", TypeNameOf(*type.field(0)->type()));
    case arrow::Type::STRUCT:
      return StructNameOf(type);
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return fmt::format("map<{}, {}>", TypeNameOf(*map.key_type()), TypeNameOf(*map.item_type()));
    }
    case arrow::Type::DICTIONARY:
      return TypeNameOf(*static_cast<const arrow::DictionaryType&>(type).value_type());
    default:
      return type.ToString();
  }
}

Error BodyErrorOf(const arrow::Status& status) {
  ErrorCode code = ErrorCode::kInvalidData;
  if (status.IsOutOfMemory()) code = ErrorCode::kBusy;  // now: other requests end
  if (status.IsCancelled()) code = ErrorCode::kCancelled;
  if (status.IsNotImplemented()) code = ErrorCode::kUnsupported;
  return {.code = code, .message = status.message(), .context = {}};
}

}  // namespace tidemark
