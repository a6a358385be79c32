// The file is one of sections in brackets, with lines of `name = value`.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "adapters/kinesis/aws_credentials_internal.h"
#include "model/name.h"

namespace tidemark::kinesis {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string FilePath(const Environment& environment) {
  if (std::string path = environment("AWS_SHARED_CREDENTIALS_FILE"); !path.empty()) return path;
  const std::string home = environment("HOME");
  return home.empty() ? home : home + "/.aws/credentials";
}

}  // namespace

std::string ProcessEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

AwsCredentials CredentialsInFile(std::string_view text, std::string_view profile) {
  AwsCredentials found;
  bool is_profile = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with('[')) {
      is_profile = line.ends_with(']') && Trimmed(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const auto equals = line.find('=');
    if (!is_profile || line.starts_with('#') || equals == std::string_view::npos) continue;
    const std::string_view name = Trimmed(line.substr(0, equals));
    const std::string value(Trimmed(line.substr(equals + 1)));
    if (name == "aws_access_key_id") found.access_key_id = value;
    if (name == "aws_secret_access_key") found.secret_access_key = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  return found;
}

std::string_view AwsDomain(std::string_view region) {
  return region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

Result<AwsCredentials> FindAwsCredentials(const Environment& environment, const std::string& region,
                                          http::HttpClient& client) {
  AwsCredentials found{.access_key_id = environment("AWS_ACCESS_KEY_ID"),
                       .secret_access_key = environment("AWS_SECRET_ACCESS_KEY"),
                       .session_token = environment("AWS_SESSION_TOKEN")};
  if (!found.access_key_id.empty() && !found.secret_access_key.empty()) return found;
  TM_ASSIGN(auto of_identity, WebIdentityCredentials(environment, region, client));
  if (of_identity) return *std::move(of_identity);
  const std::string path = FilePath(environment);
  std::string profile = environment("AWS_PROFILE");
  if (profile.empty()) profile = "default";
  if (std::ifstream in(path, std::ios::binary); in) {
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    found = CredentialsInFile(text, profile);
    if (!found.access_key_id.empty() && !found.secret_access_key.empty()) return found;
  }
  TM_ASSIGN(auto of_container, ContainerCredentials(environment, client));
  if (of_container) return *std::move(of_container);
  if (auto of_machine = MachineCredentials(environment, client)) return *std::move(of_machine);
  return Fail(
      ErrorCode::kPermissionDenied,
      fmt::format(
          "there are no credentials for AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
          "give them in the profile {} of the file {}, or run it with a role of a container or machine",
          Quoted(profile), Quoted(path.empty() ? "~/.aws/credentials" : path)));
}

}  // namespace tidemark::kinesis
