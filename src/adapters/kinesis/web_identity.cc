// One question to AWS's security token service, whose answer is XML.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/property_tree/exceptions.hpp>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <chrono>
#include <sstream>
#include <string_view>

#include "adapters/kinesis/aws_credentials_internal.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark::kinesis {
namespace {

constexpr std::int64_t kTokenServiceTimeoutUs = 10'000'000;
// Elements of what is longer could be nested too deeply to be read.
constexpr std::size_t kTokenAnswerBytesMax = std::size_t{16} << 10;
constexpr std::size_t kToldBytesMax = 300;

// Who asks for the service as it once was is sent to one address from these regions.
constexpr std::array<std::string_view, 16> kLegacyRegions{
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "aws-global", "ca-central-1",
    "eu-central-1",   "eu-north-1", "eu-west-1",      "eu-west-2",      "eu-west-3",  "sa-east-1",
    "us-east-1",      "us-east-2",  "us-west-1",      "us-west-2"};

/// As a form has it.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (is_letter || (c >= '0' && c <= '9') || std::string_view("-._~").contains(c)) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

/// Nothing for what is no XML.
std::optional<boost::property_tree::ptree> Xml(const std::string& text) {
  try {
    boost::property_tree::ptree tree;
    std::istringstream in(text);
    boost::property_tree::read_xml(in, tree);
    return tree;
  } catch (const boost::property_tree::ptree_error&) {
    return std::nullopt;
  }
}

/// Nothing for what has no key.
std::optional<AwsCredentials> CredentialsInXml(const boost::property_tree::ptree& xml) {
  const auto key =
      xml.get_child_optional("AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult.Credentials");
  if (!key) return std::nullopt;
  AwsCredentials found{.access_key_id = key->get("AccessKeyId", ""),
                       .secret_access_key = key->get("SecretAccessKey", ""),
                       .session_token = key->get("SessionToken", ""),
                       .expires_us = ParseTimestampUs(key->get("Expiration", ""))};
  if (found.access_key_id.empty() || found.secret_access_key.empty()) return std::nullopt;
  return found;
}

std::unexpected<Error> NoKey(const std::string& url, const http::HttpAnswer& answer,
                             const std::optional<boost::property_tree::ptree>& xml) {
  const std::string code = xml ? xml->get("ErrorResponse.Error.Code", "") : "";
  const std::string told = xml ? xml->get("ErrorResponse.Error.Message", "") : "";
  // The service cannot reach who gave the token, or is asked too often: that passes.
  const bool is_passing = answer.status < 400 || answer.status >= 500 || code.empty() ||
                          code == "IDPCommunicationError" || code == "Throttling" ||
                          code == "ThrottlingException" || code == "RequestLimitExceeded";
  if (is_passing) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} answers with status {} and no key {}",
                                                     http::ShownUrl(url), answer.status, code));
  }
  return Fail(ErrorCode::kPermissionDenied, fmt::format("{} refuses the role: {} {}", http::ShownUrl(url),
                                                        code, told.substr(0, kToldBytesMax)));
}

std::string SessionName(const Environment& environment) {
  if (std::string name = environment("AWS_ROLE_SESSION_NAME"); !name.empty()) return name;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("tidemark-{}", std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

}  // namespace

Result<std::string> TokenServiceUrl(const Environment& environment, const std::string& stream_region) {
  if (std::string own = environment("AWS_ENDPOINT_URL_STS"); !own.empty()) {
    if (IsSafeForTokens(own)) return own;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("AWS_ENDPOINT_URL_STS is {}, which is neither https nor an address of this "
                            "machine",
                            http::ShownUrl(own)));
  }
  std::string region = environment("AWS_REGION");
  if (region.empty()) region = environment("AWS_DEFAULT_REGION");
  if (region.empty()) region = stream_region;
  const std::string kind = environment("AWS_STS_REGIONAL_ENDPOINTS");
  if (!kind.empty() && kind != "regional" && kind != "legacy") {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("AWS_STS_REGIONAL_ENDPOINTS is {}: it is regional or legacy", Quoted(kind)));
  }
  if (kind == "legacy" && std::ranges::find(kLegacyRegions, region) != kLegacyRegions.end())
    return "https://sts.amazonaws.com/";
  return fmt::format("https://sts.{}.{}/", region, AwsDomain(region));
}

Result<std::optional<AwsCredentials>> WebIdentityCredentials(const Environment& environment,
                                                             const std::string& stream_region,
                                                             http::HttpClient& client) {
  const std::string role = environment("AWS_ROLE_ARN");
  const std::string path = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (role.empty() || path.empty()) return std::nullopt;
  const auto ask = [&]() -> Result<AwsCredentials> {
    TM_ASSIGN(const std::string url, TokenServiceUrl(environment, stream_region));
    TM_ASSIGN(const std::string token, TokenInFile("AWS_WEB_IDENTITY_TOKEN_FILE", path));
    TM_ASSIGN(
        const http::HttpAnswer answer,
        client.Send({.url = url,
                     .headers = {"Content-Type: application/x-www-form-urlencoded"},
                     .body = fmt::format("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}"
                                         "&RoleSessionName={}&WebIdentityToken={}",
                                         Escaped(role), Escaped(SessionName(environment)), Escaped(token)),
                     .timeout_us = kTokenServiceTimeoutUs,
                     .answer_bytes_max = kTokenAnswerBytesMax}));
    const auto xml = Xml(answer.body);
    if (auto found = answer.status == 200 && xml ? CredentialsInXml(*xml) : std::nullopt)
      return *std::move(found);
    return NoKey(url, answer, xml);
  };
  auto found = ask();
  if (!found)
    return std::unexpected(
        std::move(found).error().In(fmt::format("credentials of the role {}", Quoted(role))));
  return *std::move(found);
}

}  // namespace tidemark::kinesis
