// Goal: commits that are not synced cost nothing when a process is killed, and when the power is lost the
// store is what it was at a sync or later, with all that was acknowledged as durable; the file does not grow
// without end, and what was erased does not come back.
//
// The disk: whenever a file of a watched folder is synced, all of its bytes as they were before the call are
// put aside. After a loss of power each page of the file is what was put aside, or what is in the file now,
// or some sectors of each.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/lmdb/lmdb_synced_root_internal.h"
#include "model/key_codec.h"
#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

constexpr std::array kFiles{"data.mdb", "synced.root"};
constexpr std::size_t kDiskPage = 4096;
constexpr std::size_t kDiskSector = 512;

// At once: files of megabytes are read hundreds of times.
std::string BytesOf(const std::string& path) {
  std::error_code missing;
  const auto size = std::filesystem::file_size(path, missing);
  if (missing) return {};
  std::string bytes(size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

void PutBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The disk under a folder, in this process and those that it forks.
class WatchedDisk {
 public:
  static WatchedDisk& Get() {
    static WatchedDisk disk;
    return disk;
  }

  void Watch(const std::string& folder, const std::string& aside) {
    const std::lock_guard lock(mutex_);
    std::filesystem::create_directories(aside);
    folder_ = folder;
    aside_ = aside;
    fails_ = false;
  }
  void Fail() {
    const std::lock_guard lock(mutex_);
    fails_ = true;
  }

  /// No thread of the parent is within this class meanwhile: the child could never enter it.
  pid_t Fork() {
    const std::lock_guard lock(mutex_);
    return ::fork();
  }

  int Sync(int fd) {
    const std::string name = WatchedName(fd);
    const std::string before = name.empty() ? std::string() : BytesOf(folder_ + "/" + name);
    const std::lock_guard lock(mutex_);
    if (!name.empty() && fails_) {
      errno = EIO;
      return -1;
    }
    if (folder_.empty()) return static_cast<int>(::syscall(SYS_fdatasync, fd));
    if (name.empty()) return 0;  // nothing is lost but what is watched
    const std::string path = aside_ + "/" + name;
    PutBytes(path + std::to_string(::getpid()), before);
    std::filesystem::rename(path + std::to_string(::getpid()), path);
    return 0;
  }

  /// What a loss of power at this moment may leave.
  void LosePower(const std::string& to, std::mt19937& random) {
    const std::lock_guard lock(mutex_);
    std::filesystem::create_directories(to);
    const bool has_much = random() % 2 == 0;
    for (const char* const name : kFiles) {
      const std::string aside = BytesOf(aside_ + "/" + name);
      std::string now = BytesOf(folder_ + "/" + name);
      now.resize(std::max(aside.size(), now.size()), '\0');
      std::string then = aside;
      then.resize(now.size(), '\0');
      for (std::size_t page = 0; page < now.size(); page += kDiskPage) {
        const bool is_torn = random() % 8 == 0;
        bool is_now = random() % 4 == (has_much ? 0U : 3U) ? !has_much : has_much;
        for (std::size_t at = page; at < std::min(page + kDiskPage, now.size()); at += kDiskSector) {
          if (is_torn) is_now = random() % 2 == 0;
          if (!is_now) now.replace(at, kDiskSector, then, at, kDiskSector);
        }
      }
      PutBytes(to + "/" + name, now);
    }
  }

 private:
  std::string WatchedName(int fd) {
    const std::lock_guard lock(mutex_);
    std::array<char, 512> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    if (folder_.empty() || ::readlink(link.c_str(), target.data(), target.size() - 1) <= 0) return {};
    for (const char* const name : kFiles) {
      if (folder_ + "/" + name == target.data()) return name;
    }
    return {};
  }

  std::mutex mutex_;  // guards those below
  std::string folder_;
  std::string aside_;
  bool fails_ = false;
};

lmdb::BootId Boot(int number) {
  lmdb::BootId boot{};
  boot[0] = static_cast<std::byte>(number);
  return boot;
}

}  // namespace
}  // namespace tidemark::testing_support

