// A batch source: rows of features that lie somewhere else and are only read.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "pit/point_in_time_join.h"

namespace tidemark {

/// A file of a source as it is now; what decides whether it must be read again.
struct SourceFile {
  std::string path;  // absolute
  std::string id;    // device and inode
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  bool operator==(const SourceFile&) const = default;
};

/// Least and greatest value of a column within a fragment, when the file states them exactly enough to skip
/// by: int64 for integers, dates and timestamps (microseconds), text for strings and binary.
struct ColumnRange {
  std::string column;
  std::variant<std::int64_t, std::string> low;
  std::variant<std::int64_t, std::string> high;
};

/// A piece of a source that is read on its own: a row group of a Parquet file, a run of rows of a CSV file.
struct Fragment {
  std::size_t file = 0;             // index into files()
  int part = 0;                     // within the file, from 0
  RowLocation first_location = 0;   // of its first row; the file's index is above bit 40, the row below
  std::int64_t rows = -1;           // -1: not known before it is read
  std::vector<ColumnRange> ranges;  // of the columns that were asked for and have them
  bool columns_apart = false;       // to take columns in several calls is no more work than in one
};

/// Which columns hold what the rule asks for besides the keys (FeatureRows in pit/point_in_time_join.h); an
/// empty name where the source has no such column. Files of other people have none.
struct SystemColumns {
  std::string event_time = {};  // a timestamp
  std::string created = {};     // a timestamp
  std::string sequence = {};    // write_time: a timestamp or int64
  std::string origin = {};      // int32, the bits of the writer's number
  std::string is_deleted = {};  // bool; null means false
  std::string expires_at = {};  // a timestamp; null means never
  bool operator==(const SystemColumns&) const = default;
};

/// A source opened at one moment: its files, in the order of their paths, do not change within it. Column
/// names are those after the source's field mapping; partition columns of Hive folders are columns like any
/// other. Thread safe. Errors name the file, and the row and column where they can: kIo, kCorruption (a
/// damaged Parquet file, a checksum), kInvalidData (CSV with ragged rows), kTypeMismatch (files whose schemas
/// differ, naming both files and the column).
class Source {
 public:
  virtual ~Source() = default;

  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  virtual const std::vector<SourceFile>& files() const = 0;

  /// Columns that the source itself knows the meaning of: those of Tidemark's own tables.
  virtual const SystemColumns& system_columns() const;

  /// The fragments of `files` (ascending indices into files()) in the order of location, with the ranges of
  /// `columns`. May read the files to find where rows begin: once, whatever is asked for later.
  virtual Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                                    const std::vector<std::string>& columns) const = 0;

  /// The fragments of all files.
  Result<std::vector<Fragment>> Fragments(const std::vector<std::string>& columns) const {
    std::vector<std::size_t> all(files().size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return FragmentsOf(all, columns);
  }

  /// Reads `columns` (in this order) of a fragment and hands over batches of some 64k rows, in order;
  /// `first_row` counts from the start of the fragment. Memory is bounded by a few batches. `sink` may be
  /// called from this thread only. An error of `sink` ends the read and is returned.
  using BatchSink = std::function<Result<void>(const arrow::RecordBatch& batch, std::int64_t first_row)>;
  virtual Result<void> Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                            const BatchSink& sink) const = 0;

  /// Reads `columns` of the fragment's rows `rows` (ascending, no duplicates, counted from the start of the
  /// fragment): one batch as long as `rows`.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                           const std::vector<std::string>& columns,
                                                           std::span<const std::int64_t> rows) const = 0;
};

/// Which rows and columns of a source matter to a request. A source that can leave out the rest where the
/// rows lie, as a warehouse can, does so; others give what they have: rows that do not matter change nothing.
struct SourceNeeds {
  /// Rows by their times, in microseconds; all bounds are included. A row with a null time always matters: it
  /// is an error.
  struct Times {
    std::int64_t event_first_us = std::numeric_limits<std::int64_t>::min();
    std::int64_t event_last_us = std::numeric_limits<std::int64_t>::max();
    std::int64_t created_first_us = std::numeric_limits<std::int64_t>::min();
    std::int64_t created_last_us = std::numeric_limits<std::int64_t>::max();
    bool operator==(const Times&) const = default;
  };
  std::vector<Times> times = {};  // a row matters that is within any; empty: all
  /// Only rows of one key matter: columns and the value of each (one row, canonical: pit/columns.h). Empty:
  /// all.
  std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>> key = {};
  /// Names after the field mapping: no others will be asked for. Nothing: any may be.
  std::optional<std::vector<std::string>> columns = {};
};

/// The member of a schema field's metadata that says what to do about a column that cannot be read.
inline constexpr std::string_view kColumnHint = "tidemark.hint";

/// Opens the source that a definition names; given by the wiring, so that no adapter is seen above this
/// layer. `column_types` are those of columns that are known already (by their names after the field
/// mapping): a source that has no types of its own, such as CSV, is read as these.
using SourceOpener = std::function<Result<std::unique_ptr<Source>>(
    const BatchSource& definition, const std::map<std::string, DataType>& column_types,
    const SourceNeeds& needs)>;

}  // namespace tidemark
