// What the client's libraries do to values is undone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/semantix/request_values_internal.h"

namespace tidemark::server::semantix {
namespace {

http::Request Asked(std::string_view query) {
  http::Request request;
  request.query = query;
  return request;
}

TEST(RequestValuesTest, QueriesAreFormEncoded) {
  const http::Request request = Asked("a=x+y%2Bz&b=%5B%22c%22%5D&empty=&bare&a=2&%62%64=7&bad=%zz");
  EXPECT_EQ(FormValue(request, "a"), "x y+z");
  EXPECT_EQ(FormValue(request, "b"), "[\"c\"]");
  EXPECT_EQ(FormValue(request, "empty"), "");
  EXPECT_EQ(FormValue(request, "bare"), "");
  EXPECT_EQ(FormValue(request, "bd"), "7");
  EXPECT_EQ(FormValue(request, "bad"), std::nullopt);
  EXPECT_EQ(FormValue(request, "c"), std::nullopt);
}

TEST(RequestValuesTest, ListsOfNames) {
  EXPECT_THAT(NameList(Asked("f=[%22a%22,+%22b%22]"), "f").value().value(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(NameList(Asked("g=1"), "f").value(), std::nullopt);
  for (const char* const bad : {"f=a", "f=", "f=[1]", "f={}", "f=[[[[[[[[", "f=[%22a%22"}) {
    const auto read = NameList(Asked(bad), "f");
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(read.error().message, testing::HasSubstr("f is a JSON list"));
  }
}

TEST(RequestValuesTest, Counts) {
  EXPECT_EQ(CountValue(Asked(""), "page", 1, 9).value(), 1);
  EXPECT_EQ(CountValue(Asked("page=9"), "page", 1, 9).value(), 9);
  for (const char* const bad :
       {"page=0", "page=10", "page=-1", "page=x", "page=", "page=99999999999999999999999"})
    EXPECT_FALSE(CountValue(Asked(bad), "page", 1, 9)) << bad;
}

TEST(RequestValuesTest, FeaturesWithTheirTable) {
  EXPECT_EQ(FeatureOf("v1", "t"), "v1");
  EXPECT_EQ(FeatureOf("t:v1", "t"), "v1");
  EXPECT_EQ(FeatureOf("u:v1", "t"), "u:v1");
}

// Goal: words within texts stay as they are.
TEST(RequestValuesTest, JsonAsPythonWritesIt) {
  EXPECT_EQ(PlainJson(R"({"a": [NaN, -Infinity,Infinity, 1]})"),
            R"({"a": [null, "-Infinity","Infinity", 1]})");
  EXPECT_EQ(PlainJson(R"({"NaN": "a\"NaN\\", "b": NaN})"), R"({"NaN": "a\"NaN\\", "b": null})");
  EXPECT_EQ(PlainJson("\"NaN"), "\"NaN");
  EXPECT_EQ(PlainJson("\"\\"), "\"\\");
}

}  // namespace
}  // namespace tidemark::server::semantix
