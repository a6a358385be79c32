// Goal: a batch that was written is known for a day, in every process, and is written by one at a time.
#include "adapters/lmdb/lmdb_batch_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "adapters/lmdb/lmdb_online_store.h"
#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

constexpr std::int64_t kNowUs = 1'700'000'000'000'000;

class BatchLedgerTest : public testing::Test {
 protected:
  std::unique_ptr<BatchLedger> Open(std::int64_t map_bytes_max = 1 << 28) const {
    auto opened =
        OpenLmdbBatchLedger({.folder = folder_.path() + "/batches", .map_bytes_max = map_bytes_max});
    if (!opened) ADD_FAILURE() << opened.error().ToString();
    return opened ? std::move(*opened) : nullptr;
  }
  static void Record(BatchLedger& ledger, std::uint32_t table, std::string_view key, LogPosition position,
                     std::int64_t time_us = kNowUs) {
    const WrittenBatch batch{.table_id = table, .key = key, .position = position, .time_us = time_us};
    const auto recorded = ledger.Record({&batch, 1});
    ASSERT_TRUE(recorded) << recorded.error().ToString();
  }
  static std::optional<LogPosition> Seen(const BatchLedger& ledger, std::uint32_t table, std::string_view key,
                                         std::int64_t now_us = kNowUs) {
    const auto seen = ledger.Seen(table, key, now_us);
    if (!seen) ADD_FAILURE() << seen.error().ToString();
    return seen && *seen ? std::optional((*seen)->position) : std::nullopt;
  }
  static int RunInChild(const std::function<bool()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body() && !testing::Test::HasFailure() ? 0 : 1);
    return Wait(child);
  }
  static int Wait(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // How many records the file has.
  std::size_t Records() const {
    MDB_env* env = nullptr;
    MDB_stat about{};
    EXPECT_EQ(mdb_env_create(&env), 0);
    EXPECT_EQ(mdb_env_open(env, (folder_.path() + "/batches").c_str(), MDB_RDONLY, 0644), 0);
    EXPECT_EQ(mdb_env_stat(env, &about), 0);
    mdb_env_close(env);
    return about.ms_entries;
  }
  TemporaryFolder folder_;
};

TEST_F(BatchLedgerTest, KnowsABatchByTableAndKeyUntilADayIsOver) {
  const auto ledger = Open();
  const std::string longest(kBatchKeyBytesMax, '\0');
  Record(*ledger, 1, "k", {7, 1});
  Record(*ledger, 2, "k", {7, 2});
  Record(*ledger, 1, longest, {8, 3});
  EXPECT_EQ(Seen(*ledger, 1, "k"), (LogPosition{7, 1}));
  EXPECT_EQ(Seen(*ledger, 2, "k"), (LogPosition{7, 2}));
  EXPECT_EQ(Seen(*ledger, 1, longest), (LogPosition{8, 3}));
  EXPECT_EQ(Seen(*ledger, 1, "K"), std::nullopt);
  EXPECT_EQ(Seen(*ledger, 3, "k"), std::nullopt);
  EXPECT_EQ(Seen(*ledger, 1, longest.substr(1)), std::nullopt);
  EXPECT_EQ(Seen(*ledger, 1, "k", kNowUs + kBatchMemoryUs - 1), (LogPosition{7, 1}));
  EXPECT_EQ(Seen(*ledger, 1, "k", kNowUs + kBatchMemoryUs), std::nullopt);
  ASSERT_TRUE(ledger->Sync());
  EXPECT_EQ(Seen(*Open(), 1, "k"), (LogPosition{7, 1}));
}

