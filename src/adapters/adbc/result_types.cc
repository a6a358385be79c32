// Arrow types as DuckDB gives them, and as we do.
#include <arrow/array.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/result_types_internal.h"
#include "model/name.h"
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

/// Bytes that only DuckDB knows to read.
bool IsOpaque(const arrow::Field& field) {
  if (field.metadata() == nullptr) return false;
  const auto name = field.metadata()->Get("ARROW:extension:name");
  return name.ok() && *name == "arrow.opaque";
}

/// `name`, or `name_1` and so on, so that it is none of `taken`, which it is added to.
std::string UniqueName(const std::string& name, std::set<std::string>& taken) {
  std::string unique = name;
  for (int i = 1; !taken.insert(FoldName(unique)).second; ++i)
    unique = name + "_" + std::to_string(i);
  return unique;
}

/// True if it is, or holds, what neither we nor Arrow have a type for.
bool HasForeignType(const arrow::DataType& type) {
  const bool is_foreign = type.id() == arrow::Type::SPARSE_UNION || type.id() == arrow::Type::DENSE_UNION ||
                          type.id() == arrow::Type::EXTENSION;
  return is_foreign || std::ranges::any_of(type.fields(), [](const auto& field) {
           return IsOpaque(*field) || HasForeignType(*field->type());
         });
}

}  // namespace

std::shared_ptr<arrow::Schema> ResultSchema(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  std::set<std::string> taken;
  for (const auto& field : schema.fields())
    fields.push_back(arrow::field(UniqueName(field->name(), taken), ResultType(field->type())));
  return arrow::schema(std::move(fields));
}

Result<void> CheckResultTypes(const arrow::Schema& schema) {
  for (const auto& field : schema.fields()) {
    if (!IsOpaque(*field) && !HasForeignType(*field->type())) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("column '{0}' of the result is of a type that has no counterpart here ({1}): "
                            "cast it, as in CAST({2} AS VARCHAR)",
                            field->name(), field->type()->ToString(), QuotedName(field->name())));
  }
  return {};
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
