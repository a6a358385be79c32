// Digits in pairs by a table, of floats sixteen at once; floats by the Dragonbox algorithm (J. Jeon,
// "Dragonbox: A New Floating-Point Binary-to-Decimal Conversion Algorithm"), as fmt has it: std::to_chars
// takes three times as long.
#include "server/json/numbers.h"

#include <fmt/format.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

#if defined(__SSE2__)
/// Sixteen digits, of two numbers that have eight: parted into fours, pairs and digits in all lanes at once.
/// Quotients are products with reciprocals, exact for numbers of so many digits.
void PutSixteen(char* to, std::uint32_t high, std::uint32_t low) {
  const __m128i eights = _mm_set_epi64x(low, high);
  const __m128i first_fours = _mm_srli_epi64(_mm_mul_epu32(eights, _mm_set1_epi64x(0xD1B7'1759)), 45);
  const __m128i last_fours = _mm_sub_epi64(eights, _mm_mul_epu32(first_fours, _mm_set1_epi64x(10'000)));
  const __m128i fours = _mm_or_si128(first_fours, _mm_slli_epi64(last_fours, 32));
  const __m128i first_pairs = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi32(5'243)), 3);
  const __m128i last_pairs = _mm_sub_epi32(fours, _mm_mullo_epi16(first_pairs, _mm_set1_epi32(100)));
  const __m128i pairs = _mm_or_si128(first_pairs, _mm_slli_epi32(last_pairs, 16));
  const __m128i tens = _mm_mulhi_epu16(pairs, _mm_set1_epi16(6'554));
  const __m128i ones = _mm_sub_epi16(pairs, _mm_mullo_epi16(tens, _mm_set1_epi16(10)));
  const __m128i digits = _mm_or_si128(tens, _mm_slli_epi16(ones, 8));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_add_epi8(digits, _mm_set1_epi8('0')));
}
#else
void PutSixteen(char* to, std::uint32_t high, std::uint32_t low) {
  PutDigits(to, high, 8);
  PutDigits(to + 8, low, 8);
}
#endif

constexpr std::size_t kDoubleDigitsMax = 17;  // of the shortest form of a double

/// The digits of a double, zeros behind them up to kDoubleDigitsMax.
struct DoubleDigits {
  explicit DoubleDigits(std::uint64_t digits) : count(CountDigits(digits)) {
    const std::uint64_t whole = digits * kPowers[kDoubleDigitsMax - count];
    const std::uint64_t leading = whole / kPowers[16];
    const std::uint64_t rest = whole - leading * kPowers[16];
    first = static_cast<char>('0' + leading);
    high = static_cast<std::uint32_t>(rest / kPowers[8]);
    low = static_cast<std::uint32_t>(rest - high * kPowers[8]);
  }
  /// All but the first.
  void PutRest(char* to) const { PutSixteen(to, high, low); }

  std::size_t count;
  char first;
  std::uint32_t high;
  std::uint32_t low;
};

char* PutText(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

/// d.ddde+16
char* PutScientific(char* to, const DoubleDigits& digits, int exponent) {
  *to = digits.first;
  to[1] = '.';
  digits.PutRest(to + 2);
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
  if (point > 1) {
    std::array<char, 2 * kDoubleDigitsMax> text{digits.first};  // copies of one length are fastest
    digits.PutRest(text.data() + 1);
    const auto whole = static_cast<std::size_t>(point);
    std::memcpy(to, text.data(), kDoubleDigitsMax);
    to[whole] = '.';
    std::memcpy(to + whole + 1, text.data() + whole, kDoubleDigitsMax);
    return to + std::max(digits.count, whole + 1) + 1;  // what is whole gets one zero behind the point
  }
  const auto zeros = static_cast<std::size_t>(1 - point);  // "1.5" has none, "0.15" one
  std::memcpy(to, "0.0000", 6);
  to[zeros == 0 ? 0 : zeros + 1] = digits.first;
  digits.PutRest(to + 2 + zeros);
  return to + std::max(digits.count + zeros, std::size_t{2}) + 1;
}

}  // namespace tidemark::json
