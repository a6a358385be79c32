// Goal: every documented form of a time is read to the exact microsecond and nothing else is; what is printed
// reads back. The calendar is compared with that of <chrono>.
#include "model/time.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <utility>

namespace tidemark {
namespace {

constexpr std::int64_t kNoonUs = 1'714'564'800'000'000;  // 2024-05-01T12:00:00Z
constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::int64_t kDayUs = 24 * kHourUs;

TEST(ParseTimestampUs, ReadsEveryForm) {
  const std::pair<std::string_view, std::int64_t> forms[] = {
      {"2024-05-01", kNoonUs - 12 * kHourUs},
      {"2024-05-01T12:00", kNoonUs},
      {"2024-05-01 12:00", kNoonUs},
      {"2024-05-01T12:00Z", kNoonUs},
      {"2024-05-01T12:00:00", kNoonUs},
      {"2024-05-01 12:00:00Z", kNoonUs},
      {"2024-05-01T12:00:00.5", kNoonUs + 500'000},
      {"2024-05-01T12:00:00.123456Z", kNoonUs + 123'456},
      {"2024-05-01T12:00:00.000001+00", kNoonUs + 1},
      {"2024-05-01T12:00:00+02", kNoonUs - 2 * kHourUs},
      {"2024-05-01T12:00:00+0230", kNoonUs - 5 * kHourUs / 2},
      {"2024-05-01T12:00:00-02:30", kNoonUs + 5 * kHourUs / 2},
      {"2024-05-01T12:00+23:59", kNoonUs - 24 * kHourUs + kHourUs / 60},
      {"2024-05-01T12:00-00:00", kNoonUs},
      {"1970-01-01T00:00:00Z", 0},
      {"1969-12-31T23:59:59.999999Z", -1},
      {"0001-01-01T00:00:00Z", -62'135'596'800'000'000},
      {"9999-12-31T23:59:59.999999Z", 253'402'300'799'999'999},
      {"0001-01-01T23:59:00+23:59", -62'135'596'800'000'000},
  };
  for (const auto& [text, us] : forms)
    EXPECT_EQ(ParseTimestampUs(text), us) << text;
}

TEST(ParseTimestampUs, RefusesAnythingElse) {
  for (const std::string_view text : {
           "",
           " ",
           "2024",
           "2024-05",
           "2024-5-1",
           "24-05-01",
           "2024/05/01",
           "20240501",
           "2024-05-011",
           "2024-00-01",
           "2024-13-01",
           "2024-05-00",
           "2024-05-32",
           "2024-04-31",
           "2024-02-30",
           "2023-02-29",
           "1900-02-29",
           "2100-02-29",
           "0000-01-01",
           "-001-01-01",
           "2024-05-01T",
           "2024-05-01Z",
           "2024-05-01+02:00",
           "2024-05-01t12:00",
           "2024-05-01T12",
           "2024-05-01T1200",
           "2024-05-01T24:00",
           "2024-05-01T24:00:00",
           "2024-05-01T12:60",
           "2024-05-01T12:00:60",
           "2024-05-01T23:59:60Z",
           "2024-05-01T12:00:",
           "2024-05-01T12:00:0",
           "2024-05-01T12:00:00.",
           "2024-05-01T12:00:00.Z",
           "2024-05-01T12:00:00,5",
           "2024-05-01T12:00.5",
           "2024-05-01T12:00:00.1234567890",
           "2024-05-01T12:00:00z",
           "2024-05-01T12:00:00ZZ",
           "2024-05-01T12:00:00 Z",
           "2024-05-01T12:00:00 UTC",
           "2024-05-01T12:00:00+",
           "2024-05-01T12:00:00+2",
           "2024-05-01T12:00:00+020",
           "2024-05-01T12:00:00+24:00",
           "2024-05-01T12:00:00+02:60",
           "2024-05-01T12:00:00+02:0",
           "2024-05-01T12:00:00+02-00",
           "2024-05-01T12:00:00+02:00:00",
           " 2024-05-01",
           "2024-05-01 ",
           "2024-05-01  12:00",
           "2024-05-01T-1:00",
           "2024-05-01T12:+1",
           "+024-05-01",
           "abcd-ef-gh",
           "0001-01-01T00:00:00+00:01",
           "9999-12-31T23:59:59-00:01",
           "1714564800",
           "NaT",
           "null",
           "2024-05-01T12:00\n",
       }) {
    EXPECT_EQ(ParseTimestampUs(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseTimestampUs(std::string_view("2024-05-01\0", 11)), std::nullopt);
}

TEST(ParseTimestampUs, CutsWhatIsFinerThanAMicrosecondAndSaysSo) {
  bool cut = false;
  EXPECT_EQ(ParseTimestampUs("2024-05-01T12:00:00.123456000Z", &cut), kNoonUs + 123'456);
  EXPECT_FALSE(cut);
  EXPECT_EQ(ParseTimestampUs("1969-12-31T23:59:59.9999999Z", &cut), -1);
  EXPECT_TRUE(cut);
  EXPECT_EQ(ParseTimestampUs("2024-05-01T12:00:00Z", &cut), kNoonUs);
  EXPECT_TRUE(cut) << "one flag serves a whole column";
  bool refused = false;
  EXPECT_EQ(ParseTimestampUs("2024-05-01T12:00:00.123456789X", &refused), std::nullopt);
  EXPECT_FALSE(refused);
  EXPECT_EQ(ParseTimestampUs("2024-05-01T12:00:00.123456789"), kNoonUs + 123'456);
}

// Every month of ten thousand years, days 0 to 32: 3.96 million dates.
TEST(ParseTimestampUs, AgreesWithTheCalendarOfChrono) {
  using std::chrono::day;
  using std::chrono::month;
  using std::chrono::sys_days;
  using std::chrono::year;
  std::string text = "0000-00-00";
  const auto put = [&](std::size_t at, unsigned number) {
    text[at] = static_cast<char>('0' + number / 10);
    text[at + 1] = static_cast<char>('0' + number % 10);
  };
  for (unsigned y = 0; y <= 9999; ++y) {
    put(0, y / 100);
    put(2, y % 100);
    for (unsigned m = 1; m <= 12; ++m) {
      put(5, m);
      for (unsigned d = 0; d <= 32; ++d) {
        put(8, d);
        const auto date = year(static_cast<int>(y)) / month(m) / day(d);
        std::optional<std::int64_t> expected;
        if (date.ok() && y > 0) expected = sys_days(date).time_since_epoch().count() * kDayUs;
        if (ParseTimestampUs(text) != expected) FAIL() << text;
        if (expected && d % 9 == 1 && FormatTimestampUs(*expected) != text + "T00:00:00Z") FAIL() << text;
      }
    }
  }
}

TEST(FormatTimestampUs, IsExactForEveryInt64) {
  const std::pair<std::int64_t, std::string_view> times[] = {
      {kNoonUs, "2024-05-01T12:00:00Z"},
      {kNoonUs + 1, "2024-05-01T12:00:00.000001Z"},
      {kNoonUs + 500'000, "2024-05-01T12:00:00.500000Z"},
      {0, "1970-01-01T00:00:00Z"},
      {-1, "1969-12-31T23:59:59.999999Z"},
      {-62'135'596'800'000'000, "0001-01-01T00:00:00Z"},
      {-62'135'596'800'000'001, "0000-12-31T23:59:59.999999Z"},
      {-62'167'219'200'000'001, "-0001-12-31T23:59:59.999999Z"},
      {253'402'300'800'000'000, "+10000-01-01T00:00:00Z"},
      {std::numeric_limits<std::int64_t>::max(), "+294247-01-10T04:00:54.775807Z"},
      {std::numeric_limits<std::int64_t>::min(), "-290308-12-21T19:59:05.224192Z"},
  };
  for (const auto& [us, text] : times)
    EXPECT_EQ(FormatTimestampUs(us), text);
}

TEST(ParseDurationUs, ReadsEveryForm) {
  const std::pair<std::string_view, std::int64_t> forms[] = {
      {"90s", 90'000'000},
      {"15m", 900'000'000},
      {"36h", 36 * kHourUs},
      {"2d", 2 * kDayUs},
      {"1w", 7 * kDayUs},
      {"250ms", 250'000},
      {"10us", 10},
      {"1d12h", 36 * kHourUs},
      {"1m1ms1us", 60'001'001},
      {"0", 0},
      {"0s", 0},
      {"3600", kHourUs},
      {"0.5", 500'000},
      {"86400.0", kDayUs},
      {"1.000001", 1'000'001},
      {"9223372036854775807us", std::numeric_limits<std::int64_t>::max()},
      {"9223372036854.775807", std::numeric_limits<std::int64_t>::max()},
  };
  for (const auto& [text, us] : forms) {
    const Result<std::int64_t> read = ParseDurationUs(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, us) << text;
  }
}

TEST(ParseDurationUs, RefusesAnythingElse) {
  for (const std::string_view text : {"",
                                      " ",
                                      "d",
                                      "1x",
                                      "1 d",
                                      "1d ",
                                      "-1d",
                                      "+1d",
                                      "1.5h",
                                      ".5",
                                      "1.",
                                      "1.0000001",
                                      "1e3",
                                      "1d12",
                                      "1D",
                                      "1y",
                                      "1mo",
                                      "1 day, 0:00:00",
                                      "inf",
                                      "nan",
                                      "9223372036854775808us",
                                      "9223372036854.775808",
                                      "9223372036855",
                                      "106751992d",
                                      "106751991d24h",
                                      "99999999999999999999999"}) {
    const Result<std::int64_t> read = ParseDurationUs(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(read.error().message.find("1d12h"), std::string::npos) << "the message shows the forms";
  }
}

TEST(FormatDurationUs, IsExactAndReadsBack) {
  const std::pair<std::int64_t, std::string_view> lengths[] = {
      {0, "0s"},
      {36 * kHourUs, "1d12h"},
      {7 * kDayUs, "7d"},
      {90'000'000, "1m30s"},
      {1, "1us"},
      {1'001'000, "1s1ms"},
      {std::numeric_limits<std::int64_t>::max(), "106751991d4h54s775ms807us"},
  };
  for (const auto& [us, text] : lengths) {
    EXPECT_EQ(FormatDurationUs(us), text);
    EXPECT_EQ(ParseDurationUs(text).value(), us);
  }
  EXPECT_EQ(FormatDurationUs(-kDayUs - 1), "-1d1us");
  EXPECT_EQ(FormatDurationUs(std::numeric_limits<std::int64_t>::min()), "-106751991d4h54s775ms808us");
}

}  // namespace
}  // namespace tidemark
