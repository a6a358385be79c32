// Digits in pairs by a table, of floats eight at once; floats by the Dragonbox algorithm (J. Jeon,
// "Dragonbox: A New Floating-Point Binary-to-Decimal Conversion Algorithm"), as fmt has it: std::to_chars
// takes three times as long.
#include "server/json/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

namespace tidemark::json {
namespace {

constexpr std::array<char, 200> MakePairs() {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs.at(2 * i) = static_cast<char>('0' + i / 10);
    pairs.at(2 * i + 1) = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
constexpr std::array<char, 200> kPairs = MakePairs();

constexpr std::array<std::uint64_t, 20> MakePowers() {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (std::uint64_t& each : powers) {
    each = power;
    power *= 10;
  }
  return powers;
}
constexpr std::array<std::uint64_t, 20> kPowers = MakePowers();

/// How many decimal digits `value` has; 1 for 0.
std::size_t CountDigits(std::uint64_t value) {
  // 1233 / 4096 is a little more than log10(2).
  const auto guess = static_cast<std::size_t>(std::bit_width(value | 1U) * 1233 >> 12);
  return guess + (value >= kPowers[guess] ? 1 : 0) + (value == 0 ? 1 : 0);
}

/// Writes exactly `count` digits.
void PutDigits(char* to, std::uint64_t value, std::size_t count) {
  char* at = to + count;
  while (at - to >= 2) {
    at -= 2;
    std::memcpy(at, kPairs.data() + 2 * (value % 100), 2);
    value /= 100;
  }
  if (at > to) *to = static_cast<char>('0' + value);
}

/// Eight digits as eight bytes, the first one first; parted into pairs, then digits, in all lanes of a word.
std::uint64_t EightDigits(std::uint32_t value) {
  constexpr std::uint64_t kHundredths = 0x0000'007F'0000'007F;
  constexpr std::uint64_t kTenths = 0x000F'000F'000F'000F;
  constexpr std::uint64_t kZeros = 0x3030'3030'3030'3030;
  const std::uint64_t high = value / 10'000;
  const std::uint64_t halves =
      high | (std::uint64_t{value - static_cast<std::uint32_t>(high) * 10'000} << 32U);
  const std::uint64_t hundreds = ((halves * 10'486) >> 20U) & kHundredths;  // 10486 / 2^20 is 1/100
  const std::uint64_t pairs = hundreds | ((halves - 100 * hundreds) << 16U);
  const std::uint64_t tens = ((pairs * 103) >> 10U) & kTenths;  // 103 / 2^10 is 1/10
  const std::uint64_t digits = tens | ((pairs - 10 * tens) << 8U);
  return (std::endian::native == std::endian::little ? digits : std::byteswap(digits)) + kZeros;
}

constexpr std::size_t kDoubleDigitsMax = 17;  // of the shortest form of a double

/// The digits of a double, from the first one on; zeros behind them.
struct DoubleDigits {
  explicit DoubleDigits(std::uint64_t digits) : count(CountDigits(digits)) {
    const std::uint64_t whole = digits * kPowers[kDoubleDigitsMax - count];
    const std::uint64_t first = whole / kPowers[16];
    const std::uint64_t rest = whole - first * kPowers[16];
    const std::uint64_t high = rest / kPowers[8];
    text[0] = static_cast<char>('0' + first);
    const std::array<std::uint64_t, 2> words{
        EightDigits(static_cast<std::uint32_t>(high)),
        EightDigits(static_cast<std::uint32_t>(rest - high * kPowers[8]))};
    std::memcpy(text.data() + 1, words.data(), sizeof words);
  }
  /// Writes those from `begin` on, with something behind them that does not count.
  void Put(char* to, std::size_t begin) const { std::memcpy(to, text.data() + begin, kDoubleDigitsMax); }

  std::size_t count;
  std::array<char, 2 * kDoubleDigitsMax> text{};  // so that all copies are of one length, which is fastest
};

char* PutText(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// d.ddde+16
char* PutScientific(char* to, const DoubleDigits& digits, int exponent) {
  *to = digits.text[0];
  to[1] = '.';
  digits.Put(to + 2, 1);
  char* at = to + (digits.count > 1 ? digits.count + 1 : 1);
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  const auto size = static_cast<std::uint64_t>(exponent < 0 ? -exponent : exponent);
  const std::size_t size_digits = size < 100 ? 2 : 3;
  PutDigits(at, size, size_digits);
  return at + size_digits;
}

}  // namespace

char* PutNumber(char* to, std::uint64_t value) {
  const std::size_t count = CountDigits(value);
  PutDigits(to, value, count);
  return to + count;
}

char* PutNumber(char* to, std::int64_t value) {
  auto size = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *to++ = '-';
    size = 0 - size;
  }
  return PutNumber(to, size);
}

char* PutNumber(char* to, double value) {
  if (!std::isfinite(value)) {
    return PutText(to, std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  }
  *to = '-';  // without a branch: signs and sizes of values are what a processor cannot foresee
  to += std::signbit(value) ? 1 : 0;
  if (value == 0) return PutText(to, "0.0");
  const auto decimal = fmt::detail::dragonbox::to_decimal(std::abs(value));
  const DoubleDigits digits(decimal.significand);
  const int point = static_cast<int>(digits.count) + decimal.exponent;  // where it stands among the digits
  if (point <= -4 || point > 16) return PutScientific(to, digits, point - 1);
  if (point <= 0) {
    std::memcpy(to, "0.0000", 6);
    digits.Put(to + 2 - point, 0);
    return to + 2 - point + digits.count;
  }
  const auto whole = static_cast<std::size_t>(point);
  digits.Put(to, 0);
  to[whole] = '.';
  digits.Put(to + whole + 1, whole);
  return to + std::max(digits.count, whole + 1) + 1;  // what is whole gets one zero behind the point
}

}  // namespace tidemark::json
