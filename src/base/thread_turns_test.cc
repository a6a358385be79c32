// Goal: a thread has short turns once it asks for them, as those have that it starts, and keeps its share;
// one that gives way has a smaller share, as those have that it starts.
#include "base/thread_turns.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>

namespace tidemark {
namespace {

/// The turn of this thread, in nanoseconds; nothing if the kernel does not tell.
std::optional<std::uint64_t> TurnNs() {
  std::array<std::byte, 48> attributes{};
  if (syscall(SYS_sched_getattr, 0, attributes.data(), attributes.size(), 0) != 0) return std::nullopt;
  std::uint64_t turn_ns = 0;
  std::memcpy(&turn_ns, attributes.data() + 24, sizeof(turn_ns));
  return turn_ns == 0 ? std::nullopt : std::optional(turn_ns);
}

TEST(ThreadTurns, AreShortWhereTheKernelHasThem) {
  std::thread thread([] {
    if (!TurnNs()) return;  // an older kernel
    EXPECT_GT(*TurnNs(), 100'000U);
    ASSERT_EQ(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 3), 0);
    RunInShortTurns();
    EXPECT_EQ(*TurnNs(), 100'000U);
    EXPECT_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())), 3);
    std::thread([] { EXPECT_EQ(*TurnNs(), 100'000U); }).join();
  });
  thread.join();
}

TEST(ThreadTurns, WhoGivesWayGivesWayNoLessThanBefore) {
  const auto nice = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); };
  const int own = nice();
  EXPECT_FALSE(GivesWay());
  std::thread([&] {
    EXPECT_FALSE(GivesWay());
    GiveWay(Share::kThird);
    EXPECT_GE(nice(), 5);
    EXPECT_EQ(GivesWay(), nice() > own);
    std::thread([&] {
      EXPECT_GE(nice(), 5);
      EXPECT_EQ(GivesWay(), nice() > own);
    }).join();
    ASSERT_EQ(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19), 0);
    GiveWay(Share::kNinth);
    EXPECT_EQ(nice(), 19);
  }).join();
}

}  // namespace
}  // namespace tidemark
