// Each column at once by Arrow's casts of text; cell by cell only to find the one that fails.
#include "engine/tables/text_rows.h"

#include <arrow/compute/cast.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "model/name.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

/// The type that a column of the view is kept as; nothing for a column that it does not have.
std::optional<DataType> TypeOf(const CatalogView& view, const std::string& column) {
  const auto key = std::ranges::find(view.join_keys, column, &JoinKey::name);
  if (key != view.join_keys.end()) return key->type;
  const auto field = std::ranges::find(view.definition.fields, column, &Field::name);
  if (field != view.definition.fields.end()) return field->type;
  if (column == view.definition.table.timestamp_field) return view.definition.table.timestamp_type;
  return std::nullopt;
}

Result<std::shared_ptr<arrow::Array>> ReadColumn(const std::shared_ptr<arrow::Array>& text,
                                                 const DataType& type, const std::string& name,
                                                 std::int64_t first_row) {
  const auto target = ToArrow(type);
  const auto whole = arrow::compute::Cast(*text, target);
  if (whole.ok()) return *whole;
  for (std::int64_t row = 0; row < text->length(); ++row) {
    if (arrow::compute::Cast(*text->Slice(row, 1), target).ok()) continue;
    const std::string_view cell = static_cast<const arrow::StringArray&>(*text).GetView(row);
    return Fail(ErrorCode::kInvalidData, fmt::format("column '{}', row {}: {} is no {}", name,
                                                     first_row + row, Quoted(cell), type.ToString()));
  }
  return FromArrowResult(whole);
}

}  // namespace

bool IsReadFromText(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kDate:
    case TypeKind::kDecimal:
      return true;
    default:
      return false;
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> ReadText(const CatalogView& view,
                                                     const std::shared_ptr<arrow::RecordBatch>& batch,
                                                     std::int64_t first_row) {
  arrow::FieldVector fields = batch->schema()->fields();
  arrow::ArrayVector columns = batch->columns();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto type = TypeOf(view, fields[i]->name());
    if (columns[i]->type_id() != arrow::Type::STRING || !type || !IsReadFromText(*type)) continue;
    TM_ASSIGN(columns[i], ReadColumn(columns[i], *type, fields[i]->name(), first_row));
    fields[i] = fields[i]->WithType(columns[i]->type());
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), batch->num_rows(), std::move(columns));
}

}  // namespace tidemark
