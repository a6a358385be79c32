// Saved datasets: training sets that are kept, and made again to the byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace tidemark {

struct SaveDatasetOptions {
  std::filesystem::path storage = {};  // a Parquet file that is to be; empty: one in the store's folder
  std::map<std::string, std::string> tags = {};
  std::string feature_service = {};  // which one it is said to be of; needs not be what is asked for
  /// A dataset of the name is saved anew, and a file at `storage` is written over.
  bool allow_overwrite = false;
};

/// Which file of a saved dataset.
enum class DatasetFile : std::uint8_t {
  kRows,        // the training set itself
  kEntityRows,  // what it was made of; one that was made of a range of times has none
};

struct SaveTableOptions {
  bool allow_overwrite = false;  // a table that was saved so before; not one of other people's files
};

}  // namespace tidemark
