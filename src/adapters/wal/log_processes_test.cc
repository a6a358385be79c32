// Goal: logs of several processes: writers that are killed at any moment, writers and a reader at once, and
// two that want to recover the same log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "adapters/wal/wal_testing.h"

namespace tidemark::testing_support {
namespace {

// What a writer tells the process that watches it, in one write.
struct Message {
  int thread = 0;
  int number = 0;
  LogPosition position;
};

// Writes with four threads, and tells of each acknowledgement, until it is killed.
bool WriteForever(const std::string& folder, const std::string& prefix, int tell) {
  const auto logs = OpenWriteLogs({.folder = folder, .segment_bytes = 3'000});
  const auto log = Must(logs->Create(nullptr));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        const TestRecord record(prefix + std::to_string(t) + " " + std::to_string(i));
        const Message message{t, i, Must(log->Append(record.record(), nullptr))};
        if (::write(tell, &message, sizeof(message)) != sizeof(message)) ::_exit(2);
      }
    });
  }
  return false;
}

TEST(LogProcesses, AKilledWriterLosesNothingItAcknowledged) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log";
  std::mt19937_64 random(3);
  std::map<std::string, LogPosition> acknowledged;
  std::set<std::string> possible;  // written, and nobody was told
  for (int round = 0; round < 20; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const std::string prefix = "round " + std::to_string(round) + " ";
    const pid_t writer = Fork([&] { return WriteForever(path, prefix, pipe[1]); });
    ::close(pipe[1]);
    std::map<int, int> next;
    const auto hear = [&] {
      Message message;
      if (::read(pipe[0], &message, sizeof(message)) != sizeof(message)) return false;
      EXPECT_EQ(message.number, next[message.thread]++);
      acknowledged[prefix + std::to_string(message.thread) + " " + std::to_string(message.number)] =
          message.position;
      return true;
    };
    for (std::uint64_t heard = random() % 120; heard > 0; --heard)
      ASSERT_TRUE(hear());
    ::kill(writer, SIGKILL);
    EXPECT_EQ(Wait(writer), 128 + SIGKILL);
    while (hear()) {
    }
    ::close(pipe[0]);
    for (int t = 0; t < 4; ++t)
      possible.insert(prefix + std::to_string(t) + " " + std::to_string(next[t]));
    std::set<std::string> found;
    for (const FoundFrame& frame : Must(RecoverAndReadAll(path))) {
      EXPECT_TRUE(found.insert(frame.name).second) << frame.name << " is there twice";
      const auto told = acknowledged.find(frame.name);
      if (told != acknowledged.end()) {
        EXPECT_EQ(told->second, frame.position);
      }
      if (told == acknowledged.end()) {
        EXPECT_TRUE(possible.contains(frame.name)) << frame.name;
      }
    }
    for (const auto& [name, position] : acknowledged)
      EXPECT_TRUE(found.contains(name)) << name << " was acknowledged and is lost";
    if (HasFailure()) FAIL() << "in round " << round;
  }
  EXPECT_GT(acknowledged.size(), 200U);
}

// Each of two processes writes, trims and ends; a third sees every log grow without a gap or a wrong frame.
TEST(LogProcesses, TwoWriteAndOneReads) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log";
  constexpr int kFrames = 400;
  const auto write = [&](const std::string& name) {
    const auto log = Must(OpenWriteLogs({.folder = path, .segment_bytes = 2'000})->Create(nullptr));
    for (int i = 1; i <= kFrames; ++i) {
      const LogPosition position = Must(log->Append(TestRecord(name + std::to_string(i)).record(), nullptr));
      if (i % 50 == 0 && !log->Trim({position.log, position.lsn / 2})) return false;
    }
    return true;
  };
  const auto read = [&] {
    const auto logs = OpenWriteLogs({.folder = path});
    std::map<LogId, std::uint64_t> seen;
    std::size_t ended = 0;
    std::set<LogId> whole;
    while (whole.size() < 2) {
      for (const auto& snapshot : Must(logs->Snapshots())) {
        std::uint64_t& last = seen[snapshot->id()];
        if (snapshot->durable_lsn() < last) return false;
        const std::uint64_t half = snapshot->durable_lsn() / 2;  // no more than this is trimmed
        const std::uint64_t from = std::max(last, half);
        const auto frames = ReadAll(*snapshot, from);
        if (!frames || frames->size() != snapshot->durable_lsn() - from) return false;
        for (std::size_t i = 0; i < frames->size(); ++i) {
          if (!(*frames)[i].name.ends_with(std::to_string(from + i + 1))) return false;
        }
        last = snapshot->durable_lsn();
        if (last == kFrames) whole.insert(snapshot->id());
      }
      ++ended;
    }
    return ended > 0;
  };
  const pid_t one = Fork([&] { return write("one "); });
  const pid_t other = Fork([&] { return write("other "); });
  const pid_t reader = Fork(read);
  EXPECT_EQ(Wait(one), 0);
  EXPECT_EQ(Wait(other), 0);
  EXPECT_EQ(Wait(reader), 0);
}

TEST(LogProcesses, OfTwoThatRecoverALogOneGetsItAndTheOtherSeesItWhole) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log";
  for (int round = 0; round < 20; ++round) {
    LogId id = 0;
    {
      const auto log = Must(OpenWriteLogs({.folder = path})->Create(nullptr));
      id = log->id();
      for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(log->Append(TestRecord(std::to_string(i)).record(), nullptr));
    }
    ASSERT_EQ(::truncate(OnlyLogFile(path, "durable").c_str(), 0), 0);  // as after a loss of power
    int done[2];
    ASSERT_EQ(::pipe(done), 0);
    std::vector<pid_t> children;
    for (int child = 0; child < 3; ++child) {
      children.push_back(Fork([&] {
        ::close(done[1]);
        const auto logs = OpenWriteLogs({.folder = path});
        const auto adopted = Must(logs->Adopt(id));
        const auto snapshots = Must(logs->Snapshots());
        EXPECT_EQ(snapshots.size(), 1U);
        EXPECT_EQ(Must(ReadAll(*snapshots.at(0))).size(), 20U);
        char nothing = 0;
        EXPECT_EQ(::read(done[0], &nothing, 1), 1);  // who has it keeps it until all have looked
        ::_exit(testing::Test::HasFailure() ? 1 : adopted != nullptr ? 10 : 0);
        return true;
      }));
    }
    // One byte for each: none comes before all have read, because the pipe is written to once they are
    // forked, and a log that was let go could be adopted by the next.
    std::multiset<int> codes;
    const auto logs = OpenWriteLogs({.folder = path});
    while (!Must(logs->Orphans()).empty())
      std::this_thread::yield();
    ASSERT_EQ(::write(done[1], "xxx", 3), 3);
    for (const pid_t child : children)
      codes.insert(Wait(child));
    EXPECT_EQ(codes.count(1), 0U);
    EXPECT_GE(codes.count(10), 1U);
    ::close(done[0]);
    ::close(done[1]);
    ASSERT_TRUE(Must(logs->Adopt(id))->Trim({id, 20}));
  }
}

}  // namespace
}  // namespace tidemark::testing_support
