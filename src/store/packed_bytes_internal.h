// Loads and stores of unaligned little-endian integers, and the flags and places of a packed row's header.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidemark::packed {

static_assert(std::endian::native == std::endian::little,
              "packed rows are read in place: little-endian only");

inline constexpr std::uint8_t kFormat = 1;
inline constexpr std::uint8_t kDeleted = 1;
inline constexpr std::uint8_t kHasFullKey = 2;

inline constexpr std::size_t kCrcAt = 0;
inline constexpr std::size_t kChecksummedFrom = 4;
inline constexpr std::size_t kFormatAt = 4;
inline constexpr std::size_t kFlagsAt = 5;
inline constexpr std::size_t kSpellingAt = 6;
inline constexpr std::size_t kEventAt = 8;
inline constexpr std::size_t kCreatedAt = 16;
inline constexpr std::size_t kSequenceAt = 24;
inline constexpr std::size_t kExpiresAt = 32;
inline constexpr std::size_t kOriginAt = 40;
inline constexpr std::size_t kSchemaVersionAt = 44;

template <typename T>
T Load(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <typename T>
void Store(void* at, T value) {
  std::memcpy(at, &value, sizeof(T));
}

// Spellings as a number: 11 numbers of digits, -1 to 9, for each of 1,000 nanoseconds.
inline constexpr unsigned kSpellings = 11;

constexpr std::size_t BitmapBytes(std::size_t bits) {
  return (bits + 7) / 8;
}

}  // namespace tidemark::packed
