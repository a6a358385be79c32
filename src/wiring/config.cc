// Strict reading of tidemark.yaml: what is not known is an error that says so.
#include "wiring/config.h"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "base/result.h"
#include "model/name.h"
#include "model/time.h"
#include "wiring/feast_config.h"

namespace tidemark {
namespace {

constexpr std::size_t kThreadsMax = 1024;
constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kTiB = std::int64_t{1} << 40;
constexpr std::int64_t kMemoryBytesMin = 16 * kMiB;
constexpr std::int64_t kMemoryBytesKept = 256 * kMiB;  // of a lower limit more may be taken
constexpr std::int64_t kMemoryBytesMax = 1024 * kTiB;
constexpr std::int64_t kOnlineBytesMin = kMiB;
constexpr std::int64_t kOnlineBytesMax = 64 * kTiB;
constexpr std::int64_t kFlushBytesMin = 64 * 1024;
constexpr std::int64_t kFlushBytesMax = 4096 * kMiB;
constexpr std::int64_t kSnapshotDaysMax = 36'500;
constexpr std::int64_t kBusyTimeoutUsMax = std::int64_t{24} * 3600 * 1'000'000;

constexpr std::int64_t kTimeLimitUsMin = 1000;
constexpr std::string_view kServerSection = "server";
constexpr std::string_view kExtraFiles = "sql.extra_files";

using Setter = std::function<Result<void>(const std::string& value)>;

/// Half of the machine's memory.
std::int64_t DefaultMemoryBytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::int64_t>(sysconf(_SC_PAGESIZE)) / 2;
}

Config Defaults(const std::filesystem::path& folder) {
  Config config;
  config.registry_path = folder / kOwnFolder / "registry.db";
  config.online_path = folder / kOwnFolder / "online";
  config.tables_path = folder / kOwnFolder / "tables";
  config.memory_bytes_max = DefaultMemoryBytes();
  return config;
}

Result<std::size_t> ParseCount(const std::string& text) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count == 0 || count > kThreadsMax) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is not a number of threads: it is a whole number from 1 to {}; leave the setting out "
                    "for one thread per processor",
                    Quoted(text), kThreadsMax));
  }
  return count;
}

/// What sizes make sense for a setting, and why no smaller one does.
struct SizeRange {
  std::int64_t least_bytes;
  std::string_view least;
  std::int64_t most_bytes;
  std::string_view most;
  std::string_view reason;
};

constexpr SizeRange kMemoryRange{kMemoryBytesMin, "16MiB", kMemoryBytesMax, "1024TiB",
                                 "a few batches of rows must fit into it"};
constexpr SizeRange kFlushRange{kFlushBytesMin, "64KiB", kFlushBytesMax, "4GiB",
                                "each flush makes a file, and holds its rows in memory"};
constexpr SizeRange kOnlineRange{kOnlineBytesMin, "1MiB", kOnlineBytesMax, "64TiB",
                                 "it must be room for rows, and an address space must have room for it"};

Result<std::int64_t> ParseBytesWithin(const std::string& text, const SizeRange& range) {
  TM_ASSIGN(const std::int64_t bytes, ParseBytes(text));
  if (bytes >= range.least_bytes && bytes <= range.most_bytes) return bytes;
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{} is too {}: it is from {} to {}, because {}", Quoted(text),
                  bytes < range.least_bytes ? "little" : "much", range.least, range.most, range.reason));
}

Result<std::filesystem::path> ParsePath(const std::filesystem::path& folder, const std::string& text) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "a path is missing");
  return folder / text;
}

Result<bool> ParseTruth(const std::string& value) {
  if (value == "true" || value == "false") return value == "true";
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is neither true nor false", Quoted(value)));
}

