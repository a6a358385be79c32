// Goal: write times never repeat and never go back, between threads, processes and settings of the clock.
#include "base/write_times.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

TEST(WriteTimes, FollowTheClockAndNeverGoBack) {
  WriteTimes times;
  EXPECT_EQ(times.Take(1000, 3), 1000);
  EXPECT_EQ(times.Take(1000, 1), 1003);
  EXPECT_EQ(times.Take(5, 1), 1004);  // the clock was set back
  EXPECT_EQ(times.Take(2000, 1), 2000);
}

// A loss of power has taken the word back, and the clock was set back with it.
TEST(WriteTimes, AreLaterThanThoseOfRowsThatAreFoundAgain) {
  WriteTimes times;
  EXPECT_EQ(times.Take(1000, 1), 1000);
  times.Pass(5000, 10);
  EXPECT_EQ(times.Take(1001, 1), 5010);
  times.Pass(5010, 100);
  times.Pass(7, 1'000'000);
  EXPECT_EQ(times.Take(1001, 1), 5011) << "these are no later than what was given";
  times.Pass(std::numeric_limits<std::int64_t>::max(), 10);
  EXPECT_EQ(times.Take(1001, 1), 5012);
  times.Pass(6000, 0);
  EXPECT_EQ(times.Take(1001, 1), 6001);
}

TEST(WriteTimes, ThreadsGetDifferentOnes) {
  WriteTimes times;
  std::vector<std::vector<std::int64_t>> given(4);
  {
    std::vector<std::jthread> threads;
    for (auto& own : given) {
      threads.emplace_back([&times, &own] {
        for (int i = 0; i < 5000; ++i)
          own.push_back(times.Take(7, 1));
      });
    }
  }
  std::vector<std::int64_t> all;
  for (const auto& own : given) {
    EXPECT_TRUE(std::ranges::is_sorted(own));
    all.insert(all.end(), own.begin(), own.end());
  }
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

class WriteTimesFile : public testing::Test {
 protected:
  WriteTimesFile() : path_(testing::TempDir() + "/write_times_" + std::to_string(getpid())) {}
  ~WriteTimesFile() override { std::filesystem::remove(path_); }
  const std::string path_;
};

TEST_F(WriteTimesFile, ProcessesShareThem) {
  const auto times = WriteTimes::Open(path_);
  ASSERT_TRUE(times) << times.error().ToString();
  EXPECT_EQ((*times)->Take(100, 1), 100);
  const pid_t child = fork();
  if (child == 0) {
    const auto own = WriteTimes::Open(path_);
    _exit(own && (*own)->Take(50, 10) == 101 ? 0 : 1);
  }
  int state = 0;
  ASSERT_EQ(waitpid(child, &state, 0), child);
  EXPECT_EQ(WEXITSTATUS(state), 0);
  EXPECT_EQ((*times)->Take(50, 1), 111);
  EXPECT_EQ((*WriteTimes::Open(path_))->Take(50, 1), 112);
}

TEST_F(WriteTimesFile, ADamagedWordGivesWayToTheClock) {
  const std::int64_t damaged = std::numeric_limits<std::int64_t>::max();
  std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(&damaged), sizeof damaged);
  EXPECT_EQ((*WriteTimes::Open(path_))->Take(100, 1), 100);
}

TEST_F(WriteTimesFile, AFileThatCannotBeMadeIsAnError) {
  const auto times = WriteTimes::Open(path_ + "/no/such");
  ASSERT_FALSE(times);
  EXPECT_EQ(times.error().code, ErrorCode::kIo);
  EXPECT_NE(times.error().ToString().find("no/such"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
