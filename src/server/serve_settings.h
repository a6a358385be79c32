// The settings of `tidemark serve`, and the three places that they come from.
//
// Each has a name, and is told as `name: value` under `server:` in the store's tidemark.yaml, or as
// TIDEMARK_SERVE_NAME in the environment, or as --name (with '-' for '_') to the command. What comes later in
// this order counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http/settings.h"
#include "server/sagemaker/settings.h"
#include "tidemark/python_workers.h"

namespace tidemark::server {

/// Whether requests need a key (docs/server.md).
enum class RequireKeys : std::uint8_t {
  kAuto,  // once the store has one
  kYes,
  kNo,
};

struct ServeSettings {
  http::ServerSettings http = {};
  RequireKeys require_keys = RequireKeys::kAuto;
  bool insecure = false;                          // other machines may ask without a key
  std::optional<std::uint16_t> flight_port = {};  // of Arrow Flight; absent: none; 0: any that is free
  sagemaker::Settings sagemaker = {};
  bool streams = false;  // streams of the project's views are read into their tables
  // Where a key that is not admin of all projects may name files as sources.
  std::vector<std::filesystem::path> source_folders = {};
  // Processes for the functions of on-demand feature views: none unless `workers` says how many. Without an
  // interpreter the program's own is taken.
  PythonWorkersOptions python{.workers = 0, .interpreter = {}};
  std::chrono::milliseconds drain_delay{0};  // from not ready to draining: for balancers to notice
};

/// One of them, for who lists them.
struct ServeSettingInfo {
  std::string_view name;   // "tls_cert"
  std::string_view value;  // what it takes: "FILE", "PORT", ...; empty: true or false
  std::string_view what;   // one line
};

const std::vector<ServeSettingInfo>& AllServeSettings();

/// Texts by name.
using SettingTexts = std::map<std::string, std::string, std::less<>>;

/// Looks a variable of the environment up; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// This process's.
Environment ProcessEnvironment();

/// Puts the three together: the file in `folder`, `environment`, `flags`. Paths in the file are relative to
/// `folder`, the others to the current one. kInvalidArgument names the place and setting that is unknown
/// (with the nearest known one), cannot be read, or makes no sense.
Result<ServeSettings> ReadServeSettings(const std::filesystem::path& folder, const Environment& environment,
                                        const SettingTexts& flags);

/// Whether only this machine can reach an address: 127.x.y.z, ::1, localhost.
bool IsLoopback(std::string_view host);

}  // namespace tidemark::server
