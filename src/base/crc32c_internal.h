// The ways to CRC32C, so that tests reach those that this processor would not take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tidemark {

enum class CrcWay : std::uint8_t { kTable, kInstruction, kFolding };

/// Crc32c by no better way than `most`; by a lesser one where the processor has not that.
std::uint32_t Crc32cBy(CrcWay most, std::span<const std::byte> bytes, std::uint32_t seed);

}  // namespace tidemark
