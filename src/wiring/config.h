// The settings of a store: tidemark.yaml in its folder, all of it optional.
//
//   project: default
//   registry:
//     path: .tidemark/registry.db       # relative to the store's folder
//     busy_timeout: 10s
//   online_store:
//     type: lmdb
//     path: .tidemark/online
//     size_max: 64GiB                   # the map grows by itself up to this
//   offline_store:
//     path: .tidemark/tables            # the files of feature tables
//     maintenance: true                 # in a process that writes: flush, compact, expire by themselves
//     flush_bytes: 64MiB                # logged rows of a table are flushed when they are so many
//     flush_after: 5m                   # or so old
//     snapshot_days: 7                  # older snapshots go, but the newest 10 stay
//   memory_limit: 4GiB                  # for one training set or materialization; absent: half of the
//                                       # machine's
//   threads: 2                          # absent: one per processor
//   sql:
//     memory_limit: 2GiB                # for one query; absent: as above
//     time_limit: 10m                   # for one query; absent: none
//     extra_files: [lookups/*.parquet]  # that queries may read besides the tables, by their paths
//   server:                             # settings of `tidemark serve`, read by it (docs/server.md)
//     port: 6566
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/function_runner.h"

namespace tidemark {

/// What a process that writes does by itself.
struct MaintenanceSettings {
  bool is_on = true;
  std::int64_t flush_bytes = std::int64_t{64} << 20;                       // logged rows of a table
  std::int64_t flush_after_us = std::int64_t{5} * 60 * 1'000'000;          // age of the oldest of them
  std::int64_t snapshot_age_us = std::int64_t{7} * 24 * 3600 * 1'000'000;  // older ones go
};

/// What SQL may take and read.
struct SqlSettings {
  std::optional<std::int64_t> memory_bytes_max;
  std::optional<std::int64_t> time_limit_us;
  std::vector<std::filesystem::path> extra_files;  // paths and patterns
  bool verifies_files = true;                      // by their checksums, before they are read
};

struct Config {
  std::string project = "default";
  std::filesystem::path registry_path;
  std::int64_t busy_timeout_ms = 10'000;
  std::filesystem::path online_path;
  std::int64_t online_bytes_max = std::int64_t{64} << 30;
  std::filesystem::path tables_path;
  MaintenanceSettings maintenance;
  SqlSettings sql;
  std::int64_t memory_bytes_max = 0;
  std::vector<std::filesystem::path> adbc_driver_folders = {};  // from StoreOptions; no setting of the file
  std::shared_ptr<FunctionRunner> functions = {};               // the same
  std::size_t threads = 0;
};

inline constexpr std::string_view kOwnFolder = ".tidemark";
inline constexpr std::string_view kEraseKeyFile = "erase.key";  // in it: what hashes of erased keys need
inline constexpr std::string_view kConfigFile = "tidemark.yaml";

/// Reads the settings of the store in `folder`; without a file, those of a feature_store.yaml
/// (wiring/feast_config.h), or the defaults. kInvalidArgument names the
/// setting that is unknown (with the nearest known one), cannot be read, or makes no sense (with the range
/// that does).
Result<Config> ReadConfig(const std::filesystem::path& folder);

/// The same from text, for paths relative to `folder`.
Result<Config> ParseConfig(std::string_view yaml, const std::filesystem::path& folder);

/// What is said of work under a memory limit that is not kept: batches that are decoded and written take
/// more.
std::optional<std::string> MemoryWarning(const Config& config);

/// `4GiB`, `512MB`, `1.5GB`, `1048576`: bytes. KiB and so on are powers of 1024, KB and so on of 1000.
Result<std::int64_t> ParseBytes(std::string_view text);

}  // namespace tidemark
