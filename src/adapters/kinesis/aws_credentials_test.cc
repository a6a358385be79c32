// Goal: credentials are found where AWS's tools find them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "adapters/http/http_testing.h"
#include "adapters/kinesis/aws_credentials_internal.h"

namespace tidemark::kinesis {
namespace {

using testing::HasSubstr;

std::string Found(std::map<std::string, std::string> variables) {
  const auto client = http::HttpClient::Make().value();
  // What machine the tests run on does not count.
  variables.try_emplace("AWS_EC2_METADATA_DISABLED", "true");
  const auto found = FindAwsCredentials([&](const char* name) { return variables[name]; }, *client);
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

TEST(AwsCredentials, AWebIdentityIsNotTakenForTheMachines) {
  const std::map<std::string, std::string> identity{{"AWS_ROLE_ARN", "arn:aws:iam::1:role/reader"},
                                                    {"AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token"}};
  EXPECT_THAT(Found(identity), HasSubstr("UNSUPPORTED the role 'arn:aws:iam::1:role/reader'"));
  auto with_keys = identity;
  with_keys.insert({{"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}});
  EXPECT_EQ(Found(with_keys), "a b ");
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
