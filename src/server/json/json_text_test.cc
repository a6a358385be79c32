// Goal: whatever goes in, JSON comes out that reads back as the same value, and floats look like floats.
#include "server/json/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <limits>
#include <random>

namespace tidemark::json {
namespace {

std::string Text(std::string_view text) {
  std::string out;
  AppendText(out, text);
  return out;
}

template <typename Number>
std::string Numbered(Number value) {
  std::string out;
  AppendNumber(out, value);
  return out;
}

TEST(JsonTextTest, EscapesWhatMustBeAndNothingElse) {
  EXPECT_EQ(Text(""), "\"\"");
  EXPECT_EQ(Text("a/b\xC3\xA9"), "\"a/b\xC3\xA9\"");
  EXPECT_EQ(Text("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(Text(std::string_view("\0\x1f", 2)), R"("\u0000\u001f")");
}

TEST(JsonTextTest, BytesThatAreNotUtf8BecomeReplacements) {
  EXPECT_EQ(Text("a\xFF\"b"), "\"a\xEF\xBF\xBD\\\"b\"");
  EXPECT_EQ(Text("\xC3"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(Text("\xC3\xA9\xE2\x82"), "\"\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonTextTest, RandomBytesAlwaysGiveJson) {
  std::mt19937 random(7);
  simdjson::dom::parser parser;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random() % 256);
    const std::string json = Text(bytes);
    std::string_view read;
    ASSERT_EQ(parser.parse(json).get(read), simdjson::SUCCESS) << json;
    if (simdjson::validate_utf8(bytes)) {
      EXPECT_EQ(read, bytes);
    }
  }
}

TEST(JsonTextTest, IntegersAreExact) {
  EXPECT_EQ(Numbered(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(Numbered(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(JsonTextTest, FloatsAreShortestAndLookLikeFloats) {
  EXPECT_EQ(Numbered(1.0), "1.0");
  EXPECT_EQ(Numbered(-0.0), "-0.0");
  EXPECT_EQ(Numbered(0.1), "0.1");
  EXPECT_EQ(Numbered(1e300), "1e+300");
  EXPECT_EQ(Numbered(static_cast<double>(0.1F)), "0.10000000149011612");
  EXPECT_EQ(Numbered(std::nan("")), "\"NaN\"");
  EXPECT_EQ(Numbered(HUGE_VAL), "\"Infinity\"");
  EXPECT_EQ(Numbered(-HUGE_VAL), "\"-Infinity\"");
}

}  // namespace
}  // namespace tidemark::json
