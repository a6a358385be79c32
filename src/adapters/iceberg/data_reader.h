// Data files of a table, opened so that no byte of them is taken unchecked.
#pragma once

#include <memory>

#include "adapters/parquet/parquet_file.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// Reads the footer and checks it against the file's name; what is read later is checked block by block
/// (block_checksums.h). A file of another engine, whose name says no checksum, is read as it is. kCorruption
/// if the file is missing, damaged, or not as long as the table says. Errors do not name the file.
Result<std::unique_ptr<ParquetFile>> OpenDataFile(const DataFileInfo& file);

/// A file of somebody else's as it lies now. kNotFound if it is gone, kInvalidData if it is not as long as
/// the table says: both say what to do. Errors do not name the file.
Result<SourceFile> FindForeignFile(const DataFileInfo& file);

}  // namespace tidemark::iceberg
