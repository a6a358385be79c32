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
//   memory_limit: 4GiB                  # for one training set or materialization; absent: half of the
//                                       # machine's
//   threads: 2                          # absent: one per processor
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

struct Config {
  std::string project = "default";
  std::filesystem::path registry_path;
  std::int64_t busy_timeout_ms = 10'000;
  std::filesystem::path online_path;
  std::int64_t online_bytes_max = std::int64_t{64} << 30;
  std::int64_t memory_bytes_max = 0;
  std::size_t threads = 0;
};

inline constexpr std::string_view kOwnFolder = ".tidemark";
inline constexpr std::string_view kConfigFile = "tidemark.yaml";

/// Reads the settings of the store in `folder`; without a file, the defaults. kInvalidArgument names the
/// setting that is unknown (with the nearest known one), cannot be read, or makes no sense (with the range
/// that does).
Result<Config> ReadConfig(const std::filesystem::path& folder);

/// The same from text, for paths relative to `folder`.
Result<Config> ParseConfig(std::string_view yaml, const std::filesystem::path& folder);

/// `4GiB`, `512MB`, `1.5GB`, `1048576`: bytes. KiB and so on are powers of 1024, KB and so on of 1000.
Result<std::int64_t> ParseBytes(std::string_view text);

}  // namespace tidemark
