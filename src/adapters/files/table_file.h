// One file as a table: entity rows that come from a path, and training sets that go to one.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/type.h"

namespace tidemark {

/// Reads a Parquet (.parquet, .pq) or CSV (.csv, .csv.gz) file batch by batch, row order kept. kNotFound if
/// it is not there, kInvalidArgument for another ending, kCorruption or kInvalidData for a damaged one.
/// `threads` decode Parquet. CSV columns in `column_types` are read as these types; those of the others are
/// found over all rows, in a pass of their own (kCancelled on `stop`). Memory is bounded by a batch.
Result<std::shared_ptr<arrow::RecordBatchReader>> OpenTableFile(
    const std::filesystem::path& path, std::size_t threads,
    const std::map<std::string, DataType>& column_types = {}, const std::stop_token& stop = {});

/// How messages number the first row of such a file: 0, or as csv_rows.h says.
std::int64_t FirstRowNumber(const std::filesystem::path& path);

/// How the names of files end that are being written. They begin with a dot, so that no source takes them for
/// data, and that of their place and another dot.
inline constexpr std::string_view kUnfinishedEnding = ".tmp";

struct TableWriteOptions {
  std::size_t threads = 1;  // encode Parquet
  /// About how much a row group of Parquet may take in memory, as which it is held until it is whole.
  std::int64_t row_group_bytes_max = std::int64_t{1} << 30;
  /// Where the file goes, asked for when all rows are written: beside `path`, with the same ending. Null:
  /// `path`.
  std::function<std::filesystem::path()> place = {};
};

/// Whether a file of this name can have these columns: kUnsupported, naming the column, for a nested one in
/// CSV; kInvalidArgument for an ending that is not known.
Result<void> CheckCanHold(const std::filesystem::path& path, const arrow::Schema& schema);

/// Writes all batches of `rows` to a Parquet or CSV file, by its ending, and returns how many rows there
/// were. The file appears whole or not at all: it is written beside its place under another name, synced,
/// then renamed. Nested columns cannot go to CSV (kUnsupported, names the column). kOutOfSpace when the disk
/// is full.
Result<std::int64_t> WriteTableFile(arrow::RecordBatchReader& rows, const std::filesystem::path& path,
                                    const TableWriteOptions& options);

}  // namespace tidemark
