// Goal: what is put aside comes back as it was, leaves nothing behind, and fails with the folder's name.
#include "adapters/files/spill_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

TEST(SpillFile, GivesBackWhatWasPutAside) {
  const TestFolder folder;
  const auto spill = OpenSpillFile(folder.path());
  ASSERT_TRUE(spill) << spill.error().ToString();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));  // no name is left over, whatever happens
  const std::string large(3'000'000, 'x');
  ASSERT_TRUE((*spill)->Append("abc"));
  ASSERT_TRUE((*spill)->Append(large));
  ASSERT_TRUE((*spill)->Append(""));
  ASSERT_TRUE((*spill)->Append(std::string_view("\0z", 2)));
  EXPECT_EQ((*spill)->Read(1, 3).value(), "bcx");
  EXPECT_EQ((*spill)->Read(3, 3'000'000).value(), large);
  EXPECT_EQ((*spill)->Read(3'000'002, 3).value(), std::string("x\0z", 3));
  EXPECT_EQ((*spill)->Read(0, 0).value(), "");
  const auto beyond = (*spill)->Read(3'000'003, 3);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::kCorruption);
}

TEST(SpillFile, NamesTheFolderThatIsNotThere) {
  const auto spill = OpenSpillFile("/no/such/folder");
  ASSERT_FALSE(spill);
  EXPECT_EQ(spill.error().code, ErrorCode::kIo);
  EXPECT_THAT(spill.error().ToString(), testing::HasSubstr("/no/such/folder"));
}

TEST(SpillFile, AFullDiskIsToldApart) {
  // A limit on the size of files stands for the disk; in a process of its own, since it cannot be raised
  // again.
  const TestFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto spill = OpenSpillFile(folder.path());
    const auto written = spill ? (*spill)->Append(std::string(2000, 'x')) : Result<void>();
    _exit(!written && written.error().code == ErrorCode::kOutOfSpace ? 0 : 1);
  }
  int state = 0;
  ASSERT_EQ(waitpid(child, &state, 0), child);
  EXPECT_EQ(state, 0);
}

}  // namespace
}  // namespace tidemark::testing_support
