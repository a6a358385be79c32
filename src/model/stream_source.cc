// Checks the definitions of streams.
#include "model/stream_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <utility>

#include "base/redaction.h"
#include "model/json_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::size_t kTopicBytesMax = 249;       // Kafka's own limit
constexpr std::size_t kStreamNameBytesMax = 128;  // Kinesis's own limit
constexpr std::uint32_t kPortMax = 65'535;
constexpr std::array kSecurityProtocols{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

std::unexpected<Error> Wrong(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c);
}

bool IsRemoteNameCharacter(char c) {
  return IsLetterOrDigit(c) || c == '.' || c == '_' || c == '-';
}

// `what` has the characters that both Kafka and Kinesis take in names.
Result<void> CheckRemoteName(std::string_view what, std::string_view name, std::size_t bytes_max) {
  const bool fits = !name.empty() && name.size() <= bytes_max && name != "." && name != ".." &&
                    std::ranges::all_of(name, IsRemoteNameCharacter);
  if (fits) return {};
  return Wrong(fmt::format("{} {} is no name of one: 1 to {} of ASCII letters, digits, '.', '_' and '-'",
                           what, Quoted(name), bytes_max));
}

// --- Secrets ---

bool EndsWithAny(std::string_view text, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view ending) { return text.ends_with(ending); });
}

// Settings of librdkafka whose values nobody may see.
bool IsSecret(std::string_view setting) {
  return IsSecretOption(setting) || EndsWithAny(setting, {"key.pem", "oauthbearer.config", "jaas.config"});
}

// `${KAFKA_PASSWORD}`
bool IsReference(std::string_view text) {
  if (!text.starts_with("${") || !text.ends_with('}')) return false;
  const std::string_view name = text.substr(2, text.size() - 3);
  if (name.empty() || IsDigit(name.front())) return false;
  return std::ranges::all_of(name, [](char c) { return IsLetterOrDigit(c) || c == '_'; });
}

Result<void> CheckSecurity(const std::map<std::string, std::string>& security) {
  for (const auto& [setting, value] : security) {
    const bool is_known =
        setting.starts_with("security.") || setting.starts_with("sasl.") || setting.starts_with("ssl.");
    if (!is_known) {
      return Wrong(
          fmt::format("security: there is no setting {}; those of librdkafka that begin with "
                      "security., sasl. or ssl. go here, such as security.protocol",
                      Quoted(setting)));
    }
    if (IsSecret(setting) && !IsReference(value)) {
      return Wrong(
          fmt::format("security: {} is a secret, and a definition is kept and shown: write ${{NAME}} "
                      "in its place, and put the secret into the environment variable NAME",
                      setting));
    }
    if (setting == "security.protocol" &&
        std::ranges::find(kSecurityProtocols, value) == kSecurityProtocols.end()) {
      return Wrong(fmt::format("security.protocol {} is not known; there are {}", Quoted(value),
                               fmt::join(kSecurityProtocols, ", ")));
    }
  }
  return {};
}

// --- Addresses ---

bool IsPort(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= kPortMax;
}

// `host`, `host:port` or `[::1]:port`, also with a listener's `SSL://` before it.
bool IsServer(std::string_view server) {
  if (const auto scheme = server.find("://"); scheme != std::string_view::npos)
    server.remove_prefix(scheme + 3);
  const auto bracket = server.rfind(']');
  const auto colon = server.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    if (!IsPort(server.substr(colon + 1))) return false;
    server = server.substr(0, colon);
  }
  return !server.empty() && std::ranges::all_of(server, [](char c) {
    return IsRemoteNameCharacter(c) || c == ':' || c == '[' || c == ']';
  });
}

Result<void> CheckServers(std::string_view servers) {
  if (servers.empty()) return Wrong("it has no bootstrap servers: give host:port, several with commas");
  while (true) {
    const auto comma = servers.find(',');
    std::string_view server = servers.substr(0, comma);
    while (server.starts_with(' '))
      server.remove_prefix(1);
    while (server.ends_with(' '))
      server.remove_suffix(1);
    // What stands before an @ could be a password: it is not shown.
    if (!IsServer(server)) {
      return Wrong(fmt::format("bootstrap server {} is no host:port",
                               server.contains('@') ? "with an '@'" : Quoted(server)));
    }
    if (comma == std::string_view::npos) return {};
    servers.remove_prefix(comma + 1);
  }
}

