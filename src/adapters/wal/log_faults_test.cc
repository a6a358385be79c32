// Goal: a disk that fails never makes a lie of an answer: what was acknowledged is there once, what was
// refused is not there, and what is neither is there at most once. The k-th call fails, for every k.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "adapters/wal/log_disk_testing.h"
#include "adapters/wal/wal_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::HasSubstr;
using wal::DiskCall;
using wal::FaultyDisk;

// What a writer was told of each of its records.
struct Told {
  std::map<std::string, LogPosition> acknowledged;
  std::set<std::string> refused;
  std::set<std::string> unknown;
  std::uint64_t trimmed = 0;  // of the first log
  LogId first_log = 0;
  bool has_stopped = false;
};

void AppendAll(WriteLog& log, const std::string& prefix, int count, Told& told) {
  for (int i = 0; i < count; ++i) {
    const std::string name = prefix + std::to_string(i);
    const auto answer = log.Append(TestRecord(name).record(), nullptr);
    if (answer) {
      EXPECT_FALSE(told.has_stopped) << "after a failure that is final, " << name << " was acknowledged";
      told.acknowledged[name] = *answer;
      continue;
    }
    const ErrorCode code = answer.error().code;
    EXPECT_TRUE(code == ErrorCode::kUnknownFate || code == ErrorCode::kIo || code == ErrorCode::kOutOfSpace)
        << answer.error().ToString();
    (code == ErrorCode::kUnknownFate ? told.unknown : told.refused).insert(name);
    told.has_stopped = told.has_stopped || answer.error().message.contains("takes no more writes");
  }
}

// Makes a log, writes over several segments, trims, and writes on.
Told Write(const std::string& folder, FaultyDisk& disk) {
  Told told;
  const auto logs = OpenWriteLogs({.folder = folder, .segment_bytes = 600, .disk = &disk});
  auto log = logs->Create(nullptr);
  if (!log) return told;
  told.first_log = (*log)->id();
  AppendAll(**log, "a", 7, told);
  const std::uint64_t upto = std::min<std::uint64_t>(4, (*log)->durable_lsn());
  (void)(*log)->Trim({(*log)->id(), upto});  // failed or not: these frames are no longer asked for
  told.trimmed = upto;
  AppendAll(**log, "b", 5, told);
  return told;
}

void Check(const std::string& folder, const Told& told) {
  const auto read = RecoverAndReadAll(folder);
  ASSERT_TRUE(read) << read.error().ToString();
  std::map<std::string, LogPosition> found;
  for (const FoundFrame& frame : *read)
    EXPECT_TRUE(found.emplace(frame.name, frame.position).second) << frame.name << " is there twice";
  for (const auto& [name, position] : told.acknowledged) {
    const bool is_trimmed = position.log == told.first_log && position.lsn <= told.trimmed;
    if (is_trimmed) continue;
    ASSERT_TRUE(found.contains(name)) << name << " was acknowledged and is not there";
    EXPECT_EQ(found[name], position);
  }
  for (const auto& [name, position] : found)
    EXPECT_FALSE(told.refused.contains(name)) << name << " was refused and is there";
}

