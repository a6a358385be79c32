// Goal: credentials are found where AWS's tools find them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

#include "adapters/http/http_testing.h"
#include "adapters/kinesis/aws_credentials_internal.h"
#include "adapters/kinesis/fake_kinesis_testing.h"
#include "adapters/kinesis/kinesis_api_internal.h"

namespace tidemark::kinesis {
namespace {

using testing::HasSubstr;

std::string Found(std::map<std::string, std::string> variables) {
  const auto client = http::HttpClient::Make().value();
  // What machine the tests run on does not count.
  variables.try_emplace("AWS_EC2_METADATA_DISABLED", "true");
  const auto found =
      FindAwsCredentials([&](const char* name) { return variables[name]; }, "eu-west-1", *client);
  if (!found) return std::string(Describe(found.error().code).name) + " " + found.error().message;
  return found->access_key_id + " " + found->secret_access_key + " " + found->session_token;
}

TEST(AwsCredentials, TheEnvironmentComesFirst) {
  EXPECT_EQ(Found({{"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}, {"AWS_SESSION_TOKEN", "c"}}),
            "a b c");
  EXPECT_THAT(Found({{"AWS_ACCESS_KEY_ID", "a"}}),
              HasSubstr("PERMISSION_DENIED there are no credentials for AWS"));
}

TEST(AwsCredentials, ThenTheSharedFile) {
  const auto home =
      std::filesystem::temp_directory_path() / ("tidemark-credentials-" + std::to_string(getpid()));
  std::filesystem::create_directories(home / ".aws");
  std::ofstream(home / ".aws" / "credentials")
      << "# comment\n[default]\naws_access_key_id = a\r\n"
         "aws_secret_access_key=b=\n\n[ other ]\naws_access_key_id=c\n"
         "aws_secret_access_key = d\naws_session_token = e\n[half]\n"
         "aws_access_key_id = f";
  EXPECT_EQ(Found({{"HOME", home}}), "a b= ");
  EXPECT_EQ(Found({{"HOME", home}, {"AWS_PROFILE", "other"}}), "c d e");
  EXPECT_THAT(Found({{"HOME", home}, {"AWS_PROFILE", "half"}}), HasSubstr("in the profile 'half'"));
  EXPECT_EQ(Found({{"AWS_SHARED_CREDENTIALS_FILE", home / ".aws" / "credentials"}}), "a b= ");
  EXPECT_THAT(Found({{"HOME", home / "none"}}), HasSubstr("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
  std::filesystem::remove_all(home);
}

/// An answer of the token service, as AWS documents it.
std::string OfRole(const std::string& expires) {
  return R"(<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:default:reader</SubjectFromWebIdentityToken>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::1:assumed-role/reader/me</Arn>
      <AssumedRoleId>X:me</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <SessionToken>c&#43;&amp;=</SessionToken>
      <SecretAccessKey>b/b+b</SecretAccessKey>
      <Expiration>)" +
         expires + R"(</Expiration>
      <AccessKeyId>a</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>ad4156e9</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>)";
}

std::string Refused(const std::string& code) {
  return "<ErrorResponse "
         "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>" +
         code + "</Code><Message>it is so</Message></Error><RequestId>1</RequestId></ErrorResponse>";
}

/// A token service that answers what the test says, and the environment of who asks it.
class WebIdentity : public testing::Test {
 protected:
  WebIdentity() {
    std::ofstream(token_) << "to+ken\n";
    variables = {{"AWS_ROLE_ARN", "arn:aws:iam::1:role/reader"},
                 {"AWS_ROLE_SESSION_NAME", "me"},
                 {"AWS_WEB_IDENTITY_TOKEN_FILE", token_},
                 {"AWS_ENDPOINT_URL_STS", "http://" + server_.host()},
                 {"AWS_EC2_METADATA_DISABLED", "true"}};
  }
  ~WebIdentity() override { std::filesystem::remove(token_); }

  std::string FoundWith(http::TestAnswer next) {
    answer = std::move(next);
    return Found(variables);
  }

  const std::filesystem::path token_ =
      std::filesystem::temp_directory_path() / ("tidemark-identity-" + std::to_string(getpid()));
  http::TestAnswer answer{.body = OfRole("2026-05-01T00:00:00Z")};
  std::map<std::string, std::string> variables;
  http::TestServer server_{[this](const std::string&) { return answer; }};
};

TEST_F(WebIdentity, TheRoleIsAskedForByTheToken) {
  const auto client = http::HttpClient::Make().value();
  const auto environment = [&](const char* name) { return variables[name]; };
  const auto found = WebIdentityCredentials(environment, "eu-west-1", *client);
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ((*found)->access_key_id, "a");
  EXPECT_EQ((*found)->secret_access_key, "b/b+b");
  EXPECT_EQ((*found)->session_token, "c+&=");
  EXPECT_EQ((*found)->expires_us, 1'777'593'600'000'000);
  const std::string asked = server_.requests().at(0);
  EXPECT_TRUE(asked.starts_with("POST / ")) << asked;
  EXPECT_THAT(asked, HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(asked, testing::EndsWith("\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15"
                                       "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Freader"
                                       "&RoleSessionName=me&WebIdentityToken=to%2Bken"));
  EXPECT_THAT(asked, testing::Not(HasSubstr("Authorization")));
  variables["AWS_ROLE_SESSION_NAME"].clear();
  ASSERT_TRUE(WebIdentityCredentials(environment, "eu-west-1", *client));
  EXPECT_THAT(server_.requests().at(1), HasSubstr("&RoleSessionName=tidemark-"));
}

TEST_F(WebIdentity, KeysInTheEnvironmentComeFirstAndTheSharedFileLater) {
  const auto file = token_.string() + "-file";
  std::ofstream(file) << "[default]\naws_access_key_id = x\naws_secret_access_key = y\n";
  variables["AWS_SHARED_CREDENTIALS_FILE"] = file;
  EXPECT_EQ(Found(variables), "a b/b+b c+&=");
  variables["AWS_ROLE_ARN"].clear();
  EXPECT_EQ(Found(variables), "x y ");
  variables.insert({{"AWS_ACCESS_KEY_ID", "k"}, {"AWS_SECRET_ACCESS_KEY", "s"}});
  variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/reader";
  EXPECT_EQ(Found(variables), "k s ");
  std::filesystem::remove(file);
}

// A pod that has a role by its token is never taken for the machine that it runs on.
TEST_F(WebIdentity, WhatIsNoKeyIsToldAndNothingElseIsTried) {
  const std::string in_place = "the role 'arn:aws:iam::1:role/reader'";
  const auto refused = FoundWith({.status = 403, .body = Refused("AccessDenied")});
  EXPECT_THAT(refused, testing::StartsWith("PERMISSION_DENIED"));
  EXPECT_THAT(refused, HasSubstr("refuses the role: AccessDenied it is so"));
  EXPECT_THAT(FoundWith({.status = 400, .body = Refused("ExpiredTokenException")}),
              testing::StartsWith("PERMISSION_DENIED"));
  const std::string whole = OfRole("2026-05-01T00:00:00Z");
  std::string deep;
  for (int i = 0; i < 4000; ++i)
    deep += "<a>";
  const std::vector<http::TestAnswer> passing{
      {.status = 400, .body = Refused("IDPCommunicationError")},
      {.status = 400, .body = Refused("Throttling")},
      {.status = 500, .body = Refused("InternalFailure")},
      {.status = 503, .body = ""},
      {.status = 403, .body = "<html>a proxy</html>"},
      {.status = 200, .body = ""},
      {.status = 200, .body = "{}"},
      {.status = 200, .body = whole.substr(0, whole.size() / 2)},
      {.status = 200, .body = "<Other/>"},
      {.status = 200, .body = "<AssumeRoleWithWebIdentityResponse/>"},
      {.status = 200, .body = Refused("AccessDenied")},
      {.status = 200, .body = deep},
      {.status = 200, .body = std::string("<a>\0</a>", 8)},
  };
  for (const auto& each : passing)
    EXPECT_THAT(FoundWith(each), testing::StartsWith("UNAVAILABLE")) << each.status << " " << each.body;
  EXPECT_THAT(FoundWith({.status = 200, .body = std::string(20'000, ' ')}),
              testing::StartsWith("INVALID_DATA"));
  variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/no/such/token";
  EXPECT_THAT(Found(variables), HasSubstr("'/no/such/token', which AWS_WEB_IDENTITY_TOKEN_FILE names"));
  variables["AWS_ENDPOINT_URL_STS"] = "http://example.com/";
  EXPECT_THAT(Found(variables), testing::StartsWith("INVALID_ARGUMENT"));
}

TEST_F(WebIdentity, TheRoleIsAskedForAgainBeforeItsKeyEnds) {
  FakeKinesis fake;
  fake.AddShard("0");
  auto source = fake.source();
  const auto client = KinesisApi::Make(source, [&](const char* name) { return variables[name]; });
  ASSERT_TRUE(client) << client.error().ToString();
  EXPECT_EQ(server_.requests().size(), 1);
  answer = {.body = OfRole("2999-01-01T00:00:00Z")};
  std::ofstream(token_) << "another";
  ASSERT_TRUE((*client)->ListShards());
  ASSERT_TRUE((*client)->ListShards());
  ASSERT_EQ(server_.requests().size(), 2) << "the first key has ended long ago, the second has not";
  EXPECT_THAT(server_.requests().at(1), HasSubstr("WebIdentityToken=another"));
}

TEST(TokenService, IsThatOfTheRegion) {
  const auto url = [](std::map<std::string, std::string> variables, const std::string& region = "eu-west-1") {
    const auto found = TokenServiceUrl([&](const char* name) { return variables[name]; }, region);
    return found ? *found : found.error().message;
  };
  EXPECT_EQ(url({}), "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_EQ(url({}, "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
  EXPECT_EQ(url({{"AWS_DEFAULT_REGION", "us-east-2"}}), "https://sts.us-east-2.amazonaws.com/");
  EXPECT_EQ(url({{"AWS_DEFAULT_REGION", "us-east-2"}, {"AWS_REGION", "us-west-2"}}),
            "https://sts.us-west-2.amazonaws.com/");
  EXPECT_EQ(url({{"AWS_STS_REGIONAL_ENDPOINTS", "legacy"}}), "https://sts.amazonaws.com/");
  EXPECT_EQ(url({{"AWS_STS_REGIONAL_ENDPOINTS", "legacy"}}, "eu-south-1"),
            "https://sts.eu-south-1.amazonaws.com/");
  EXPECT_EQ(url({{"AWS_STS_REGIONAL_ENDPOINTS", "regional"}}), "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_THAT(url({{"AWS_STS_REGIONAL_ENDPOINTS", "global"}}), HasSubstr("it is regional or legacy"));
  EXPECT_EQ(url({{"AWS_ENDPOINT_URL_STS", "https://sts.example.com"}}), "https://sts.example.com");
}

constexpr const char* kRole = R"({"RoleArn": "r", "AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c",
                                  "Expiration": "2026-05-01T00:00:00Z"})";

TEST(AwsCredentials, ThenTheRoleOfTheContainer) {
  http::TestServer server([](const std::string& request) -> http::TestAnswer {
    if (!request.starts_with("GET /role?id=1 ")) return {.status = 404};
    if (!request.contains("Authorization: secret\r\n")) return {.status = 401};
    return {.body = kRole};
  });
  const std::string url = "http://" + server.host() + "/role?id=1";
  EXPECT_EQ(
      Found({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}, {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret"}}),
      "a b c");
  EXPECT_THAT(Found({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}}), HasSubstr("UNAVAILABLE"));
  const auto file = std::filesystem::temp_directory_path() / ("tidemark-token-" + std::to_string(getpid()));
  std::ofstream(file) << "secret\n";
  EXPECT_EQ(
      Found({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}, {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file}}),
      "a b c");
  std::filesystem::remove(file);
  EXPECT_THAT(
      Found({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}, {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file}}),
      HasSubstr("cannot be read"));
  for (const char* const other : {"http://example.com/role", "http://127.0.0.1.example.com/",
                                  "http://127.0.0.1@x/", "ftp://127.0.0.1/"})
    EXPECT_THAT(Found({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", other}}), HasSubstr("INVALID_ARGUMENT"))
        << other;
}

TEST(AwsCredentials, ThenTheRoleOfTheMachine) {
  http::TestServer server([](const std::string& request) -> http::TestAnswer {
    if (request.starts_with("PUT /latest/api/token ") &&
        request.contains("X-aws-ec2-metadata-token-ttl-seconds: 300\r\n"))
      return {.body = "let-me-in"};
    if (!request.contains("X-aws-ec2-metadata-token: let-me-in\r\n")) return {.status = 401};
    if (request.starts_with("GET /latest/meta-data/iam/security-credentials/ ")) return {.body = "reader\n"};
    if (request.starts_with("GET /latest/meta-data/iam/security-credentials/reader ")) return {.body = kRole};
    return {.status = 404};
  });
  std::map<std::string, std::string> variables{
      {"AWS_EC2_METADATA_DISABLED", "false"},
      {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://" + server.host() + "/"}};
  EXPECT_EQ(Found(variables), "a b c");
  const auto client = http::HttpClient::Make().value();
  const auto role = MachineCredentials([&](const char* name) { return variables[name]; }, *client);
  ASSERT_TRUE(role);
  EXPECT_EQ(role->expires_us, 1'777'593'600'000'000);
  variables["AWS_EC2_METADATA_DISABLED"] = "true";
  EXPECT_THAT(Found(variables), HasSubstr("with a role of a container or machine"));
}

}  // namespace
}  // namespace tidemark::kinesis
