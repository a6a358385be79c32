// Data files of a table, opened so that no byte of them is taken unchecked.
#pragma once

#include <parquet/metadata.h>

#include <memory>
#include <string>

#include "adapters/iceberg/block_checksums.h"
#include "adapters/parquet/parquet_file.h"
#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// Reads the footer and checks it against the file's name; what is read later is checked block by block
/// (block_checksums.h). A file of another engine, whose name says no checksum, is read as it is. kCorruption
/// if the file is missing, damaged, or not as long as the table says. Errors do not name the file.
Result<std::unique_ptr<ParquetFile>> OpenDataFile(const DataFileInfo& file);

/// What a data file of ours says of itself.
struct CheckedFooter {
  std::shared_ptr<parquet::FileMetaData> metadata;
  CheckedBlocks blocks;  // of all bytes before the footer
};

/// Reads the footer and checks it against the file's name, which must say a checksum (named_file.h). Errors
/// as OpenDataFile.
Result<CheckedFooter> ReadCheckedFooter(const std::string& path);

/// A file of somebody else's as it lies now. kNotFound if it is gone, kInvalidData if it is not as long as
/// the table says: both say what to do. Errors do not name the file.
Result<SourceFile> FindForeignFile(const DataFileInfo& file);

}  // namespace tidemark::iceberg
