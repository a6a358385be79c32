// Goal: the checksum is CRC32C as the RFC gives it, however the bytes are cut into pieces.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>

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

}  // namespace
}  // namespace tidemark
