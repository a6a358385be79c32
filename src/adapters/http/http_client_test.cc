// Goal: requests come as they were meant, signed ones too; what goes wrong is told without secrets.
#include "adapters/http/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/http/http_testing.h"

namespace tidemark::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(HttpClient, GetsAndPosts) {
  TestServer server([](const std::string& request) {
    return TestAnswer{.status = request.starts_with("POST") ? 201 : 200, .body = "the body"};
  });
  const auto client = HttpClient::Make();
  ASSERT_TRUE(client);
  const auto got = (*client)->Send({.url = "http://" + server.host() + "/a?b=c", .headers = {"X-Test: yes"}});
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "the body");
  const auto posted =
      (*client)->Send({.url = "http://" + server.host() + "/p", .body = std::string("1\0002", 3)});
  ASSERT_TRUE(posted) << posted.error().ToString();
  EXPECT_EQ(posted->status, 201);
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_THAT(server.requests()[0], StartsWith("GET /a?b=c HTTP/1.1\r\n"));
  EXPECT_THAT(server.requests()[0], HasSubstr("\r\nX-Test: yes\r\n"));
  EXPECT_THAT(server.requests()[1], StartsWith("POST /p HTTP/1.1\r\n"));
  EXPECT_TRUE(server.requests()[1].ends_with(std::string("\r\n\r\n1\0002", 7)));
  EXPECT_THAT(server.requests()[1], Not(HasSubstr("X-Test")));
}

TEST(HttpClient, SignsForAws) {
  TestServer server([](const std::string&) { return TestAnswer{}; });
  const auto client = HttpClient::Make();
  ASSERT_TRUE(client);
  const auto answer = (*client)->Send({.url = "http://" + server.host() + "/",
                                       .headers = {"X-Amz-Target: Kinesis_20131202.ListShards"},
                                       .body = "{}",
                                       .aws_auth = AwsAuth{.access_key_id = "AKID",
                                                           .secret_access_key = "secret",
                                                           .session_token = "token",
                                                           .region = "eu-west-1",
                                                           .service = "kinesis"}});
  ASSERT_TRUE(answer) << answer.error().ToString();
  const std::string request = server.requests().at(0);
  EXPECT_THAT(request, HasSubstr("\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/"));
  EXPECT_THAT(request, HasSubstr("/eu-west-1/kinesis/aws4_request"));
  EXPECT_THAT(request, HasSubstr("x-amz-security-token"));
  EXPECT_THAT(request, HasSubstr("\r\nX-Amz-Security-Token: token\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("secret\r")));
}

TEST(HttpClient, WhatGoesWrongIsTold) {
  TestServer server(
      [](const std::string&) { return TestAnswer{.status = 200, .body = std::string(100, 'x')}; });
  const auto client = HttpClient::Make();
  ASSERT_TRUE(client);
  const auto error = [&](HttpRequest request) {
    const auto answer = (*client)->Send(request);
    return answer ? "none" : std::string(Describe(answer.error().code).name) + " " + answer.error().message;
  };
  EXPECT_THAT(error({.url = "http://127.0.0.1:1/x?token=secret"}),
              testing::AllOf(StartsWith("UNAVAILABLE http://127.0.0.1:1/x does not answer: "),
                             Not(HasSubstr("secret"))));
  EXPECT_THAT(error({.url = "file:///etc/passwd"}), StartsWith("INVALID_ARGUMENT "));
  EXPECT_THAT(error({.url = "http://"}), StartsWith("INVALID_ARGUMENT "));
  EXPECT_THAT(error({.url = "http://" + server.host(), .answer_bytes_max = 99}), StartsWith("INVALID_DATA "));
  EXPECT_EQ(error({.url = "http://" + server.host(), .answer_bytes_max = 100}), "none");
}

TEST(HttpClient, UrlsAreShownWithoutSecrets) {
  EXPECT_EQ(ShownUrl("https://user:pass@host:1/p?q=1#f"), "https://host:1/p");
  EXPECT_EQ(ShownUrl("https://host/p@q"), "https://q") << "what could be a secret is not shown";
  EXPECT_EQ(ShownUrl("host"), "host");
}

}  // namespace
}  // namespace tidemark::http
