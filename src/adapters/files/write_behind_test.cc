// Goal: the file holds what was written, in order, however large the pieces are, and an error of the system
// comes out at the latest when it is closed.
#include "adapters/files/write_behind.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace tidemark {
namespace {

std::string PathFor(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / name).string();
}

TEST(WriteBehindFile, HoldsWhatWasWrittenInOrder) {
  const std::string path = PathFor("write-behind");
  const auto file = WriteBehindFile::Open(path).ValueOrDie();
  std::string expected;
  for (std::size_t i = 0; i < 40; ++i) {
    const std::string piece(i * i * 100 + 1, static_cast<char>('a' + i % 26));
    // Large buffers are kept, small ones and plain bytes are copied.
    const auto status = i % 3 == 0 ? file->Write(piece.data(), static_cast<std::int64_t>(piece.size()))
                                   : file->Write(arrow::Buffer::FromString(piece));
    ASSERT_TRUE(status.ok()) << status.ToString();
    expected += piece;
  }
  EXPECT_EQ(file->Tell().ValueOrDie(), static_cast<std::int64_t>(expected.size()));
  ASSERT_TRUE(file->Close().ok());
  EXPECT_TRUE(file->closed());
  std::ifstream in(path, std::ios::binary);
  const std::string got{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(got == expected);
  std::filesystem::remove(path);
}

TEST(WriteBehindFile, TellsOfADiskThatIsFull) {
  const auto file = WriteBehindFile::Open("/dev/full").ValueOrDie();
  ASSERT_TRUE(file->Write("x", 1).ok());
  const auto closed = file->Close();
  EXPECT_FALSE(closed.ok());
  EXPECT_TRUE(closed.IsIOError()) << closed.ToString();
}

TEST(WriteBehindFile, TellsOfAFolderThatIsNotThere) {
  EXPECT_TRUE(WriteBehindFile::Open(PathFor("no-such-folder/file")).status().IsIOError());
}

}  // namespace
}  // namespace tidemark