/// Settings of feature tables.
void AddTableSetters(Config& config, const std::filesystem::path& folder,
                     std::map<std::string, Setter>& setters) {
  setters["offline_store.path"] = [&config, folder](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.tables_path, ParsePath(folder, value));
    return {};
  };
  setters["offline_store.maintenance"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.maintenance.is_on, ParseTruth(value));
    return {};
  };
  setters["offline_store.flush_bytes"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.maintenance.flush_bytes, ParseBytesWithin(value, kFlushRange));
    return {};
  };
  setters["offline_store.flush_after"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.maintenance.flush_after_us, ParseDurationUs(value));
    return {};
  };
  setters["offline_store.snapshot_days"] = [&config](const std::string& value) -> Result<void> {
    std::int64_t days = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), days);
    if (error != std::errc{} || end != value.data() + value.size() || days < 0 || days > kSnapshotDaysMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is not a number of days: it is a whole number from 0 to {}", Quoted(value),
                              kSnapshotDaysMax));
    }
    config.maintenance.snapshot_age_us = days * 24 * 3600 * 1'000'000;
    return {};
  };
}

/// Settings of SQL.
void AddSqlSetters(Config& config, const std::filesystem::path& folder,
                   std::map<std::string, Setter>& setters) {
  setters["sql.memory_limit"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.sql.memory_bytes_max, ParseBytesWithin(value, kMemoryRange));
    return {};
  };
  setters["sql.time_limit"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(const std::int64_t us, ParseDurationUs(value));
    if (us < kTimeLimitUsMin) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is too short: no query ends in less than 1ms; leave the setting out for no "
                              "limit",
                              Quoted(value)));
    }
    config.sql.time_limit_us = us;
    return {};
  };
  setters["sql.verify_files"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.sql.verifies_files, ParseTruth(value));
    return {};
  };
  // Called for each member of the list.
  setters[std::string(kExtraFiles)] = [&config, folder](const std::string& value) -> Result<void> {
    TM_ASSIGN(auto path, ParsePath(folder, value));
    config.sql.extra_files.push_back(std::move(path));
    return {};
  };
}

/// Every setting by its dotted name.
std::map<std::string, Setter> Setters(Config& config, const std::filesystem::path& folder) {
  std::map<std::string, Setter> setters;
  setters["project"] = [&config](const std::string& value) -> Result<void> {
    TM_TRY(CheckName("project", value));
    config.project = value;
    return {};
  };
  setters["registry.path"] = [&config, folder](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.registry_path, ParsePath(folder, value));
    return {};
  };
  setters["registry.busy_timeout"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(const std::int64_t us, ParseDurationUs(value));
    if (us > kBusyTimeoutUsMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is too long: it is from 0s, which does not wait, to 24h", Quoted(value)));
    }
    config.busy_timeout_ms = us / 1000;
    return {};
  };
  setters["online_store.type"] = [](const std::string& value) -> Result<void> {
    if (value == "lmdb") return {};
    return Fail(ErrorCode::kUnsupported,
                fmt::format("'{}' is not an online store of this version: use lmdb", value));
  };
  setters["online_store.path"] = [&config, folder](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.online_path, ParsePath(folder, value));
    return {};
  };
  setters["online_store.size_max"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.online_bytes_max, ParseBytesWithin(value, kOnlineRange));
    return {};
  };
  AddTableSetters(config, folder, setters);
  AddSqlSetters(config, folder, setters);
  setters["memory_limit"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.memory_bytes_max, ParseBytesWithin(value, kMemoryRange));
    return {};
  };
  setters["threads"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.threads, ParseCount(value));
    return {};
  };
  return setters;
}

