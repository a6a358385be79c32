// CRC32C by folding (crc_fold.h) where the processor can, by the SSE 4.2 instruction where it has that, by a
// table elsewhere.
//
// The instruction takes three cycles and one can begin in each, so three lanes are worked on at once and put
// together: a checksum goes on over as many zero bytes as a lane has, which is linear in its bits, and the
// next lane's is added (Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction",
// 2011).
#include "base/crc32c.h"

#include <array>
#include <cstring>

#include "base/crc32c_internal.h"
#include "base/crc_fold.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tidemark {
namespace {

constexpr std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

constexpr auto kTable = MakeTable();

std::uint32_t ByTable(std::span<const std::byte> bytes, std::uint32_t crc) {
  for (const std::byte b : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<std::uint32_t>(b)) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
constexpr CrcFactors kFactors = CrcFactorsOf(0x82F63B78U);
constexpr std::size_t kLaneBytes = 1024;
constexpr std::size_t kLanes = 3;

// What a checksum becomes over a lane of zero bytes, for each of its four bytes.
using LaneShift = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr LaneShift MakeLaneShift() {
  std::array<std::uint32_t, 32> of_bit{};
  for (std::size_t bit = 0; bit < of_bit.size(); ++bit) {
    std::uint32_t crc = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < kLaneBytes; ++i)
      crc = (crc >> 8) ^ kTable[crc & 0xFF];
    of_bit[bit] = crc;
  }
  LaneShift shift{};
  for (std::size_t byte = 0; byte < shift.size(); ++byte) {
    for (std::size_t value = 0; value < shift[byte].size(); ++value) {
      for (std::size_t bit = 0; bit < 8; ++bit)
        shift[byte][value] ^= (value >> bit & 1) != 0 ? of_bit[byte * 8 + bit] : 0;
    }
  }
  return shift;
}

constexpr LaneShift kLaneShift = MakeLaneShift();

std::uint64_t OverLane(std::uint64_t crc) {
  return kLaneShift[0][crc & 0xFF] ^ kLaneShift[1][crc >> 8 & 0xFF] ^ kLaneShift[2][crc >> 16 & 0xFF] ^
         kLaneShift[3][crc >> 24 & 0xFF];
}

std::uint64_t WordAt(const std::byte* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

__attribute__((target("sse4.2"))) std::uint64_t ThreeLanes(const std::byte* at, std::uint64_t crc) {
  std::uint64_t second = 0;
  std::uint64_t third = 0;
  for (const std::byte* const end = at + kLaneBytes; at != end; at += sizeof(std::uint64_t)) {
    crc = _mm_crc32_u64(crc, WordAt(at));
    second = _mm_crc32_u64(second, WordAt(at + kLaneBytes));
    third = _mm_crc32_u64(third, WordAt(at + 2 * kLaneBytes));
  }
  return OverLane(OverLane(crc) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) std::uint32_t ByInstruction(std::span<const std::byte> bytes,
                                                              std::uint32_t crc, bool folds) {
  std::uint64_t crc64 = crc;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  if (left >= kCrcFoldedMin && folds) {
    const std::size_t folded = left / kCrcFoldBytes * kCrcFoldBytes;
    const CrcRest rest = FoldCrc(kFactors, bytes.first(folded), crc);
    crc64 = 0;
    for (std::size_t i = 0; i < rest.size(); i += sizeof(std::uint64_t))
      crc64 = _mm_crc32_u64(crc64, WordAt(rest.data() + i));
    at += folded;
    left -= folded;
  }
  for (; left >= kLanes * kLaneBytes; left -= kLanes * kLaneBytes, at += kLanes * kLaneBytes)
    crc64 = ThreeLanes(at, crc64);
  for (; left >= 8; left -= 8, at += 8)
    crc64 = _mm_crc32_u64(crc64, WordAt(at));
  crc = static_cast<std::uint32_t>(crc64);
  for (; left > 0; --left, ++at)
    crc = _mm_crc32_u8(crc, static_cast<std::uint8_t>(*at));
  return crc;
}
#endif

}  // namespace

std::uint32_t Crc32cBy(CrcWay most, std::span<const std::byte> bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (most != CrcWay::kTable && has_instruction)
    return ~ByInstruction(bytes, ~seed, most == CrcWay::kFolding && CanFoldCrc());
#endif
  return ~ByTable(bytes, ~seed);
}

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  return Crc32cBy(CrcWay::kFolding, bytes, seed);
}

}  // namespace tidemark
