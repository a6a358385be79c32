// Goal: who appends a frame is told when it is in the log's file, which is before it is durable: what is done
// then goes on beside the sync, and a process that is killed meanwhile leaves the frame to who recovers the
// log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "adapters/wal/log_disk_testing.h"
#include "adapters/wal/wal_testing.h"
#include "adapters/wal/write_logs.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wal::DiskCall;
using wal::FaultyDisk;

class LogWrittenTest : public testing::Test {
 protected:
  std::unique_ptr<WriteLog> Log(LogGroupHook hook = nullptr) {
    logs_ = OpenWriteLogs({.folder = path_, .disk = &disk_});
    return Must(logs_->Create(std::move(hook)));
  }
  static Result<LogPosition> Append(WriteLog& log, const std::string& name,
                                    const std::function<void()>& is_written) {
    const TestRecord owner(name, 1, 60);
    const LogRecord record = owner.record();
    const LogAppend append{&record, nullptr, &is_written};
    return log.Append({&append, 1});
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/log";
  DiskCall failing_ = DiskCall::kRename;  // while `error_` is one
  int error_ = 0;
  FaultyDisk disk_{[this](DiskCall call, std::int64_t) {
    return FaultyDisk::Fault{.error = call == failing_ ? error_ : 0};
  }};
  std::unique_ptr<WriteLogs> logs_;
  std::vector<std::string> events_;
};

TEST_F(LogWrittenTest, ItIsToldBeforeTheSyncAndTheHook) {
  const auto log = Log([this](LogId, std::span<const LogEntry>) -> Result<void> {
    events_.emplace_back("durable");
    return {};
  });
  const std::int64_t syncs = disk_.calls(DiskCall::kSync);
  ASSERT_TRUE(Append(*log, "a", [&] {
    events_.emplace_back("written");
    EXPECT_EQ(disk_.calls(DiskCall::kSync), syncs);
    EXPECT_EQ(log->durable_lsn(), 0U);
    EXPECT_THAT(Names(Must(ReadAll(*Must(logs_->Snapshots()).at(0)))), IsEmpty());
  }));
  EXPECT_THAT(events_, ElementsAre("written", "durable"));
  EXPECT_THAT(Names(Must(ReadAll(*Must(logs_->Snapshots()).at(0)))), ElementsAre("a"));
  ASSERT_TRUE(Append(*log, "b", {}));
  EXPECT_EQ(log->durable_lsn(), 2U);
}

TEST_F(LogWrittenTest, WhoRecoversTheLogOfAProcessThatWasKilledThenFindsTheFrame) {
  const auto log = Log();
  const std::string killed = folder_.path() + "/killed";
  ASSERT_TRUE(Append(
      *log, "a", [&] { std::filesystem::copy(path_, killed, std::filesystem::copy_options::recursive); }));
  EXPECT_THAT(Names(Must(RecoverAndReadAll(killed))), ElementsAre("a"));
}

TEST_F(LogWrittenTest, NothingIsToldOfAFrameThatCouldNotBeWritten) {
  const auto log = Log();
  failing_ = DiskCall::kWrite;
  error_ = ENOSPC;
  const auto written = Append(*log, "a", [this] { events_.emplace_back("written"); });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(LogWrittenTest, OneThatCouldNotBeSyncedMayBeLost) {
  const auto log = Log();
  failing_ = DiskCall::kSync;
  error_ = EIO;
  const auto written = Append(*log, "a", [this] { events_.emplace_back("written"); });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kUnknownFate);
  EXPECT_THAT(events_, ElementsAre("written"));
}

}  // namespace
}  // namespace tidemark::testing_support
