// Hashes of bytes and integers (xxHash's XXH3). For tables in memory and for long keys; not for secrets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tidemark {

/// XXH3, 64 bits, seed 0.
std::uint64_t Hash64(std::span<const std::byte> bytes);

/// The same with a seed.
std::uint64_t Hash64(std::span<const std::byte> bytes, std::uint64_t seed);

/// XXH3, 128 bits, seed 0, in canonical (big-endian) byte order, so that it can be stored.
std::array<std::byte, 16> Hash128(std::span<const std::byte> bytes);

/// A bijective mix of 64 bits (the finaliser of splitmix64): equal inputs only give equal outputs.
constexpr std::uint64_t MixHash(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ULL;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace tidemark
