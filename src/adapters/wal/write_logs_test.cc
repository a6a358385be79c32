// Goal: what the interface promises while the disk does what it should: frames come back as they were
// written, groups share a sync, hooks run in order, trimming takes what it may and no more, logs change
// hands.
#include "adapters/wal/write_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <latch>
#include <set>
#include <thread>

#include "adapters/wal/log_disk_testing.h"
#include "adapters/wal/wal_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;

class WriteLogsTest : public testing::Test {
 protected:
  std::unique_ptr<WriteLogs> Logs(std::size_t segment_bytes = 1 << 20) const {
    return OpenWriteLogs({.folder = path(), .segment_bytes = segment_bytes});
  }
  std::string path() const { return folder_.path() + "/log"; }
  std::size_t Segments() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path()))
      count += entry.path().extension() == ".log" ? 1 : 0;
    return count;
  }
  static LogPosition Append(WriteLog& log, const std::string& name, std::uint32_t table_id = 1,
                            std::size_t payload_bytes = 60) {
    return Must(log.Append(TestRecord(name, table_id, payload_bytes).record(), nullptr));
  }
  // The frames of all logs, as another opener sees them.
  std::vector<std::string> SeenNames() const {
    std::vector<std::string> names;
    for (const auto& snapshot : Must(Logs()->Snapshots())) {
      for (const std::string& name : Names(Must(ReadAll(*snapshot))))
        names.push_back(name);
    }
    return names;
  }
  TemporaryFolder folder_;
};

TEST_F(WriteLogsTest, AFolderThatIsNotThereHasNoLogs) {
  EXPECT_THAT(Must(Logs()->Snapshots()), IsEmpty());
  EXPECT_THAT(Must(Logs()->Orphans()), IsEmpty());
  EXPECT_EQ(Must(Logs()->Adopt(7)), nullptr);
  EXPECT_FALSE(std::filesystem::exists(path())) << "looking makes nothing";
}

