// One file stands for all: those of a source have the same columns, or it could not be read before.
#include "adapters/files/folder_shape.h"

#include <arrow/array/util.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/files/csv_file.h"
#include "adapters/files/file_listing.h"
#include "adapters/files/schema_union.h"
#include "adapters/parquet/parquet_file.h"
#include "base/result.h"
#include "store/source_folders.h"

namespace tidemark {
namespace {

bool IsAddedFile(const ListedFile& listed) {
  return std::filesystem::path(listed.file.path).filename().string().starts_with(kAddedFileBegin);
}

Result<std::shared_ptr<arrow::Schema>> SchemaOfFile(const SourceFile& file, FileFormat format) {
  if (format == FileFormat::kCsv) return FindCsvSchema(file, {}, /*guesses=*/false, {});
  TM_ASSIGN(const auto opened, OpenParquetFile(file));
  return opened->schema();
}

class FittedReader final : public arrow::RecordBatchReader {
 public:
  FittedReader(arrow::RecordBatchReader& rows, std::shared_ptr<arrow::Schema> schema)
      : rows_(rows), schema_(std::move(schema)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    ARROW_RETURN_NOT_OK(rows_.ReadNext(batch));
    if (*batch == nullptr) return arrow::Status::OK();
    arrow::ArrayVector columns = (*batch)->columns();
    for (int i = (*batch)->num_columns(); i < schema_->num_fields(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto nulls,
                            arrow::MakeArrayOfNull(schema_->field(i)->type(), (*batch)->num_rows()));
      columns.push_back(std::move(nulls));
    }
    *batch = arrow::RecordBatch::Make(schema_, (*batch)->num_rows(), std::move(columns));
    return arrow::Status::OK();
  }

 private:
  arrow::RecordBatchReader& rows_;
  const std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

Result<std::optional<FolderShape>> LookIntoFolder(const std::filesystem::path& folder,
                                                  std::optional<FileFormat> format) {
  auto listing = ListFiles(folder, format);
  if (!listing && listing.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!listing) return std::unexpected(std::move(listing).error());
  const auto is_partitioned = [](const ListedFile& listed) { return !listed.partitions.empty(); };
  if (const auto found = std::ranges::find_if(listing->files, is_partitioned);
      found != listing->files.end()) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the files of the source lie in folders that say a column's value, as {} does, and "
                    "rows are added as one file: add files to these folders yourself, or leave the "
                    "source out and Tidemark keeps the rows",
                    found->file.path));
  }
  const auto users = std::ranges::find_if_not(listing->files, IsAddedFile);
  const SourceFile& file = users != listing->files.end() ? users->file : listing->files.front().file;
  auto schema = SchemaOfFile(file, listing->format);
  if (!schema) return std::unexpected(std::move(schema).error().In("file " + file.path));
  return FolderShape{listing->format, file.path, *std::move(schema)};
}

Result<std::shared_ptr<arrow::Schema>> FittedSchema(const FolderShape& shape, const arrow::Schema& rows) {
  for (const auto& field : rows.fields()) {
    const auto others = shape.schema->GetFieldByName(field->name());
    if (others == nullptr) {
      return Fail(ErrorCode::kTypeMismatch,
                  fmt::format("rows that are added have a column '{}', which the files of the source do not "
                              "have, such as {}: files of one source must have the same columns",
                              field->name(), shape.file));
    }
    const bool is_read_as_stated = shape.format == FileFormat::kCsv;
    if (is_read_as_stated || UniteTypes(field->type(), others->type()) != nullptr) continue;
    return Fail(
        ErrorCode::kTypeMismatch,
        fmt::format("rows that are added have column '{}' as {}, but the files of the source have it as "
                    "{}, such as {}: add files yourself, or leave the source out and Tidemark keeps "
                    "the rows",
                    field->name(), field->type()->ToString(), others->type()->ToString(), shape.file));
  }
  arrow::FieldVector fields = rows.fields();
  for (const auto& field : shape.schema->fields()) {
    if (rows.GetFieldIndex(field->name()) < 0) fields.push_back(field->WithNullable(true));
  }
  return arrow::schema(std::move(fields));
}

std::shared_ptr<arrow::RecordBatchReader> FittedRows(arrow::RecordBatchReader& rows,
                                                     std::shared_ptr<arrow::Schema> schema) {
  return std::make_shared<FittedReader>(rows, std::move(schema));
}

}  // namespace tidemark
