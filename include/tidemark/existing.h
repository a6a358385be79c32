// Data that were there before: Parquet and CSV files registered as tables where they lie.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace tidemark {

struct RegisterOptions {
  /// What divides the files into partitions: names of columns that folders `name=value` say ("y", "m"), or
  /// the partitions to register ("y=2019/m=07"). Empty: all that is found.
  std::vector<std::string> partitions = {};
  /// As in ApplyOptions.
  std::optional<std::vector<std::filesystem::path>> source_folders = {};
  std::stop_token stop = {};
};

}  // namespace tidemark
