#include "adapters/files/plain_columns.h"

#include <arrow/array.h>
#include <arrow/compute/cast.h>

#include <utility>

namespace tidemark {
namespace {

using TypePtr = std::shared_ptr<arrow::DataType>;

TypePtr PlainOf(const TypePtr& type) {
  if (type->id() == arrow::Type::STRING_VIEW) return arrow::large_utf8();
  if (type->id() == arrow::Type::BINARY_VIEW) return arrow::large_binary();
  return type;
}

TypePtr WritableType(const TypePtr& type, const PlainColumnsOptions& options) {
  if (type->id() != arrow::Type::DICTIONARY) return options.is_csv ? PlainOf(type) : type;
  const auto& encoded = static_cast<const arrow::DictionaryType&>(*type);
  return arrow::dictionary(encoded.index_type(), PlainOf(encoded.value_type()), encoded.ordered());
}

arrow::Result<std::shared_ptr<arrow::Array>> Writable(const std::shared_ptr<arrow::Array>& column,
                                                      const TypePtr& type) {
  if (column->type()->Equals(*type)) return column;
  if (type->id() != arrow::Type::DICTIONARY) return arrow::compute::Cast(*column, type);
  const auto& encoded = static_cast<const arrow::DictionaryArray&>(*column);
  ARROW_ASSIGN_OR_RAISE(const auto words,
                        arrow::compute::Cast(*encoded.dictionary(),
                                             static_cast<const arrow::DictionaryType&>(*type).value_type()));
  return arrow::DictionaryArray::FromArrays(type, encoded.indices(), words);
}

class PlainReader final : public arrow::RecordBatchReader {
 public:
  PlainReader(arrow::RecordBatchReader& rows, std::shared_ptr<arrow::Schema> schema)
      : rows_(rows), schema_(std::move(schema)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    ARROW_RETURN_NOT_OK(rows_.ReadNext(batch));
    if (*batch == nullptr) return arrow::Status::OK();
    arrow::ArrayVector columns = (*batch)->columns();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(columns[i], Writable(columns[i], schema_->field(static_cast<int>(i))->type()));
    }
    *batch = arrow::RecordBatch::Make(schema_, (*batch)->num_rows(), std::move(columns));
    return arrow::Status::OK();
  }

 private:
  arrow::RecordBatchReader& rows_;
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

std::shared_ptr<arrow::RecordBatchReader> WithPlainColumns(arrow::RecordBatchReader& rows,
                                                           const PlainColumnsOptions& options) {
  const auto schema = rows.schema();
  arrow::FieldVector fields;
  for (const auto& field : schema->fields())
    fields.push_back(field->WithType(WritableType(field->type(), options)));
  return std::make_shared<PlainReader>(rows, arrow::schema(std::move(fields), schema->metadata()));
}

}  // namespace tidemark
