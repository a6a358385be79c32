// The shortest decimal that reads back as a double, by the Schubfach algorithm (R. Giulietti, "The Schubfach
// way to render doubles", 2020), without a branch that depends on the value: numbers of a column are as good
// as random to a processor, and a branch foreseen wrongly costs as much as half of the conversion.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tidemark::json {

/// digits * 10^exponent. Zeros may end the digits; without them there are no fewer that read back the same.
struct ShortestDecimal {
  std::uint64_t digits = 0;
  int exponent = 0;
};

__extension__ using Product = unsigned __int128;

/// 10^k / 2^(floor(log2(10^k)) - 127), rounded up: 128 bits, of which the first is set.
struct PowerOfTen {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};
inline constexpr int kPowerMin = -292;
inline constexpr int kPowerMax = 324;
extern const std::array<PowerOfTen, kPowerMax - kPowerMin + 1> kPowersOfTen;

/// The upper 64 bits of power * factor / 2^64, their last bit set if anything was cut off.
inline std::uint64_t RoundToOdd(const PowerOfTen& power, std::uint64_t factor) {
  const Product low = Product{power.low} * factor;
  const Product high = Product{power.high} * factor + static_cast<std::uint64_t>(low >> 64U);
  return static_cast<std::uint64_t>(high >> 64U) | (static_cast<std::uint64_t>(high) > 1 ? 1U : 0U);
}

/// Of a finite value above zero.
inline ShortestDecimal ToShortestDecimal(double value) {
  constexpr int kFractionBits = 52;
  constexpr int kBias = 1023 + kFractionBits;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << kFractionBits) - 1);
  const int biased = static_cast<int>(bits >> kFractionBits);
  const bool is_normal = biased != 0;
  // value = c * 2^q; the numbers that are read as it lie between (c - 1/2) * 2^q and (c + 1/2) * 2^q, or
  // half as far below a power of two.
  const std::uint64_t c = fraction | (std::uint64_t{is_normal} << kFractionBits);
  const int q = (is_normal ? biased : 1) - kBias;
  const bool is_power = fraction == 0 && biased > 1;
  const std::uint64_t is_odd = c & 1U;  // then its ends themselves are read as its neighbours

  // Multiples of 10^k are as close to each other as such numbers lie, or closer by less than ten times.
  const int k = (q * 1'262'611 - (is_power ? 524'031 : 0)) >> 22;
  const int shift = q + ((-k * 1'741'647) >> 19) + 1;
  const PowerOfTen& power = kPowersOfTen[static_cast<std::size_t>(-k - kPowerMin)];
  const std::uint64_t below = RoundToOdd(power, (4 * c - 2 + (is_power ? 1 : 0)) << shift) + is_odd;
  const std::uint64_t at = RoundToOdd(power, (4 * c) << shift);
  const std::uint64_t above = RoundToOdd(power, (4 * c + 2) << shift) - is_odd;

  // In units of 10^k / 4: whether a multiple of 10^(k + 1) lies between the ends, or else which of 10^k.
  const std::uint64_t s = at / 4;
  const std::uint64_t tens = s / 10;
  const bool tens_below_fits = below <= 40 * tens;
  const bool tens_above_fits = 40 * tens + 40 <= above;
  const bool s_fits = below <= 4 * s;
  const bool next_fits = 4 * s + 4 <= above;
  const std::uint64_t middle = 4 * s + 2;
  const bool rounds_up = at > middle || (at == middle && (s & 1U) != 0);
  const std::uint64_t nearest = s + (s_fits != next_fits ? (next_fits ? 1U : 0U) : (rounds_up ? 1U : 0U));
  const std::uint64_t shorter = 10 * (tens + (tens_above_fits ? 1U : 0U));
  return {s >= 10 && tens_below_fits != tens_above_fits ? shorter : nearest, k};
}

}  // namespace tidemark::json
