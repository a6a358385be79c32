// The checksums of Parquet's pages: CRC-32 as in gzip.
#pragma once

#include <cstdint>
#include <span>

namespace tidemark {

/// Of bytes that follow those of checksum `before` (0: none do).
std::uint32_t PageCrc32(std::span<const std::uint8_t> bytes, std::uint32_t before = 0);

}  // namespace tidemark
