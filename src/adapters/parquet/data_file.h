// One file of a source, in whatever format: what file_source.cc puts a source together from.
#pragma once

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/type.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/source.h"

namespace tidemark {

/// Rows of a file that are read on their own.
struct FilePart {
  std::int64_t first_row = 0;  // its number among the file's rows, as messages say it (csv_rows.h: from 2)
  std::int64_t rows = -1;      // -1: not known before it is read
};

/// An opened file: its schema is known, its data are read when asked for. Columns are numbers of
/// the file's own schema. Thread safe. Errors do not name the file; the caller does.
class DataFile {
 public:
  virtual ~DataFile() = default;

  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// The same each time. May read the file, the first time.
  virtual Result<std::span<const FilePart>> Parts() const = 0;

  /// True where each column lies on its own, so that reading some does not touch the others.
  virtual bool columns_apart() const { return false; }

  /// Bounds of a column within a part; nothing if they are not known. `column` of the result is empty.
  virtual std::optional<ColumnRange> Range(std::size_t part, int column) const = 0;

  /// Hands over the columns' next rows, some 64k at a time: as many arrays as `columns`, each `rows` long;
  /// `first_row` counts from the start of the part.
  using Sink =
      std::function<Result<void>(arrow::ArrayVector columns, std::int64_t rows, std::int64_t first_row)>;
  virtual Result<void> Scan(std::size_t part, std::span<const int> columns, const Sink& sink) const = 0;

  /// The columns at `rows` of a part, which are ascending.
  virtual Result<arrow::ArrayVector> Take(std::size_t part, std::span<const int> columns,
                                          std::span<const std::int64_t> rows) const = 0;
};

/// How many rows a batch has.
inline constexpr std::int64_t kBatchRows = 64 * 1024;

/// What lies at a path. kNotFound or kIo.
Result<struct stat> StatFile(const std::filesystem::path& path);
SourceFile DescribeFile(const std::filesystem::path& path, const struct stat& found);

/// Opens `file` for reading, or says that it is no longer what it was when the source was opened.
Result<std::shared_ptr<arrow::io::ReadableFile>> OpenUnchanged(const SourceFile& file);

/// kInvalidData if the file at its path is another by now: its inode, size or time differs.
Result<void> CheckUnchanged(const SourceFile& file);

/// `outcome` of reading `file`, unless the file changed meanwhile: then the error is that, since it explains
/// the other, and since what was read may be of both.
Result<void> UnlessChanged(const SourceFile& file, Result<void> outcome);

}  // namespace tidemark
