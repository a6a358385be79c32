// Runs SQL over tables that lie in files and in memory.
//
// A statement is parsed first, which tells the tables that it reads; the caller finds these, opens each at
// one moment and hands them over; the engine reads those files and nothing else, on disk or network.
//
//   text -> Parse -> SqlStatement (its tables) -> [caller opens SqlTables] -> Query -> batches
//                                                                         \-> Copy  -> a Parquet file
#pragma once

#include <arrow/record_batch.h>
#include <arrow/table.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/type.h"

namespace tidemark {

/// A table as a statement names it; empty parts were not given. Names are as they were written: they are
/// compared without regard to case.
struct SqlTableName {
  std::string schema;
  std::string table;
  std::size_t position = 0;  // in the text, in bytes
};

/// A statement that was parsed: one query (SELECT, WITH, VALUES, FROM, DESCRIBE, SUMMARIZE).
struct SqlStatement {
  std::string text;
  std::string tree;                             // the parser's own form, JSON: for rewriting
  std::vector<SqlTableName> tables;             // those of common table expressions among them
  std::vector<std::string> common_tables = {};  // names of all its common table expressions, folded
};

/// What a text may have in it besides.
struct SqlParseOptions {
  std::vector<std::string> open_files = {};  // which it may name and read; without any it may name none
  bool is_of_range = false;                  // the parameters `$start_time` and `$end_time`
};

struct SqlColumn {
  std::string name;           // in the result of select *
  DataType type;              // what it is read as: narrower ones in files are widened
  std::string in_file = {};   // its name in the files, where that is another; empty: `name`
  std::int32_t id = 0;        // its Parquet field id; 0: found by name
  bool is_text_time = false;  // ISO-8601 text that stands for a time: compared and ordered as one
};

/// Files of one format that a table reads. A column that a file does not have reads as null.
struct SqlFiles {
  enum class Format : std::uint8_t { kParquet, kCsv } format = Format::kParquet;
  std::vector<std::string> paths = {};         // absolute
  std::vector<std::string> hive_columns = {};  // names in `columns` that come from `name=value` folders
  bool are_own = false;  // data files of a feature table: all their bytes have checksums
};

/// Rows of a table whose column `column`, a timestamp, is at or before `us`: the others are not there.
struct SqlUpTo {
  std::string column;
  std::int64_t us = 0;  // microseconds since 1970 UTC
};

/// A table of a query, under the name that the statement has for it: without a schema if it has none. It is
/// read as its files followed by its rows in memory.
struct SqlTable {
  std::string schema;
  std::string name;
  std::vector<std::string> aliases = {};  // other names within the schema
  std::vector<SqlColumn> columns = {};    // in the order of select *
  SqlFiles files = {};
  std::shared_ptr<arrow::Table> rows = {};  // columns by `name`; null: none
  std::optional<SqlUpTo> up_to = {};        // one of `columns`
  /// Two tables of one identity have the same files and rows, so that what the engine made of one serves for
  /// the other. Empty: it is made anew for each query.
  std::string identity = {};
  std::shared_ptr<const void> pin = {};  // held as long as files may be read
};

/// The range of times that a statement is run for: its parameters `$start_time` and `$end_time` are the ends,
/// and of its result those rows come out whose column `column`, a timestamp, lies in [start, end).
struct SqlRange {
  std::string column;
  std::int64_t start_us = 0;  // microseconds since 1970 UTC
  std::int64_t end_us = 0;
};

struct SqlOptions {
  std::int64_t memory_bytes_max = 0;  // what the process may grow by; beyond it spills; 0: any
  std::size_t threads = 0;            // 0: one per processor
  std::optional<std::chrono::milliseconds> time_limit = {};  // nothing: none
  std::vector<std::string> open_files = {};  // absolute paths, which the text itself may name and read
  std::optional<SqlRange> range = {};        // of a statement that was parsed as one of a range
  std::stop_token stop = {};
};

/// Thread safe. Errors: kInvalidArgument for text that does not parse, is no query, or names an unknown
/// column or function (with the place and the nearest names), and for a memory limit that nothing fits into;
/// kNotFound for an unknown table; kPermissionDenied for reading any other file or the network; kOutOfSpace
/// when the memory limit and the disk that it spills to are full; kCancelled by `stop` or the time limit
/// (says which); kIo and kCorruption name the file.
class SqlEngine {
 public:
  virtual ~SqlEngine() = default;

  Result<SqlStatement> Parse(std::string_view text) { return Parse(text, {}); }
  virtual Result<SqlStatement> Parse(std::string_view text, const SqlParseOptions& options) = 0;

  /// Streams the result: memory does not grow with it. Names of statement.tables that are not among `tables`
  /// must be those of the statement's own common table expressions. With a range, kNotFound and kTypeMismatch
  /// if its column is not in the result, or is no timestamp.
  virtual Result<std::shared_ptr<arrow::RecordBatchReader>> Query(const SqlStatement& statement,
                                                                  const std::vector<SqlTable>& tables,
                                                                  const SqlOptions& options) = 0;

  /// The columns that Query would give, without running it. Errors of running it do not come up.
  virtual Result<std::shared_ptr<arrow::Schema>> Describe(const SqlStatement& statement,
                                                          const std::vector<SqlTable>& tables,
                                                          const SqlOptions& options) = 0;

  /// Writes the result to a new Parquet file (zstd) and returns its number of rows. The file is not synced.
  /// Not for a range.
  virtual Result<std::int64_t> Copy(const SqlStatement& statement, const std::vector<SqlTable>& tables,
                                    const std::filesystem::path& file, const SqlOptions& options) = 0;
};

}  // namespace tidemark
