// Goal: numbers become texts that read back as themselves, without an exponent in the range of times and of
// most values, whichever way they were written.
#include "server/sagemaker/values.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace tidemark::sagemaker {
namespace {

std::string Text(double value) {
  std::string text;
  AppendFractional(value, text);
  return text;
}

/// As the standard library writes the shortest form, with a point in it.
std::string Expected(double value) {
  std::array<char, 64> digits;
  const double size = std::fabs(value);
  const auto end = size >= 1e-5 && size < 1e16
                       ? std::to_chars(digits.begin(), digits.end(), value, std::chars_format::fixed).ptr
                       : std::to_chars(digits.begin(), digits.end(), value).ptr;
  std::string text(digits.begin(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

TEST(SagemakerValuesTest, NumbersAsTexts) {
  EXPECT_EQ(Text(0.0), "0.0");
  EXPECT_EQ(Text(-0.0), "-0.0");
  EXPECT_EQ(Text(1.0), "1.0");
  EXPECT_EQ(Text(0.1), "0.1");
  EXPECT_EQ(Text(1'750'000'000.0), "1750000000.0");
  EXPECT_EQ(Text(0.00001), "0.00001");
  EXPECT_EQ(Text(0.0001), "0.0001");
  EXPECT_EQ(Text(1e-6), "1e-06");
  EXPECT_EQ(Text(1e16), "1e+16");
  EXPECT_EQ(Text(9'999'999'999'999'998.0), "9999999999999998.0");
  EXPECT_EQ(Text(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(Text(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(SagemakerValuesTest, AnyNumberIsWrittenAsTheStandardLibraryDoes) {
  std::mt19937_64 random(7);  // NOLINT(bugprone-random-generator-seed): the same numbers each time
  for (int i = 0; i < 100'000; ++i) {
    const auto any = std::bit_cast<double>(random());
    const double scale = std::pow(10.0, static_cast<double>(random() % 24) - 6);
    const double usual = static_cast<double>(static_cast<std::int64_t>(random() % 2'000'000)) / 1e6 * scale;
    for (const double value : {any, usual, std::round(usual), -usual}) {
      if (!std::isfinite(value) || value == 0) continue;
      ASSERT_EQ(Text(value), Expected(value));
    }
  }
}

}  // namespace
}  // namespace tidemark::sagemaker
