// Goal: frames that are appended together count only together: whatever becomes of the process, the disk or
// the bytes, readers and whoever recovers the log find all of them or none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "adapters/wal/frame_codec_internal.h"
#include "adapters/wal/log_disk_testing.h"
#include "adapters/wal/wal_testing.h"
#include "base/crc32c.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string BytesOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void SetBytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Appends records of these names, each to a table of its own.
Result<LogPosition> AppendTogether(WriteLog& log, const std::vector<std::string>& names,
                                   std::size_t payload_bytes = 60, void* caller = nullptr) {
  std::vector<TestRecord> owners;
  for (const std::string& name : names)
    owners.emplace_back(name, static_cast<std::uint32_t>(owners.size() + 1), payload_bytes);
  std::vector<LogRecord> records;
  for (const TestRecord& owner : owners)
    records.push_back(owner.record());
  std::vector<LogAppend> appends;
  for (const LogRecord& record : records)
    appends.push_back({&record, caller});
  return log.Append(appends);
}

std::size_t FrameBytesOf(const std::string& name, std::size_t payload_bytes = 60) {
  return wal::FrameBytes(TestRecord(name, 1, payload_bytes).record());
}

class LogTogetherTest : public testing::Test {
 protected:
  std::unique_ptr<WriteLogs> Logs(std::size_t segment_bytes = 1 << 20) const {
    return OpenWriteLogs({.folder = path(), .segment_bytes = segment_bytes, .ahead_bytes = 0});
  }
  std::string path() const { return folder_.path() + "/log"; }
  std::string Segment(int number = 1) const {
    return OnlyLogFile(path(), "0000000" + std::to_string(number) + ".log");
  }
  void SetWord(std::uint64_t lsn) const {
    SetBytes(OnlyLogFile(path(), "durable"), {reinterpret_cast<const char*>(&lsn), sizeof(lsn)});
  }
  std::vector<std::string> Recovered() const { return Names(Must(RecoverAndReadAll(path()))); }

  TemporaryFolder folder_;
};

TEST_F(LogTogetherTest, TheyComeBackOneBehindTheOtherAndTheHookHasThemAtOnce) {
  std::vector<std::vector<std::uint64_t>> groups;
  int caller = 0;
  {
    const auto log = Must(Logs()->Create([&](LogId, std::span<const LogEntry> group) -> Result<void> {
      auto& lsns = groups.emplace_back();
      for (const LogEntry& entry : group) {
        lsns.push_back(entry.lsn);
        EXPECT_EQ(entry.record->table_id, entry.lsn == 1 ? 1U : entry.lsn - 1);
        EXPECT_EQ(entry.caller, &caller);
      }
      return {};
    }));
    EXPECT_EQ(Must(AppendTogether(*log, {"alone"}, 60, &caller)).lsn, 1U);
    EXPECT_EQ(Must(AppendTogether(*log, {"a", "b", "c"}, 60, &caller)).lsn, 2U);
    EXPECT_EQ(log->durable_lsn(), 4U);
  }
  EXPECT_THAT(groups, ElementsAre(ElementsAre(1), ElementsAre(2, 3, 4)));
  EXPECT_THAT(Recovered(), ElementsAre("alone", "a", "b", "c"));
}