TEST_F(WriteLogsTest, FramesComeBackAsTheyWereWrittenWhileTheOwnerWrites) {
  const auto log = Must(Logs(1'000)->Create(nullptr));
  std::vector<std::string> written;
  for (int i = 0; i < 40; ++i) {
    written.push_back("frame " + std::string(static_cast<std::size_t>(i), 'n'));
    const LogPosition position = Append(*log, written.back(), 1, static_cast<std::size_t>(i) * 17);
    EXPECT_EQ(position, (LogPosition{log->id(), static_cast<std::uint64_t>(i) + 1}));
    EXPECT_EQ(log->durable_lsn(), position.lsn);
    EXPECT_EQ(SeenNames(), written);
  }
  EXPECT_GT(Segments(), 10U);
}

TEST_F(WriteLogsTest, EmptyAndLargeRecordsHaveTheirFrames) {
  const auto log = Must(Logs(10'000)->Create(nullptr));
  const std::string payload(3'000'000, 'p');  // larger than a segment, and than a reader's window
  ASSERT_TRUE(log->Append({.table_id = 1}, nullptr));
  ASSERT_TRUE(log->Append({.kind = FrameKind::kFence,
                           .table_id = 2,
                           .payload = std::as_bytes(std::span(payload).first(kFenceBytes))},
                          nullptr));
  ASSERT_TRUE(log->Append({.table_id = 1, .payload = std::as_bytes(std::span(payload))}, nullptr));
  ASSERT_TRUE(log->Append({.table_id = 1}, nullptr));
  std::vector<std::size_t> sizes;
  std::vector<FrameKind> kinds;
  const auto snapshots = Must(Logs()->Snapshots());
  ASSERT_EQ(snapshots.size(), 1U);
  ASSERT_TRUE(snapshots[0]->Read(0, std::nullopt, [&](const LogFrame& frame) -> Result<void> {
    sizes.push_back(frame.record.payload.size());
    kinds.push_back(frame.record.kind);
    EXPECT_TRUE(std::ranges::all_of(frame.record.payload, [](std::byte b) { return b == std::byte{'p'}; }));
    return {};
  }));
  EXPECT_THAT(sizes, ElementsAre(0, kFenceBytes, payload.size(), 0));
  EXPECT_THAT(kinds, ElementsAre(FrameKind::kRows, FrameKind::kFence, FrameKind::kRows, FrameKind::kRows));
}

TEST_F(WriteLogsTest, WhatIsTooLargeIsRefused) {
  const auto log = Must(Logs()->Create(nullptr));
  const std::string long_key(kBatchKeyBytesMax + 1, 'k');
  const auto refused = log->Append({.table_id = 1, .batch_key = long_key}, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("idempotency key has 257 bytes"));
  const std::vector<std::byte> huge(kLogPayloadBytesMax + 1);
  EXPECT_EQ(log->Append({.table_id = 1, .payload = huge}, nullptr).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(log->Append({.table_id = 1, .stream_offsets = huge}, nullptr).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(log->durable_lsn(), 0U);
  EXPECT_TRUE(log->Append({.table_id = 1, .payload = std::span(huge).first(kLogPayloadBytesMax)}, nullptr));
}

TEST_F(WriteLogsTest, AReaderGetsOneTableFromAPlaceOn) {
  const auto log = Must(Logs(600)->Create(nullptr));
  for (int i = 1; i <= 12; ++i)
    Append(*log, std::to_string(i), static_cast<std::uint32_t>(i % 3));
  const auto snapshots = Must(Logs()->Snapshots());
  EXPECT_THAT(Names(Must(ReadAll(*snapshots[0], 0, 2))), ElementsAre("2", "5", "8", "11"));
  EXPECT_THAT(Names(Must(ReadAll(*snapshots[0], 5, 2))), ElementsAre("8", "11"));
  EXPECT_THAT(Names(Must(ReadAll(*snapshots[0], 10))), ElementsAre("11", "12"));
  EXPECT_THAT(Names(Must(ReadAll(*snapshots[0], 12))), IsEmpty());
  EXPECT_THAT(Names(Must(ReadAll(*snapshots[0], 1'000))), IsEmpty()) << "flushed further than it saw";
  const auto stopped = snapshots[0]->Read(
      0, 2, [](const LogFrame&) -> Result<void> { return Fail(ErrorCode::kCancelled, "enough"); });
  EXPECT_EQ(stopped.error().message, "enough");
}

TEST_F(WriteLogsTest, CallsThatComeTogetherShareASyncAndEachHasItsPlace) {
  constexpr int kThreads = 32;
  constexpr int kEach = 20;
  wal::FaultyDisk disk;
  std::vector<std::uint64_t> merged;
  const auto logs = OpenWriteLogs({.folder = path(), .disk = &disk});
  LogId id = 0;
  std::set<void*> callers;
  const auto log = Must(logs->Create([&](LogId log_id, std::span<const LogEntry> group) -> Result<void> {
    id = log_id;
    for (const LogEntry& entry : group) {
      merged.push_back(entry.lsn);
      callers.insert(entry.caller);
      EXPECT_EQ(entry.record->table_id, 1U);
    }
    return {};
  }));
  const std::int64_t syncs_before = disk.calls(wal::DiskCall::kSync);
  std::vector<std::vector<LogPosition>> positions(kThreads);
  {
    std::latch start(kThreads);
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        start.arrive_and_wait();
        auto& own = positions[static_cast<std::size_t>(t)];
        for (int i = 0; i < kEach; ++i) {
          const TestRecord record(std::to_string(t) + " " + std::to_string(i));
          own.push_back(Must(log->Append(record.record(), &own)));
        }
      });
    }
  }
  EXPECT_LT(disk.calls(wal::DiskCall::kSync) - syncs_before, kThreads * kEach / 3);
  EXPECT_EQ(callers.size(), static_cast<std::size_t>(kThreads));
  EXPECT_EQ(id, log->id());
  ASSERT_EQ(merged.size(), static_cast<std::size_t>(kThreads * kEach));
  for (std::size_t i = 0; i < merged.size(); ++i)
    EXPECT_EQ(merged[i], i + 1) << "the hook has every frame once, in order";
  std::map<std::uint64_t, std::string> expected;
  for (std::size_t t = 0; t < positions.size(); ++t) {
    for (std::size_t i = 0; i < positions[t].size(); ++i)
      expected[positions[t][i].lsn] = std::to_string(t) + " " + std::to_string(i);
  }
  const auto frames = Must(ReadAll(*Must(Logs()->Snapshots()).at(0)));
  ASSERT_EQ(frames.size(), expected.size());
  for (const FoundFrame& frame : frames)
    EXPECT_EQ(frame.name, expected[frame.position.lsn]);
}

// What follows a group costs as much as two groups' does: what is written meanwhile has it together, in
// order, and is not acknowledged before.
TEST_F(WriteLogsTest, GroupsThatAreWrittenWhileTheHookRunsHaveItTogether) {
  std::vector<std::vector<std::uint64_t>> hooked;
  std::latch is_begun(1);
  std::latch may_end(1);
  const auto log = Must(Logs()->Create([&](LogId, std::span<const LogEntry> group) -> Result<void> {
    auto& own = hooked.emplace_back();
    for (const LogEntry& entry : group)
      own.push_back(entry.lsn);
    if (hooked.size() > 1) return {};
    is_begun.count_down();
    may_end.wait();
    return {};
  }));
  std::atomic<int> acknowledged = 0;
  std::vector<std::jthread> threads;
  const auto append = [&](const std::string& name) {
    threads.emplace_back([&, name] {
      Append(*log, name);
      ++acknowledged;
    });
  };
  append("first");
  is_begun.wait();
  for (const char* const name : {"second", "third"}) {
    const std::uint64_t before = log->durable_lsn();
    append(name);
    while (log->durable_lsn() == before)
      std::this_thread::yield();
  }
  append("fourth");
  EXPECT_EQ(acknowledged, 0);
  may_end.count_down();
  threads.clear();
  EXPECT_EQ(acknowledged, 4);
  EXPECT_THAT(hooked, ElementsAre(ElementsAre(1), ElementsAre(2, 3), ElementsAre(4)));
}

TEST_F(WriteLogsTest, BytesThatWaitAreBounded) {
  std::size_t largest_group = 0;
  const auto logs = OpenWriteLogs({.folder = path(), .waiting_bytes_max = 1});
  const auto log = Must(logs->Create([&](LogId, std::span<const LogEntry> group) -> Result<void> {
    largest_group = std::max(largest_group, group.size());
    return {};
  }));
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i)
          Append(*log, std::to_string(t) + " " + std::to_string(i));
      });
    }
  }
  EXPECT_EQ(largest_group, 1U) << "a call over the limit waits until no other does";
  EXPECT_EQ(log->durable_lsn(), 80U);
}

TEST_F(WriteLogsTest, AFailedHookMakesTheFateOfItsGroupUnknownAndTheLogGoesOn) {
  bool fails = true;
  const auto log = Must(Logs()->Create([&](LogId, std::span<const LogEntry>) -> Result<void> {
    if (fails) return Fail(ErrorCode::kOutOfSpace, "the online store is full");
    return {};
  }));
  const auto failed = log->Append(TestRecord("first").record(), nullptr);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnknownFate);
  EXPECT_THAT(failed.error().message, HasSubstr("the online store is full"));
  fails = false;
  EXPECT_EQ(Append(*log, "second").lsn, 2U);
  EXPECT_THAT(SeenNames(), ElementsAre("first", "second"));
}

TEST_F(WriteLogsTest, TrimRemovesWholeSegmentsOnlyAndReadersKeepWhatTheyOpened) {
  const auto log = Must(Logs(600)->Create(nullptr));
  for (int i = 1; i <= 12; ++i)
    Append(*log, std::to_string(i));
  const std::size_t all = Segments();
  const auto before = Must(Logs()->Snapshots());
  ASSERT_TRUE(log->Trim({log->id(), 6}));
  EXPECT_LT(Segments(), all);
  const auto after = Must(Logs()->Snapshots());
  EXPECT_THAT(after[0]->trimmed_lsn(), AllOf(Ge(1U), Le(6U)));
  EXPECT_EQ(before[0]->trimmed_lsn(), 0U);
  EXPECT_EQ(Must(ReadAll(*after[0], 0)).size(), 12U - after[0]->trimmed_lsn());
  EXPECT_EQ(Names(Must(ReadAll(*after[0], 6))).size(), 6U) << "what was not trimmed is there";
  EXPECT_EQ(Names(Must(ReadAll(*before[0], 0))).size(), 12U);
  EXPECT_EQ(log->Trim({log->id(), 13}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(log->Trim({log->id() + 1, 1}).error().code, ErrorCode::kInvalidArgument);
}

// What is erased must not stay in the segment that is being written.
TEST_F(WriteLogsTest, ATrimOfEverythingLeavesNoByteOfIt) {
  const auto log = Must(Logs()->Create(nullptr));
  const auto bytes_with = [&](const std::string& text) {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      found += std::string(std::istreambuf_iterator<char>(in), {}).find(text) != std::string::npos ? 1U : 0U;
    }
    return found;
  };
  Append(*log, "a secret name");
  EXPECT_EQ(bytes_with("a secret name"), 1U);
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(log->Trim({log->id(), 1}));
    EXPECT_EQ(bytes_with("a secret name"), 0U);
    EXPECT_EQ(Segments(), 1U);
  }
  const auto trimmed = Must(Logs()->Snapshots());
  EXPECT_EQ(trimmed.at(0)->trimmed_lsn(), 1U);
  EXPECT_THAT(Must(ReadAll(*trimmed[0], 0)), IsEmpty());
  EXPECT_EQ(Append(*log, "next").lsn, 2U);
  EXPECT_THAT(Names(Must(ReadAll(*Must(Logs()->Snapshots()).at(0), 1))), ElementsAre("next"));
}

TEST_F(WriteLogsTest, ALogWithoutFramesGoesWithItsOwner) {
  {
    const auto log = Must(Logs()->Create(nullptr));
    EXPECT_THAT(Must(Logs()->Orphans()), IsEmpty()) << "it has an owner";
    EXPECT_EQ(Must(Logs()->Adopt(log->id())), nullptr);
    Append(*log, "x");
    ASSERT_TRUE(log->Trim({log->id(), 1}));
  }
  EXPECT_THAT(Must(Logs()->Snapshots()), IsEmpty());
  EXPECT_THAT(Must(Logs()->Orphans()), IsEmpty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path()), {}), 1) << "only `creating` is left";
}

