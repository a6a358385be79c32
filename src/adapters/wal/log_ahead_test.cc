// Goal: zeros lie behind the last frame of a log, so that small frames do not make its file longer; they are
// no damage, nobody reads them as frames, and a segment that another one follows has none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "adapters/wal/log_disk_testing.h"
#include "adapters/wal/wal_testing.h"
#include "adapters/wal/write_logs.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using wal::DiskCall;
using wal::FaultyDisk;

class LogAheadTest : public testing::Test {
 protected:
  WalOptions Options(std::size_t segment_bytes = std::size_t{1} << 20) const {
    return {.folder = path_, .segment_bytes = segment_bytes, .ahead_bytes = 4'096};
  }
  std::uintmax_t SegmentBytes(int number = 1) const {
    return std::filesystem::file_size(OnlyLogFile(path_, "0000000" + std::to_string(number) + ".log"));
  }
  /// The folder as a process leaves it that is killed now.
  std::string Killed() const {
    std::string copy = folder_.path() + "/killed";
    std::filesystem::copy(path_, copy, std::filesystem::copy_options::recursive);
    return copy;
  }
  void Append(WriteLog& log, const std::string& name, std::size_t payload_bytes = 60) {
    Must(log.Append(TestRecord(name, 1, payload_bytes).record(), nullptr));
    written_.push_back(name);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/log";
  std::vector<std::string> written_;
};

TEST_F(LogAheadTest, ManySmallFramesMakeTheFileLongerOnceInAWhile) {
  const auto log = Must(OpenWriteLogs(Options())->Create(nullptr));
  int grown = 0;
  std::uintmax_t bytes = SegmentBytes();
  for (int i = 0; i < 100; ++i) {
    Append(*log, std::to_string(i));
    if (SegmentBytes() != bytes) ++grown;
    bytes = SegmentBytes();
  }
  EXPECT_LT(grown, 20);
  const auto logs = OpenWriteLogs(Options());
  EXPECT_EQ(Names(Must(ReadAll(*Must(logs->Snapshots()).at(0)))), written_);
}

TEST_F(LogAheadTest, ThereAreNoMoreZerosThanFramesNorAnyBehindLargeOnes) {
  const auto log = Must(OpenWriteLogs(Options())->Create(nullptr));
  const std::uintmax_t header = SegmentBytes();
  Append(*log, "first");
  EXPECT_LT(SegmentBytes(), 2 * header + 400);
  Append(*log, "large", 100'000);
  const std::uintmax_t bytes = SegmentBytes();
  Append(*log, "large too", 100'000);
  EXPECT_LT(SegmentBytes(), bytes + 100'200);
  EXPECT_GT(SegmentBytes(), bytes + 100'000);
}

TEST_F(LogAheadTest, ZerosOfAProcessThatWasKilledAreCutAndNoDamage) {
  const auto log = Must(OpenWriteLogs(Options())->Create(nullptr));
  for (int i = 0; i < 5; ++i)
    Append(*log, std::to_string(i));
  const std::string killed = Killed();
  {
    const auto logs = OpenWriteLogs({.folder = killed});
    const auto snapshots = Must(logs->Snapshots());
    EXPECT_FALSE(snapshots.at(0)->is_unrecovered());
    EXPECT_EQ(Names(Must(ReadAll(*snapshots.at(0)))), written_);
  }
  EXPECT_EQ(Names(Must(RecoverAndReadAll(killed))), written_);
  EXPECT_LT(std::filesystem::file_size(OnlyLogFile(killed, "00000001.log")), SegmentBytes());
}

TEST_F(LogAheadTest, ALogThatIsClosedHasNone) {
  {
    const auto log = Must(OpenWriteLogs(Options())->Create(nullptr));
    Append(*log, "one");
    Append(*log, "two");
  }
  FaultyDisk disk;
  WalOptions options = Options();
  options.disk = &disk;
  EXPECT_EQ(Must(AdoptAll(*OpenWriteLogs(options))).at(0)->durable_lsn(), 2U);
  EXPECT_EQ(disk.calls(DiskCall::kTruncate), 0);
  EXPECT_EQ(disk.calls(DiskCall::kWrite), 0);
}

TEST_F(LogAheadTest, ASegmentThatAnotherOneFollowsHasNone) {
  const auto logs = OpenWriteLogs(Options(3'000));
  const auto log = Must(logs->Create(nullptr));
  Append(*log, "0");
  const auto before = std::move(Must(logs->Snapshots()).at(0));
  std::uintmax_t longest = 0;
  for (int i = 1; i < 100 && SegmentBytes(1) >= longest; ++i) {
    longest = SegmentBytes(1);
    Append(*log, std::to_string(i));
  }
  EXPECT_LT(SegmentBytes(1), longest);
  EXPECT_LE(longest, 3'000U);
  EXPECT_THAT(Names(Must(ReadAll(*before))), ElementsAre("0")) << "though its file is shorter now";
  EXPECT_EQ(Names(Must(RecoverAndReadAll(Killed()))), written_);
}

TEST_F(LogAheadTest, ASegmentThatCannotBeCutIsGoneOnWithLater) {
  bool fails = true;
  FaultyDisk disk([&](DiskCall call, std::int64_t) {
    return FaultyDisk::Fault{.error = fails && call == DiskCall::kTruncate ? ENOSPC : 0};
  });
  WalOptions options = Options(3'000);
  options.disk = &disk;
  const auto log = Must(OpenWriteLogs(options)->Create(nullptr));
  Append(*log, "large enough", 1'500);
  Append(*log, "small");
  const auto refused = log->Append(TestRecord("next segment", 1, 1'500).record(), nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfSpace);
  fails = false;
  Append(*log, "next segment again", 1'500);
  EXPECT_EQ(Names(Must(RecoverAndReadAll(Killed()))), written_);
}

}  // namespace
}  // namespace tidemark::testing_support
