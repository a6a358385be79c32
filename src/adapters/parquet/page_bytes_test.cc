// Goal: a page's bytes are what its compression makes of them, however they are asked for, and streams that
// break the format are refused.
#include "adapters/parquet/page_bytes.h"

#include <gtest/gtest.h>
#include <parquet/exception.h>

#include <random>
#include <string>

namespace tidemark {
namespace {

using Bytes = std::vector<std::uint8_t>;

void Take(PageBytes& page, const Bytes& stored, std::size_t size) {
  page.Reset({.data = stored.data(), .bytes = std::ssize(stored)}, static_cast<std::int64_t>(size), true);
}

std::string All(const PageBytes& page) {
  std::string out(static_cast<std::size_t>(page.size()), '\0');
  page.Copy(0, page.size(), out.data());
  return out;
}

// The elements of snappy's format, one of each kind.
TEST(PageBytes, ReadsEveryElementOfSnappy) {
  const std::string literal(70, 'x');
  Bytes stored{4 + 6 + 5 + 70 + 10 + 64};
  stored[0] |= 0x80;  // the length, 159, as a varint
  stored.push_back(1);
  for (const int byte : {3 << 2, int{'a'}, int{'b'}, int{'c'}, int{'d'}})
    stored.push_back(static_cast<std::uint8_t>(byte));
  for (const int byte : {1 | (6 - 4) << 2, 4})  // a copy with an offset of 11 bits, beyond its own beginning
    stored.push_back(static_cast<std::uint8_t>(byte));
  for (const int byte : {2 | (5 - 1) << 2, 9, 0})  // of 16 bits
    stored.push_back(static_cast<std::uint8_t>(byte));
  for (const int byte : {60 << 2, 69})  // a literal whose length has a byte of its own
    stored.push_back(static_cast<std::uint8_t>(byte));
  stored.insert(stored.end(), literal.begin(), literal.end());
  for (const int byte : {3 | (10 - 1) << 2, 85, 0, 0, 0})  // of 32 bits
    stored.push_back(static_cast<std::uint8_t>(byte));
  for (const int byte : {2 | (64 - 1) << 2, 1, 0})  // one byte again and again
    stored.push_back(static_cast<std::uint8_t>(byte));
  std::string expected = "abcdabcdab";
  expected += expected.substr(1, 5);
  expected += literal;
  expected += expected.substr(0, 10);
  expected += std::string(64, expected.back());
  PageBytes page(arrow::Compression::SNAPPY);
  Take(page, stored, expected.size());
  EXPECT_EQ(All(page), expected);
}

TEST(PageBytes, GivesWhatWasCompressed) {
  std::mt19937_64 random(11);
  for (const auto compression :
       {arrow::Compression::SNAPPY, arrow::Compression::ZSTD, arrow::Compression::LZ4}) {
    const auto codec = arrow::util::Codec::Create(compression).ValueOrDie();
    PageBytes page(compression);
    for (int n = 0; n < 60; ++n) {
      Bytes plain(1 + random() % 200'000);
      const std::uint64_t repeats = n % 4 == 0 ? 0 : random() % 40;
      for (auto& byte : plain)
        byte = static_cast<std::uint8_t>(n % 4 == 3 ? random() % 4 : random());
      for (std::uint64_t i = 0; i < repeats && plain.size() > 1000; ++i) {
        const std::size_t from = random() % (plain.size() - 500);
        std::copy_n(plain.begin() + static_cast<std::ptrdiff_t>(from), random() % 100,
                    plain.begin() + static_cast<std::ptrdiff_t>(random() % (plain.size() - 500)));
      }
      Bytes stored(static_cast<std::size_t>(codec->MaxCompressedLen(std::ssize(plain), plain.data())));
      stored.resize(static_cast<std::size_t>(
          codec->Compress(std::ssize(plain), plain.data(), std::ssize(stored), stored.data()).ValueOrDie()));
      Take(page, stored, plain.size());
      ASSERT_EQ(All(page), std::string(plain.begin(), plain.end()));
      for (int look = 0; look < 50; ++look) {
        const std::size_t from = random() % plain.size();
        const std::size_t bytes = random() % (plain.size() - from + 1);
        const std::uint8_t* const view =
            page.View(static_cast<std::int64_t>(from), static_cast<std::int64_t>(bytes));
        ASSERT_TRUE(std::equal(view, view + bytes, plain.begin() + static_cast<std::ptrdiff_t>(from)));
      }
      EXPECT_THROW(page.View(page.size() - 1, 2), parquet::ParquetException);
      EXPECT_THROW(page.View(-1, 1), parquet::ParquetException);
    }
  }
}

TEST(PageBytes, KeepsWhatIsNotCompressedBeforeTheRest) {
  const auto codec = arrow::util::Codec::Create(arrow::Compression::SNAPPY).ValueOrDie();
  const Bytes plain(300, 7);
  Bytes stored{1, 2, 3};
  stored.resize(3 + static_cast<std::size_t>(codec->MaxCompressedLen(std::ssize(plain), plain.data())));
  stored.resize(
      3 + static_cast<std::size_t>(
              codec->Compress(std::ssize(plain), plain.data(), std::ssize(stored) - 3, stored.data() + 3)
                  .ValueOrDie()));
  PageBytes page(arrow::Compression::SNAPPY);
  page.Reset({.data = stored.data(), .bytes = std::ssize(stored), .plain = 3}, 303, true);
  EXPECT_EQ(All(page), "\1\2\3" + std::string(300, '\7'));
  page.Reset({.data = stored.data(), .bytes = 3, .plain = 3}, 3, true);
  EXPECT_EQ(All(page), "\1\2\3");
  page.Reset({.data = stored.data(), .bytes = 3, .plain = 0}, 3, false);
  EXPECT_EQ(All(page), "\1\2\3");
}

TEST(PageBytes, RefusesBrokenStreams) {
  PageBytes page(arrow::Compression::SNAPPY);
  const auto refuses = [&page](const Bytes& stored, std::size_t size) {
    EXPECT_ANY_THROW(Take(page, stored, size));
  };
  refuses({5, 4 << 2, 'a', 'b'}, 5);                 // a literal that breaks off
  refuses({5, 0 << 2, 'a', 1 | 0 << 2, 2}, 5);       // a copy from before the beginning
  refuses({5, 0 << 2, 'a', 1 | 0 << 2, 0}, 5);       // from nowhere
  refuses({5, 0 << 2, 'a', 2 | 10 << 2, 1, 0}, 5);   // beyond the end
  refuses({5, 0 << 2, 'a'}, 5);                      // too little
  refuses({5, 4 << 2, 'a', 'b', 'c', 'd', 'e'}, 6);  // of another length than stated
  refuses({0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, 5);  // no length
  refuses({5, 62 << 2, 0xFF, 0xFF}, 5);              // a length that breaks off
  page.Reset({.data = nullptr, .bytes = 0}, 0, true);
  EXPECT_EQ(page.size(), 0);
}

}  // namespace
}  // namespace tidemark
