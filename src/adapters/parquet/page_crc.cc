// What folding leaves, and all where it cannot be done, is Arrow's to sum up.
#include "adapters/parquet/page_crc.h"

#include <arrow/util/crc32.h>

#include "base/crc_fold.h"

namespace tidemark {
namespace {

constexpr CrcFactors kPageFactors = CrcFactorsOf(0xEDB88320U);
constexpr std::uint32_t kFromZero = 0xFFFFFFFF;  // as Arrow inverts what it begins with

}  // namespace

std::uint32_t PageCrc32(std::span<const std::uint8_t> bytes, std::uint32_t before) {
  if (bytes.size() >= kCrcFoldedMin && CanFoldCrc()) {
    const std::size_t folded = bytes.size() / kCrcFoldBytes * kCrcFoldBytes;
    const CrcRest rest = FoldCrc(kPageFactors, std::as_bytes(bytes.first(folded)), ~before);
    before = arrow::internal::crc32(kFromZero, rest.data(), rest.size());
    bytes = bytes.subspan(folded);
  }
  return arrow::internal::crc32(before, bytes.data(), bytes.size());
}

}  // namespace tidemark
