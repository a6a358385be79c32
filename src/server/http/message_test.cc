// Goal: paths and queries are decoded as RFC 3986 has it, and nothing that is malformed passes for something.
#include "server/http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::http {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::Optional;

TEST(MessageTest, PercentDecodingKeepsPlusAndRefusesHalfEscapes) {
  std::string out;
  ASSERT_TRUE(PercentDecode("a%2Fb+c%20%C3%A9", out));
  EXPECT_EQ(out, "a/b+c \xC3\xA9");
  EXPECT_FALSE(PercentDecode("%", out));
  EXPECT_FALSE(PercentDecode("a%2", out));
  EXPECT_FALSE(PercentDecode("%zz", out));
  ASSERT_TRUE(PercentDecode("%00", out));
  EXPECT_EQ(out, std::string(1, '\0'));
}

TEST(MessageTest, QueriesRepeatAndMayBeEmpty) {
  Request request;
  request.query = "FeatureName=a&FeatureName=b%26&empty&=x&%zz=1&Feature%4Eame=c&FeatureName=%4&last=";
  EXPECT_THAT(request.QueryAll("FeatureName"), ElementsAre("a", "b&", "c"));
  EXPECT_THAT(request.Query(""), Optional(Eq("x")));
  EXPECT_THAT(request.Query("FeatureName"), Optional(Eq("a")));
  EXPECT_THAT(request.Query("empty"), Optional(Eq("")));
  EXPECT_THAT(request.Query("last"), Optional(Eq("")));
  EXPECT_EQ(request.Query("absent"), std::nullopt);
}

TEST(MessageTest, QueriesThatCannotBeDecodedAreSaid) {
  Request request;
  for (const char* const right : {"", "&", "a", "a=b&&c=%41", "%25=%25", "a==&b"}) {
    request.query = right;
    EXPECT_TRUE(request.CheckQuery()) << right;
  }
  for (const char* const wrong : {"a=1&b=%zz&c", "%", "a=%4&1", "a%2=b"}) {
    request.query = wrong;
    const auto checked = request.CheckQuery();
    ASSERT_FALSE(checked) << wrong;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(checked.error().message, testing::HasSubstr("write %25"));
  }
}

TEST(MessageTest, ACallerMayDoWhatItsKeySaysAndNothingElse) {
  Caller caller;
  EXPECT_TRUE(caller.Allows(Scope::kOpen, "p"));
  EXPECT_FALSE(caller.Allows(Scope::kRead, "p"));
  EXPECT_FALSE(caller.Allows(Scope::kAny, "p"));
  EXPECT_TRUE(Caller{.unlimited = true}.Allows(Scope::kAdmin, "p"));
  auto grant = std::make_shared<Grant>();
  grant->scopes["p"] = static_cast<unsigned>(Scope::kWrite);
  grant->scopes["none"] = 0;
  caller.grant = grant;
  EXPECT_TRUE(caller.Allows(Scope::kWrite, "p"));
  EXPECT_TRUE(caller.Allows(Scope::kAny, "p"));
  EXPECT_FALSE(caller.Allows(Scope::kRead, "p"));
  EXPECT_FALSE(caller.Allows(Scope::kAny, "none"));
  EXPECT_FALSE(caller.Allows(Scope::kAny, "q"));
}

}  // namespace
}  // namespace tidemark::http