struct Case {
  std::string name;
  int error;
  bool is_short;
  bool lasts;  // all calls from the k-th on, not it alone
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class LogFaultsTest : public testing::TestWithParam<Case> {};

TEST_P(LogFaultsTest, TheKthCallFails) {
  const Case& c = GetParam();
  std::int64_t refused = 0;
  std::int64_t unknown = 0;
  std::int64_t k = 0;
  for (bool was_hit = true; was_hit; ++k) {
    was_hit = false;
    const TemporaryFolder folder;
    FaultyDisk disk([&](DiskCall, std::int64_t before) -> FaultyDisk::Fault {
      if (before != k && !(c.lasts && before > k)) return {};
      was_hit = true;
      return {.error = c.error, .is_short = c.is_short && before == k};
    });
    const Told told = Write(folder.path() + "/log", disk);
    Check(folder.path() + "/log", told);
    refused += std::ssize(told.refused);
    unknown += std::ssize(told.unknown);
    if (!was_hit) {
      EXPECT_EQ(told.acknowledged.size(), 12U);
    }
    if (HasFailure()) FAIL() << "at k = " << k;
  }
  EXPECT_GT(k, 40) << "the run has that many calls";
  EXPECT_GT(refused, 0);
  EXPECT_GT(unknown, 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, LogFaultsTest,
    testing::Values(Case{"io_once", EIO, false, false}, Case{"io_for_good", EIO, false, true},
                    Case{"full_once", ENOSPC, false, false}, Case{"full_for_good", ENOSPC, false, true},
                    Case{"short_then_full", ENOSPC, true, true}, Case{"short_io", EIO, true, true}),
    [](const auto& of) { return of.param.name; });

// Fails the calls of one kind from when it is told to.
class FailingKind {
 public:
  explicit FailingKind(DiskCall kind, int error)
      : disk([this, kind, error](DiskCall call, std::int64_t) {
          return FaultyDisk::Fault{.error = fails && call == kind ? error : 0};
        }) {}
  std::atomic<bool> fails{false};
  FaultyDisk disk;
};

// After a sync that failed, another one says nothing about what the first did not write.
TEST(LogFaults, AFailedSyncIsNeverTriedAgain) {
  const TemporaryFolder folder;
  FailingKind sync(DiskCall::kSync, EIO);
  const auto logs = OpenWriteLogs({.folder = folder.path() + "/log", .disk = &sync.disk});
  auto log = Must(logs->Create(nullptr));
  ASSERT_TRUE(log->Append(TestRecord("good").record(), nullptr));
  sync.fails = true;
  const auto failed = log->Append(TestRecord("unknown").record(), nullptr);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnknownFate);
  sync.fails = false;
  const std::int64_t calls = sync.disk.calls();
  const auto refused = log->Append(TestRecord("refused").record(), nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_THAT(refused.error().ToString(), HasSubstr("close the store and open it again"));
  EXPECT_FALSE(log->Trim({log->id(), log->durable_lsn()}));
  EXPECT_EQ(sync.disk.calls(), calls) << "nothing is done with the disk any more";
  EXPECT_THAT(Names(Must(ReadAll(*Must(logs->Snapshots()).at(0)))), testing::ElementsAre("good"));
  log.reset();
  EXPECT_THAT(Must(RecoverAndReadAll(folder.path() + "/log")).size(), testing::AnyOf(1U, 2U));
}

// The pages of a failed sync count as clean: recovery has to write them again, not only to sync them.
TEST(LogFaults, RecoveryWritesAnewWhatMayNotBeOnTheDisk) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log";
  FailingKind sync(DiskCall::kSync, EIO);
  {
    const auto log = Must(OpenWriteLogs({.folder = path, .disk = &sync.disk})->Create(nullptr));
    ASSERT_TRUE(log->Append(TestRecord("good").record(), nullptr));
    sync.fails = true;
    ASSERT_FALSE(log->Append(TestRecord("unknown").record(), nullptr));
  }
  FaultyDisk disk;
  const auto logs = OpenWriteLogs({.folder = path, .disk = &disk});
  {
    const auto adopted = Must(AdoptAll(*logs));
    EXPECT_EQ(adopted.at(0)->durable_lsn(), 2U);
    EXPECT_EQ(disk.calls(DiskCall::kWrite), 1);
    EXPECT_EQ(disk.calls(DiskCall::kSync), 1);
  }
  (void)Must(AdoptAll(*logs));
  EXPECT_EQ(disk.calls(DiskCall::kWrite), 1) << "what is known to be durable is left alone";
}

TEST(LogFaults, AFullDiskIsAnErrorUntilThereIsRoom) {
  const TemporaryFolder folder;
  FailingKind write(DiskCall::kWrite, ENOSPC);
  const auto logs =
      OpenWriteLogs({.folder = folder.path() + "/log", .segment_bytes = 300, .disk = &write.disk});
  const auto log = Must(logs->Create(nullptr));
  std::vector<std::string> expected;
  for (int i = 0; i < 9; ++i) {
    write.fails = i % 3 == 1;
    const std::string name = std::to_string(i);
    const auto answer = log->Append(TestRecord(name).record(), nullptr);
    EXPECT_EQ(answer.has_value(), i % 3 != 1);
    if (answer) expected.push_back(name);
    if (!answer) {
      EXPECT_EQ(answer.error().code, ErrorCode::kOutOfSpace) << answer.error().ToString();
    }
  }
  EXPECT_EQ(Names(Must(ReadAll(*Must(logs->Snapshots()).at(0)))), expected);
}

// Half of a write may be whole frames, whose callers are told that nothing was written.
TEST(LogFaults, WhatAFailedWriteLeftIsTakenBack) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log";
  int failing_writes = 0;
  FaultyDisk disk([&](DiskCall call, std::int64_t) -> FaultyDisk::Fault {
    if (call != DiskCall::kWrite || failing_writes == 0) return {};
    --failing_writes;
    return {.error = ENOSPC, .is_short = failing_writes == 1};
  });
  const auto log = Must(OpenWriteLogs({.folder = path, .ahead_bytes = 0, .disk = &disk})->Create(nullptr));
  ASSERT_TRUE(log->Append(TestRecord("good").record(), nullptr));
  const std::string segment = OnlyLogFile(path, "00000001.log");
  const std::uintmax_t bytes = std::filesystem::file_size(segment);
  failing_writes = 2;
  const auto refused = log->Append(TestRecord("refused").record(), nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(failing_writes, 0) << "half of it was written";
  EXPECT_EQ(std::filesystem::file_size(segment), bytes);
}

TEST(LogFaults, CallsThatWaitWhenTheLogStopsAreRefused) {
  const TemporaryFolder folder;
  std::atomic<int> started{0};
  constexpr int kThreads = 16;
  std::atomic<bool> fails{false};
  FaultyDisk disk([&](DiskCall call, std::int64_t) -> FaultyDisk::Fault {
    if (call != DiskCall::kSync || !fails) return {};
    while (started < kThreads)
      std::this_thread::yield();
    return {.error = EIO};
  });
  const auto logs = OpenWriteLogs({.folder = folder.path() + "/log", .disk = &disk});
  const auto log = Must(logs->Create(nullptr));
  fails = true;
  std::atomic<int> unknown{0};
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        ++started;
        const auto answer = log->Append(TestRecord("x").record(), nullptr);
        ASSERT_FALSE(answer);
        ++(answer.error().code == ErrorCode::kUnknownFate ? unknown : refused);
      });
    }
  }
  EXPECT_GE(unknown, 1);
  EXPECT_EQ(unknown + refused, kThreads);
  EXPECT_EQ(disk.calls(DiskCall::kSync), 3) << "the mark's, the first segment's, and the one that failed";
}

