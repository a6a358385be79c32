// The powers of ten, computed to the last bit while the program is compiled.
#include "server/json/shortest_decimal_internal.h"

#include <cstddef>

namespace tidemark::json {
namespace {

/// A whole number of up to 1,344 bits, its least word first.
class WideNumber {
 public:
  static constexpr std::size_t kWords = 21;

  /// 2^(64 * word).
  static constexpr WideNumber PowerOfTwo(std::size_t word) {
    WideNumber number;
    number.words_[word] = 1;
    return number;
  }
  constexpr void TimesTen() {
    std::uint64_t carry = 0;
    for (std::uint64_t& word : words_) {
      const Product product = Product{word} * 10 + carry;
      word = static_cast<std::uint64_t>(product);
      carry = static_cast<std::uint64_t>(product >> 64U);
    }
  }
  /// Rounds down; so often in a row is as once by the product.
  constexpr void OverTen() {
    std::uint64_t rest = 0;
    for (std::size_t i = kWords; i-- > 0;) {
      const Product part = (Product{rest} << 64U) | words_[i];
      words_[i] = static_cast<std::uint64_t>(part / 10);
      rest = static_cast<std::uint64_t>(part % 10);
    }
  }
  /// The first 128 bits; one more if `is_more`, or if any bit behind them is set.
  constexpr PowerOfTen Leading(bool is_more) const {
    std::size_t top = kWords - 1;
    while (words_[top] == 0)
      --top;
    const auto gap = static_cast<unsigned>(std::countl_zero(words_[top]));
    const auto word = [&](std::size_t from_top) { return from_top > top ? 0 : words_[top - from_top]; };
    const auto shifted = [&](std::size_t from_top) {
      return gap == 0 ? word(from_top) : (word(from_top) << gap) | (word(from_top + 1) >> (64U - gap));
    };
    bool is_cut = is_more || (gap == 0 ? word(2) : word(2) << gap) != 0;
    for (std::size_t i = 3; i <= top; ++i)
      is_cut = is_cut || word(i) != 0;
    PowerOfTen power{shifted(0), shifted(1)};
    if (is_cut && ++power.low == 0) ++power.high;
    return power;
  }

 private:
  std::array<std::uint64_t, kWords> words_{};
};

constexpr std::array<PowerOfTen, kPowerMax - kPowerMin + 1> MakePowersOfTen() {
  std::array<PowerOfTen, kPowerMax - kPowerMin + 1> powers{};
  WideNumber number = WideNumber::PowerOfTwo(0);
  for (int k = 0; k <= kPowerMax; ++k, number.TimesTen())
    powers[static_cast<std::size_t>(k - kPowerMin)] = number.Leading(false);
  number = WideNumber::PowerOfTwo(WideNumber::kWords - 1);
  for (int k = -1; k >= kPowerMin; --k) {
    number.OverTen();
    powers[static_cast<std::size_t>(k - kPowerMin)] = number.Leading(true);
  }
  return powers;
}

}  // namespace

constinit const std::array<PowerOfTen, kPowerMax - kPowerMin + 1> kPowersOfTen = MakePowersOfTen();

}  // namespace tidemark::json