TEST_F(BatchLedgerTest, RefusesKeysThatNoBatchHas) {
  const auto ledger = Open();
  const std::string too_long(kBatchKeyBytesMax + 1, 'k');
  const auto code_of = [&](std::uint32_t table, std::string_view key) {
    const WrittenBatch batch{.table_id = table, .key = key, .position = {}, .time_us = 1};
    EXPECT_EQ(ledger->Acquire(table, key).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ledger->Record({&batch, 1}).error().code, ErrorCode::kInvalidArgument);
    return ledger->Seen(table, key, 0).error().code;
  };
  EXPECT_EQ(code_of(0, "k"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(1, ""), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(1, too_long), ErrorCode::kInvalidArgument);
}

TEST_F(BatchLedgerTest, ForgetsWhatIsOlderThanADayAndKeepsWhatWasWrittenAgain) {
  {
    const auto ledger = Open();
    for (int i = 0; i < 40; ++i)
      Record(*ledger, 1, "old " + std::to_string(i), {1, 1}, kNowUs + i);
    Record(*ledger, 1, "again", {1, 2}, kNowUs);
    Record(*ledger, 1, "again", {1, 3}, kNowUs + kBatchMemoryUs);
    for (int i = 0; i < 5; ++i)
      Record(*ledger, 1, "new " + std::to_string(i), {1, 4}, kNowUs + 2 * kBatchMemoryUs - 1);
    EXPECT_EQ(Seen(*ledger, 1, "again", kNowUs + kBatchMemoryUs + 1), (LogPosition{1, 3}));
    // A clock that went back asks again for what would still be known.
    EXPECT_EQ(Seen(*ledger, 1, "old 39", kNowUs + 50), std::nullopt);
  }
  EXPECT_EQ(Records(), 2U + 2U * 6U) << "format, identity, and of each batch that is left two";
}

TEST_F(BatchLedgerTest, RecordsAllOrNone) {
  const auto ledger = Open(1 << 20);
  std::vector<std::string> keys;
  for (int i = 0; i < 20'000; ++i)
    keys.push_back(std::to_string(i) + std::string(200, 'k'));
  std::vector<WrittenBatch> batches;
  for (const std::string& key : keys)
    batches.push_back({.table_id = 1, .key = key, .position = {1, 1}, .time_us = kNowUs});
  const auto recorded = ledger->Record(batches);
  ASSERT_FALSE(recorded);
  EXPECT_EQ(recorded.error().code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(recorded.error().ToString(), testing::HasSubstr("batch ledger"));
  EXPECT_EQ(Seen(*ledger, 1, keys[0]), std::nullopt);
  Record(*ledger, 1, "k", {1, 1});
  EXPECT_TRUE(Seen(*ledger, 1, "k"));
}

// What a batch is stays beside where it is; of one that nobody described it is not known.
TEST_F(BatchLedgerTest, TheContentOfABatchIsKept) {
  const WrittenBatch described{
      .table_id = 1, .key = "a", .position = {7, 1}, .time_us = kNowUs, .content = {.low = 3, .high = 4}};
  ASSERT_TRUE(Open()->Record({&described, 1}));
  Record(*Open(), 1, "b", {7, 2});
  const auto ledger = Open();
  EXPECT_EQ(ledger->Seen(1, "a", kNowUs).value()->content, (BatchContent{.low = 3, .high = 4}));
  EXPECT_FALSE(ledger->Seen(1, "b", kNowUs).value()->content.is_known());
}

TEST_F(BatchLedgerTest, ADamagedEntryIsAnErrorAndCanBeRecordedAnew) {
  Record(*Open(), 1, "a key that is nowhere else", {0x4142434445464748, 5});
  const std::string path = folder_.path() + "/batches/data.mdb";
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::size_t at = bytes.find("HGFEDCBA");
  ASSERT_NE(at, std::string::npos);
  std::fstream(path, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(at))
      .put('X');
  const auto ledger = Open();
  const auto seen = ledger->Seen(1, "a key that is nowhere else", kNowUs);
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(seen.error().ToString(), testing::HasSubstr("remove the folder"));
  Record(*ledger, 1, "a key that is nowhere else", {1, 5});
  EXPECT_EQ(Seen(*ledger, 1, "a key that is nowhere else"), (LogPosition{1, 5}));
}

TEST_F(BatchLedgerTest, ItsFolderIsNotAnOnlineStore) {
  Record(*Open(), 1, "k", {1, 1});
  EXPECT_EQ(OpenLmdbOnlineStore({.folder = folder_.path() + "/batches"}).error().code,
            ErrorCode::kUnsupported);
}

// The same batches are sent to two processes of two threads each at once: each is written by one of them.
TEST_F(BatchLedgerTest, ABatchThatIsSentToManyAtOnceIsWrittenOnce) {
  constexpr int kBatches = 150;
  int written[2];
  ASSERT_EQ(::pipe(written), 0);
  std::vector<pid_t> children;
  for (std::uint64_t process = 1; process <= 2; ++process) {
    const pid_t child = ::fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    const auto ledger = Open();
    const auto send_all = [&](std::uint64_t thread) {
      for (int i = 0; i < kBatches; ++i) {
        const std::string key = "batch " + std::to_string(i);
        const auto hold = ledger->Acquire(1, key);
        if (!hold) ::_exit(3);
        if (Seen(*ledger, 1, key)) continue;
        if (::write(written[1], &i, sizeof(i)) != sizeof(i)) ::_exit(2);
        Record(*ledger, 1, key, {process, thread});
      }
    };
    {
      const std::jthread one(send_all, 1);
      const std::jthread other(send_all, 2);
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  ::close(written[1]);
  std::vector<int> times(kBatches);
  for (int i = 0; ::read(written[0], &i, sizeof(i)) == sizeof(i);)
    ++times[static_cast<std::size_t>(i)];
  ::close(written[0]);
  for (const pid_t child : children)
    EXPECT_EQ(Wait(child), 0);
  EXPECT_THAT(times, testing::Each(1));
}

// Holds of one key of several tables exclude each other and those of one table, and nobody waits for ever.
TEST_F(BatchLedgerTest, KeysOfSeveralTablesAreHeldAtOnce) {
  const auto ledger = Open();
  int counts[3] = {};
  const auto count = [&](std::vector<std::uint32_t> tables) {
    for (int i = 0; i < 300; ++i) {
      const auto hold = ledger->Acquire(tables, "k");
      ASSERT_TRUE(hold);
      for (const std::uint32_t table : tables) {
        int& own = counts[table - 1];
        const int before = own;
        std::this_thread::yield();
        own = before + 1;
      }
    }
  };
  {
    const std::jthread one([&] { count({1, 2}); });
    const std::jthread other([&] { count({3, 2, 1}); });
    const std::jthread third([&] { count({3}); });
    const std::jthread twice([&] { count({2, 3}); });
  }
  EXPECT_THAT(counts, testing::ElementsAre(600, 900, 900));
  EXPECT_FALSE(ledger->Acquire(std::vector<std::uint32_t>{1, 0}, "k")) << "no table has the id 0";
  EXPECT_TRUE(ledger->Acquire(1, "k")) << "what was held is let go";
}

TEST_F(BatchLedgerTest, AKilledHolderLetsGo) {
  int held[2];
  ASSERT_EQ(::pipe(held), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto ledger = Open();
    const auto hold = ledger->Acquire(1, "k");
    const char is_held = hold ? 1 : 0;
    if (::write(held[1], &is_held, 1) != 1) ::_exit(1);
    while (true)
      ::pause();
  }
  char is_held = 0;
  ASSERT_EQ(::read(held[0], &is_held, 1), 1);
  ASSERT_EQ(is_held, 1);
  ::close(held[0]);
  ::close(held[1]);
  ::kill(child, SIGKILL);
  EXPECT_EQ(Wait(child), 128 + SIGKILL);
  EXPECT_TRUE(Open()->Acquire(1, "k"));
}

TEST_F(BatchLedgerTest, AForkedChildHasItsOwn) {
  const auto ledger = Open();
  Record(*ledger, 1, "parent", {1, 1});
  {
    const auto hold = ledger->Acquire(1, "held by the parent");
    EXPECT_EQ(RunInChild([&] {
                Record(*ledger, 1, "child", {2, 1});
                return Seen(*ledger, 1, "parent") == LogPosition{1, 1} &&
                       ledger->Acquire(1, "child").has_value();
              }),
              0);
  }
  EXPECT_EQ(Seen(*ledger, 1, "child"), (LogPosition{2, 1}));
  EXPECT_TRUE(ledger->Acquire(1, "held by the parent"));
}

}  // namespace
}  // namespace tidemark::testing_support
