// Goal: what LMDB itself must keep: several processes on one folder, forks, a map that grows and fills, a
// killed writer, a full disk, and damage on the disk that is found and told.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "adapters/lmdb/lmdb_online_store.h"
#include "model/key_codec.h"
#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

std::unique_ptr<OnlineStore> Open(const LmdbOptions& options) {
  auto opened = OpenLmdbOnlineStore(options);
  if (!opened) ADD_FAILURE() << opened.error().ToString();
  return opened ? std::move(*opened) : nullptr;
}

TestWrite Write(std::string key, std::int64_t event_us, std::string_view payload) {
  std::string row = TestRow(key, {.event = {event_us}, .created = {}}, payload);
  return {std::move(key), std::move(row)};
}

// Runs `body` in a child; its exit code is 0 if body answers true and no expectation failed.
pid_t Fork(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() && !testing::Test::HasFailure() ? 0 : 1);
  return child;
}

int Wait(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::int64_t EventOf(const std::string& row) {
  return row.empty() ? -1 : ReadPackedHeader(std::as_bytes(std::span(row)))->order.event.us;
}

// Two processes write the same keys and a third looks them up all along; the greatest rows are there in the
// end.
TEST(LmdbProcesses, TwoWriteWhileOthersRead) {
  const TemporaryFolder folder;
  constexpr std::int64_t kRounds = 60;
  std::vector<std::string> keys;
  for (int k = 0; k < 40; ++k)
    keys.push_back(TestKey(1, std::to_string(k)));
  const auto write = [&](std::int64_t parity) {
    const auto store = Open({.folder = folder.path()});
    for (std::int64_t round = 0; round < kRounds; ++round) {
      std::vector<TestWrite> batch;
      for (const std::string& key : keys)
        batch.push_back(Write(key, 2 * round + parity, std::string(500, 'x')));
      if (!store->Merge(Writes(batch), {.durable = round % 8 == 0})) return false;
    }
    return true;
  };
  const auto read = [&] {
    const auto store = Open({.folder = folder.path()});
    std::int64_t last = -1;
    while (last < 2 * kRounds - 1) {
      const std::vector<std::string> rows = GetAll(*store, keys);
      const std::int64_t seen = EventOf(rows.front());
      for (const std::string& row : rows) {
        if (EventOf(row) != seen) return false;  // a merge seen in part
      }
      if (seen < last) return false;  // time ran backwards
      last = seen;
    }
    return true;
  };
  std::vector<pid_t> children;
  children.push_back(Fork([&] { return write(0); }));
  children.push_back(Fork([&] { return write(1); }));
  children.push_back(Fork(read));
  children.push_back(Fork(read));
  for (const pid_t child : children)
    EXPECT_EQ(Wait(child), 0);
}

// A child that is forked while the parent has the store open, and reads at that moment, works on; so does the
// parent.
TEST(LmdbProcesses, AForkedChildReadsAndWritesAndLeavesTheParentAlone) {
  const TemporaryFolder folder;
  const auto store = Open({.folder = folder.path()});
  const TestWrite first = Write(TestKey(1, "first"), 1, "x");
  const TestWrite second = Write(TestKey(1, "second"), 1, "y");
  ASSERT_TRUE(store->Merge(Writes({first}), {.durable = true}));
  std::atomic<bool> is_over{false};
  std::jthread reader([&] {
    while (!is_over.load())
      ASSERT_THAT(GetAll(*store, {first.key}), testing::ElementsAre(first.row));
  });
  for (int i = 0; i < 5; ++i) {
    const pid_t child = Fork([&] {
      auto opened_again = Open({.folder = folder.path()});
      return GetAll(*store, {first.key}) == std::vector{first.row} &&
             store->Merge(Writes({second}), {.durable = true}).has_value() &&
             GetAll(*opened_again, {second.key}) == std::vector{second.row};
    });
    EXPECT_EQ(Wait(child), 0);
  }
  is_over = true;
  reader.join();
  EXPECT_THAT(GetAll(*store, {second.key}), testing::ElementsAre(second.row));
  // The child ended without closing: had it freed the parent's reader slot or lock, another opener would take
  // it.
  EXPECT_EQ(Wait(Fork([&] {
              return Open({.folder = folder.path()})->Merge(Writes({first}), {.durable = true})->kept == 1;
            })),
            0);
}

TEST(LmdbProcesses, TheMapGrowsWhileAnotherProcessReads) {
  const TemporaryFolder folder;
  const LmdbOptions small{.folder = folder.path(), .map_bytes_max = 1 << 28, .map_bytes_initial = 1 << 20};
  const std::string last_key = TestKey(1, "last");
  {
    ASSERT_TRUE(Open(small)->Merge(Writes({Write(TestKey(1, "0"), 1, "0")}), {.durable = true}));
  }
  const auto read = [&] {
    const auto store = Open(small);
    while (GetAll(*store, {last_key})[0].empty()) {
      if (EventOf(GetAll(*store, {TestKey(1, "0")})[0]) != 1) return false;
    }
    return ScanAll(*store, "").size() == 402;
  };
  const pid_t by_process = Fork(read);
  const auto store = Open(small);
  std::jthread by_thread([&] { EXPECT_TRUE(read()); });
  for (int i = 1; i <= 400; ++i) {
    ASSERT_TRUE(
        store->Merge(Writes({Write(TestKey(1, std::to_string(i)), 1, std::string(100'000, 'x'))}), {}));
  }
  ASSERT_TRUE(store->Merge(Writes({Write(last_key, 1, "")}), {.durable = true}));
  EXPECT_EQ(Wait(by_process), 0);
}

TEST(LmdbProcesses, AFullMapIsAnErrorThatLeavesTheRowsAndRoomToRemove) {
  const TemporaryFolder folder;
  const LmdbOptions options{.folder = folder.path(), .map_bytes_max = 4 << 20, .map_bytes_initial = 1 << 20};
  const auto store = Open(options);
  std::vector<TestWrite> written;
  Result<MergeCounts> merged;
  for (int i = 0; merged && i < 10'000; ++i) {
    // Two rows a call: the second must not come without the first.
    std::vector<TestWrite> batch{Write(TestKey(1, std::to_string(i) + "a"), 1, std::string(3'000, 'x')),
                                 Write(TestKey(1, std::to_string(i) + "b"), 1, std::string(30'000, 'x'))};
    merged = store->Merge(Writes(batch), {});
    if (merged) written.insert(written.end(), batch.begin(), batch.end());
  }
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(merged.error().ToString(), testing::AllOf(testing::HasSubstr("limit of 4194304 bytes"),
                                                        testing::HasSubstr(folder.path())));
  EXPECT_GT(written.size(), 100U);
  EXPECT_EQ(ScanAll(*store, "").size(), written.size());
  EXPECT_LE(std::filesystem::file_size(folder.path() + "/data.mdb"), 4U << 20);
  EXPECT_EQ(store->RemovePrefix("").value(), static_cast<std::int64_t>(written.size()));
  written.resize(written.size() /
                 2);  // what is free lies in pieces, and rows of several pages need whole ones
  merged = store->Merge(Writes(written), {.durable = true});
  EXPECT_TRUE(merged) << "what was removed is room again: " << merged.error().ToString();
}

TEST(LmdbProcesses, OneCallThatFailsInAGroupDoesNotFailTheOthers) {
  const TemporaryFolder folder;
  const auto store = Open({.folder = folder.path(), .map_bytes_max = 4 << 20});
  std::vector<TestWrite> too_much;
  for (int i = 0; i < 200; ++i)
    too_much.push_back(Write(TestKey(2, std::to_string(i)), 1, std::string(40'000, 'x')));
  std::vector<std::jthread> threads;
  std::atomic<int> refused{0};
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20; ++i) {
        if (thread == 0) refused += store->Merge(Writes(too_much), {.durable = true}).has_value() ? 0 : 1;
        const TestWrite small = Write(TestKey(1, std::to_string(thread)), i, "x");
        const auto merged = store->Merge(Writes({small}), {.durable = true});
        ASSERT_TRUE(merged) << merged.error().ToString();
        EXPECT_EQ(merged->written, 1);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(refused.load(), 20);
  EXPECT_EQ(store->Stats()->rows, 4);
}

// Writers are killed at any moment; what they said was durable must be there, whole.
TEST(LmdbProcesses, AKilledWriterLosesNothingItAcknowledged) {
  const TemporaryFolder folder;
  for (int round = 0; round < 12; ++round) {
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const pid_t writer = Fork([&] {
      const auto store = Open({.folder = folder.path()});
      for (std::int64_t i = 0;; ++i) {
        std::vector<TestWrite> batch;
        for (int k = 0; k < 30; ++k) {
          batch.push_back(
              Write(TestKey(1, std::to_string(k)), 1'000'000LL * round + i, std::string(900, 'x')));
        }
        if (!store->Merge(Writes(batch), {.durable = true})) return false;
        if (::write(acknowledged[1], &i, sizeof(i)) != sizeof(i)) return false;
      }
    });
    ::close(acknowledged[1]);
    std::int64_t last = -1;
    for (int seen = 0; seen < 3 + round; ++seen)
      ASSERT_EQ(::read(acknowledged[0], &last, sizeof(last)), 8);
    ::kill(writer, SIGKILL);
    EXPECT_EQ(Wait(writer), 128 + SIGKILL);
    for (std::int64_t next = 0; ::read(acknowledged[0], &next, sizeof(next)) == sizeof(next);)
      last = next;
    ::close(acknowledged[0]);
    const auto store = Open({.folder = folder.path()});
    const auto rows = ScanAll(*store, "");
    ASSERT_EQ(rows.size(), 30U);
    for (const auto& [key, row] : rows) {
      EXPECT_GE(EventOf(row), 1'000'000LL * round + last);
      EXPECT_EQ(EventOf(row), EventOf(rows.begin()->second)) << "a call is there whole or not at all";
    }
  }
}

// Changes the byte in the middle of the only place in the file where `text` is.
void FlipInFile(const std::string& path, const std::string& text) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::size_t at = bytes.find(text);
  ASSERT_NE(at, std::string::npos);
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(at + text.size() / 2));
  out.put(static_cast<char>(bytes[at + text.size() / 2] ^ 0x10));
}

// Two rows of one view, one of them with a flipped byte in its value.
class LmdbDamagedRow : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Open({.folder = folder.path()})->Merge(Writes({damaged, other}), {.durable = true}));
    FlipInFile(folder.path() + "/data.mdb", text);
  }

  const TemporaryFolder folder;
  const std::string text = "a payload that is nowhere else";
  const TestWrite damaged = Write(TestKey(1, "k"), 1, text);
  const TestWrite other = Write(TestKey(1, "other"), 1, "x");
};

TEST_F(LmdbDamagedRow, AFlippedByteOfAValueIsAnErrorThatNamesTheKeyAndIsNotOverwritten) {
  const auto store = Open({.folder = folder.path()});
  EXPECT_THAT(GetAll(*store, {other.key}), testing::ElementsAre(other.row));
  const std::vector<std::string_view> keys{damaged.key};
  bool was_visited = false;
  const auto got = store->Get(keys, [&](std::size_t, std::span<const std::byte>) { was_visited = true; });
  ASSERT_FALSE(got);
  EXPECT_FALSE(was_visited);
  EXPECT_EQ(got.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(got.error().ToString(),
              testing::AllOf(testing::HasSubstr("000000016b0001"), testing::HasSubstr("--reload")));
  EXPECT_EQ(store->Scan("", [](auto, auto) { return true; }).error().code, ErrorCode::kCorruption);
  // An older row must not take the place of one that may have been greater.
  EXPECT_EQ(store->Merge(Writes({Write(damaged.key, 0, "older")}), {.durable = true}).error().code,
            ErrorCode::kCorruption);
  // Writing what the source says over it is the way out, with an older row too: nothing in a damaged one is
  // believed.
  const TestWrite older = Write(damaged.key, 0, "older");
  EXPECT_EQ(store->Merge(Writes({older, other}), {.durable = true, .replaces_damaged = true}).value(),
            (MergeCounts{1, 1}));
  EXPECT_THAT(GetAll(*store, {damaged.key, other.key}), testing::ElementsAre(older.row, other.row));
  EXPECT_EQ(store->RemoveDamaged(damaged.key.substr(0, 4)).value(), 0);
}

TEST_F(LmdbDamagedRow, DamagedRowsAloneAreRemoved) {
  const auto store = Open({.folder = folder.path()});
  EXPECT_EQ(store->RemoveDamaged(TestKey(2, "").substr(0, 4)).value(), 0) << "of another view";
  EXPECT_EQ(store->RemoveDamaged(damaged.key.substr(0, 4)).value(), 1);
  EXPECT_THAT(GetAll(*store, {damaged.key, other.key}), testing::ElementsAre("", other.row));
}

// Goal: who may not write the folder looks rows up, and is told why nothing can be written.
TEST(LmdbReadOnly, LookupsWorkAndWritesSayWhyNot) {
  const TemporaryFolder folder;
  const TestWrite row = Write(TestKey(1, "k"), 1, "x");
  ASSERT_TRUE(Open({.folder = folder.path()})->Merge(Writes({row}), {.durable = true}));
  for (const char* const file : {"/data.mdb", "/lock.mdb"})
    std::filesystem::permissions(folder.path() + file, std::filesystem::perms(0444));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const auto body = [&] {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) return false;  // root may write anything
    const auto store = Open({.folder = folder.path()});
    if (store == nullptr) return false;
    const auto refused = store->Merge(Writes({Write(row.key, 2, "y")}), {.durable = true});
    return GetAll(*store, {row.key}) == std::vector<std::string>{row.row} && !refused &&
           refused.error().code == ErrorCode::kIo &&
           refused.error().ToString().find("can only be read") != std::string::npos;
  };
  EXPECT_EQ(Wait(Fork(body)), 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
}

TEST(LmdbDamage, AFileThatIsNoStoreIsRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/data.mdb") << std::string(20'000, '?');
  const auto garbage = OpenLmdbOnlineStore({.folder = folder.path()});
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, ErrorCode::kCorruption) << garbage.error().ToString();

  const TemporaryFolder foreign;
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  MDB_val word{1, const_cast<char*>("x")};
  ASSERT_EQ(mdb_env_create(&env), 0);
  ASSERT_EQ(mdb_env_open(env, foreign.path().c_str(), 0, 0644), 0);
  ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
  ASSERT_EQ(mdb_dbi_open(txn, nullptr, 0, &dbi), 0);
  ASSERT_EQ(mdb_put(txn, dbi, &word, &word, 0), 0);
  ASSERT_EQ(mdb_txn_commit(txn), 0);
  mdb_env_close(env);
  const auto not_ours = OpenLmdbOnlineStore({.folder = foreign.path()});
  ASSERT_FALSE(not_ours);
  EXPECT_EQ(not_ours.error().code, ErrorCode::kUnsupported) << not_ours.error().ToString();
}

TEST(LmdbDamage, AFileCutShortIsAnErrorAndDoesNotKillTheProcess) {
  const TemporaryFolder folder;
  {
    const auto store = Open({.folder = folder.path()});
    std::vector<TestWrite> writes;
    for (int i = 0; i < 2'000; ++i)
      writes.push_back(Write(TestKey(1, std::to_string(i)), 1, std::string(1'000, 'x')));
    ASSERT_TRUE(store->Merge(Writes(writes), {.durable = true}));
  }
  const std::string path = folder.path() + "/data.mdb";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  for (int time = 0; time < 2; ++time) {
    const auto opened = OpenLmdbOnlineStore({.folder = folder.path()});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kCorruption) << opened.error().ToString();
  }
}

// Rows that are written and removed at once leave free pages at the end, which LMDB never writes.
TEST(LmdbDamage, AFileWhoseLastPagesAreFreeIsWhole) {
  const TemporaryFolder folder;
  const TestWrite row = Write(TestKey(1, "k"), 1, "x");
  // Small pages are taken from those that these leave free, so that only the large value goes to the end.
  for (int i = -10; i < 0; ++i) {
    ASSERT_TRUE(Open({.folder = folder.path()})->Merge(Writes({Write(row.key, i, "x")}), {.durable = true}));
  }
  ASSERT_TRUE(Open({.folder = folder.path()})->Merge(Writes({row}), {.durable = true}));
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  const std::string large(1'000'000, 'x');
  MDB_val key{7, const_cast<char*>("removed")};
  MDB_val value{large.size(), const_cast<char*>(large.data())};
  ASSERT_EQ(mdb_env_create(&env), 0);
  ASSERT_EQ(mdb_env_open(env, folder.path().c_str(), 0, 0644), 0);
  ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
  ASSERT_EQ(mdb_dbi_open(txn, nullptr, 0, &dbi), 0);
  ASSERT_EQ(mdb_put(txn, dbi, &key, &value, 0), 0);
  ASSERT_EQ(mdb_del(txn, dbi, &key, nullptr), 0);
  ASSERT_EQ(mdb_txn_commit(txn), 0);
  MDB_envinfo info{};
  ASSERT_EQ(mdb_env_info(env, &info), 0);
  mdb_env_close(env);
  const std::string path = folder.path() + "/data.mdb";
  const std::size_t wanted = (info.me_last_pgno + 1) * 4096;
  if (std::filesystem::file_size(path) == wanted) GTEST_SKIP() << "this LMDB wrote the free pages";
  EXPECT_THAT(GetAll(*Open({.folder = folder.path()}), {row.key}), testing::ElementsAre(row.row));
  EXPECT_EQ(std::filesystem::file_size(path), wanted);
}

// Overwrites pages of the tree one after another: every lookup answers rightly or with an error, and no
// crash.
TEST(LmdbDamage, PagesOfZerosAreAnErrorOrUnused) {
  const TemporaryFolder folder;
  std::vector<TestWrite> writes;
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    writes.push_back(Write(TestKey(1, std::to_string(i)), 1, std::string(300, 'x')));
    keys.push_back(writes.back().key);
  }
  ASSERT_TRUE(Open({.folder = folder.path()})->Merge(Writes(writes), {.durable = true}));
  const std::string path = folder.path() + "/data.mdb";
  const auto pages = static_cast<std::streamoff>(std::filesystem::file_size(path) / 4096);
  int found = 0;
  for (std::streamoff page = 2; page < pages; ++page) {
    const TemporaryFolder damaged;
    std::filesystem::copy_file(path, damaged.path() + "/data.mdb");
    std::fstream(damaged.path() + "/data.mdb", std::ios::binary | std::ios::in | std::ios::out)
        .seekp(page * 4096)
        .write(std::string(4096, '\0').data(), 4096);
    const auto opened = OpenLmdbOnlineStore({.folder = damaged.path()});
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::kCorruption) << opened.error().ToString();
      ++found;
      continue;
    }
    bool is_error = false;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::vector<std::string_view> key{keys[i]};
      const auto got = (*opened)->Get(key, [&](std::size_t, std::span<const std::byte> row) {
        EXPECT_EQ(std::string(reinterpret_cast<const char*>(row.data()), row.size()), writes[i].row);
      });
      EXPECT_TRUE(got || got.error().code == ErrorCode::kCorruption) << got.error().ToString();
      is_error = is_error || !got;
    }
    const auto scanned = (*opened)->Scan("", [](auto, auto) { return true; });
    EXPECT_EQ(scanned.has_value(), !is_error) << "page " << page;
    found += is_error ? 1 : 0;
  }
  EXPECT_GT(found, 20);
}

TEST(LmdbOpening, NamesTheFolderThatItMayNotUse) {
  const TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  const pid_t child = Fork([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return false;
    const auto refused = OpenLmdbOnlineStore({.folder = folder.path()});
    return !refused && refused.error().code == ErrorCode::kIo &&
           refused.error().ToString().find(folder.path()) != std::string::npos &&
           refused.error().ToString().find("needs to read and write") != std::string::npos;
  });
  EXPECT_EQ(Wait(child), 0);
}

TEST(LmdbOpening, RefusesOptionsThatMakeNoSense) {
  const TemporaryFolder folder;
  EXPECT_EQ(OpenLmdbOnlineStore({.folder = ""}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(OpenLmdbOnlineStore({.folder = folder.path(), .map_bytes_max = 10}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(OpenLmdbOnlineStore({.folder = folder.path(), .readers_max = 0}).error().code,
            ErrorCode::kInvalidArgument);
}

// In a small file system of its own, where the test may make one.
TEST(LmdbOpening, AFullDiskIsAnErrorThatLosesNothing) {
  const TemporaryFolder folder;
  constexpr int kSkip = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
      ::_exit(kSkip);
    }
    const auto store = Open({.folder = folder.path()});
    std::vector<TestWrite> written;
    Result<MergeCounts> merged;
    while (merged && written.size() < 1'000) {
      const TestWrite write = Write(TestKey(1, std::to_string(written.size())), 1, std::string(30'000, 'x'));
      merged = store->Merge(Writes({write}), {.durable = true});
      if (merged) written.push_back(write);
    }
    const bool is_told = !merged && merged.error().code == ErrorCode::kOutOfSpace;
    if (!is_told && !merged) std::fprintf(stderr, "%s\n", merged.error().ToString().c_str());
    const bool is_whole = ScanAll(*store, "").size() == written.size() && written.size() > 10;
    ::_exit(is_told && is_whole && !testing::Test::HasFailure() ? 0 : 1);
  }
  const int code = Wait(child);
  if (code == kSkip) GTEST_SKIP() << "no file system can be mounted here";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace tidemark::testing_support
