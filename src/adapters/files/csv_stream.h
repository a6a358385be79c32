// The rows of one CSV file as a stream, for entity rows that come from a path.
#pragma once

#include <arrow/record_batch.h>

#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "model/type.h"

namespace tidemark {

/// Reads a CSV file block by block, row order kept; memory is bounded by a block. Columns in `column_types`
/// are read as FindCsvSchema says; for others the file is read twice, first to find types that hold for every
/// row. Errors name the file, and come later as a status that FromStatus turns back: those of FindCsvSchema,
/// and kInvalidData for a file that changes while it is read.
Result<std::shared_ptr<arrow::RecordBatchReader>> OpenCsvStream(
    const std::filesystem::path& path, const std::map<std::string, DataType>& column_types,
    const std::stop_token& stop);

}  // namespace tidemark
