// What the files that a folder has ask of one more, so that the folder can still be read as one source.
#pragma once

#include <arrow/record_batch.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/definition.h"

namespace tidemark {

struct FolderShape {
  FileFormat format = FileFormat::kParquet;
  std::string file;                       // the one that was looked at
  std::shared_ptr<arrow::Schema> schema;  // of that file; in CSV all columns are text
};

/// Looks at a file of the folder; at one that Tidemark did not add itself, if there is one. Nothing if the
/// folder has no file yet. kUnsupported if files lie in folders that say a column's value (`day=2026-05-01`),
/// to which no file can be added at once; errors as ListFiles, and as those of opening a file.
Result<std::optional<FolderShape>> LookIntoFolder(const std::filesystem::path& folder,
                                                  std::optional<FileFormat> format);

/// The columns of a file with `rows` that is added: theirs, and then those that only the others have, which
/// are null in it. kTypeMismatch, naming the column and the file, if the other files do not have a column, or
/// have it as a type that does not go together with that of the rows.
Result<std::shared_ptr<arrow::Schema>> FittedSchema(const FolderShape& shape, const arrow::Schema& rows);

/// `rows`, which must live as long, with null columns for what is only in `schema`, of FittedSchema.
std::shared_ptr<arrow::RecordBatchReader> FittedRows(arrow::RecordBatchReader& rows,
                                                     std::shared_ptr<arrow::Schema> schema);

}  // namespace tidemark