TEST(LogFaults, ARecoveryThatFailsChangesNothingThatCounts) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log";
  for (const DiskCall kind : {DiskCall::kOpen, DiskCall::kWrite, DiskCall::kTruncate, DiskCall::kSync}) {
    std::filesystem::remove_all(path);
    {
      const auto log = Must(OpenWriteLogs({.folder = path})->Create(nullptr));
      for (const std::string name : {"1", "2", "3"})
        ASSERT_TRUE(log->Append(TestRecord(name).record(), nullptr));
    }
    const std::string segment = OnlyLogFile(path, "00000001.log");
    std::filesystem::resize_file(segment, std::filesystem::file_size(segment) - 1);
    std::filesystem::resize_file(OnlyLogFile(path, "durable"), 0);
    FailingKind failing(kind, EIO);
    failing.fails = true;
    const auto logs = OpenWriteLogs({.folder = path, .disk = &failing.disk});
    const auto adopted = AdoptAll(*logs);
    ASSERT_FALSE(adopted) << static_cast<int>(kind);
    EXPECT_EQ(adopted.error().code, ErrorCode::kIo);
    EXPECT_THAT(Names(Must(RecoverAndReadAll(path))), testing::ElementsAre("1", "2"))
        << static_cast<int>(kind);
  }
}

