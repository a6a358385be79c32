// Goal: the checksum is CRC32C as the RFC gives it, however the bytes are cut into pieces.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/crc32c_internal.h"

namespace tidemark {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Crc32c, MatchesTheCheckValueOfTheRfc) {
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xE3069283U);
}

TEST(Crc32c, GoesOnFromASeed) {
  const std::string_view text = "the tide mark shows the level at a moment";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(Crc32c(Bytes(text.substr(cut)), Crc32c(Bytes(text.substr(0, cut)))), Crc32c(Bytes(text)));
  }
}

// Long texts are worked on in several lanes; each byte by itself is not.
TEST(Crc32c, IsTheSameForLongTextsAndByteByByte) {
  std::string text(20'000, '\0');
  std::uint32_t state = 7;
  for (char& each : text)
    each = static_cast<char>((state = state * 1'664'525 + 1'013'904'223) >> 24);
  std::uint32_t crc = 0;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    crc = Crc32c(Bytes(std::string_view(text).substr(end - 1, 1)), crc);
    if (end % 37 != 0 && end % 1'024 > 2) continue;
    for (const CrcWay way : {CrcWay::kTable, CrcWay::kInstruction, CrcWay::kFolding})
      ASSERT_EQ(Crc32cBy(way, Bytes(std::string_view(text).substr(0, end)), 0), crc) << end;
  }
}

}  // namespace
}  // namespace tidemark
