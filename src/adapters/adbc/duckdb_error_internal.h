// What DuckDB says when a query fails, as an error of ours.
#pragma once

#include <cstdint>
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

/// The error that `raw`, a driver's, stands for: its code by what kind DuckDB says it is, without hints at
/// settings that nobody can change here.
Error DuckDbErrorOf(const Error& raw, const DuckDbQuestion& question);

/// True if the database that gave this error must not be used again.
bool IsFatal(const Error& raw);

}  // namespace tidemark
