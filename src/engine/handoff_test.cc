// Goal: things arrive once and in order, no more wait than may, errors of either side come back, and neither
// side is left waiting for the other.
#include "engine/handoff.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <vector>

namespace tidemark {
namespace {

TEST(Handoff, GivesEverythingInOrder) {
  Handoff<std::unique_ptr<int>> handoff(2);
  std::vector<int> used;
  const auto done = handoff.Run(
      [&]() -> Result<void> {
        for (int i = 0; i < 1000; ++i)
          EXPECT_TRUE(handoff.Put(std::make_unique<int>(i)));
        return {};
      },
      [&](std::unique_ptr<int> thing) -> Result<void> {
        used.push_back(*thing);
        return {};
      });
  ASSERT_TRUE(done);
  ASSERT_EQ(used.size(), 1000U);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(used[static_cast<std::size_t>(i)], i);
}

TEST(Handoff, BoundsWhatWaits) {
  Handoff<int> handoff(3);
  std::atomic<int> made{0};
  int used = 0;
  const auto done = handoff.Run(
      [&]() -> Result<void> {
        for (int i = 0; i < 200; ++i) {
          if (!handoff.Put(i)) break;
          made.fetch_add(1);
        }
        return {};
      },
      [&](int) -> Result<void> {
        EXPECT_LE(made.load() - used, 3 + 1);  // the one in hand counts no more
        ++used;
        return {};
      });
  EXPECT_TRUE(done);
  EXPECT_EQ(used, 200);
}

TEST(Handoff, NothingMadeIsNothingUsed) {
  Handoff<int> handoff(1);
  const auto done = handoff.Run([]() -> Result<void> { return {}; },
                                [](int) -> Result<void> { return Fail(ErrorCode::kInternal, "used"); });
  EXPECT_TRUE(done);
}

TEST(Handoff, AnErrorOfTheUserStopsTheMaker) {
  Handoff<int> handoff(1);
  bool was_told = false;
  const auto done = handoff.Run(
      [&]() -> Result<void> {
        while (handoff.Put(1)) {
        }
        was_told = true;
        return Fail(ErrorCode::kInternal, "of the maker");
      },
      [](int) -> Result<void> { return Fail(ErrorCode::kOutOfSpace, "of the user"); });
  EXPECT_TRUE(was_told);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "of the user");
}

TEST(Handoff, AnErrorOfTheMakerComesAfterWhatItMade) {
  Handoff<int> handoff(1);
  int used = 0;
  const auto done = handoff.Run(
      [&]() -> Result<void> {
        handoff.Put(1);
        handoff.Put(2);
        return Fail(ErrorCode::kIo, "of the maker");
      },
      [&](int) -> Result<void> {
        ++used;
        return {};
      });
  EXPECT_EQ(used, 2);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "of the maker");
}

TEST(Handoff, AnExceptionOfTheUserLeavesNobodyWaiting) {
  Handoff<int> handoff(1);
  const auto run = [&] {
    return handoff.Run(
        [&]() -> Result<void> {
          while (handoff.Put(1)) {
          }
          return {};
        },
        [](int) -> Result<void> { throw std::runtime_error("of the user"); });
  };
  EXPECT_THROW((void)run(), std::runtime_error);
}

TEST(Handoff, MemoryThatTheMakerLacksIsAnError) {
  Handoff<int> handoff(1);
  const auto done =
      handoff.Run([]() -> Result<void> { throw std::bad_alloc(); }, [](int) -> Result<void> { return {}; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kOutOfSpace);
}

}  // namespace
}  // namespace tidemark
