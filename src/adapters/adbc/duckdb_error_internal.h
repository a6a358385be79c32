// What DuckDB says when a query fails, as an error of ours.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// What an error is told about.
struct DuckDbQuestion {
  std::vector<std::string> files = {};    // that the query may read
  std::vector<std::string> columns = {};  // of its tables
  std::int64_t memory_bytes_max = 0;
  bool is_own_text = true;  // the text that ran is the user's: places in it mean something
};

/// Reads one Parquet file to its end.
using FileTrial = std::function<Result<void>(const std::string& file)>;

/// The error that `raw`, a driver's, stands for: its code by what kind DuckDB says it is, without hints at
/// settings that nobody can change here. Where a file is damaged and DuckDB does not say which, `trial` finds
/// it.
Error DuckDbErrorOf(const Error& raw, const DuckDbQuestion& question, const FileTrial& trial = nullptr);

/// True if the database that gave this error must not be used again.
bool IsFatal(const Error& raw);

}  // namespace tidemark
