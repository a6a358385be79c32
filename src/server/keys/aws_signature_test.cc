// Signature Version 4 against AWS's published example, and what must not pass.
#include "server/keys/aws_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/time.h"

namespace tidemark::server {
namespace {

using http::Method;
using http::Request;
using testing::HasSubstr;

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
constexpr std::int64_t kNowUs = 1'440'938'160'000'000;  // 2015-08-30T12:36:00Z
constexpr std::string_view kAuthorization =
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, "
    "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

/// The example of AWS's guide "Create a signed AWS API request".
Request Example() {
  Request request;
  request.method = Method::kGet;
  request.path = "/";
  request.query = "Action=ListUsers&Version=2010-05-08";
  request.headers_ = {{"host", "iam.amazonaws.com"},
                      {"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
                      {"x-amz-date", "20150830T123600Z"},
                      {"authorization", kAuthorization}};
  return request;
}

TEST(AwsSignatureTest, AgreesWithThePublishedExample) {
  const Request request = Example();
  ASSERT_TRUE(IsAwsSigned(request));
  const auto read = ReadAwsSignature(request, kNowUs);
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->key_id, "AKIDEXAMPLE");
  EXPECT_EQ(ExpectedAwsSignature(request, *read, kSecret), read->signature);
  EXPECT_NE(ExpectedAwsSignature(request, *read, "another"), read->signature);
}

// Goal: whatever is signed changes the signature: method, path, query, body, a signed header.
TEST(AwsSignatureTest, CoversTheWholeRequest) {
  const auto signature_of = [](const Request& request) {
    return ExpectedAwsSignature(request, ReadAwsSignature(request, kNowUs).value(), kSecret);
  };
  const std::string original = signature_of(Example());
  Request changed = Example();
  changed.method = Method::kPost;
  EXPECT_NE(signature_of(changed), original);
  changed = Example();
  changed.path = "/x";
  EXPECT_NE(signature_of(changed), original);
  changed = Example();
  changed.query = "Action=ListUsers&Version=2010-05-09";
  EXPECT_NE(signature_of(changed), original);
  changed = Example();
  changed.body = "{}";
  EXPECT_NE(signature_of(changed), original);
  changed = Example();
  changed.headers_[0].value = "other.amazonaws.com";
  EXPECT_NE(signature_of(changed), original);
}

// Goal: the order of the query's pairs and blanks around and within headers do not matter.
TEST(AwsSignatureTest, IsOfTheCanonicalForm) {
  Request request = Example();
  request.query = "Version=2010-05-08&Action=ListUsers";
  request.headers_[1].value = "  application/x-www-form-urlencoded;   charset=utf-8 ";
  const auto read = ReadAwsSignature(request, kNowUs);
  ASSERT_TRUE(read);
  EXPECT_EQ(ExpectedAwsSignature(request, *read, kSecret), read->signature);
}

TEST(AwsSignatureTest, RefusesWhatIsMalformedStaleOrSignsTooLittle) {
  const auto refused = [](std::string_view authorization, std::int64_t now_us = kNowUs) {
    Request request = Example();
    request.headers_[3].value = authorization;
    const auto read = ReadAwsSignature(request, now_us);
    EXPECT_FALSE(read);
    if (read) return std::string();
    EXPECT_EQ(read.error().code, ErrorCode::kPermissionDenied);
    EXPECT_EQ(read.error().context, http::kWrongSignature);
    return read.error().message;
  };
  constexpr std::int64_t kMinuteUs = 60'000'000;
  EXPECT_THAT(refused(kAuthorization, kNowUs + 16 * kMinuteUs), HasSubstr("15 minutes"));
  EXPECT_THAT(refused(kAuthorization, kNowUs - 16 * kMinuteUs), HasSubstr("15 minutes"));
  EXPECT_THAT(refused("AWS4-HMAC-SHA256"), HasSubstr("Credential"));
  EXPECT_THAT(refused("AWS4-HMAC-SHA256 Credential=x,SignedHeaders=,Signature="), HasSubstr("Credential"));
  const auto with = [](std::string_view from, std::string_view to) {
    std::string text(kAuthorization);
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_THAT(refused(with("aws4_request", "aws5_request")), HasSubstr("of the form"));
  EXPECT_THAT(refused(with("/20150830/", "/20150831/")), HasSubstr("on the day"));
  EXPECT_THAT(refused(with("content-type;host;x-amz-date", "content-type;x-amz-date")), HasSubstr("host"));
  EXPECT_THAT(refused(with("content-type;host;x-amz-date", "content-type;host")), HasSubstr("x-amz-date"));

  Request request = Example();
  request.headers_.push_back({"x-amz-target", "SageMaker.DeleteFeatureGroup"});
  EXPECT_THAT(ReadAwsSignature(request, kNowUs).error().message, HasSubstr("x-amz-target"));
  for (const std::string_view time : {"", "20150830T246000Z", "20151330T123600Z", "20150830T-1-1-1Z", "x"}) {
    Request late = Example();
    late.headers_[2].value = time;
    EXPECT_FALSE(ReadAwsSignature(late, kNowUs)) << time;
  }
}

}  // namespace
}  // namespace tidemark::server