// For this program and the LMDB that it uses.
extern "C" [[gnu::visibility("default")]] int fdatasync(int fd) {
  return tidemark::testing_support::WatchedDisk::Get().Sync(fd);
}

namespace tidemark::testing_support {
namespace {

using lmdb::RootRecord;

class LmdbAhead : public testing::Test {
 protected:
  void SetUp() override {
    lmdb::SetBootForTests(Boot(1));
    WatchedDisk::Get().Watch(StoreFolder(), folder_.path() + "/aside");
  }
  void TearDown() override {
    store_.reset();
    WatchedDisk::Get().Watch("", folder_.path() + "/nothing");
  }

  std::string StoreFolder() const { return folder_.path() + "/online"; }

  static std::unique_ptr<OnlineStore> OpenIn(const std::string& folder) {
    auto opened = OpenLmdbOnlineStore({.folder = folder, .map_bytes_max = std::int64_t{1} << 30});
    if (!opened) ADD_FAILURE() << opened.error().ToString();
    return opened ? std::move(*opened) : nullptr;
  }

  static TestWrite Row(int number, std::int64_t event_us) {
    std::string key = TestKey(1, fmt::format("{:05}", number));
    std::string row = TestRow(key, {.event = {event_us}, .created = {}},
                              std::string(static_cast<std::size_t>(number) * 7 % 300, 'x'));
    return {std::move(key), std::move(row)};
  }

  static std::map<std::string, std::int64_t> EventsOf(const OnlineStore& store) {
    std::map<std::string, std::int64_t> events;
    for (const auto& [key, row] : ScanAll(store, ""))
      events[key] = ReadPackedHeader(std::as_bytes(std::span(row)))->order.event.us;
    return events;
  }

  static RootRecord::State StateOf(const std::string& folder) {
    return lmdb::SyncedRoot::Open({.folder = folder, .contents = &lmdb::kOnlineRows}).value()->Read()->state;
  }

