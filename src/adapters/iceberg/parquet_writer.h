// One data file being written.
#pragma once

#include <arrow/table.h>
#include <arrow/type.h>

#include <filesystem>
#include <memory>

#include "adapters/iceberg/data_writer.h"
#include "adapters/iceberg/table_metadata.h"
#include "base/result.h"

namespace tidemark::iceberg {

/// How many rows a row group has.
inline constexpr std::int64_t kRowGroupRows = std::int64_t{1} << 18;

/// Parquet with zstd (numbers that it would not make smaller are left as they are), page checksums,
/// statistics and field ids; the checksums of its blocks in the footer, and the footer's in its name. Removed
/// unless it was finished.
class DataFileWriter {
 public:
  /// By `first_rows`, which are not written by this, it is judged how columns are worth writing.
  static Result<std::unique_ptr<DataFileWriter>> Open(const std::filesystem::path& folder,
                                                      const Schema& schema, const arrow::Table& first_rows);
  virtual ~DataFileWriter() = default;

  /// Appends rows, whose columns are the schema's, as row groups of kRowGroupRows.
  virtual Result<void> Write(const arrow::Table& rows) = 0;
  virtual std::int64_t bytes() const = 0;
  /// Ends, syncs and names the file. Partition and sort order are left to the caller.
  virtual Result<WrittenFile> Finish() = 0;
};

}  // namespace tidemark::iceberg
