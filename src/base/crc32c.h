// CRC32C (Castagnoli polynomial 0x1EDC6F41, reflected), as in RFC 3720 appendix B.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tidemark {

/// Checksum of `bytes`, going on from `seed` (the checksum of what came before; 0 at the start).
std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

}  // namespace tidemark
