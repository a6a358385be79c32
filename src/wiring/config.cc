// Strict reading of tidemark.yaml: what is not known is an error that says so.
#include "wiring/config.h"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "base/result.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark {
namespace {

using Setter = std::function<Result<void>(const std::string& value)>;

/// Half of the machine's memory.
std::int64_t DefaultMemoryBytes() {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::int64_t>(sysconf(_SC_PAGESIZE)) / 2;
}

Config Defaults(const std::filesystem::path& folder) {
  Config config;
  config.registry_path = folder / ".tidemark" / "registry.db";
  config.online_path = folder / ".tidemark" / "online";
  config.memory_bytes_max = DefaultMemoryBytes();
  return config;
}

Result<std::size_t> ParseCount(const std::string& text) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a whole number", text));
  }
  return count;
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
    config.registry_path = folder / value;
    return {};
  };
  setters["registry.busy_timeout"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(const std::int64_t us, ParseDurationUs(value));
    config.busy_timeout_ms = us / 1000;
    return {};
  };
  setters["online_store.type"] = [](const std::string& value) -> Result<void> {
    if (value == "lmdb") return {};
    return Fail(ErrorCode::kUnsupported, fmt::format("'{}' is not an online store of this version: use lmdb", value));
  };
  setters["online_store.path"] = [&config, folder](const std::string& value) -> Result<void> {
    config.online_path = folder / value;
    return {};
  };
  setters["online_store.size_max"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.online_bytes_max, ParseBytes(value));
    return {};
  };
  setters["memory_limit"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.memory_bytes_max, ParseBytes(value));
    return {};
  };
  setters["threads"] = [&config](const std::string& value) -> Result<void> {
    TM_ASSIGN(config.threads, ParseCount(value));
    return {};
  };
  return setters;
}

Result<void> Apply(const YAML::Node& node, const std::string& prefix, const std::map<std::string, Setter>& setters) {
  for (const auto& member : node) {
    const std::string name = prefix + member.first.as<std::string>();
    if (member.second.IsMap()) {
      TM_TRY(Apply(member.second, name + ".", setters));
      continue;
    }
    const auto setter = setters.find(name);
    if (setter == setters.end()) {
      std::vector<std::string> known;
      for (const auto& [known_name, unused] : setters) known.push_back(known_name);
      return Fail(ErrorCode::kInvalidArgument, fmt::format("unknown setting '{}'{}; the settings are: {}", name,
                                                           Suggest(name, known), fmt::join(known, ", ")));
    }
    if (!member.second.IsScalar()) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("setting '{}' needs one value", name));
    }
    TM_TRY_IN(setter->second(member.second.as<std::string>()), fmt::format("setting '{}'", name));
  }
  return {};
}

}  // namespace

Result<std::int64_t> ParseBytes(std::string_view text) {
  static const std::map<std::string, double, std::less<>> kUnits{
      {"", 1},     {"B", 1},      {"KB", 1e3},           {"MB", 1e6},           {"GB", 1e9},
      {"TB", 1e12}, {"KiB", 1024}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}, {"TiB", 1099511627776.0}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  const auto scale = kUnits.find(unit);
  const double bytes = scale == kUnits.end() ? -1 : number * scale->second;
  if (error != std::errc{} || !(bytes >= 0) || bytes > 9e18) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a size: write 4GiB, 512MB or a number of bytes",
                                                         text));
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

Result<Config> ReadConfig(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kConfigFile;
  std::error_code unreadable;
  if (!std::filesystem::exists(path, unreadable)) return ParseConfig("", folder);
  const std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Fail(ErrorCode::kIo, fmt::format("cannot read '{}'", path.string()));
  auto config = ParseConfig(text.str(), folder);
  if (!config) return std::unexpected(std::move(config).error().In(path.string()));
  return config;
}

}  // namespace tidemark
