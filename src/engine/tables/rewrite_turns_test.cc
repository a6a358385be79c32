// Goal: one at a time has a turn, in the order they came; who is asked to stop waits no longer, and stands in
// nobody's way; a forked child neither waits for its parent's turns nor ends them.
#include "engine/tables/rewrite_turns.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

/// Returns when so many have the turn or wait for it.
void AwaitCount(RewriteTurns& turns, const std::string& name, std::size_t count) {
  while (turns.Count(name) != count)
    std::this_thread::yield();
}

TEST(RewriteTurns, AreTakenInTheOrderOfWhoCame) {
  RewriteTurns turns;
  auto first = std::optional(turns.Take("a", {}).value());
  std::mutex mutex;
  std::vector<int> order;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const auto turn = turns.Take("a", {});
        ASSERT_TRUE(turn);
        const std::unique_lock alone(mutex, std::try_to_lock);
        ASSERT_TRUE(alone.owns_lock()) << "another one has the turn";
        order.push_back(i);
      });
      AwaitCount(turns, "a", static_cast<std::size_t>(i) + 2);
    }
    EXPECT_TRUE(order.empty());
    first.reset();
  }
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(turns.Count("a"), 0U);
}

TEST(RewriteTurns, OfOtherNamesAreTakenAtOnce) {
  RewriteTurns turns;
  const auto one = turns.Take("a", {});
  EXPECT_TRUE(turns.Take("b", {}));
  EXPECT_TRUE(turns.TakeMemory({}));
  EXPECT_EQ(turns.Count("a"), 1U);
}

TEST(RewriteTurns, AreNotWaitedForByWhoIsToStop) {
  RewriteTurns turns;
  auto first = std::optional(turns.Take("a", {}).value());
  std::stop_source stop;
  std::optional<ErrorCode> told;
  std::jthread stopped([&] { told = turns.Take("a", stop.get_token()).error().code; });
  AwaitCount(turns, "a", 2);
  bool has_turn = false;
  std::jthread behind([&] { has_turn = turns.Take("a", {}).has_value(); });
  AwaitCount(turns, "a", 3);
  stop.request_stop();
  stopped.join();
  EXPECT_EQ(told, ErrorCode::kCancelled);
  EXPECT_EQ(turns.Count("a"), 2U);
  first.reset();
  behind.join();
  EXPECT_TRUE(has_turn);
}

TEST(RewriteTurns, BeginAnewInAForkedChild) {
  RewriteTurns turns;
  auto first = std::optional(turns.Take("a", {}).value());
  std::optional<RewriteTurns::Turn> second;
  std::jthread waiting([&] { second.emplace(turns.Take("a", {}).value()); });
  AwaitCount(turns, "a", 2);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto own = turns.Take("a", {});
    first.reset();
    ::_exit(own && turns.Count("a") == 1 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(turns.Count("a"), 2U) << "the child's end is nothing to its parent";
  first.reset();
  waiting.join();
  EXPECT_TRUE(second);
}

}  // namespace
}  // namespace tidemark