// Writers over a disk that remembers, and when each was told what.
class PowerLoss {
 public:
  explicit PowerLoss(const std::string& path) : path_(path) {
    const auto log =
        Must(OpenWriteLogs({.folder = path, .segment_bytes = 4'000, .disk = &disk_})->Create(nullptr));
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t)
      threads.emplace_back([&, t] { Write(*log, t); });
  }

  // Plays a loss of power into `folder`, at any moment, and checks what is left. Answers how many frames are.
  std::size_t Play(std::mt19937_64& random, const std::string& folder) const {
    const std::size_t moment = random() % disk_.now();
    disk_.PlayPowerLoss(moment, random, path_, folder);
    std::uint64_t last = 0;
    std::map<std::uint64_t, std::string> written;
    for (const Acknowledged& one : acknowledged_) {
      if (one.moment <= moment) last = std::max(last, one.lsn);
      written[one.lsn] = one.name;
    }
    // The mapped word comes back as it was at any moment before.
    const std::uint64_t word = random() % 3 == 0 ? 0 : random() % (last + 1);
    if (const std::filesystem::directory_iterator logs(folder);
        logs != std::filesystem::directory_iterator{}) {
      std::ofstream(logs->path() / "durable", std::ios::binary)
          .write(reinterpret_cast<const char*>(&word), sizeof(word));
    }
    const auto read = RecoverAndReadAll(folder);
    if (!read) ADD_FAILURE() << read.error().ToString();
    if (!read) return 0;
    std::set<std::uint64_t> found;
    for (const FoundFrame& frame : *read) {
      EXPECT_EQ(frame.name, written[frame.position.lsn]);
      found.insert(frame.position.lsn);
    }
    std::uint64_t trimmed = 0;
    for (const auto& [when, lsn] : trims_)
      trimmed = when <= moment ? std::max(trimmed, lsn) : trimmed;
    for (const std::uint64_t first : pairs_)
      EXPECT_EQ(found.contains(first), found.contains(first + 1)) << "half of what counts only together";
    for (const Acknowledged& one : acknowledged_) {
      const bool must_be_there = one.moment <= moment && one.lsn > trimmed;
      EXPECT_TRUE(!must_be_there || found.contains(one.lsn)) << "lost frame " << one.lsn;
    }
    return found.size();
  }

 private:
  struct Acknowledged {
    std::size_t moment;
    std::uint64_t lsn;
    std::string name;
  };

  void Write(WriteLog& log, int thread) {
    for (int i = 0; i < 40; ++i) {
      const std::string name = std::to_string(thread) + " " + std::to_string(i);
      const TestRecord record(name, 1, static_cast<std::size_t>(10 + i * 23 % 900));
      const LogRecord one = record.record();
      // Each third write is of two frames that count only together.
      const std::vector<LogAppend> appends(i % 3 == 2 ? 2 : 1, LogAppend{&one, nullptr});
      const LogPosition position = Must(log.Append(appends));
      const std::lock_guard lock(mutex_);
      for (std::uint64_t k = 0; k < appends.size(); ++k)
        acknowledged_.push_back({disk_.now(), position.lsn + k, name});
      if (appends.size() == 2) pairs_.insert(position.lsn);
      if (thread != 0 || i % 10 != 9) continue;
      trims_.emplace_back(disk_.now(), position.lsn);
      EXPECT_TRUE(log.Trim(position));
    }
  }

  const std::string path_;
  wal::RecordingDisk disk_;
  std::mutex mutex_;
  std::vector<Acknowledged> acknowledged_;
  std::set<std::uint64_t> pairs_;  // the first lsn of each two that count only together
  std::vector<std::pair<std::size_t, std::uint64_t>> trims_;  // when it began, and up to which lsn
};

// The power goes at any moment: what was acknowledged by then is there, and nothing that was not written.
TEST(LogFaults, ALossOfPowerLosesNothingThatWasAcknowledged) {
  const TemporaryFolder folder;
  const PowerLoss power_loss(folder.path() + "/log");
  std::mt19937_64 random(7);
  std::size_t frames = 0;
  for (int round = 0; round < 300; ++round) {
    const std::string left = folder.path() + "/left";
    std::filesystem::remove_all(left);
    std::filesystem::create_directory(left);
    frames += power_loss.Play(random, left);
    ASSERT_FALSE(HasFailure()) << "in round " << round;
  }
  EXPECT_GT(frames, 1'000U);
}

}  // namespace
}  // namespace tidemark::testing_support