Result<void> Apply(const YAML::Node& node, const std::string& prefix,
                   const std::map<std::string, Setter>& setters) {
  std::set<std::string> seen;
  for (const auto& member : node) {
    const std::string name = prefix + member.first.as<std::string>();
    if (!seen.insert(name).second) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("setting {} is there twice", Quoted(name)));
    }
    // The server's own, which it reads itself.
    if (member.second.IsMap() && prefix.empty() && name == kServerSection) continue;
    // No setting lies deeper; a map that holds itself has no end.
    if (member.second.IsMap() && prefix.empty()) {
      TM_TRY(Apply(member.second, name + ".", setters));
      continue;
    }
    const auto setter = setters.find(name);
    if (setter == setters.end()) {
      std::vector<std::string> known;
      for (const auto& [known_name, unused] : setters)
        known.push_back(known_name);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("unknown setting {}{}; the settings are: {}", Quoted(name),
                              Suggest(name, known), fmt::join(known, ", ")));
    }
    if (member.second.IsSequence() && name == kExtraFiles) {
      for (const auto& each : member.second) {
        if (!each.IsScalar())
          return Fail(ErrorCode::kInvalidArgument, fmt::format("setting '{}' is a list of paths", name));
        TM_TRY_IN(setter->second(each.as<std::string>()), fmt::format("setting '{}'", name));
      }
      continue;
    }
    if (!member.second.IsScalar()) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("setting '{}' needs one value", name));
    }
    TM_TRY_IN(setter->second(member.second.as<std::string>()), fmt::format("setting '{}'", name));
  }
  return {};
}

}  // namespace

std::optional<std::string> MemoryWarning(const Config& config) {
  if (config.memory_bytes_max >= kMemoryBytesKept) return std::nullopt;
  return fmt::format(
      "memory_limit is {} MiB, but decoding and writing take up to {} MiB whatever the limit: set at least "
      "that",
      config.memory_bytes_max / kMiB, kMemoryBytesKept / kMiB);
}

Result<std::int64_t> ParseBytes(std::string_view text) {
  static const std::map<std::string, double, std::less<>> kUnits{{"", 1},
                                                                 {"B", 1},
                                                                 {"KB", 1e3},
                                                                 {"MB", 1e6},
                                                                 {"GB", 1e9},
                                                                 {"TB", 1e12},
                                                                 {"KiB", 1024},
                                                                 {"MiB", 1024.0 * 1024},
                                                                 {"GiB", 1024.0 * 1024 * 1024},
                                                                 {"TiB", 1099511627776.0}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ')
    unit.remove_prefix(1);
  const auto scale = kUnits.find(unit);
  const double bytes = scale == kUnits.end() ? -1 : number * scale->second;
  if (error != std::errc{} || !(bytes >= 0) || bytes > 9e18) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not a size: write 4GiB, 512MB or a number of bytes", Quoted(text)));
  }
  return static_cast<std::int64_t>(std::llround(bytes));
}

Result<Config> ParseConfig(std::string_view yaml, const std::filesystem::path& folder) {
  Config config = Defaults(folder);
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (root.IsNull()) return config;
    if (!root.IsMap()) return Fail(ErrorCode::kInvalidArgument, "settings are members: `name: value`");
    TM_TRY(Apply(root, "", Setters(config, folder)));
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("not valid YAML: {}", error.what()));
  }
  return config;
}

namespace {

/// The text of a file of settings; nothing if there is none.
Result<std::optional<std::string>> TextOf(const std::filesystem::path& path) {
  std::error_code error;
  const auto state = std::filesystem::status(path, error);
  if (state.type() == std::filesystem::file_type::not_found) return std::nullopt;
  const auto unreadable =
      Fail(ErrorCode::kIo, fmt::format("cannot read the settings in '{}'", path.string()));
  if (state.type() != std::filesystem::file_type::regular) return unreadable;
  std::ifstream file(path, std::ios::binary);
  std::string text(std::filesystem::file_size(path, error), '\0');
  if (error || !file.read(text.data(), std::ssize(text))) return unreadable;
  return text;
}

}  // namespace

Result<Config> ReadConfig(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kConfigFile;
  TM_ASSIGN(const auto text, TextOf(path));
  if (text) {
    auto config = ParseConfig(*text, folder);
    if (!config) return std::unexpected(std::move(config).error().In(path.string()));
    return config;
  }
  const std::filesystem::path feast_path = folder / kFeastConfigFile;
  TM_ASSIGN(const auto feast_text, TextOf(feast_path));
  Config config = Defaults(folder);
  if (feast_text) {
    TM_TRY_IN(ApplyFeastConfig(*feast_text, config), feast_path.string());
  }
  return config;
}

}  // namespace tidemark
