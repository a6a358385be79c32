// Goal: credentials are found where AWS's tools find them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "adapters/kinesis/aws_credentials_internal.h"

namespace tidemark::kinesis {
namespace {

using testing::HasSubstr;

std::string Found(std::map<std::string, std::string> variables) {
  const auto found = FindAwsCredentials([&](const char* name) { return variables[name]; });
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

}  // namespace
}  // namespace tidemark::kinesis