TEST_F(LogTogetherTest, OfATailThatIsTornAnywhereNoneIsLeft) {
  std::vector<std::size_t> ends;
  {
    const auto log = Must(Logs()->Create(nullptr));
    for (const auto& names : {std::vector<std::string>{"1"}, {"a", "b", "c"}}) {
      ASSERT_TRUE(AppendTogether(*log, names));
      ends.push_back(std::filesystem::file_size(Segment()));
    }
  }
  const std::string whole = BytesOf(Segment());
  const std::string segment = Segment();
  const std::vector<std::string> behind{"", std::string(50, '\xA5'), std::string(5'000, '\0')};
  for (std::size_t bytes = ends[0]; bytes <= ends[1]; ++bytes) {
    const std::string left = whole.substr(0, bytes) + behind[bytes % behind.size()];
    SetBytes(segment, left);
    SetWord(1);
    const bool is_whole = left.starts_with(whole);  // the last frame may end with zeros
    const auto expected =
        is_whole ? std::vector<std::string>{"1", "a", "b", "c"} : std::vector<std::string>{"1"};
    ASSERT_EQ(Recovered(), expected) << bytes;
    EXPECT_EQ(BytesOf(segment), whole.substr(0, is_whole ? ends[1] : ends[0]));
    if (bytes % 16 == 0) {
      ASSERT_EQ(Recovered(), expected) << "again is the same";
    }
  }
}

// A frame that is whole does not count if the one behind it is not, whichever sectors the disk had written.
TEST_F(LogTogetherTest, OfATailWithABadFrameNoneIsLeft) {
  {
    const auto log = Must(Logs()->Create(nullptr));
    ASSERT_TRUE(AppendTogether(*log, {"1"}));
    ASSERT_TRUE(AppendTogether(*log, {"a", "b", "c"}));
  }
  const std::string segment = Segment();
  const std::string whole = BytesOf(segment);
  const std::size_t begin = 40 + FrameBytesOf("1");
  for (std::size_t at = begin; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    SetBytes(segment, damaged);
    SetWord(1);
    ASSERT_THAT(Recovered(), ElementsAre("1")) << at;
  }
}

TEST_F(LogTogetherTest, WhatIsMissingAlthoughItWasDurableIsAnError) {
  {
    const auto log = Must(Logs()->Create(nullptr));
    ASSERT_TRUE(AppendTogether(*log, {"a", "b", "c"}));
    ASSERT_TRUE(AppendTogether(*log, {"2"}));
  }
  const std::string segment = Segment();
  const std::string whole = BytesOf(segment);
  const std::size_t behind_b = 40 + FrameBytesOf("a") + FrameBytesOf("b");
  // The word knows it.
  SetBytes(segment, whole.substr(0, behind_b));
  const auto cut = RecoverAndReadAll(path());
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(cut.error().ToString(), HasSubstr(segment));
  EXPECT_EQ(BytesOf(segment).size(), behind_b) << "what is left stays";
  // A later frame says it.
  std::string damaged = whole;
  damaged[behind_b + 20] = static_cast<char>(damaged[behind_b + 20] ^ 1);
  SetBytes(segment, damaged);
  SetWord(0);
  const auto bad = RecoverAndReadAll(path());
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().ToString(), HasSubstr("frame 3 at byte " + std::to_string(behind_b)));
}

TEST_F(LogTogetherTest, TheyLieInOneSegmentHoweverSmallThatIs) {
  {
    const auto log = Must(Logs(1'000)->Create(nullptr));
    ASSERT_TRUE(AppendTogether(*log, {"1"}, 400));
    ASSERT_TRUE(AppendTogether(*log, {"a", "b"}, 400));
    ASSERT_TRUE(AppendTogether(*log, {"c", "d", "e", "f"}, 900));
    ASSERT_TRUE(AppendTogether(*log, {"2"}, 400));
  }
  EXPECT_THAT(Recovered(), ElementsAre("1", "a", "b", "c", "d", "e", "f", "2"));
  EXPECT_GT(std::filesystem::file_size(Segment(2)), 800U);
  EXPECT_GT(std::filesystem::file_size(Segment(3)), 3'600U);
  // A segment that others follow ends with all of them.
  const std::string third = BytesOf(Segment(3));
  std::filesystem::resize_file(Segment(3), third.size() - FrameBytesOf("f", 900));
  EXPECT_EQ(RecoverAndReadAll(path()).error().code, ErrorCode::kCorruption);
}

// Segments that earlier versions wrote differ in the format's number alone.
TEST_F(LogTogetherTest, SegmentsOfTheFirstFormatAreRead) {
  {
    const auto log = Must(Logs()->Create(nullptr));
    ASSERT_TRUE(AppendTogether(*log, {"1"}));
    ASSERT_TRUE(AppendTogether(*log, {"2"}));
  }
  std::string bytes = BytesOf(Segment());
  ASSERT_EQ(bytes[7], 2);
  const auto set_format = [&](char format) {
    bytes[7] = format;
    const std::uint32_t checksum = Crc32c(std::as_bytes(std::span(bytes).first(36)));
    std::memcpy(bytes.data() + 36, &checksum, sizeof(checksum));
    SetBytes(Segment(), bytes);
  };
  set_format(1);
  EXPECT_THAT(Recovered(), ElementsAre("1", "2"));
  for (const char other : {char{0}, char{3}}) {
    set_format(other);
    EXPECT_EQ(RecoverAndReadAll(path()).error().code, ErrorCode::kUnsupported);
  }
}

TEST_F(LogTogetherTest, TooManyAreRefused) {
  const auto log = Must(Logs()->Create(nullptr));
  const TestRecord record("a");
  const LogRecord made = record.record();
  const std::vector<LogAppend> appends(kLogTogetherMax + 1, LogAppend{&made, nullptr});
  EXPECT_EQ(log->Append(appends).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(log->durable_lsn(), 0U);
}

/// The prefixes of the names "<prefix>.0", "<prefix>.1", "<prefix>.2" that are there; fails the test if of
/// one there are not all three.
std::set<std::string> WholeOnes(const std::vector<FoundFrame>& frames) {
  std::map<std::string, int> counts;
  for (const FoundFrame& frame : frames)
    ++counts[frame.name.substr(0, frame.name.find('.'))];
  std::set<std::string> whole;
  for (const auto& [prefix, count] : counts) {
    EXPECT_EQ(count, 3) << prefix;
    whole.insert(prefix);
  }
  return whole;
}
std::vector<std::string> NamesOf(const std::string& prefix) {
  return {prefix + ".0", prefix + ".1", prefix + ".2"};
}

TEST_F(LogTogetherTest, ACallThatFailsLeavesAllOrNone) {
  std::int64_t k = 0;
  for (bool was_hit = true; was_hit; ++k) {
    for (const bool is_short : {false, true}) {
      was_hit = false;
      std::filesystem::remove_all(path());
      wal::FaultyDisk disk([&](wal::DiskCall, std::int64_t before) -> wal::FaultyDisk::Fault {
        if (before != k) return {};
        was_hit = true;
        return {.error = is_short ? EIO : ENOSPC, .is_short = is_short};
      });
      std::set<std::string> acknowledged;
      std::set<std::string> refused;
      {
        const auto logs = OpenWriteLogs({.folder = path(), .segment_bytes = 900, .disk = &disk});
        const auto log = logs->Create(nullptr);
        if (!log) continue;
        for (int i = 0; i < 6; ++i) {
          const auto answer = AppendTogether(**log, NamesOf(std::to_string(i)));
          if (answer) acknowledged.insert(std::to_string(i));
          if (!answer && answer.error().code != ErrorCode::kUnknownFate) refused.insert(std::to_string(i));
        }
      }
      const std::set<std::string> found = WholeOnes(Must(RecoverAndReadAll(path())));
      EXPECT_TRUE(std::ranges::includes(found, acknowledged));
      for (const std::string& each : refused)
        EXPECT_FALSE(found.contains(each));
      if (HasFailure()) FAIL() << "at k = " << k;
    }
  }
  EXPECT_GT(k, 20);
}

TEST_F(LogTogetherTest, ReadersNeverSeeSomeOfThem) {
  constexpr int kThreads = 4;
  constexpr int kEach = 60;
  const auto log = Must(Logs(4'000)->Create(nullptr));
  std::atomic<int> writing = kThreads;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i)
        Must(AppendTogether(*log, NamesOf(std::to_string(t) + " " + std::to_string(i))));
      --writing;
    });
  }
  std::size_t seen = 0;
  while (writing > 0) {
    for (const auto& snapshot : Must(Logs()->Snapshots())) {
      const std::size_t now = WholeOnes(Must(ReadAll(*snapshot))).size();
      EXPECT_GE(now, seen);
      seen = now;
    }
  }
  threads.clear();
  EXPECT_EQ(WholeOnes(Must(ReadAll(*Must(Logs()->Snapshots()).at(0)))).size(),
            static_cast<std::size_t>(kThreads * kEach));
}

}  // namespace
}  // namespace tidemark::testing_support
