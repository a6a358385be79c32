// Goal: every number reads back as what was written, and looks as Python's repr writes it.
#include "server/json/numbers.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace tidemark::json {
namespace {

template <typename Number>
std::string Text(Number value) {
  std::array<char, kNumberBytesMax> bytes{};
  return {bytes.data(), static_cast<std::size_t>(PutNumber(bytes.data(), value) - bytes.data())};
}

/// The digits of a number, without zeros in front or behind.
std::string DigitsOf(std::string_view number) {
  std::string found;
  for (const char c : number.substr(0, number.find('e')))
    if (c >= '0' && c <= '9') found.push_back(c);
  found.erase(0, found.find_first_not_of('0'));
  found.erase(found.find_last_not_of('0') + 1);
  return found;
}

/// Those of the shortest form, as the standard library finds it.
std::string ShortestDigits(double value) {
  std::array<char, 64> bytes{};
  const auto made =
      std::to_chars(bytes.data(), bytes.data() + bytes.size(), value, std::chars_format::scientific);
  return DigitsOf({bytes.data(), static_cast<std::size_t>(made.ptr - bytes.data())});
}

TEST(Numbers, IntegersOfEveryLength) {
  EXPECT_EQ(Text(std::int64_t{0}), "0");
  EXPECT_EQ(Text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(Text(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  std::uint64_t power = 1;
  for (int digits = 1; digits <= 19; ++digits, power *= 10) {
    for (const std::uint64_t value : {power - 1, power, power + 1})
      EXPECT_EQ(Text(value), std::to_string(value));
  }
}

TEST(Numbers, FloatsAsPythonWritesThem) {
  EXPECT_EQ(Text(0.0), "0.0");
  EXPECT_EQ(Text(-0.0), "-0.0");
  EXPECT_EQ(Text(1.0), "1.0");
  EXPECT_EQ(Text(-2.5), "-2.5");
  EXPECT_EQ(Text(0.1), "0.1");
  EXPECT_EQ(Text(double{0.1F}), "0.10000000149011612");
  EXPECT_EQ(Text(0.0001), "0.0001");
  EXPECT_EQ(Text(0.00001), "1e-05");
  EXPECT_EQ(Text(0.000012345), "1.2345e-05");
  EXPECT_EQ(Text(100000.0), "100000.0");
  EXPECT_EQ(Text(1234567890123456.0), "1234567890123456.0");
  EXPECT_EQ(Text(1e16), "1e+16");
  EXPECT_EQ(Text(1.2345678901234567e300), "1.2345678901234567e+300");
  EXPECT_EQ(Text(5e-324), "5e-324");
  EXPECT_EQ(Text(123.456), "123.456");
}

TEST(Numbers, APointAtEveryPlaceOfEveryLength) {
  std::mt19937_64 random(11);
  for (int length = 1; length <= 17; ++length) {
    for (int exponent = -20; exponent <= 20; ++exponent) {
      std::string digits;
      for (int i = 0; i < length; ++i)
        digits.push_back(static_cast<char>('1' + random() % 9));
      const double value = std::strtod((digits + "e" + std::to_string(exponent)).c_str(), nullptr);
      const std::string text = Text(-value);
      ASSERT_EQ(std::strtod(text.c_str(), nullptr), -value) << text;
      ASSERT_TRUE(text.contains('.') || text.contains('e')) << text;
      ASSERT_EQ(DigitsOf(text), ShortestDigits(value)) << text;
    }
  }
}

TEST(Numbers, WhatIsNoNumberInJsonIsText) {
  EXPECT_EQ(Text(std::nan("")), "\"NaN\"");
  EXPECT_EQ(Text(std::numeric_limits<double>::infinity()), "\"Infinity\"");
  EXPECT_EQ(Text(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

TEST(Numbers, AnyFloatReadsBackAsItself) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = Text(value);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    ASSERT_LT(text.size(), kNumberBytesMax);
    ASSERT_EQ(DigitsOf(text), ShortestDigits(value)) << text;
  }
}

TEST(Numbers, PowersAndTheirNeighboursAreShortest) {
  const auto check = [](double value) {
    for (const double each : {std::nextafter(value, 0.0), value, std::nextafter(value, 1e308)}) {
      if (each == 0) continue;
      ASSERT_EQ(DigitsOf(Text(each)), ShortestDigits(each)) << each;
      ASSERT_EQ(std::strtod(Text(each).c_str(), nullptr), each);
    }
  };
  for (int power = -1074; power <= 1023; ++power)
    check(std::ldexp(1.0, power));
  for (int power = -323; power <= 308; ++power)
    check(std::strtod(("1e" + std::to_string(power)).c_str(), nullptr));
  check(std::numeric_limits<double>::max());
  std::mt19937_64 random(3);  // as features have them
  std::normal_distribution<double> usual;
  for (int i = 0; i < 200'000; ++i)
    check(usual(random));
  for (int i = 0; i < 200'000; ++i)
    check(static_cast<double>(random() >> (random() % 64)));
}

TEST(Numbers, WhatLiesBetweenTwoDecimalsIsRoundedToTheNearestAndThenToEven) {
  std::mt19937_64 random(5);
  for (int exponent = -180; exponent <= 10; ++exponent) {
    for (int i = 0; i < 2'000; ++i) {
      const std::uint64_t mantissa = std::uint64_t{1} << 52U | random() >> 12U;
      const double value = std::ldexp(static_cast<double>(mantissa), exponent);
      ASSERT_EQ(DigitsOf(Text(value)), ShortestDigits(value)) << Text(value);
    }
  }
  EXPECT_EQ(Text(562949953421312.25), "562949953421312.2");  // neighbours are an eighth away: .3 would do
  EXPECT_EQ(Text(562949953421312.75), "562949953421312.8");
}

}  // namespace
}  // namespace tidemark::json
