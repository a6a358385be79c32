#include "adapters/iceberg/iceberg_schema.h"

#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "pit/columns.h"

namespace tidemark::iceberg {
namespace {

using Shape = SchemaField::Shape;

std::string PrimitiveOf(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return "boolean";
    case TypeKind::kInt32:
      return "int";
    case TypeKind::kInt64:
      return "long";
    case TypeKind::kFloat32:
      return "float";
    case TypeKind::kFloat64:
      return "double";
    case TypeKind::kString:
      return "string";
    case TypeKind::kBinary:
      return "binary";
    case TypeKind::kTimestamp:
      return "timestamptz";
    case TypeKind::kDate:
      return "date";
    case TypeKind::kDecimal:
      return fmt::format("decimal({}, {})", type.precision, type.scale);
    case TypeKind::kList:
    case TypeKind::kStruct:
    case TypeKind::kMap:
      break;
  }
  return {};
}

// Two numbers in parentheses after "decimal".
Result<DataType> DecimalType(const SchemaField& field) {
  const std::string_view text = field.primitive;
  const std::size_t comma = text.find(',');
  int precision = 0;
  int scale = -1;
  if (comma != std::string_view::npos) {
    constexpr std::size_t kPrefix = std::string_view("decimal(").size();
    std::from_chars(text.data() + kPrefix, text.data() + comma, precision);
    const std::size_t second = std::min(text.find_first_not_of(' ', comma + 1), text.size());
    std::from_chars(text.data() + second, text.data() + text.size(), scale);
  }
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("column '{}' is of type '{}', which is no decimal", field.name, field.primitive));
  }
  return DataType::Decimal(precision, scale);
}

Result<DataType> PrimitiveTypeOf(const SchemaField& field) {
  const std::string_view text = field.primitive;
  if (text == "boolean") return DataType{.kind = TypeKind::kBool};
  if (text == "int") return DataType{.kind = TypeKind::kInt32};
  if (text == "long") return DataType{.kind = TypeKind::kInt64};
  if (text == "float") return DataType{.kind = TypeKind::kFloat32};
  if (text == "double") return DataType{.kind = TypeKind::kFloat64};
  if (text == "string") return DataType{.kind = TypeKind::kString};
  if (text == "binary" || text == "uuid" || text.starts_with("fixed["))
    return DataType{.kind = TypeKind::kBinary};
  if (text == "timestamp" || text == "timestamptz") return DataType{.kind = TypeKind::kTimestamp};
  if (text == "date") return DataType{.kind = TypeKind::kDate};
  if (text.starts_with("decimal(")) return DecimalType(field);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("column '{}' is of Iceberg type '{}', which Tidemark has no type for", field.name,
                          field.primitive));
}

// The nested fields get their ids after the field itself, those of one level in a row.
void AddChildren(SchemaField& field, const DataType& type, std::int32_t& next_id) {
  const auto shape = type.kind == TypeKind::kStruct ? Shape::kStruct
                     : type.kind == TypeKind::kList ? Shape::kList
                     : type.kind == TypeKind::kMap  ? Shape::kMap
                                                    : Shape::kPrimitive;
  field.shape = shape;
  field.primitive = PrimitiveOf(type);
  for (std::size_t i = 0; i < type.children.size(); ++i) {
    SchemaField child;
    child.id = next_id++;
    child.name = shape == Shape::kStruct ? type.children[i].name
                 : shape == Shape::kList ? "element"
                 : i == 0                ? "key"
                                         : "value";
    child.required = shape == Shape::kMap && i == 0;
    field.children.push_back(std::move(child));
  }
  for (std::size_t i = 0; i < type.children.size(); ++i)
    AddChildren(field.children[i], type.children[i].type, next_id);
}

}  // namespace

SchemaField MakeField(const TableColumn& column, std::int32_t& next_id) {
  SchemaField field;
  field.id = next_id++;
  field.name = column.name;
  field.required = column.required;
  AddChildren(field, column.type, next_id);
  return field;
}

Result<DataType> TypeOf(const SchemaField& field) {
  if (field.shape == Shape::kPrimitive) return PrimitiveTypeOf(field);
  std::vector<NamedType> children;
  for (const SchemaField& child : field.children) {
    TM_ASSIGN(DataType type, TypeOf(child));
    children.push_back({child.name, std::move(type)});
  }
  if (field.shape == Shape::kStruct) return DataType::Struct(std::move(children));
  if (field.shape == Shape::kList) return DataType::List(std::move(children.front().type));
  return DataType::Map(std::move(children[0].type), std::move(children[1].type));
}

Result<std::vector<TableColumn>> ColumnsOf(const Schema& schema) {
  std::vector<TableColumn> columns;
  for (const SchemaField& field : schema.fields) {
    TM_ASSIGN(DataType type, TypeOf(field));
    columns.push_back(
        {.name = field.name, .type = std::move(type), .required = field.required, .id = field.id});
  }
  return columns;
}

Result<std::shared_ptr<arrow::Field>> ToArrowField(const SchemaField& field) {
  std::shared_ptr<arrow::DataType> type;
  if (field.shape == Shape::kPrimitive) {
    TM_ASSIGN(const DataType primitive, PrimitiveTypeOf(field));
    type = ToArrow(primitive);
  } else {
    arrow::FieldVector children;
    for (const SchemaField& child : field.children) {
      TM_ASSIGN(auto arrow_child, ToArrowField(child));
      children.push_back(std::move(arrow_child));
    }
    if (field.shape == Shape::kStruct) {
      type = arrow::struct_(children);
    } else if (field.shape == Shape::kList) {
      type = arrow::list(children.front());
    } else {
      type = std::make_shared<arrow::MapType>(children[0], children[1]);
    }
  }
  return arrow::field(field.name, std::move(type), !field.required,
                      arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(field.id)}));
}

std::shared_ptr<arrow::ArrayData> Retyped(const arrow::ArrayData& data,
                                          const std::shared_ptr<arrow::DataType>& type) {
  auto out = data.Copy();
  out->type = type;
  for (std::size_t i = 0; i < out->child_data.size(); ++i)
    out->child_data[i] = Retyped(*out->child_data[i], type->field(static_cast<int>(i))->type());
  return out;
}

const SchemaField* FindField(const Schema& schema, std::string_view name) {
  const auto found = std::ranges::find(schema.fields, name, &SchemaField::name);
  return found == schema.fields.end() ? nullptr : &*found;
}

const SchemaField* FindField(const Schema& schema, std::int32_t id) {
  const auto found = std::ranges::find(schema.fields, id, &SchemaField::id);
  return found == schema.fields.end() ? nullptr : &*found;
}

void VisitBounded(const SchemaField& field, const std::function<void(const SchemaField& leaf)>& visit) {
  if (field.shape == Shape::kPrimitive) visit(field);
  if (field.shape != Shape::kStruct) return;
  for (const SchemaField& child : field.children)
    VisitBounded(child, visit);
}

namespace {

std::int32_t LastIdOf(const std::vector<SchemaField>& fields) {
  std::int32_t last = 0;
  for (const SchemaField& field : fields)
    last = std::max({last, field.id, LastIdOf(field.children)});
  return last;
}

}  // namespace

std::int32_t LastId(const Schema& schema) {
  return LastIdOf(schema.fields);
}

}  // namespace tidemark::iceberg
