// One table of settings, each with what sets it.
#include "server/serve_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <utility>

#include "model/name.h"
#include "tidemark/sql.h"

namespace tidemark::server {
namespace {

namespace fs = std::filesystem;
using http::Limits;

constexpr const char* kConfigFile = "tidemark.yaml";
constexpr std::string_view kSection = "server";
constexpr std::string_view kVariableBegin = "TIDEMARK_SERVE_";
constexpr std::size_t kThreadsMax = 4096;
constexpr std::int64_t kUsPerMs = 1000;

/// Where texts come from: relative paths begin at `folder`.
struct Origin {
  fs::path folder;
};

using Setter = std::function<Result<void>(ServeSettings&, const std::string& text, const Origin&)>;

struct Setting {
  ServeSettingInfo info;
  Setter set;
};

Result<std::uint64_t> ParseWhole(const std::string& text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= least && number <= most)
    return number;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is not a whole number from {} to {}", Quoted(text), least, most));
}

Result<bool> ParseFlag(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is neither true nor false", Quoted(text)));
}

template <typename Number>
Setter Whole(Number& (*member)(ServeSettings&), std::uint64_t least, std::uint64_t most) {
  return [=](ServeSettings& settings, const std::string& text, const Origin&) -> Result<void> {
    TM_ASSIGN(const std::uint64_t number, ParseWhole(text, least, most));
    member(settings) = static_cast<Number>(number);
    return {};
  };
}

template <typename Number>
Setter Size(Number& (*member)(ServeSettings&), std::int64_t least) {
  return [=](ServeSettings& settings, const std::string& text, const Origin&) -> Result<void> {
    TM_ASSIGN(const std::int64_t bytes, ParseSize(text));
    if (bytes < least)
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is too little: at least {} bytes", Quoted(text), least));
    member(settings) = static_cast<Number>(bytes);
    return {};
  };
}

Setter Duration(std::chrono::milliseconds& (*member)(ServeSettings&)) {
  return [=](ServeSettings& settings, const std::string& text, const Origin&) -> Result<void> {
    TM_ASSIGN(const std::int64_t us, ParseDuration(text));
    if (us < kUsPerMs)
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is too short: at least 1ms", Quoted(text)));
    member(settings) = std::chrono::milliseconds(us / kUsPerMs);
    return {};
  };
}

Setter Flag(bool& (*member)(ServeSettings&)) {
  return [=](ServeSettings& settings, const std::string& text, const Origin&) -> Result<void> {
    TM_ASSIGN(member(settings), ParseFlag(text));
    return {};
  };
}

Setter Path(fs::path& (*member)(ServeSettings&)) {
  return [=](ServeSettings& settings, const std::string& text, const Origin& origin) -> Result<void> {
    member(settings) = text.empty() ? fs::path() : origin.folder / text;
    return {};
  };
}

Result<void> SetHost(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "an address is missing");
  settings.http.host = text;
  return {};
}

Result<void> SetAccessLog(ServeSettings& settings, const std::string& text, const Origin& origin) {
  settings.http.access_log = text.empty() || text == "-" ? text : (origin.folder / text).string();
  return {};
}

Result<void> SetRequireKeys(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  static const std::map<std::string, RequireKeys, std::less<>> kKnown{
      {"auto", RequireKeys::kAuto},
      {"yes", RequireKeys::kYes},
      {"no", RequireKeys::kNo},
      {"true", RequireKeys::kYes},
      {"false", RequireKeys::kNo}};  // as YAML may write yes and no
  const auto found = kKnown.find(text);
  if (found == kKnown.end())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is none of auto, yes and no", Quoted(text)));
  settings.require_keys = found->second;
  return {};
}

Result<void> SetFlightPort(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  TM_ASSIGN(const std::uint64_t port, ParseWhole(text, 0, std::numeric_limits<std::uint16_t>::max()));
  settings.flight_port = static_cast<std::uint16_t>(port);
  return {};
}