  /// Writes rows until commits are not synced any more.
  void RunAhead(OnlineStore& store) {
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(store.Merge(Writes({Row(90'000, ++ahead_event_us_)}), {}));
      if (StateOf(StoreFolder()) == RootRecord::State::kAhead) return;
    }
    FAIL() << "every commit was synced";
  }

  TemporaryFolder folder_;
  std::unique_ptr<OnlineStore> store_;
  std::int64_t ahead_event_us_ = 0;
};

// Merges, durable ones among them, and a loss of power at hundreds of moments: what is found is what was
// there after one of the merges, none before the last that was durable; and the log's rows, merged again,
// bring it up to the last.
TEST_F(LmdbAhead, ALossOfPowerLeavesTheStateOfAMergeThatIsNotOlderThanTheLastDurableOne) {
  std::mt19937 random(20'260'101);
  store_ = OpenIn(StoreFolder());
  std::map<std::string, std::int64_t> now;
  std::vector<std::map<std::string, std::int64_t>> states{now};
  std::vector<std::vector<TestWrite>> log;
  std::size_t durable = 0;
  int went_back = 0;
  for (int step = 1; step <= 240; ++step) {
    std::vector<TestWrite> batch{Row(0, step)};  // says which state it is
    for (int i = 0; i < 12; ++i)
      batch.push_back(Row(1 + static_cast<int>(random() % 400), step));
    const bool is_durable = random() % 16 == 0;
    ASSERT_TRUE(store_->Merge(Writes(batch), {.durable = is_durable}));
    for (const TestWrite& write : batch)
      now[write.key] = step;
    states.push_back(now);
    log.push_back(batch);
    if (random() % 32 == 0) {
      ASSERT_TRUE(store_->Sync());
      durable = states.size() - 1;
    }
    if (is_durable) durable = states.size() - 1;
    if (random() % 64 == 0) store_.reset();
    if (step > 10) {
      const std::string lost = folder_.path() + "/lost";
      std::filesystem::remove_all(lost);
      WatchedDisk::Get().LosePower(lost, random);
      lmdb::SetBootForTests(Boot(2));
      const auto found = OpenIn(lost);
      lmdb::SetBootForTests(Boot(1));
      ASSERT_NE(found, nullptr);
      const auto events = EventsOf(*found);
      const auto last = events.find(Row(0, 0).key);
      const std::size_t state = last == events.end() ? 0 : static_cast<std::size_t>(last->second);
      ASSERT_GE(state, durable) << "step " << step;
      ASSERT_LT(state, states.size());
      ASSERT_EQ(events, states[state]) << "step " << step << ", state " << state;
      went_back += state + 1 < states.size() ? 1 : 0;
      if (step % 4 == 0) {
        for (std::size_t i = durable; i < log.size(); ++i)
          ASSERT_TRUE(found->Merge(Writes(log[i]), {}));
        ASSERT_TRUE(found->Sync());
        ASSERT_EQ(EventsOf(*found), now);
      }
    }
    if (store_ == nullptr) store_ = OpenIn(StoreFolder());
  }
  EXPECT_GT(went_back, 20) << "hardly anything was lost: is anything ever left unsynced?";
}

// A process is killed with -9 while it and another write, then the power is lost.
TEST_F(LmdbAhead, AKilledWriterAndThenALossOfPowerTearNothing) {
  std::mt19937 random(7);
  store_ = OpenIn(StoreFolder());
  std::vector<TestWrite> all;
  for (int number = 0; number < 800; ++number)
    all.push_back(Row(number, 0));
  ASSERT_TRUE(store_->Merge(Writes(all), {.durable = true}));
  const auto batch_of = [](int writer, std::int64_t event_us) {
    std::vector<TestWrite> batch;
    for (int i = 0; i < 10; ++i)
      batch.push_back(Row(writer * 400 + i * 31, event_us));
    return batch;
  };
  std::int64_t event_us = 0;
  std::int64_t durable_us = 0;
  for (int round = 0; round < 25; ++round) {
    int merged[2];
    ASSERT_EQ(::pipe(merged), 0);
    const std::int64_t base_us = 10'000 * (round + 1);
    const pid_t child = WatchedDisk::Get().Fork();
    if (child == 0) {
      const auto own = OpenIn(StoreFolder());
      for (std::int64_t i = 0;; ++i) {
        if (!own->Merge(Writes(batch_of(1, base_us + i)), {}) || ::write(merged[1], "m", 1) != 1) ::_exit(1);
      }
    }
    ::close(merged[1]);
    std::string some(5 + random() % 20, ' ');
    for (char& each : some)
      ASSERT_EQ(::read(merged[0], &each, 1), 1);
    for (int i = 0; i < 10; ++i)
      ASSERT_TRUE(store_->Merge(Writes(batch_of(0, ++event_us)), {}));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ::close(merged[0]);
    const int more = static_cast<int>(random() % 30);
    for (int i = 0; i < more; ++i) {
      const bool is_durable = random() % 10 == 0;
      ASSERT_TRUE(store_->Merge(Writes(batch_of(0, ++event_us)), {.durable = is_durable}));
      if (is_durable) durable_us = event_us;
    }
    const std::string lost = fmt::format("{}/lost{}", folder_.path(), round);
    WatchedDisk::Get().LosePower(lost, random);
    lmdb::SetBootForTests(Boot(2));
    const auto found = OpenIn(lost);
    lmdb::SetBootForTests(Boot(1));
    ASSERT_NE(found, nullptr);
    const auto events = EventsOf(*found);
    ASSERT_EQ(events.size(), all.size());
    for (int writer = 0; writer < 2; ++writer) {
      const std::int64_t first_us = events.at(batch_of(writer, 0)[0].key);
      for (const TestWrite& write : batch_of(writer, 0))
        ASSERT_EQ(events.at(write.key), first_us) << "a merge is there whole or not at all";
      ASSERT_GE(first_us, writer == 0 ? durable_us : 0);
    }
  }
}

TEST_F(LmdbAhead, AKilledWriterLosesNothingAtAll) {
  store_ = OpenIn(StoreFolder());
  store_.reset();
  int merged[2];
  ASSERT_EQ(::pipe(merged), 0);
  const pid_t child = WatchedDisk::Get().Fork();
  if (child == 0) {
    const auto own = OpenIn(StoreFolder());
    for (std::int64_t i = 0;; ++i) {
      if (!own->Merge(Writes({Row(1, i)}), {}) || ::write(merged[1], &i, sizeof i) != sizeof i) ::_exit(1);
    }
  }
  ::close(merged[1]);
  std::int64_t last = 0;
  while (last < 300)
    ASSERT_EQ(::read(merged[0], &last, sizeof last), 8);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(merged[0], &last, sizeof last) == 8) {
  }
  ::close(merged[0]);
  store_ = OpenIn(StoreFolder());
  EXPECT_GE(EventsOf(*store_).at(Row(1, 0).key), last);
}

TEST_F(LmdbAhead, TheFileDoesNotGrowWithoutEnd) {
  WatchedDisk::Get().Watch("", folder_.path() + "/nothing");  // it would copy the file at every sync
  store_ = OpenIn(StoreFolder());
  std::mt19937 random(3);
  const auto write = [&](int merges) {
    for (int i = 0; i < merges; ++i) {
      std::vector<TestWrite> batch;
      for (int row = 0; row < 8; ++row)
        batch.push_back(Row(static_cast<int>(random() % 3000), ++ahead_event_us_));
      ASSERT_TRUE(store_->Merge(Writes(batch), {}));
    }
    ASSERT_TRUE(store_->Sync());
  };
  // Each changes some ten pages: without an end that were 200 MB, and as much again. Where the thread is not
  // given its turn, a thousand of them are between two checkpoints, and their pages of use after the second.
  write(4000);
  const auto bytes = std::filesystem::file_size(StoreFolder() + "/data.mdb");
  EXPECT_LT(bytes, 150U << 20U);
  write(4000);
  EXPECT_LT(std::filesystem::file_size(StoreFolder() + "/data.mdb"), bytes + (60U << 20U));
}

TEST_F(LmdbAhead, ClosingLeavesNothingToBeDone) {
  store_ = OpenIn(StoreFolder());
  RunAhead(*store_);
  store_.reset();
  EXPECT_EQ(StateOf(StoreFolder()), RootRecord::State::kClean);
}

TEST_F(LmdbAhead, ErasedBytesAreNotInWhatALossOfPowerLeaves) {
  const std::string secret = "the-value-that-is-to-be-erased";
  std::mt19937 random(5);
  store_ = OpenIn(StoreFolder());
  const std::string key = TestKey(1, "secret-key");
  const TestWrite row{key, TestRow(key, {.event = {1}, .created = {}}, secret)};
  RunAhead(*store_);
  ASSERT_TRUE(store_->Merge(Writes({row}), {}));
  const auto hash = KeyedHashFile(folder_.path() + "/erase.key").Get(true).value();
  const OnlineErasure erasure{.mark = hash->MarkOf(key), .key = key, .sequence_max = 1'000'000};
  EXPECT_EQ(store_->Erase(std::vector{erasure}).value(), 1);
  EXPECT_TRUE(store_->ScrubRemoved().value());
  for (int i = 0; i < 20; ++i) {
    for (int more = 0; more < 5; ++more)
      ASSERT_TRUE(store_->Merge(Writes({Row(more, ++ahead_event_us_)}), {}));
    const std::string lost = fmt::format("{}/lost{}", folder_.path(), i);
    WatchedDisk::Get().LosePower(lost, random);
    EXPECT_EQ(BytesOf(lost + "/data.mdb").find(secret), std::string::npos);
    lmdb::SetBootForTests(Boot(2));
    EXPECT_FALSE(EventsOf(*OpenIn(lost)).contains(key));
    lmdb::SetBootForTests(Boot(1));
  }
}

// A sync that fails: nothing more is written, and the next to open the folder goes back to the synced root,
// in the same run of the system, too; but not while another has it open.
TEST_F(LmdbAhead, AfterASyncThatFailedTheStoreIsWhatItWasAtTheOneBefore) {
  store_ = OpenIn(StoreFolder());
  RunAhead(*store_);
  ASSERT_TRUE(store_->Merge(Writes({Row(1, 1)}), {.durable = true}));
  RunAhead(*store_);
  ASSERT_TRUE(store_->Merge(Writes({Row(1, 2)}), {}));
  WatchedDisk::Get().Fail();
  EXPECT_EQ(store_->Sync().error().code, ErrorCode::kIo);
  EXPECT_FALSE(store_->Merge(Writes({Row(1, 3)}), {}));
  store_.reset();
  WatchedDisk::Get().Watch("", folder_.path() + "/nothing");
  store_ = OpenIn(StoreFolder());
  EXPECT_GE(EventsOf(*store_).at(Row(1, 0).key), 1);
  EXPECT_TRUE(store_->Merge(Writes({Row(1, 4)}), {.durable = true}));
}

TEST_F(LmdbAhead, WithoutANumberOfTheSystemsStartEveryCommitIsSynced) {
  lmdb::SetBootForTests({});
  store_ = OpenIn(StoreFolder());
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(store_->Merge(Writes({Row(1, i)}), {}));
  EXPECT_EQ(StateOf(StoreFolder()), RootRecord::State::kClean);
}

class LmdbSyncedRoot : public testing::Test {
 protected:
  void SetUp() override { lmdb::SetBootForTests(Boot(1)); }
  std::unique_ptr<lmdb::SyncedRoot> Open() const { return lmdb::SyncedRoot::Open(place_).value(); }

  TemporaryFolder folder_;
  const lmdb::Place place_{.folder = folder_.path(), .contents = &lmdb::kOnlineRows};
};

TEST_F(LmdbSyncedRoot, ATornRecordLeavesTheOneBefore) {
  const auto root = Open();
  EXPECT_EQ(root->Read()->state, RootRecord::State::kClean);
  for (std::uint64_t holder = 1; holder <= 5; ++holder) {
    RootRecord record{.state = RootRecord::State::kAhead, .boot = Boot(1), .holder = holder};
    ASSERT_TRUE(root->Write(record));
    EXPECT_EQ(root->Read()->holder, holder);
    const std::string path = folder_.path() + "/synced.root";
    const std::string whole = BytesOf(path);
    const std::size_t newest = holder % 2 == 1 ? 0 : kDiskPage;
    for (const std::size_t at : {0UL, 8UL, 16UL, 30UL, 40UL, 100UL, 312UL}) {
      std::string torn = whole;
      torn[newest + at] = static_cast<char>(torn[newest + at] ^ 0x40);
      PutBytes(path, torn);
      EXPECT_EQ(root->Read()->holder, holder - 1);
    }
    PutBytes(path, whole);
  }
}

TEST_F(LmdbSyncedRoot, NobodyGoesBackWhileAnotherHasTheFolderOpen) {
  const auto root = Open();
  ASSERT_TRUE(root->Write({.state = RootRecord::State::kSuspect, .boot = Boot(1), .holder = root->self()}));
  EXPECT_EQ(lmdb::SyncedRoot::Open(place_).error().code, ErrorCode::kBusy);
  EXPECT_EQ(lmdb::SyncedRoot::CheckToRead(place_).error().code, ErrorCode::kIo);
}

TEST_F(LmdbSyncedRoot, AHolderLivesAsLongAsItHasTheFolderOpen) {
  const auto root = Open();
  auto other = Open();
  const std::uint64_t holder = other->self();
  EXPECT_TRUE(root->IsAlive(root->self()).value());
  EXPECT_TRUE(root->IsAlive(holder).value());
  other.reset();
  EXPECT_FALSE(root->IsAlive(holder).value());
}

}  // namespace
}  // namespace tidemark::testing_support
