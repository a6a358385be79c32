// Parquet files: the footer is read once, row groups are read on any number of threads.
#pragma once

#include <arrow/io/interfaces.h>
#include <parquet/metadata.h>

#include <cstdint>
#include <memory>

#include "adapters/parquet/data_file.h"

namespace tidemark {

/// Where a file's bytes come from. Thread safe.
class FileBytes {
 public:
  virtual ~FileBytes() = default;
  /// A handle for one read.
  virtual Result<std::shared_ptr<arrow::io::RandomAccessFile>> Open() const = 0;
  /// True if every byte is checked on its way, those of the footer too: then checksums of pages say nothing
  /// more, and the footer's statistics are as true as the pages.
  virtual bool are_checked() const { return false; }
  /// What to say of a read through such a handle that ended with `outcome`.
  virtual Result<void> Judge(Result<void> outcome) const { return outcome; }
};

class ParquetFile : public DataFile {
 public:
  /// The field id that the file states for a column; -1 if it states none.
  virtual std::int32_t FieldId(int column) const = 0;
  virtual const parquet::FileMetaData& footer() const = 0;
};

/// A part is a row group. `footer` is the file's; it is read if it is null. kCorruption if the file is not
/// Parquet, is cut short or damaged, kUnsupported if it is encrypted.
Result<std::unique_ptr<ParquetFile>> OpenParquetFile(std::unique_ptr<const FileBytes> bytes,
                                                     std::shared_ptr<parquet::FileMetaData> footer);

/// The same of a file that must not change while it is read: kInvalidData if it does.
Result<std::unique_ptr<ParquetFile>> OpenParquetFile(const SourceFile& file);

}  // namespace tidemark
