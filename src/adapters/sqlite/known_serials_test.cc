// Goal: a serial is only known while nobody can have written to the file since it was read.
#include "adapters/sqlite/known_serials_internal.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

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

TEST(KnownSerialsTest, AStampThatALaterWriteMayLeaveTooIsNotSettled) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  EXPECT_TRUE(StampAt(kNs).IsSettledAt(kNs + kSecond));
  EXPECT_FALSE(StampAt(kNs).IsSettledAt(kNs + kSecond / 100));
  EXPECT_FALSE(StampAt(kNs).IsSettledAt(kNs - kSecond)) << "the clock was set back";
  FileStamp moved = StampAt(kNs);
  moved.changed_ns = kNs + kSecond;  // its time of modification was set by hand
  EXPECT_FALSE(moved.IsSettledAt(kNs + kSecond));
}

TEST(KnownSerialsTest, AWriteLeavesAnotherStamp) {
  std::string folder = (std::filesystem::temp_directory_path() / "tidemark_stamp_XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/file";
  EXPECT_FALSE(FileStamp::Of(path));
  std::ofstream(path) << "1";
  const auto before = FileStamp::Of(path);
  ASSERT_TRUE(before);
  EXPECT_FALSE(before->IsSettled()) << "it was written to just now";
  std::ofstream(path) << "12";
  const auto after = FileStamp::Of(path);
  ASSERT_TRUE(after);
  EXPECT_NE(*after, *before);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tidemark::sqlite
