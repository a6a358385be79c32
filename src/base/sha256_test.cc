// Digests against the published vectors.
#include "base/sha256.h"

#include <gtest/gtest.h>

#include "base/keyed_hash.h"

namespace tidemark {
namespace {

// FIPS 180-4, and the digest of nothing.
TEST(Sha256Test, AgreesWithThePublishedDigests) {
  EXPECT_EQ(ToHex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256Test, PiecesAreOneText) {
  const std::string_view first = "a";
  const std::string_view rest = "bc";
  Sha256Sum sum;
  sum.Add(std::as_bytes(std::span(first)));
  sum.Add({});
  sum.Add(std::as_bytes(std::span(rest)));
  EXPECT_EQ(ToHex(sum.Finish()), ToHex(Sha256("abc")));
}

// RFC 4231, cases 2 and 6 (a key longer than a block).
TEST(Sha256Test, KeyedAgreesWithThePublishedDigests) {
  const std::string_view jefe = "Jefe";
  EXPECT_EQ(ToHex(HmacSha256(std::as_bytes(std::span(jefe)), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::string longer(131, '\xaa');
  EXPECT_EQ(ToHex(HmacSha256(std::as_bytes(std::span(longer)),
                             "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace tidemark
