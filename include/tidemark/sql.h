// SQL over a store's tables and file sources, and results that are kept: dumps.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "tidemark/error.h"
#include "tidemark/export.h"
#include "tidemark/tables.h"

namespace tidemark {

struct SqlQueryOptions {
  TableReadOptions reading = {};                             // of feature tables
  std::optional<std::int64_t> memory_bytes_max = {};         // nothing: the store's setting
  std::optional<std::chrono::milliseconds> time_limit = {};  // nothing: the store's setting, or none
  std::stop_token stop = {};
};

/// The latest row of each key, by the one rule's order.
struct LatestRowsOptions {
  std::optional<std::int64_t> at_us = {};  // rows of event times up to then; nothing: all
  bool deleted = false;                    // also keys whose latest row is a deletion
  TableReadOptions reading = {};
  std::stop_token stop = {};
};

/// A result that was written to a file of the store's folder `dumps`.
struct DumpReport {
  std::string id;
  std::filesystem::path path;  // a Parquet file
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

/// `4GiB`, `512MB`, `1048576`: bytes.
TIDEMARK_EXPORT Result<std::int64_t> ParseSize(std::string_view text);

/// `90s`, `15m`, `1h30m`, `0.5` (seconds): microseconds.
TIDEMARK_EXPORT Result<std::int64_t> ParseDuration(std::string_view text);

}  // namespace tidemark
