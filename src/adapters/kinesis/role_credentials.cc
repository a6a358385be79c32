// Two services that answer on an address of the machine itself, in JSON.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>

#include "adapters/kinesis/aws_credentials_internal.h"
#include "base/json.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark::kinesis {
namespace {

constexpr std::string_view kContainerHost = "http://169.254.170.2";
constexpr std::string_view kMachineHost = "http://169.254.169.254";
constexpr std::int64_t kContainerTimeoutUs = 5'000'000;
constexpr std::int64_t kMachineTimeoutUs = 1'000'000;  // where there is no such service nobody answers
constexpr std::size_t kCredentialsBytesMax = std::size_t{64} << 10;

/// Nothing for what is no answer with a key.
std::optional<AwsCredentials> CredentialsInJson(const std::string& text) {
  const auto json = ParseJson(text);
  if (!json || !json->is_object()) return std::nullopt;
  AwsCredentials found{.access_key_id = json->value("AccessKeyId", ""),
                       .secret_access_key = json->value("SecretAccessKey", ""),
                       .session_token = json->value("Token", "")};
  if (found.access_key_id.empty() || found.secret_access_key.empty()) return std::nullopt;
  found.expires_us = ParseTimestampUs(json->value("Expiration", ""));
  return found;
}

Result<std::string> ContainerToken(const Environment& environment) {
  constexpr const char* kFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
  const std::string path = environment(kFile);
  if (!path.empty()) return TokenInFile(kFile, path);
  return environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
}

}  // namespace

bool IsSafeForTokens(std::string_view url) {
  if (url.starts_with("https://")) return true;
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return false;
  url.remove_prefix(kScheme.size());
  const std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  if (authority.contains('@')) return false;
  const std::string_view host = authority.starts_with('[') ? authority.substr(0, authority.find(']') + 1)
                                                           : authority.substr(0, authority.find(':'));
  constexpr std::array<std::string_view, 5> kHosts{"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
                                                   "[fd00:ec2::23]"};
  const bool is_loopback = host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
  return is_loopback || std::ranges::find(kHosts, host) != kHosts.end();
}

Result<std::string> TokenInFile(const char* variable, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("the file {}, which {} names, cannot be read", Quoted(path), variable));
  }
  std::string token((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  token.erase(token.find_last_not_of("\r\n") + 1);
  return token;
}

Result<std::optional<AwsCredentials>> ContainerCredentials(const Environment& environment,
                                                           http::HttpClient& client) {
  const std::string relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string url = relative.empty() ? environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")
                                           : fmt::format("{}{}", kContainerHost, relative);
  if (url.empty()) return std::nullopt;
  if (!IsSafeForTokens(url)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("credentials of a container: AWS_CONTAINER_CREDENTIALS_FULL_URI is {}, which is neither "
                    "https nor an address of this machine",
                    http::ShownUrl(url)));
  }
  TM_ASSIGN(const std::string token, ContainerToken(environment));
  http::HttpRequest request{.url = url,
                            .connect_timeout_us = kContainerTimeoutUs,
                            .timeout_us = kContainerTimeoutUs,
                            .answer_bytes_max = kCredentialsBytesMax};
  if (!token.empty()) request.headers.push_back("Authorization: " + token);
  auto answer = client.Send(request);
  if (!answer) return std::unexpected(std::move(answer).error().In("credentials of a container"));
  if (auto found = answer->status == 200 ? CredentialsInJson(answer->body) : std::nullopt) return found;
  return Fail(ErrorCode::kUnavailable,
              fmt::format("credentials of a container: {} answers with status {} and no key",
                          http::ShownUrl(url), answer->status));
}

std::optional<AwsCredentials> MachineCredentials(const Environment& environment, http::HttpClient& client) {
  if (environment("AWS_EC2_METADATA_DISABLED") == "true") return std::nullopt;
  std::string host = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (host.empty()) host = kMachineHost;
  while (host.ends_with('/'))
    host.pop_back();
  const auto send = [&](const std::string& path, const std::string& header,
                        bool is_put) -> std::optional<std::string> {
    http::HttpRequest request{.url = host + path,
                              .headers = {header},
                              .is_put = is_put,
                              .connect_timeout_us = kMachineTimeoutUs,
                              .timeout_us = kMachineTimeoutUs,
                              .answer_bytes_max = kCredentialsBytesMax};
    if (is_put) request.body = "";
    const auto answer = client.Send(request);
    if (!answer || answer->status != 200) return std::nullopt;
    return answer->body;
  };
  const auto token = send("/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 300", true);
  if (!token) return std::nullopt;
  const std::string header = "X-aws-ec2-metadata-token: " + *token;
  const std::string roles = "/latest/meta-data/iam/security-credentials/";
  auto role = send(roles, header, false);
  if (!role) return std::nullopt;
  role->erase(std::min(role->find_first_of("\r\n"), role->size()));
  const auto text = send(roles + *role, header, false);
  return text ? CredentialsInJson(*text) : std::nullopt;
}

}  // namespace tidemark::kinesis