TEST_F(WriteLogsTest, AnOrphanIsAdoptedByOneTrimmedAndRemoved) {
  LogId id = 0;
  {
    const auto log = Must(Logs(600)->Create(nullptr));
    id = log->id();
    for (int i = 1; i <= 9; ++i)
      Append(*log, std::to_string(i));
  }
  EXPECT_THAT(Must(Logs()->Orphans()), ElementsAre(id));
  EXPECT_FALSE(Must(Logs()->Snapshots()).at(0)->is_unrecovered());
  auto adopted = Must(Logs()->Adopt(id));
  ASSERT_NE(adopted, nullptr);
  EXPECT_EQ(adopted->id(), id);
  EXPECT_EQ(adopted->durable_lsn(), 9U);
  EXPECT_EQ(Must(Logs()->Adopt(id)), nullptr);
  EXPECT_THAT(Must(Logs()->Orphans()), IsEmpty());
  const std::size_t all = Segments();
  ASSERT_TRUE(adopted->Trim({id, 5}));
  EXPECT_LT(Segments(), all);
  adopted.reset();
  EXPECT_THAT(Must(Logs()->Orphans()), ElementsAre(id)) << "its adopter let it go";
  adopted = Must(Logs()->Adopt(id));
  EXPECT_EQ(adopted->durable_lsn(), 9U);
  EXPECT_EQ(Must(ReadAll(*Must(Logs()->Snapshots()).at(0), 5)).size(), 4U);
  EXPECT_EQ(adopted->Trim({id, 10}).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(adopted->Trim({id, 9}));
  EXPECT_THAT(Must(Logs()->Snapshots()), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(path() + "/" + FormatLogId(id)));
  EXPECT_TRUE(adopted->Trim({id, 9})) << "again is nothing";
}

TEST_F(WriteLogsTest, ALogWhoseMakingWasCutShortIsAdoptedAndRemoved) {
  const std::string half = path() + "/" + FormatLogId(11);
  std::filesystem::create_directories(half);
  for (const std::string name : {"", "owner", "durable", "trimmed", "00000001.log"}) {
    if (!name.empty()) std::ofstream(half + "/" + name) << "";
    EXPECT_THAT(Must(Logs()->Snapshots()), IsEmpty()) << name;
    EXPECT_THAT(Must(Logs()->Orphans()), ElementsAre(11)) << name;
    const auto adopted = Must(Logs()->Adopt(11));
    ASSERT_NE(adopted, nullptr);
    EXPECT_EQ(adopted->durable_lsn(), 0U);
  }
  ASSERT_TRUE(Must(Logs()->Adopt(11))->Trim({11, 0}));
  EXPECT_FALSE(std::filesystem::exists(half));
}

TEST_F(WriteLogsTest, AForkedChildWritesALogOfItsOwnAndKeepsNothingOfItsParents) {
  auto log = Must(Logs()->Create(nullptr));
  Append(*log, "parent 1");
  int go_on[2];
  int is_there[2];
  ASSERT_EQ(::pipe(go_on), 0);
  ASSERT_EQ(::pipe(is_there), 0);
  const pid_t child = Fork([&] {
    ::close(go_on[1]);
    const LogId parents = log->id();
    EXPECT_EQ(log->Trim({parents, 1}).error().code, ErrorCode::kInvalidArgument);
    std::vector<LogPosition> places(4);
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t < places.size(); ++t)
        threads.emplace_back([&, t] { places[t] = Append(*log, "child " + std::to_string(t)); });
    }
    EXPECT_NE(log->id(), parents);
    for (const LogPosition& place : places)
      EXPECT_EQ(place.log, log->id()) << "one log, though four threads wanted it";
    char nothing = 0;
    return ::write(is_there[1], "x", 1) == 1 && ::read(go_on[0], &nothing, 1) == 0;
  });
  ::close(go_on[0]);
  char nothing = 0;
  ASSERT_EQ(::read(is_there[0], &nothing, 1), 1);
  EXPECT_EQ(Append(*log, "parent 2").lsn, 2U);
  EXPECT_EQ(Must(Logs()->Snapshots()).size(), 2U);
  const LogId id = log->id();
  log.reset();
  EXPECT_THAT(Must(Logs()->Orphans()), ElementsAre(id)) << "the child must not hold its parent's lock";
  ::close(go_on[1]);
  EXPECT_EQ(Wait(child), 0);
  std::vector<std::string> names = Names(Must(RecoverAndReadAll(path())));
  EXPECT_THAT(names, testing::UnorderedElementsAre("parent 1", "parent 2", "child 0", "child 1", "child 2",
                                                   "child 3"));
}

TEST_F(WriteLogsTest, FormatsAndParsesIds) {
  EXPECT_EQ(FormatLogId(0xAB), "00000000000000ab");
  EXPECT_EQ(ParseLogId("00000000000000ab"), LogId{0xAB});
  for (const std::string_view wrong :
       {"ab", "00000000000000AB", "00000000000000ab ", "+0000000000000ab", "lost+found000000"})
    EXPECT_EQ(ParseLogId(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace tidemark::testing_support
