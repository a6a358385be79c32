// Goal: schemas come by their numbers; what cannot be answered for now is told from what never can.
#include "adapters/http/schema_registry_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "adapters/http/http_testing.h"

namespace tidemark::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The error, or the schema, that the registry at `url` gives for number 7.
std::string Asked(const std::string& url) {
  const auto registry = OpenSchemaRegistry(url);
  if (!registry) return std::string(Describe(registry.error().code).name) + " " + registry.error().message;
  const auto schema = (*registry)->AvroSchema(7);
  return schema ? *schema : std::string(Describe(schema.error().code).name) + " " + schema.error().message;
}

TEST(SchemaRegistryClient, AsksByNumber) {
  TestServer server(
      [](const std::string&) { return TestAnswer{.status = 200, .body = R"({"schema": "\"long\""})"}; });
  EXPECT_EQ(Asked("http://" + server.host() + "/registry/"), "\"long\"");
  EXPECT_THAT(server.requests().at(0), StartsWith("GET /registry/schemas/ids/7 HTTP/1.1\r\n"));
  EXPECT_THAT(server.requests().at(0), Not(HasSubstr("Authorization")));
}

TEST(SchemaRegistryClient, WhoAsksIsOfTheEnvironment) {
  TestServer server([](const std::string& request) {
    const bool is_known = request.contains("\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\n");  // user:pa:ss
    return TestAnswer{.status = is_known ? 200 : 401, .body = R"({"schema": "\"long\""})"};
  });
  setenv("TIDEMARK_TEST_REGISTRY_USER", "user", 1);
  setenv("TIDEMARK_TEST_REGISTRY_PASSWORD", "pa:ss", 1);
  EXPECT_EQ(
      Asked("http://${TIDEMARK_TEST_REGISTRY_USER}:${TIDEMARK_TEST_REGISTRY_PASSWORD}@" + server.host()),
      "\"long\"");
  EXPECT_EQ(Asked("http://user:${TIDEMARK_TEST_REGISTRY_PASSWORD}@" + server.host()), "\"long\"");
  EXPECT_THAT(Asked("http://" + server.host()),
              StartsWith("IO schemas cannot be asked for: http://127.0.0.1"));
  EXPECT_THAT(Asked("http://user:${TIDEMARK_TEST_NOT_SET}@" + server.host()),
              StartsWith("INVALID_ARGUMENT the environment variable TIDEMARK_TEST_NOT_SET"));
  EXPECT_THAT(Asked("http://user@" + server.host()), StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(Asked("ftp://host"), StartsWith("INVALID_ARGUMENT"));
}

TEST(SchemaRegistryClient, WhatNeverCanBeAnsweredIsToldFromTheRest) {
  TestAnswer answer;
  TestServer server([&](const std::string&) { return answer; });
  const auto asked = [&](int status, std::string body) {
    answer = {.status = status, .body = std::move(body)};
    return Asked("http://" + server.host());
  };
  EXPECT_THAT(asked(404, R"({"error_code": 40403, "message": "Schema not found"})"),
              StartsWith("NOT_FOUND "));
  EXPECT_THAT(asked(200, R"({"schema": "syntax", "schemaType": "PROTOBUF"})"), StartsWith("UNSUPPORTED "));
  EXPECT_THAT(
      asked(200, R"({"schema": "\"A\"", "references": [{"name": "A", "subject": "a", "version": 1}]})"),
      StartsWith("UNSUPPORTED "));
  EXPECT_THAT(asked(404, "<html>"), HasSubstr("IO schemas cannot be asked for"));
  EXPECT_THAT(asked(500, "{}"), HasSubstr("answers with status 500"));
  EXPECT_THAT(asked(200, "{}"), HasSubstr("answers without a schema"));
  EXPECT_THAT(asked(200, "no JSON"), HasSubstr("and no JSON"));
  EXPECT_THAT(Asked("http://127.0.0.1:1"), StartsWith("IO schemas cannot be asked for: "));
}

}  // namespace
}  // namespace tidemark::http