// What a setter writes to.
template <auto Member>
auto& OfHttp(ServeSettings& settings) {
  return settings.http.*Member;
}
template <auto Member>
auto& OfTls(ServeSettings& settings) {
  return settings.http.tls.*Member;
}
template <auto Member>
auto& OfLimits(ServeSettings& settings) {
  return settings.http.limits.*Member;
}
Result<void> SetSagemakerAccount(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  constexpr std::size_t kDigits = 12;
  if (text.size() != kDigits || text.find_first_not_of("0123456789") != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is not twelve digits", Quoted(text)));
  settings.sagemaker.account_id = text;
  return {};
}

Result<void> SetSagemakerRegion(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  if (text.empty() || text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is no region such as us-east-1", Quoted(text)));
  settings.sagemaker.region = text;
  return {};
}

Result<void> SetSagemakerUris(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  settings.sagemaker.s3_uris.clear();
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view uri = rest.substr(0, comma);
    if (!uri.starts_with("s3://") && !uri.starts_with("https://"))
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{} does not begin with s3://", Quoted(uri)));
    settings.sagemaker.s3_uris.emplace_back(uri);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return {};
}

Result<void> SetSourceFolders(ServeSettings& settings, const std::string& text, const Origin& origin) {
  settings.source_folders.clear();
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    if (comma == 0) return Fail(ErrorCode::kInvalidArgument, fmt::format("{} names no folder", Quoted(text)));
    settings.source_folders.push_back(fs::absolute(origin.folder / rest.substr(0, comma)));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return {};
}

Result<void> SetDrainDelay(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  TM_ASSIGN(const std::int64_t us, ParseDuration(text));
  settings.drain_delay = std::chrono::milliseconds(us / kUsPerMs);
  return {};
}
Result<void> SetBusyPoll(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  constexpr std::int64_t kMostUs = 60'000'000;
  TM_ASSIGN(const std::int64_t us, ParseDuration(text));
  if (us > kMostUs) return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is more than 1m", Quoted(text)));
  settings.http.busy_poll = std::chrono::microseconds(us);
  return {};
}
bool& ReadsStreams(ServeSettings& settings) {
  return settings.streams;
}
bool& Insecure(ServeSettings& settings) {
  return settings.insecure;
}

constexpr std::uint64_t kPortMax = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kCountMax = 1'000'000'000;

std::vector<Setting> PlaceSettings() {
  using http::ServerSettings;
  using http::TlsSettings;
  return {
      {{"host", "ADDRESS", "address to listen on"}, SetHost},
      {{"port", "PORT", "port of HTTP; 0: any that is free"},
       Whole(&OfHttp<&ServerSettings::port>, 0, kPortMax)},
      {{"flight_port", "PORT", "port of Arrow Flight, usually 8815; left out: none; 0: any that is free"},
       SetFlightPort},
      {{"threads", "N", "threads of connections; 0: one per core"},
       Whole(&OfHttp<&ServerSettings::threads>, 0, kThreadsMax)},
      {{"workers", "N", "threads of requests that wait for disks or compute; 0: 32 per core"},
       Whole(&OfHttp<&ServerSettings::workers>, 0, kThreadsMax)},
      {{"pin", "", "each connection thread stays on a core of its own"},
       Flag(&OfHttp<&ServerSettings::pin_threads>)},
      {{"busy_poll", "TIME", "a connection thread looks for requests for so long before it sleeps; 0s: not"},
       SetBusyPoll},
      {{"tls_cert", "FILE", "PEM certificate chain: HTTPS; read again when it changes"},
       Path(&OfTls<&TlsSettings::certificate>)},
      {{"tls_key", "FILE", "PEM private key of the certificate"}, Path(&OfTls<&TlsSettings::key>)},
      {{"tls_client_ca", "FILE", "PEM certificates, one of which must have signed a client's"},
       Path(&OfTls<&TlsSettings::client_ca>)},
      {{"require_keys", "WHEN", "auto (once the store has a key), yes or no"}, SetRequireKeys},
      {{"insecure", "", "let other machines ask without a key"}, Flag(&Insecure)},
      {{"streams", "", "read the streams of the project's views into their tables"}, Flag(&ReadsStreams)},
      {{"source_folders", "FOLDER,...",
        "where a key that is not admin of all projects may name files as sources"},
       SetSourceFolders},
      {{"sagemaker_account", "DIGITS", "account id in ARNs, twelve digits"}, SetSagemakerAccount},
      {{"sagemaker_region", "NAME", "region in ARNs"}, SetSagemakerRegion},
      {{"sagemaker_s3_uri", "URI,...", "beginnings of S3Uri that stand for the store's own folder"},
       SetSagemakerUris},
      {{"drain_delay", "TIME", "told to stop: not ready for so long, then no more connections"},
       SetDrainDelay},
      {{"access_log", "FILE", "one line of JSON for each request; -: standard error"}, SetAccessLog},
  };
}

Result<void> SetPython(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  settings.python.interpreter = text;
  return {};
}

Result<void> SetPythonTime(ServeSettings& settings, const std::string& text, const Origin& /*origin*/) {
  TM_ASSIGN(settings.python.call_us_max, ParseDuration(text));
  if (settings.python.call_us_max >= kUsPerMs) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is too short: at least 1ms", Quoted(text)));
}

template <auto Member>
auto& OfPython(ServeSettings& settings) {
  return settings.python.*Member;
}

std::vector<Setting> PythonSettings() {
  using Options = PythonWorkersOptions;
  constexpr std::int64_t kMemoryMin = std::int64_t{256} << 20;
  return {
      {{"python_workers", "N", "processes that run Python functions of on-demand feature views; 0: none"},
       Whole(&OfPython<&Options::workers>, 0, 1'024)},
      {{"python", "PROGRAM", "Python interpreter of these, which has the package tidemark"}, SetPython},
      {{"python_time_max", "TIME", "for one call of a function (503)"}, SetPythonTime},
      {{"python_memory_max", "SIZE", "memory of such a process (422)"},
       Size(&OfPython<&Options::memory_bytes_max>, kMemoryMin)},
      {{"python_waiting_max", "N", "calls that wait for a process (503)"},
       Whole(&OfPython<&Options::waiting_max>, 0, kCountMax)},
  };
}

std::vector<Setting> LimitSettings() {
  constexpr std::int64_t kMemoryMin = std::int64_t{1} << 20;  // one body that is streamed holds as much
  return {
      {{"header_max", "SIZE", "request line and headers (431 beyond)"},
       Size(&OfLimits<&Limits::header_bytes_max>, 1024)},
      {{"body_max", "SIZE", "a body that is taken whole (413)"},
       Size(&OfLimits<&Limits::body_bytes_max>, 1024)},
      {{"stream_max", "SIZE", "a body that is streamed (413)"},
       Size(&OfLimits<&Limits::stream_bytes_max>, 1024)},
      {{"json_depth_max", "N", "nesting of JSON (400)"}, Whole(&OfLimits<&Limits::json_depth_max>, 4, 1000)},
      {{"rows_max", "N", "rows of a JSON body (400)"}, Whole(&OfLimits<&Limits::rows_max>, 1, kCountMax)},
      {{"entities_max", "N", "entities of one lookup (400)"},
       Whole(&OfLimits<&Limits::entities_max>, 1, kCountMax)},
      {{"connections_max", "N", "open connections (closed)"},
       Whole(&OfLimits<&Limits::connections_max>, 1, kCountMax)},
      {{"in_flight_max", "N", "requests being answered (429)"},
       Whole(&OfLimits<&Limits::in_flight_max>, 1, kCountMax)},
      {{"memory_max", "SIZE", "bodies and answers held at once (503)"},
       Size(&OfLimits<&Limits::memory_bytes_max>, kMemoryMin)},
      {{"request_time_max", "TIME", "for all of a request to arrive (408)"},
       Duration(&OfLimits<&Limits::request_time_max>)},
      {{"silence_max", "TIME", "without a byte of a streamed body, or taken by the client"},
       Duration(&OfLimits<&Limits::silence_max>)},
      {{"answer_time_max", "TIME", "for an answer (503)"}, Duration(&OfLimits<&Limits::answer_time_max>)},
      {{"idle_time_max", "TIME", "a connection between requests (closed)"},
       Duration(&OfLimits<&Limits::idle_time_max>)},
      {{"drain_time_max", "TIME", "for what is being answered when the server stops"},
       Duration(&OfLimits<&Limits::drain_time_max>)},
  };
}

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> all = [] {
    std::vector<Setting> settings = PlaceSettings();
    std::ranges::move(PythonSettings(), std::back_inserter(settings));
    std::ranges::move(LimitSettings(), std::back_inserter(settings));
    return settings;
  }();
  return all;
}

const Setting* Find(std::string_view name) {
  const auto found =
      std::ranges::find(Settings(), name, [](const Setting& setting) { return setting.info.name; });
  return found == Settings().end() ? nullptr : &*found;
}

/// Texts of the section `server:`.
Result<SettingTexts> ReadSection(const std::string& yaml) {
  SettingTexts texts;
  try {
    const YAML::Node root = YAML::Load(yaml);
    if (!root.IsMap() || !root[std::string(kSection)]) return texts;
    const YAML::Node section = root[std::string(kSection)];
    if (section.IsNull()) return texts;
    if (!section.IsMap()) return Fail(ErrorCode::kInvalidArgument, "settings are members: `name: value`");
    for (const auto& member : section) {
      const auto name = member.first.as<std::string>();
      if (!member.second.IsScalar())
        return Fail(ErrorCode::kInvalidArgument, fmt::format("setting {} needs one value", Quoted(name)));
      if (!texts.emplace(name, member.second.as<std::string>()).second)
        return Fail(ErrorCode::kInvalidArgument, fmt::format("setting {} is there twice", Quoted(name)));
    }
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("not valid YAML: {}", error.what()));
  }
  return texts;
}

Result<SettingTexts> ReadFile(const fs::path& folder) {
  const fs::path path = folder / kConfigFile;
  std::error_code error;
  if (!fs::exists(path, error)) return SettingTexts{};
  std::ifstream file(path, std::ios::binary);
  const std::string yaml{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return Fail(ErrorCode::kIo, fmt::format("cannot read the settings in '{}'", path.string()));
  return ReadSection(yaml);
}

SettingTexts ReadEnvironment(const Environment& environment) {
  SettingTexts texts;
  for (const Setting& setting : Settings()) {
    std::string variable(kVariableBegin);
    for (const char c : setting.info.name)
      variable.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    if (auto text = environment(variable)) texts.emplace(setting.info.name, *std::move(text));
  }
  return texts;
}

Result<void> SetAll(ServeSettings& settings, const SettingTexts& texts, const Origin& origin) {
  for (const auto& [name, text] : texts) {
    const Setting* const setting = Find(name);
    if (setting == nullptr) {
      std::vector<std::string> known;
      for (const Setting& each : Settings())
        known.emplace_back(each.info.name);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("unknown setting {}{}; the settings are: {}", Quoted(name),
                              Suggest(name, known), fmt::join(known, ", ")));
    }
    TM_TRY_IN(setting->set(settings, text, origin), fmt::format("setting '{}'", name));
  }
  return {};
}

Result<void> Check(const ServeSettings& settings) {
  const http::TlsSettings& tls = settings.http.tls;
  if (tls.certificate.empty() != tls.key.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("HTTPS needs a certificate and its key: {} is missing",
                            tls.certificate.empty() ? "tls_cert" : "tls_key"));
  }
  if (!tls.client_ca.empty() && tls.certificate.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "tls_client_ca asks clients for certificates, which only HTTPS does: give tls_cert and tls_key");
  }
  return {};
}

}  // namespace

const std::vector<ServeSettingInfo>& AllServeSettings() {
  static const std::vector<ServeSettingInfo> all = [] {
    std::vector<ServeSettingInfo> infos;
    for (const Setting& setting : Settings())
      infos.push_back(setting.info);
    return infos;
  }();
  return all;
}

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<ServeSettings> ReadServeSettings(const fs::path& folder, const Environment& environment,
                                        const SettingTexts& flags) {
  ServeSettings settings;
  std::error_code error;
  const fs::path current = fs::current_path(error);
  const std::string place = (folder / kConfigFile).string() + ": server";
  auto of_file = ReadFile(folder);
  if (!of_file) return std::unexpected(std::move(of_file).error().In(place));
  TM_TRY_IN(SetAll(settings, *of_file, {.folder = folder}), place);
  TM_TRY_IN(SetAll(settings, ReadEnvironment(environment), {.folder = current}),
            fmt::format("environment {}*", kVariableBegin));
  TM_TRY(SetAll(settings, flags, {.folder = current}));
  TM_TRY(Check(settings));
  return settings;
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace tidemark::server
