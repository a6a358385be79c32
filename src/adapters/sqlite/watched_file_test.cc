// Goal: a write leaves another stamp, or one that is said not to be settled yet; a file that took the place
// of the one that is watched is noticed within moments, and one that is gone at once.
#include "adapters/sqlite/watched_file_internal.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace tidemark::sqlite {
namespace {

constexpr std::int64_t kMomentNs = 1'700'000'000'000'000'000;

FileStamp StampOfMoment(std::int64_t modified_ns) {
  return {.device = 1, .inode = 2, .bytes = 4096, .modified_ns = modified_ns, .changed_ns = modified_ns};
}

TEST(FileStampTest, AStampThatALaterWriteMayLeaveTooIsNotSettled) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  EXPECT_TRUE(StampOfMoment(kMomentNs).IsSettledAt(kMomentNs + kSecond));
  EXPECT_FALSE(StampOfMoment(kMomentNs).IsSettledAt(kMomentNs + kSecond / 100));
  EXPECT_FALSE(StampOfMoment(kMomentNs).IsSettledAt(kMomentNs - kSecond)) << "the clock was set back";
  FileStamp moved = StampOfMoment(kMomentNs);
  moved.changed_ns = kMomentNs + kSecond;  // its time of modification was set by hand
  EXPECT_FALSE(moved.IsSettledAt(kMomentNs + kSecond));
}

class WatchedFileTest : public testing::Test {
 protected:
  WatchedFileTest() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~WatchedFileTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_ = (std::filesystem::temp_directory_path() / "tidemark_stamp_XXXXXX").string();
  std::string path() const { return folder_ + "/file"; }
};

TEST_F(WatchedFileTest, AWriteLeavesAnotherStamp) {
  std::ofstream(path()) << "1";
  const WatchedFile file(path());
  const auto before = file.Stamp();
  ASSERT_TRUE(before);
  EXPECT_FALSE(before->IsSettled()) << "it was written to just now";
  EXPECT_EQ(file.Stamp(), before);
  std::ofstream(path()) << "12";
  const auto after = file.Stamp();
  ASSERT_TRUE(after);
  EXPECT_NE(*after, *before);
}

TEST_F(WatchedFileTest, AFileThatIsGoneHasNone) {
  const WatchedFile absent(path());
  EXPECT_FALSE(absent.Stamp());
  std::ofstream(path()) << "1";
  EXPECT_TRUE(absent.Stamp()) << "it came later";
  const WatchedFile file(path());
  EXPECT_TRUE(file.Stamp());
  std::filesystem::remove(path());
  EXPECT_FALSE(file.Stamp());
}

TEST_F(WatchedFileTest, AFileThatTookItsPlaceIsNoticed) {
  std::ofstream(path()) << "1";
  std::ofstream(folder_ + "/other") << "1";
  const WatchedFile file(path());
  const auto before = file.Stamp();
  std::filesystem::rename(folder_ + "/other", path());
  EXPECT_NE(file.Stamp()->inode, before->inode) << "the one that is open is no file any more";

  // One that was moved away goes on to be a file.
  const WatchedFile moved(path());
  const auto own = moved.Stamp();
  std::filesystem::rename(path(), folder_ + "/moved");
  const auto begin = std::chrono::steady_clock::now();
  while (moved.Stamp() && std::chrono::steady_clock::now() - begin < std::chrono::seconds(10))
    continue;
  EXPECT_FALSE(moved.Stamp());
  EXPECT_TRUE(own);
}

}  // namespace
}  // namespace tidemark::sqlite
