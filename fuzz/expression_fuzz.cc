// Any text is refused as an expression or evaluated over a few rows: to whole arrays, or an error.
#include <arrow/array.h>
#include <arrow/builder.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "expression/expression.h"
#include "pit/columns.h"

namespace {

std::shared_ptr<arrow::Array> ColumnOf(const tidemark::DataType& type) {
  auto builder = arrow::MakeBuilder(tidemark::ToArrow(type)).ValueOrDie();
  TM_CHECK(builder->AppendNull().ok() && builder->AppendEmptyValue().ok(), "two rows");
  return builder->Finish().ValueOrDie();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tidemark::DataType;
  using tidemark::TypeKind;
  static const std::vector<tidemark::ExpressionColumn> columns{
      {"", "b", {TypeKind::kBool}},
      {"", "i", {TypeKind::kInt32}},
      {"", "l", {TypeKind::kInt64}},
      {"", "f", {TypeKind::kFloat32}},
      {"", "d", {TypeKind::kFloat64}},
      {"", "s", {TypeKind::kString}},
      {"", "t", {TypeKind::kTimestamp}},
      {"", "day", {TypeKind::kDate}},
      {"", "m", DataType::Decimal(9, 2)},
      {"", "list", DataType::List({TypeKind::kFloat64})},
      {"", "st", DataType::Struct({{"a", {TypeKind::kInt64}}})}};
  static const std::vector<std::shared_ptr<arrow::Array>> arrays = [] {
    std::vector<std::shared_ptr<arrow::Array>> made;
    for (const tidemark::ExpressionColumn& column : columns)
      made.push_back(ColumnOf(column.type));
    return made;
  }();
  const auto bound =
      tidemark::BoundExpression::Bind({reinterpret_cast<const char*>(data), size}, columns, std::nullopt);
  if (!bound) return 0;
  const auto values = bound->Evaluate({.columns = arrays, .count = 2});
  if (values) TM_CHECK((*values)->length() == 2 && (*values)->ValidateFull().ok(), "values are whole");
  return 0;
}
