// Checksums of 32 bits by carry-less multiplication of 64 bytes at a time.
//
// Multiplication folds: a message is a polynomial, and its first part times a power of x, modulo the
// checksum's, can be added to a later part instead of being read (Gopal et al., "Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ Instruction", 2009). What is left at the end are 64 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tidemark {

inline constexpr std::size_t kCrcFoldBytes = 256;                // that are folded together
inline constexpr std::size_t kCrcFoldedMin = 2 * kCrcFoldBytes;  // of fewer bytes it does not pay

/// For 64, 128, 192 and 256 bytes: what the two words of 128 bits count for so many bytes later.
using CrcFactors = std::array<std::array<std::int64_t, 2>, 4>;

/// Of a checksum of reflected bits, whose polynomial is given without x^32.
constexpr CrcFactors CrcFactorsOf(std::uint32_t polynomial) {
  constexpr std::size_t kBitsApart = 512;
  CrcFactors factors{};
  std::uint32_t power = std::uint32_t{1} << 31;  // of x, from x^0 on
  const std::size_t last = factors.size() * kBitsApart + 32;
  for (std::size_t bits = 0; bits <= last; ++bits) {
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const std::size_t apart = (i + 1) * kBitsApart;
      if (bits == apart + 32) factors[i][0] = static_cast<std::int64_t>(std::uint64_t{power} << 1);
      if (bits == apart - 32) factors[i][1] = static_cast<std::int64_t>(std::uint64_t{power} << 1);
    }
    power = (power >> 1) ^ ((power & 1) != 0 ? polynomial : 0U);
  }
  return factors;
}

/// Whether the processor has the instructions.
bool CanFoldCrc();

/// 64 bytes whose checksum from 0 on, without an inversion, is that of `bytes` from `crc` on. `bytes` are a
/// multiple of kCrcFoldBytes. Only where CanFoldCrc().
using CrcRest = std::array<std::byte, 64>;
CrcRest FoldCrc(const CrcFactors& factors, std::span<const std::byte> bytes, std::uint32_t crc);

}  // namespace tidemark
