// CSV files: types are stated, or found by reading all of a file once.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "adapters/files/data_file.h"
#include "model/type.h"

namespace tidemark {

/// The types that columns are read as. Those that `stated` names are read as that (a timestamp as text, which
/// the layers above parse in all its forms); for others, types are found that hold for every row of the file.
/// Without `guesses` those others are text, and no more than the header is read. kInvalidData for a damaged
/// file, kTypeMismatch for a type that CSV cannot hold, kCancelled on `stop`.
Result<std::shared_ptr<arrow::Schema>> FindCsvSchema(const SourceFile& file,
                                                     const std::map<std::string, DataType>& stated,
                                                     bool guesses, const std::stop_token& stop);

struct CsvFileOptions {
  std::int64_t part_bytes = 0;  // of a part, about; a compressed file has only one
  std::stop_token stop;
};

/// The file, read as `schema`, which has its columns by name. It is cut into parts when they are first asked
/// for.
std::unique_ptr<DataFile> MakeCsvFile(const SourceFile& file, std::shared_ptr<arrow::Schema> schema,
                                      const CsvFileOptions& options);

}  // namespace tidemark
