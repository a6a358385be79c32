// Keys as 64-bit numbers that keep their order, and a sort by such numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::pit_internal {

/// An integer as a number: the sign bit is flipped.
constexpr std::uint64_t PlaceOfInteger(std::int64_t value) {
  return static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
}

/// The first eight bytes as a big-endian number; missing ones are zeros. Different values may become equal.
constexpr std::uint64_t PlaceOfBytes(std::string_view value) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < sizeof out; ++i) {
    out = out << 8 | (i < value.size() ? static_cast<unsigned char>(value[i]) : 0U);
  }
  return out;
}

/// Sorts ascending by `number(item)`, a 64-bit number; equal ones keep their order. Digit by digit, the
/// lowest first; digits that are the same everywhere cost nothing. `other` is memory for as many items; given
/// again it is used again, which spares the system clearing its pages.
template <typename Item, typename Number>
void RadixSort(std::vector<Item>& items, std::vector<Item>& other, const Number& number) {
  constexpr int kDigitBits = 11;
  constexpr std::uint64_t kDigitMask = (std::uint64_t{1} << kDigitBits) - 1;
  std::uint64_t any = 0;
  std::uint64_t all = ~std::uint64_t{0};
  for (const Item& item : items) {
    any |= number(item);
    all &= number(item);
  }
  for (int shift = 0; shift < 64; shift += kDigitBits) {
    if (((any ^ all) >> shift & kDigitMask) == 0) continue;
    other.resize(items.size());
    std::array<std::size_t, kDigitMask + 1> next{};
    const auto digit = [&number, shift](const Item& item) { return number(item) >> shift & kDigitMask; };
    for (const Item& item : items)
      ++next[digit(item)];
    std::size_t begin = 0;
    for (std::size_t& position : next)
      begin += std::exchange(position, begin);
    for (const Item& item : items)
      other[next[digit(item)]++] = item;
    items.swap(other);
  }
}

template <typename Item, typename Number>
void RadixSort(std::vector<Item>& items, const Number& number) {
  std::vector<Item> other;
  RadixSort(items, other, number);
}

}  // namespace tidemark::pit_internal
