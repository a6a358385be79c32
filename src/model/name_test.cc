// Goal: names outside the pattern never pass, the message shows what is wrong without acting on a terminal,
// and a suggestion is made only when it is near.
#include "model/name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace tidemark {
namespace {

using ::testing::HasSubstr;

std::string Problem(std::string_view name) {
  const Result<void> checked = CheckName("feature view", name);
  if (checked) return "fine";
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  return checked.error().ToString();
}

TEST(CheckName, TakesThePattern) {
  for (const std::string_view name :
       {"a", "Z9", "0", "_", "_x", "a-b", "a_-", "driver_stats", "9lives", "a__b"}) {
    EXPECT_EQ(Problem(name), "fine") << name;
  }
  EXPECT_EQ(Problem(std::string(128, 'x')), "fine");
}

TEST(CheckName, RefusesEverythingElseAndShowsWhy) {
  const std::pair<std::string, std::string_view> wrong[] = {
      {"", "a feature view name is empty"},
      {"../x", "feature view name '../x' has '.' at byte 1"},
      {"a/b", "has '/' at byte 2"},
      {"a\\b", "has '\\' at byte 2"},
      {"a b", "has a space at byte 2"},
      {" a", "has a space at byte 1"},
      {"a\"b", "name 'a\"b' has '\"' at byte 2"},
      {"a'b", "has ''' at byte 2"},
      {"a;drop table x", "has ';' at byte 2"},
      {"a\n", "name 'a\\n' has U+000A at byte 2"},
      {std::string("a\0b", 3), "name 'a\\u{0000}b' has U+0000 at byte 2"},
      {"\x1b[31mred", "has U+001B at byte 1"},
      {"dr\xD1\x96ver", "has '\xD1\x96' (U+0456) at byte 3"},       // Cyrillic i
      {"a\xE2\x80\x8B", "name 'a\\u{200B}' has U+200B at byte 2"},  // zero-width space
      {"\xEF\xBC\xA1", "(U+FF21) at byte 1"},                       // full-width A
      {"a\xFF", "name 'a\\xFF' has byte 0xFF, which is not UTF-8 at byte 2"},
      {"a\xC0\xAF", "byte 0xC0, which is not UTF-8"},      // overlong /
      {"a\xED\xA0\x80", "byte 0xED, which is not UTF-8"},  // a surrogate
      {"a\xE2\x82", "byte 0xE2, which is not UTF-8"},      // cut short
      {"-a", "starts with '-'"},
      {"__a", "starts with two underscores"},
      {"__", "starts with two underscores"},
      {std::string(129, 'x'), "has 129 characters; at most 128"},
  };
  for (const auto& [name, problem] : wrong)
    EXPECT_THAT(Problem(name), HasSubstr(problem));
}

TEST(CheckFieldName, RefusesSystemColumnsInAnyCase) {
  for (const std::string_view name :
       {"write_time", "api_invocation_time", "is_deleted", "expires_at", "origin", "Origin", "WRITE_TIME"}) {
    const Result<void> checked = CheckFieldName(name);
    ASSERT_FALSE(checked) << name;
    EXPECT_THAT(checked.error().message, HasSubstr("system column"));
  }
  EXPECT_TRUE(CheckFieldName("origin_airport"));
  EXPECT_TRUE(CheckName("entity", "origin"));
  EXPECT_FALSE(CheckFieldName("a b"));
}

TEST(FoldName, LowersAsciiOnly) {
  EXPECT_EQ(FoldName("Driver_STATS-9"), "driver_stats-9");
  EXPECT_EQ(FoldName("\xC3\x89"), "\xC3\x89");
}

TEST(Quoted, ShowsHiddenCharactersAndCutsLongText) {
  EXPECT_EQ(Quoted("plain \xC3\xA9"), "'plain \xC3\xA9'");
  EXPECT_EQ(Quoted("a'\\\n\t\r"), R"('a\'\\\n\t\u{000D}')");
  EXPECT_EQ(Quoted("\xE2\x80\xAE"), R"('\u{202E}')");  // right-to-left override
  EXPECT_EQ(Quoted("\x80x"), R"('\x80x')");
  EXPECT_EQ(Quoted(std::string(512, 'x')), '\'' + std::string(512, 'x') + '\'');
  EXPECT_EQ(Quoted(std::string(5000, 'x')), '\'' + std::string(512, 'x') + "...'");
}

TEST(Suggest, FindsTheNearestOrNothing) {
  const std::vector<std::string> known{"driver_stats", "customer_stats", "rating", "a"};
  EXPECT_EQ(Suggest("driver_stat", known), " (did you mean 'driver_stats'?)");
  EXPECT_EQ(Suggest("DRIVER_STATS", known), " (did you mean 'driver_stats'?)");
  EXPECT_EQ(Suggest("rtaing", known), " (did you mean 'rating'?)");
  EXPECT_EQ(Suggest("weather", known), "");
  EXPECT_EQ(Suggest("b", known), "");
  EXPECT_EQ(Suggest("", known), "");
  EXPECT_EQ(Suggest("x", {}), "");
  EXPECT_EQ(Suggest(std::string(100'000, 'x'), {std::string(100'000, 'x')}), "");
}

TEST(Suggest, PrefersTheNearerOne) {
  EXPECT_EQ(Suggest("conv_rate", {"conv_ratio", "conv_rates"}), " (did you mean 'conv_rates'?)");
}

}  // namespace
}  // namespace tidemark
