// Digits in pairs by a table; floats by the Dragonbox algorithm (J. Jeon, "Dragonbox: A New Floating-Point
// Binary-to-Decimal Conversion Algorithm"), as fmt has it: std::to_chars takes three times as long.
#include "server/json/numbers.h"

#include <fmt/format.h>

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

char* PutText(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// d.ddde+16
char* PutScientific(char* to, std::uint64_t digits, std::size_t count, int exponent) {
  PutDigits(to + 1, digits, count);
  to[0] = to[1];
  char* at = to + 1;
  if (count > 1) {
    to[1] = '.';
    at = to + count + 1;
  }
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
  if (std::signbit(value)) {
    *to++ = '-';
    value = -value;
  }
  if (value == 0) return PutText(to, "0.0");
  const auto decimal = fmt::detail::dragonbox::to_decimal(value);
  const std::size_t count = CountDigits(decimal.significand);
  const int point = static_cast<int>(count) + decimal.exponent;  // where it stands among the digits
  if (point <= -4 || point > 16) return PutScientific(to, decimal.significand, count, point - 1);
  if (point <= 0) {
    std::memcpy(to, "0.0000", 6);
    PutDigits(to + 2 - point, decimal.significand, count);
    return to + 2 - point + count;
  }
  const auto whole = static_cast<std::size_t>(point);
  if (whole >= count) {
    PutDigits(to, decimal.significand, count);
    std::memset(to + count, '0', whole - count);
    return PutText(to + whole, ".0");
  }
  PutDigits(to + 1, decimal.significand, count);
  std::memmove(to, to + 1, whole);
  to[whole] = '.';
  return to + count + 1;
}

}  // namespace tidemark::json
