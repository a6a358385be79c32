// Event times come back as they were written, though they are kept in microseconds.
#include <gtest/gtest.h>

#include <cmath>

#include "model/time.h"

namespace tidemark {
namespace {

TEST(TimeSpelling, GivesTheTextBackByteForByte) {
  for (const std::string text :
       {"2024-05-01T12:00:00Z", "2024-05-01T12:00:00.5Z", "2024-05-01T12:00:00.500Z",
        "2024-05-01T12:00:00.000000Z", "2024-05-01T12:00:00.123456789Z", "2024-05-01T12:00:00.000000001Z",
        "1969-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00.10Z", "9999-12-31T23:59:59.999999999Z"}) {
    const auto us = ParseTimestampUs(text);
    ASSERT_TRUE(us) << text;
    EXPECT_EQ(FormatTimestampUs(*us, SpellingOf(text)), text);
  }
}

// Texts of other forms are told apart, so that what is printed is at least the same time.
TEST(TimeSpelling, IsNotKnownOfOtherForms) {
  for (const std::string text : {"2024-05-01", "2024-05-01 12:00:00Z", "2024-05-01T12:00:00",
                                 "2024-05-01T12:00:00+00:00", "2024-05-01T12:00Z"}) {
    EXPECT_EQ(SpellingOf(text).digits, -1) << text;
    EXPECT_EQ(ParseTimestampUs(FormatTimestampUs(*ParseTimestampUs(text), SpellingOf(text))),
              ParseTimestampUs(text));
  }
}

TEST(TimeSpelling, GivesNumbersBack) {
  for (const double seconds : {0.0, 1714564800.0, 1714564800.123, 1714564800.1234567, 1714564800.9999999,
                               -1.5, 999999999.0000001, 253402300799.99997}) {
    const std::int64_t us = std::llround(seconds * 1e6);
    EXPECT_EQ(ToSeconds(us, SpellingOf(seconds, us)), seconds);
  }
  EXPECT_EQ(ToSeconds(1'500'000, TimeSpelling{}), 1.5);
  EXPECT_EQ(SpellingOf(0.1234567890123, 123457).digits, -1);  // finer than a nanosecond
}

}  // namespace
}  // namespace tidemark
