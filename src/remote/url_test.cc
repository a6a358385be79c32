// A URL is taken as it is meant or refused with the reason; what goes into a target cannot break out of it.
#include "remote/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tidemark/remote.h"

namespace tidemark::remote {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ServerUrl, HasAHostAPortAndAPrefix) {
  const auto plain = ParseServerUrl("http://localhost");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "localhost");
  EXPECT_EQ(plain->port, "80");
  EXPECT_FALSE(plain->is_tls);
  const auto full = ParseServerUrl("https://features.example:8443/a/b/");
  ASSERT_TRUE(full);
  EXPECT_TRUE(full->is_tls);
  EXPECT_EQ(full->port, "8443");
  EXPECT_EQ(full->prefix, "/a/b");
  EXPECT_EQ(full->text, "https://features.example:8443/a/b");
  const auto address = ParseServerUrl("https://[::1]");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "::1");
  EXPECT_EQ(address->port, "443");
  EXPECT_EQ(address->text, "https://[::1]");
}

TEST(ServerUrl, RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "localhost:6566", "http://", "http://:80", "http://a:b", "http://a:65536", "http://a:0",
        "http://[::1", "http://[::1]x", "http://a b", "http://a?b", "http://a#b", "http://a/b?c",
        "http://a\r\nX: y"}) {
    const auto parsed = ParseServerUrl(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ServerUrl, RepeatsNoPassword) {
  const auto parsed = ParseServerUrl("http://user:hunter2@host/");
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().ToString(), Not(HasSubstr("hunter2")));
}

TEST(ServerUrl, IsTakenForOneByItsScheme) {
  EXPECT_TRUE(IsServerUrl("http://x"));
  EXPECT_TRUE(IsServerUrl("https://x"));
  EXPECT_FALSE(IsServerUrl("/data/http://x"));
  EXPECT_FALSE(IsServerUrl("s3://x"));
}

TEST(Target, EncodesSegmentsAndValues) {
  Target target("/v1");
  target.Segment("a/b?c").Add("key", "x&y=z").Set("none", "").Flag("off", false).Flag("on", true);
  EXPECT_EQ(target.text(), "/v1/a%2Fb%3Fc?key=x%26y%3Dz&on=true");
  EXPECT_EQ(Encode("Å \r\n"), "%C3%85%20%0D%0A");
}

}  // namespace
}  // namespace tidemark::remote
