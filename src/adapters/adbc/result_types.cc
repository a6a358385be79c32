// Arrow types as DuckDB gives them, and as we do.
#include <arrow/array.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>

#include <utility>
#include <vector>

#include "adapters/adbc/result_types_internal.h"
#include "model/type.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

std::shared_ptr<arrow::DataType> ResultType(const std::shared_ptr<arrow::DataType>& type) {
  // A hash fills all of its 64 bits.
  if (type->id() == arrow::Type::UINT64) return type;
  const auto own = FromArrow(*type);
  return own ? ToArrow(*own) : type;
}

// True if values of the one are values of the other: they differ in names within them, or in their zone.
bool HaveSameLayout(const arrow::DataType& from, const arrow::DataType& to) {
  if (from.id() != to.id() || from.num_fields() != to.num_fields()) return false;
  if (from.id() == arrow::Type::TIMESTAMP) {
    return static_cast<const arrow::TimestampType&>(from).unit() ==
           static_cast<const arrow::TimestampType&>(to).unit();
  }
  if (from.num_fields() == 0) return from.Equals(to);
  for (int i = 0; i < from.num_fields(); ++i) {
    if (!HaveSameLayout(*from.field(i)->type(), *to.field(i)->type())) return false;
  }
  return true;
}

std::shared_ptr<arrow::ArrayData> Retyped(const arrow::ArrayData& data,
                                          const std::shared_ptr<arrow::DataType>& type) {
  auto retyped = data.Copy();
  retyped->type = type;
  for (std::size_t i = 0; i < retyped->child_data.size(); ++i) {
    retyped->child_data[i] = Retyped(*data.child_data[i], type->field(static_cast<int>(i))->type());
  }
  return retyped;
}

}  // namespace

std::shared_ptr<arrow::Schema> ResultSchema(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields())
    fields.push_back(arrow::field(field->name(), ResultType(field->type())));
  return arrow::schema(std::move(fields));
}

Result<std::shared_ptr<arrow::RecordBatch>> AsResult(const arrow::RecordBatch& batch,
                                                     const std::shared_ptr<arrow::Schema>& schema,
                                                     std::int64_t first_row) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    std::shared_ptr<arrow::Array> column = batch.column(i);
    const auto& type = schema->field(i)->type();
    if (HaveSameLayout(*column->type(), *type)) {
      column = arrow::MakeArray(Retyped(*column->data(), type));
    } else if (!column->type()->Equals(*type)) {
      TM_ASSIGN(const DataType own, FromArrow(*type));
      TM_ASSIGN(column, CastColumn(column, own, schema->field(i)->name(), first_row));
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

}  // namespace tidemark
