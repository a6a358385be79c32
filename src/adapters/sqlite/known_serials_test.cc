// Goal: a serial is only known while nobody can have written to the file since it was read.
#include "adapters/sqlite/known_serials_internal.h"

#include <gtest/gtest.h>

namespace tidemark::sqlite {
namespace {

constexpr std::int64_t kNs = 1'700'000'000'000'000'000;

FileStamp StampAt(std::int64_t modified_ns) {
  return {.device = 1, .inode = 2, .bytes = 4096, .modified_ns = modified_ns, .changed_ns = modified_ns};
}

TEST(KnownSerialsTest, AreThoseOfOneStamp) {
  KnownSerials serials;
  EXPECT_FALSE(serials.Find(StampAt(kNs), "demo"));
  serials.Remember(StampAt(kNs), "demo", 7);
  serials.Remember(StampAt(kNs), "other", 3);
  EXPECT_EQ(serials.Find(StampAt(kNs), "demo"), 7);
  EXPECT_EQ(serials.Find(StampAt(kNs), "other"), 3);
  EXPECT_FALSE(serials.Find(StampAt(kNs + 1), "demo"));
  serials.Remember(StampAt(kNs + 1), "demo", 8);
  EXPECT_EQ(serials.Find(StampAt(kNs + 1), "demo"), 8);
  EXPECT_FALSE(serials.Find(StampAt(kNs + 1), "other")) << "it may have moved too";
  EXPECT_FALSE(serials.Find(StampAt(kNs), "demo"));
}

}  // namespace
}  // namespace tidemark::sqlite
