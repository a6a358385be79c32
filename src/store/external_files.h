// Files of other people in folders: which there are, and CSV ones opened.
//
// A path is the user's: a file, a folder, or a pattern. Folders named `name=value` divide a table into
// partitions; the folder above the outermost of them is the table's root, also for a path that names a file
// or a folder deep in one of them.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "model/type.h"
#include "store/foreign_tables.h"
#include "store/source.h"

namespace tidemark {

/// What a path stands for.
struct ExternalPlace {
  std::string root = {};       // a folder, a single file, or a pattern; in full
  bool is_folder = false;      // partitions can be added below it
  std::string partition = {};  // "y=2019/m=07": where below the root the path itself lies; often empty
};

struct FoundFiles {
  FileFormat format = FileFormat::kParquet;
  std::vector<ForeignFile> files = {};  // by path; never empty
};

/// A column of CSV files, as their values look; without a type if they have no values.
struct CsvColumn {
  std::string name;
  std::optional<DataType> type;
};

/// Thread safe. Errors name the path.
class ExternalFiles {
 public:
  virtual ~ExternalFiles() = default;

  /// Relative paths are below the store's folder. kNotFound; kInvalidArgument for a place within the store's
  /// own folder.
  virtual Result<ExternalPlace> Locate(const std::string& path) const = 0;

  /// All files of a root, or of one partition ("y=2019/m=07") of it. Hidden ones and names that start with _
  /// are passed over. kNotFound if there is none; kInvalidArgument if their format is unclear.
  virtual Result<FoundFiles> Find(const std::string& root, const std::string& partition,
                                  std::optional<FileFormat> format) const = 0;

  /// A file as it is now. kNotFound.
  virtual Result<SourceFile> Look(const std::string& path) const = 0;

  /// The same of one that a table has, as `seen` says, where an empty id stands for a time that is not known:
  /// kNotFound if it is gone, kInvalidData if it was written over, both with what to do.
  Result<SourceFile> LookAgain(const SourceFile& seen) const;

  /// Columns of one CSV file, which is read through. kInvalidData if it is damaged.
  virtual Result<std::vector<CsvColumn>> CsvColumns(const SourceFile& file,
                                                    const std::stop_token& stop) const = 0;

  struct CsvReading {
    std::vector<ForeignFile> files = {};              // as they were seen last
    std::map<std::string, DataType> types = {};       // by the names in definitions
    bool guesses_types = false;                       // of other columns; otherwise they are text
    std::map<std::string, std::string> mapping = {};  // column in the files -> name in definitions
    std::size_t threads = 0;
    std::stop_token stop = {};
  };
  /// The rows of CSV files; a column that a file does not have is null there. The errors of LookAgain.
  virtual Result<std::unique_ptr<Source>> OpenCsv(const CsvReading& reading) const = 0;
};

}  // namespace tidemark