Result<void> CheckEndpoint(std::string_view url) {
  if (url.empty()) return {};
  if (url.contains('@')) {
    return Wrong(
        "endpoint_url has an '@': credentials are those of the environment, and stand in no address");
  }
  if (url.starts_with("http://") || url.starts_with("https://")) return {};
  return Wrong(fmt::format("endpoint_url {} does not begin with http:// or https://", Quoted(url)));
}

// `https://${REGISTRY_USER}:${REGISTRY_PASSWORD}@host:port/path`, or without who asks.
Result<void> CheckRegistry(const MessageFormat& format) {
  if (!format.schema_json.empty()) {
    return Wrong(
        "format avro has schema_json and schema_registry_url: give one, as the registry says by which schema "
        "each message was written");
  }
  std::string_view rest = format.schema_registry_url;
  const auto scheme = rest.find("://");
  if (!rest.starts_with("http://") && !rest.starts_with("https://")) {
    return Wrong(fmt::format("schema_registry_url {} does not begin with http:// or https://",
                             rest.contains('@') ? "with an '@'" : Quoted(rest)));
  }
  rest.remove_prefix(scheme + 3);
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view user = rest.substr(0, at);
  const auto colon = user.find(':');
  if (colon != std::string_view::npos && IsReference(user.substr(colon + 1))) return {};
  return Wrong(
      "schema_registry_url has a password, or none, before its '@', and a definition is kept and shown: "
      "write "
      "https://${USER_NAME}:${PASSWORD}@host, and put both into environment variables");
}

// --- Rows ---

Result<void> CheckFormat(const MessageFormat& format) {
  if (!format.schema_registry_url.empty() && format.kind != MessageFormat::Kind::kAvro) {
    return Wrong(fmt::format("format {} has a schema_registry_url, which only avro is read by: leave it out",
                             MessageFormatName(format.kind)));
  }
  switch (format.kind) {
    case MessageFormat::Kind::kJson:
      return {};
    case MessageFormat::Kind::kAvro:
      if (!format.schema_registry_url.empty()) return CheckRegistry(format);
      if (format.schema_json.empty())
        return Wrong("format avro has no schema: give schema_json, or schema_registry_url");
      TM_TRY_IN(ParseJsonTree(format.schema_json), "schema_json of format avro");
      return {};
    case MessageFormat::Kind::kProtobuf:
      if (format.class_path.empty())
        return Wrong("format protobuf has no class_path: give the message's name, with its package");
      return {};
    case MessageFormat::Kind::kCsv:
      break;
  }
  if (format.columns.empty())
    return Wrong("format csv has no columns: name them, as messages have no header");
  std::set<std::string> names;
  for (const std::string& column : format.columns) {
    if (column.empty()) return Wrong("format csv has a column without a name");
    if (!names.insert(column).second)
      return Wrong(fmt::format("format csv lists column {} twice", Quoted(column)));
  }
  if (format.delimiter.size() == 1) return {};
  return Wrong(fmt::format("the delimiter of format csv is one character, not {}", Quoted(format.delimiter)));
}

Result<void> CheckRows(const MessageRows& rows) {
  TM_TRY(CheckFormat(rows.format));
  return CheckFieldMapping(rows.field_mapping);
}

}  // namespace

std::string_view MessageFormatName(MessageFormat::Kind kind) {
  switch (kind) {
    case MessageFormat::Kind::kAvro:
      return "avro";
    case MessageFormat::Kind::kProtobuf:
      return "protobuf";
    case MessageFormat::Kind::kCsv:
      return "csv";
    case MessageFormat::Kind::kJson:
      break;
  }
  return "json";
}

Result<void> CheckStream(const KafkaSource& source) {
  TM_TRY(CheckName("Kafka source", source.name));
  TM_TRY(CheckServers(source.bootstrap_servers));
  TM_TRY(CheckRemoteName("topic", source.topic, kTopicBytesMax));
  if (source.watermark_delay_us < 0) return Wrong("its watermark_delay_threshold is negative");
  TM_TRY(CheckSecurity(source.security));
  return CheckRows(source.rows);
}

Result<void> CheckStream(const KinesisSource& source) {
  TM_TRY(CheckName("Kinesis source", source.name));
  TM_TRY(CheckRemoteName("stream_name", source.stream_name, kStreamNameBytesMax));
  TM_TRY(CheckRemoteName("region", source.region, kStreamNameBytesMax));
  TM_TRY(CheckEndpoint(source.endpoint_url));
  return CheckRows(source.rows);
}

}  // namespace tidemark
