// Goal: a byte is held by one at a time, in one process and across processes; a dead process and a forked
// child hold nothing.
#include "base/lock_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

namespace tidemark {
namespace {

using Access = LockFile::Access;

class LockFileTest : public testing::Test {
 protected:
  LockFileTest() : path_(testing::TempDir() + "lock_file_test_" + std::to_string(::getpid())) {}
  ~LockFileTest() override { std::filesystem::remove(path_); }
  std::unique_ptr<LockFile> Open(Access access = Access::kFull) const {
    auto opened = LockFile::Open(path_, access, access == Access::kFull);
    if (!opened) ADD_FAILURE() << opened.error().ToString();
    return opened ? std::move(*opened) : nullptr;
  }
  static int Wait(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string path_;
};

TEST_F(LockFileTest, OneHoldsAByteAtATime) {
  const auto one = Open();
  const auto other = Open();
  EXPECT_TRUE(one->TryLock(0).value());
  EXPECT_FALSE(other->TryLock(0).value());
  EXPECT_TRUE(other->IsHeldElsewhere(0).value());
  EXPECT_FALSE(one->IsHeldElsewhere(0).value()) << "its own lock is not somebody else's";
  EXPECT_TRUE(other->TryLock(1).value());
  EXPECT_TRUE(Open(Access::kShared)->IsHeldElsewhere(0).value());
  one->Unlock(0);
  EXPECT_TRUE(other->TryLock(0).value());
}

TEST_F(LockFileTest, ShareTheByteExcludesThoseAlone) {
  const auto writer = Open();
  const auto one = Open(Access::kShared);
  const auto other = Open(Access::kShared);
  ASSERT_TRUE(one->LockShared(1));
  ASSERT_TRUE(other->LockShared(1));
  one->Unlock(1);
  EXPECT_FALSE(writer->TryLock(1).value());
  other->Unlock(1);
  EXPECT_TRUE(writer->TryLock(1).value());
}

TEST_F(LockFileTest, AKilledProcessHoldsNothing) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = Open();
    const char is_held = held->TryLock(0).value() ? 1 : 0;
    if (::write(ready[1], &is_held, 1) != 1) ::_exit(1);
    while (true)
      ::pause();
  }
  char is_held = 0;
  ASSERT_EQ(::read(ready[0], &is_held, 1), 1);
  EXPECT_EQ(is_held, 1);
  const auto mine = Open();
  EXPECT_FALSE(mine->TryLock(0).value());
  ::kill(child, SIGKILL);
  EXPECT_EQ(Wait(child), 128 + SIGKILL);
  EXPECT_TRUE(mine->TryLock(0).value());
  ::close(ready[0]);
  ::close(ready[1]);
}

// The child lives on when the parent lets go, and must not keep the lock for it.
TEST_F(LockFileTest, AForkedChildHoldsNothingOfItsParents) {
  auto held = Open();
  ASSERT_TRUE(held->TryLock(0).value());
  int go_on[2];
  ASSERT_EQ(::pipe(go_on), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(go_on[1]);
    const bool is_refused = !held->is_own() && !held->TryLock(0).has_value();
    const bool is_parents = Open()->IsHeldElsewhere(0).value();
    char nothing = 0;
    const bool is_told = ::read(go_on[0], &nothing, 1) == 1;
    ::_exit(is_refused && is_parents && is_told ? 0 : 1);
  }
  const auto other = Open();
  EXPECT_TRUE(held->is_own());
  EXPECT_FALSE(other->TryLock(0).value());
  held.reset();
  EXPECT_TRUE(other->TryLock(0).value()) << "the child has the file open, and must not hold its lock";
  ASSERT_EQ(::write(go_on[1], "x", 1), 1);
  EXPECT_EQ(Wait(child), 0);
  ::close(go_on[0]);
  ::close(go_on[1]);
}

TEST_F(LockFileTest, KnowsWhenItsPathNamesAnotherFile) {
  const auto opened = Open();
  EXPECT_TRUE(opened->is_in_place());
  std::filesystem::remove(path_);
  EXPECT_FALSE(opened->is_in_place());
  const auto made_again = Open();
  EXPECT_FALSE(opened->is_in_place());
  EXPECT_TRUE(made_again->is_in_place());
}

TEST_F(LockFileTest, AMissingFileIsNotFound) {
  const auto opened = LockFile::Open(path_, Access::kShared, false);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tidemark
