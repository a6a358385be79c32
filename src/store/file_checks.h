// Verifies files before somebody reads them who does not: SQL's engine takes Parquet pages as they are.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// A column of a file: any that has its Parquet field id (0: none) or its name, in any case.
struct CheckedColumn {
  std::string name;
  std::int32_t id = 0;
};

/// What is going to be read of a table's files.
struct FilesToCheck {
  std::vector<std::string> paths = {};  // absolute, in the order in which they are read
  bool are_own = false;                 // data files of feature tables
  bool are_all_columns = true;          // else `columns`
  std::vector<CheckedColumn> columns = {};
  std::optional<std::int64_t> rows_max = {};  // only the first so many rows of all; nothing: any
};

struct FileCheckOptions {
  std::size_t threads = 1;
  std::stop_token stop = {};
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  /// Called before the first file is read, if any has to be; its error is returned.
  std::function<Result<void>()> before = {};
};

/// Thread safe. What was found whole is not read again as long as the file's inode, size and time are the
/// same.
class FileChecks {
 public:
  virtual ~FileChecks() = default;

  /// Verifies Parquet files by the checksums that they carry: data files of feature tables by those of all
  /// their bytes, others by those of their pages, where they have them. Files that cannot be opened, or that
  /// are no Parquet, are passed over: whoever reads them meets that too. kCorruption, naming the file;
  /// kCancelled by `stop` or at the deadline.
  virtual Result<void> Check(const FilesToCheck& files, const FileCheckOptions& options) = 0;
};

}  // namespace tidemark
