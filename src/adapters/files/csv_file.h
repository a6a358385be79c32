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
/// kInvalidData for a damaged file, kTypeMismatch for a type that CSV cannot hold, kCancelled on `stop`.
Result<std::shared_ptr<arrow::Schema>> FindCsvSchema(const SourceFile& file,
                                                     const std::map<std::string, DataType>& stated,
                                                     const std::stop_token& stop);

/// The file, read as `schema`, which has its columns by name. Its only part is all of it.
std::unique_ptr<DataFile> MakeCsvFile(const SourceFile& file, std::shared_ptr<arrow::Schema> schema);

}  // namespace tidemark
