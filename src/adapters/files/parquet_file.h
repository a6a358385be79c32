// Parquet files: the footer is read once, row groups are read on any number of threads.
#pragma once

#include <memory>

#include "adapters/files/data_file.h"

namespace tidemark {

/// Reads the footer. kCorruption if the file is not Parquet, is cut short or damaged, kUnsupported if it is
/// encrypted. A part is a row group.
Result<std::unique_ptr<DataFile>> OpenParquetFile(const SourceFile& file);

}  // namespace tidemark
