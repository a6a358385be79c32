// Goal: counts of a stream's messages are those of all readers that there have been, each counted once.
#include "wiring/stream_reports.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "store/online_store_testing.h"

namespace tidemark {
namespace {

using testing_support::TemporaryFolder;

namespace fs = std::filesystem;

constexpr std::uint32_t kView = 3;

class StreamReportsTest : public testing::Test {
 protected:
  StreamSessionStatus Status(std::int64_t started_us, std::int64_t rejected) const {
    StreamSessionStatus status;
    status.started_us = started_us;
    status.messages = 10;
    status.rejected = rejected;
    return status;
  }
  void RunSession(std::int64_t started_us, std::int64_t rejected) const {
    const auto file = StreamReportFile::Open(folder_.path(), kView);
    ASSERT_TRUE(file) << file.error().ToString();
    StreamSessionStatus status = Status(started_us, rejected);
    ASSERT_TRUE(file->Write(status));
    status.is_running = false;
    ASSERT_TRUE(file->Write(status));
  }
  std::int64_t Sum(const char* name) const {
    return StreamReportSum(folder_.path(), kView).at(name).get<std::int64_t>();
  }

  TemporaryFolder folder_;
};

TEST_F(StreamReportsTest, CountsGoOnFromThoseOfSessionsThatHaveEnded) {
  EXPECT_EQ(Sum("messages"), 0);
  RunSession(1, 2);
  EXPECT_EQ(Sum("rejected"), 2);
  RunSession(2, 0);
  EXPECT_EQ(Sum("rejected"), 2);
  RunSession(3, 5);
  EXPECT_EQ(Sum("rejected"), 7);
  EXPECT_EQ(Sum("messages"), 30);
  EXPECT_EQ(Sum("readers"), 0);
}

TEST_F(StreamReportsTest, OneThatWasAddedUpButNotRemovedCountsOnce) {
  RunSession(1, 2);
  const auto own = fs::path(folder_.path()) / (std::to_string(kView) + "-" + std::to_string(getpid()));
  const auto copy = fs::path(folder_.path()) / "copy";
  fs::copy_file(own, copy);
  ASSERT_TRUE(StreamReportFile::Open(folder_.path(), kView));
  fs::copy_file(copy, own);  // as a process leaves it that dies in between
  EXPECT_EQ(Sum("rejected"), 2);
  ASSERT_TRUE(StreamReportFile::Open(folder_.path(), kView));
  EXPECT_EQ(Sum("rejected"), 2);
}

TEST_F(StreamReportsTest, ASessionThatRunsSaysSinceWhenItWaits) {
  const auto file = StreamReportFile::Open(folder_.path(), kView);
  ASSERT_TRUE(file);
  StreamSessionStatus status = Status(1, 0);
  status.unreachable_since_us = 17;
  ASSERT_TRUE(file->Write(status));
  EXPECT_EQ(Sum("unreachable_since_us"), 17);
  EXPECT_EQ(Sum("readers"), 1);
  ASSERT_TRUE(StreamReportFile::Open(folder_.path(), kView));  // another one of this process: nothing ended
  EXPECT_EQ(Sum("messages"), 10);
  status.is_running = false;
  ASSERT_TRUE(file->Write(status));
  EXPECT_TRUE(StreamReportSum(folder_.path(), kView).at("unreachable_since_us").is_null());
}

TEST_F(StreamReportsTest, PartitionsOfOthersAreThoseOfProcessesThatLive) {
  const auto write_as = [&](pid_t pid, const std::string& partition, bool is_running) {
    StreamSessionStatus status = Status(1, 0);
    status.partitions = {partition};
    status.is_running = is_running;
    const auto file = StreamReportFile::Open(folder_.path(), kView);
    ASSERT_TRUE(file && file->Write(status));
    const auto own = fs::path(folder_.path()) / fmt::format("{}-{}", kView, getpid());
    fs::rename(own, fs::path(folder_.path()) / fmt::format("{}-{}", kView, pid));
  };
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  write_as(gone, "0", true);
  write_as(getpid(), "1", true);
  EXPECT_EQ(StreamPartitionsElsewhere(folder_.path(), kView), std::set<std::string>{});
  write_as(::getppid(), "2", true);
  EXPECT_EQ(StreamPartitionsElsewhere(folder_.path(), kView), std::set<std::string>{"2"});
  write_as(::getppid(), "2", false);
  EXPECT_EQ(StreamPartitionsElsewhere(folder_.path(), kView), std::set<std::string>{});
}

}  // namespace
}  // namespace tidemark
