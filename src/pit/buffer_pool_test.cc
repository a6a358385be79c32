// Goal: blocks keep what was written to them through every change of size, come back after they are freed,
// and no more than the limit is kept.
#include "pit/buffer_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

// What uses before have kept is given back by another thread.
bool IsGivenBack() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (arrow::system_memory_pool()->bytes_allocated() != 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(BufferPool, GivesAFreedBlockOutAgain) {
  const BufferPoolUse use;
  std::uint8_t* first = nullptr;
  ASSERT_TRUE(BufferPool()->Allocate(1'000'000, &first).ok());
  BufferPool()->Free(first, 1'000'000);
  std::uint8_t* second = nullptr;
  ASSERT_TRUE(BufferPool()->Allocate(1'000'001, &second).ok());
  EXPECT_EQ(first, second);
  BufferPool()->Free(second, 1'000'001);
}

TEST(BufferPool, KeepsTheBytesThroughEveryChangeOfSize) {
  const BufferPoolUse use;
  std::uint8_t* block = nullptr;
  std::int64_t size = 100;
  ASSERT_TRUE(BufferPool()->Allocate(size, &block).ok());
  std::memset(block, 7, 100);
  for (const std::int64_t next : {40'000, 41'000, 5'000'000, 300'000'000, 60'000, 200}) {
    ASSERT_TRUE(BufferPool()->Reallocate(size, next, &block).ok());
    size = next;
    for (int i = 0; i < 100; ++i)
      ASSERT_EQ(block[i], 7) << "size " << next;
  }
  BufferPool()->Free(block, size);
}

TEST(BufferPool, AccountsForWhatIsInUseOnly) {
  ASSERT_TRUE(IsGivenBack());
  const BufferPoolUse use;
  const std::int64_t before = BufferPool()->bytes_allocated();
  std::vector<std::uint8_t*> blocks(40);
  for (auto& block : blocks)
    ASSERT_TRUE(BufferPool()->Allocate(std::int64_t{8} << 20, &block).ok());
  EXPECT_GE(BufferPool()->bytes_allocated() - before, std::int64_t{320} << 20);
  for (auto* block : blocks)
    BufferPool()->Free(block, std::int64_t{8} << 20);
  EXPECT_EQ(BufferPool()->bytes_allocated(), before);
}

TEST(BufferPool, KeepsNoMoreThanTheLeastOfItsUses) {
  ASSERT_TRUE(IsGivenBack());
  const auto kept = [] { return arrow::system_memory_pool()->bytes_allocated(); };
  const auto free_one = [](std::int64_t bytes) {
    std::uint8_t* block = nullptr;
    ASSERT_TRUE(BufferPool()->Allocate(bytes, &block).ok());
    BufferPool()->Free(block, bytes);
  };
  const BufferPoolUse wide;
  free_one(std::int64_t{4} << 20);
  EXPECT_GE(kept(), std::int64_t{4} << 20);
  {
    const BufferPoolUse narrow(std::int64_t{1} << 20);
    EXPECT_EQ(kept(), 0);  // what was kept is too much now
    free_one(std::int64_t{4} << 20);
    EXPECT_EQ(kept(), 0);
    free_one(std::int64_t{512} << 10);
    EXPECT_GE(kept(), std::int64_t{512} << 10);
  }
  free_one(std::int64_t{4} << 20);
  EXPECT_GE(kept(), std::int64_t{4} << 20);
}

TEST(BufferPool, GivesEverythingBackWhenTheLastUseEnds) {
  ASSERT_TRUE(IsGivenBack());
  {
    const BufferPoolUse use;
    std::uint8_t* block = nullptr;
    ASSERT_TRUE(BufferPool()->Allocate(std::int64_t{4} << 20, &block).ok());
    BufferPool()->Free(block, std::int64_t{4} << 20);
    EXPECT_GT(arrow::system_memory_pool()->bytes_allocated(), 0);
  }
  EXPECT_TRUE(IsGivenBack());
}

// What a use kept is given back by a thread that may be at it when the process ends, and Arrow's pools with
// it.
TEST(BufferPool, TheProcessMayEndRightAfterAUse) {
  const auto use_and_end = [] {
    {
      const BufferPoolUse use;
      constexpr std::int64_t kBytes = std::int64_t{64} << 20;
      std::uint8_t* block = nullptr;
      ASSERT_TRUE(BufferPool()->Allocate(kBytes, &block).ok());
      std::memset(block, 1, kBytes);
      BufferPool()->Free(block, kBytes);
    }
    std::exit(0);
  };
  for (int i = 0; i < 10; ++i)
    EXPECT_EXIT(use_and_end(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tidemark
