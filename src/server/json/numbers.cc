// Digits in pairs by a table, of floats sixteen at once. The digits of a float are found as R. Giulietti's
// "The Schubfach way to render doubles" does, with one product where the power of ten is exact and the answer
// is not a near thing; else by the Dragonbox algorithm as fmt has it.
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

/// Writes exactly sixteen digits: how many of them there are up to the last that is not zero.
#if defined(__SSE2__)
/// Of two numbers that have eight: parted into fours, pairs and digits in all lanes at once. Quotients are
/// products with reciprocals, exact for numbers of so many digits.
std::size_t PutSixteen(char* to, std::uint32_t high, std::uint32_t low) {
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
  const int others = _mm_movemask_epi8(_mm_cmpgt_epi8(digits, _mm_setzero_si128()));
  return static_cast<std::size_t>(std::bit_width(static_cast<unsigned>(others)));
}
#else
std::size_t PutSixteen(char* to, std::uint32_t high, std::uint32_t low) {
  PutDigits(to, high, 8);
  PutDigits(to + 8, low, 8);
  return std::string_view(to, 16).find_last_not_of('0') + 1;
}
#endif

constexpr std::size_t kDoubleDigitsMax = 17;  // of the shortest form of a double

/// A number of seventeen digits, not zero in front, times a power of ten.
struct Decimal {
  std::uint64_t digits;
  int exponent;
};

using Wide = unsigned __int128;

/// What doubles with one exponent, c * 2^q, are made decimals with: 10^-k, where 10^k is at most the distance
/// 2^q of neighbours and 10^(k+1) is more.
struct Scale {
  std::uint64_t high = 0;  // 10^-k in 128 bits, of which the first is set
  std::uint64_t low = 0;
  /// c so far to the left, times them, is c * 2^q / 10^k, 128 bits of it behind the point.
  std::uint8_t shift = 0;
  std::int8_t k = 0;
};

constexpr int kFirstScale = -182;  // 5^-k fits into 128 bits from here on
constexpr int kLastScale = 3;      // and is whole up to here
constexpr int kDoubleExponentBias = 1075;

constexpr std::array<Scale, kLastScale - kFirstScale + 1> MakeScales() {
  std::array<Scale, kLastScale - kFirstScale + 1> scales{};
  for (int q = kFirstScale; q <= kLastScale; ++q) {
    const int k = (q * 315'653) >> 20;  // floor(q * log10(2))
    Wide power = 1;
    for (int i = 0; i < -k; ++i)
      power *= 5;
    int bits = 128;  // of the power
    for (; power >> 127U == 0; power <<= 1U)
      --bits;
    scales.at(static_cast<std::size_t>(q - kFirstScale)) = {.high = static_cast<std::uint64_t>(power >> 64U),
                                                            .low = static_cast<std::uint64_t>(power),
                                                            .shift = static_cast<std::uint8_t>(q - k + bits),
                                                            .k = static_cast<std::int8_t>(k)};
  }
  return scales;
}
constexpr auto kScales = MakeScales();

/// The shortest decimal that reads back as `value`, which is greater than zero, and of these the nearest. In
/// units of 10^k all that reads back lies within `half` of the value: at most one multiple of ten does, and
/// if none does the nearest whole number. What is cut off, less than a unit of either, decides nothing unless
/// they are as near as that.
Decimal Shortest(double value) {
  constexpr std::uint64_t kTen = std::uint64_t{10} << 60U;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t mantissa = bits & ((std::uint64_t{1} << 52U) - 1);
  const std::uint64_t at = (bits >> 52U) - (kDoubleExponentBias + kFirstScale);
  if (at < kScales.size() && mantissa != 0) [[likely]] {  // a power of two is nearer to what is below it
    const Scale& scale = kScales[at];
    const std::uint64_t c = (mantissa | std::uint64_t{1} << 52U) << scale.shift;
    const Wide product = Wide{c} * scale.high + (Wide{c} * scale.low >> 64U);
    const auto whole = static_cast<std::uint64_t>(product >> 64U);
    const auto fraction = static_cast<std::uint64_t>(product);
    const std::uint64_t tens = whole / 10 * 10;
    const std::uint64_t above = (whole - tens) << 60U | fraction >> 4U;  // in units of 2^-60, as is
    const std::uint64_t half = scale.high >> (5U - scale.shift);
    const bool is_near =
        above == half || above + half - (kTen - 1) <= 1 || fraction == std::uint64_t{1} << 63U;
    if (!is_near) [[likely]] {
      std::uint64_t digits = whole + (fraction >> 63U);
      digits = above < half ? tens : digits;
      digits = above + half > kTen ? tens + 10 : digits;
      const bool is_short = digits < kPowers[16];  // multiplied without a branch, which would be a guess
      return {digits * (1 + 9 * std::uint64_t{is_short}), scale.k - int{is_short}};
    }
  }
  const auto decimal = fmt::detail::dragonbox::to_decimal(value);
  const std::size_t zeros = kDoubleDigitsMax - CountDigits(decimal.significand);
  return {decimal.significand * kPowers[zeros], decimal.exponent - static_cast<int>(zeros)};
}

/// The digits of a double: the first, and sixteen more.
struct DoubleDigits {
  explicit DoubleDigits(std::uint64_t digits) {
    const std::uint64_t leading = digits / kPowers[16];
    const std::uint64_t rest = digits - leading * kPowers[16];
    first = static_cast<char>('0' + leading);
    high = static_cast<std::uint32_t>(rest / kPowers[8]);
    low = static_cast<std::uint32_t>(rest - high * kPowers[8]);
  }
  /// All but the first: how many digits the number has, without zeros at its end.
  std::size_t PutRest(char* to) const { return PutSixteen(to, high, low) + 1; }

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
  const std::size_t count = digits.PutRest(to + 2);
  char* at = to + (count > 1 ? count + 1 : 1);
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
  const double size = std::abs(value);
  if (size < 0x1p53 && size == static_cast<double>(static_cast<std::int64_t>(size))) {
    return PutText(PutNumber(to, static_cast<std::uint64_t>(size)), ".0");
  }
  const Decimal decimal = Shortest(size);
  const DoubleDigits digits(decimal.digits);
  // Where it stands among the digits.
  const int point = static_cast<int>(kDoubleDigitsMax) + decimal.exponent;
  if (point <= -4 || point > 16) return PutScientific(to, digits, point - 1);
  if (point > 1) {
    std::array<char, 2 * kDoubleDigitsMax> text{digits.first};  // copies of one length are fastest
    const std::size_t count = digits.PutRest(text.data() + 1);
    const auto whole = static_cast<std::size_t>(point);
    std::memcpy(to, text.data(), kDoubleDigitsMax);
    to[whole] = '.';
    std::memcpy(to + whole + 1, text.data() + whole, kDoubleDigitsMax);
    return to + std::max(count, whole + 1) + 1;  // what is whole gets one zero behind the point
  }
  const auto zeros = static_cast<std::size_t>(1 - point);  // "1.5" has none, "0.15" one
  std::memcpy(to, "0.0000", 6);
  to[zeros == 0 ? 0 : zeros + 1] = digits.first;
  const std::size_t count = digits.PutRest(to + 2 + zeros);
  return to + std::max(count + zeros, std::size_t{2}) + 1;
}

}  // namespace tidemark::json
