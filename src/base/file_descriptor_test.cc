// Goal: a descriptor is closed once, and by its last owner; what the system refuses comes back as its errno.
#include "base/file_descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace tidemark {
namespace {

bool IsOpen(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

class FileDescriptorTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  FileDescriptor Make(const std::string& name) const {
    return FileDescriptor(::open((folder_ / name).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("file_descriptor_" + std::to_string(::getpid()));
};

TEST_F(FileDescriptorTest, ClosesWhatItHoldsOnce) {
  int fd = -1;
  {
    FileDescriptor first = Make("a");
    ASSERT_TRUE(first.is_open());
    fd = first.get();
    const FileDescriptor second = std::move(first);
    EXPECT_EQ(second.get(), fd);
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST_F(FileDescriptorTest, WhatIsAssignedToGivesUpItsOwn) {
  FileDescriptor file = Make("a");
  const int first = file.get();
  FileDescriptor other = Make("b");
  const int second = other.get();
  file = std::move(other);
  EXPECT_EQ(file.get(), second);
  EXPECT_FALSE(IsOpen(first));
}

TEST_F(FileDescriptorTest, WritesAllAndTellsErrors) {
  const std::string text(300'000, 'x');
  ASSERT_EQ(WriteAll(Make("a"), std::as_bytes(std::span(text))), 0);
  std::ifstream written(folder_ / "a", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}), text);

  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.is_open());
  EXPECT_EQ(WriteAll(full, std::as_bytes(std::span(text))), ENOSPC);
}

TEST_F(FileDescriptorTest, SyncsFilesAndFolders) {
  Make("a");
  EXPECT_EQ(SyncPath((folder_ / "a").string()), 0);
  EXPECT_EQ(SyncPath(folder_.string()), 0);
  EXPECT_EQ(SyncPath((folder_ / "absent").string()), ENOENT);
}

}  // namespace
}  // namespace tidemark
