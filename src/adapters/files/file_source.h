// Files as a source: Parquet and CSV, by a path, a glob or a folder with Hive partitions.
#pragma once

#include <arrow/type.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/files/file_listing.h"
#include "base/result.h"
#include "model/definition.h"
#include "store/source.h"

namespace tidemark {

struct FileSourceOptions {
  /// Types that columns (by their names after the field mapping) are known to have. CSV is read as these
  /// instead of guessing; Parquet has types of its own, which the layers above cast.
  std::map<std::string, DataType> column_types;
  /// Whether other columns' types are found from all rows of a CSV file. Otherwise they are text, and opening
  /// reads headers only: for those who read known columns.
  bool guesses_types = true;
  std::int64_t csv_part_bytes = std::int64_t{32} << 20;  // about so much of a CSV file is one fragment
  std::size_t threads = 0;                               // to open files with; 0: one per processor
  std::stop_token stop;                                  // kCancelled once it is requested
};

/// Opens the files that `definition.path` (relative to `store_folder` unless absolute) stands for, as they
/// are now. One file, a glob, or a folder with all below it; folders named `name=value` become columns, of
/// the stated type, else int64 if all values are integers and string otherwise, null for
/// `__HIVE_DEFAULT_PARTITION__` (a column of the same name in the files themselves has precedence). Footers
/// are read once, on `threads` threads; CSV whose types are not all stated is read through once to find types
/// that hold for every row, and a large one once more, when fragments are asked for, to find where its rows
/// begin.
///
/// Errors, which name the file: kNotFound if there is none, or a mapped column is in none; kInvalidArgument
/// for unclear formats or a mapping onto a taken name; kTypeMismatch for files whose columns differ (both are
/// named); kCorruption for damaged Parquet, kInvalidData for damaged CSV; kInvalidData also when a file
/// changes after it was opened, from any of the source's functions.
Result<std::unique_ptr<Source>> OpenFileSource(const BatchSource& definition,
                                               const std::filesystem::path& store_folder,
                                               const FileSourceOptions& options = {});

/// The files of a source and the columns that they have, for those who read the files by themselves.
struct FileSourceLayout {
  FileFormat format = FileFormat::kParquet;
  std::vector<SourceFile> files = {};           // by path
  std::shared_ptr<arrow::Schema> schema = {};   // after the field mapping
  std::vector<std::string> stored_names = {};   // of the columns, in the files or folders
  std::size_t first_partition = 0;              // columns from here on come from folders
  std::map<std::string, DataType> stated = {};  // what columns of CSV are to be read as, by their names
};

/// As OpenFileSource: the same files, checks and errors.
Result<FileSourceLayout> FindFileSourceLayout(const BatchSource& definition,
                                              const std::filesystem::path& store_folder,
                                              const FileSourceOptions& options = {});

/// The files alone, which are not opened.
Result<std::vector<SourceFile>> ListSourceFiles(const BatchSource& definition,
                                                const std::filesystem::path& store_folder);

/// The same of files that were listed before, which may have changed since; a column that a file does not
/// have is null there. The definition's path is not looked at.
Result<std::unique_ptr<Source>> OpenListedFiles(const BatchSource& definition, FileListing listing,
                                                const FileSourceOptions& options);

}  // namespace tidemark
