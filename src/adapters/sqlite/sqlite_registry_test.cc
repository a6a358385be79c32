// Goal: the registry in an SQLite file keeps the contract, and answers a clear error, never a wrong value,
// when the file is locked, newer, foreign, damaged or cannot be written.
#include "adapters/sqlite/sqlite_registry.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "adapters/sqlite/faulty_disk_testing.h"
#include "adapters/sqlite/known_serials_internal.h"
#include "adapters/sqlite/sqlite_table_catalog.h"
#include "store/registry_testing.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kNow = 1'700'000'000'000'000;

/// A folder that is gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "tidemark_registry_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class FilePlace final : public RegistryPlace {
 public:
  Result<std::unique_ptr<Registry>> Open() override {
    return OpenSqliteRegistry({.path = folder_.path() / "registry.db", .busy_timeout_ms = 60'000});
  }

 private:
  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, RegistryConformance,
                         testing::Values(RegistryMaker{"file", [] { return std::make_unique<FilePlace>(); }}),
                         [](const auto& test) { return test.param.name; });

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), std::ssize(bytes));
}

/// Changes one byte where it lies; writing the whole file anew is much slower.
void WriteByte(const fs::path& path, std::size_t at, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at)).put(byte);
}

class SqliteRegistryTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Registry>> Open() {
    return OpenSqliteRegistry({.path = path_, .busy_timeout_ms = 20});
  }

  /// Runs SQL on the file as a program of somebody else would.
  void RunSql(const std::string& sql) const {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  /// Two projects with objects, versions, a removed object and notes.
  void Fill() {
    const auto registry = Open().value();
    auto state = registry
                     ->Commit("demo", 0,
                              {AddObject(ObjectKind::kEntity, "driver", "{\"join_keys\": [\"driver_id\"]}"),
                               AddObject(ObjectKind::kFeatureView, "stats", std::string(3000, 'v')),
                               AddObject(ObjectKind::kFeatureService, "model", "{}")},
                              kNow)
                     .value();
    RegistryChange change{
        .id = state.objects[0].id, .kind = ObjectKind::kEntity, .name = "rider", .document = "2"};
    state = registry->Commit("demo", state.serial, {change}, kNow + 1).value();
    change = {.id = state.objects[2].id,
              .kind = ObjectKind::kFeatureService,
              .name = "model",
              .document = "",
              .remove = true};
    ASSERT_TRUE(registry->Commit("demo", state.serial, {change}, kNow + 2));
    ASSERT_TRUE(registry->Commit("other", 0, {AddObject(ObjectKind::kEntity, "driver", "x")}, kNow));
    ASSERT_TRUE(registry->PutNote(state.objects[1].id, "loaded", "{\"until\": 12}"));
  }

  /// Everything that can be read, as one text; or the error.
  Result<std::string> ReadAll() {
    TM_ASSIGN(const auto registry, Open());
    std::string all;
    TM_ASSIGN(const auto projects, registry->Projects());
    for (const std::string& project : projects) {
      TM_ASSIGN(const RegistryState state, registry->Load(project));
      all += project + " " + std::to_string(state.serial) + "\n";
      for (const RegistryObject& live : state.objects) {
        TM_ASSIGN(const auto versions, registry->Versions(live.id));
        for (const RegistryObject& object : versions) {
          all += std::to_string(object.id) + object.name + object.document + std::to_string(object.version) +
                 std::to_string(object.created_us) + std::to_string(object.updated_us) +
                 (object.removed ? "-" : "+");
        }
        TM_ASSIGN(const auto note, registry->GetNote(live.id, "loaded"));
        all += note.value_or("(none)") + "\n";
      }
    }
    return all;
  }

  ErrorCode OpenCode(std::string* message = nullptr) {
    const auto opened = Open();
    if (opened) return ErrorCode::kInternal;
    if (message != nullptr) *message = opened.error().ToString();
    return opened.error().code;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() / "registry.db";
};

TEST_F(SqliteRegistryTest, MakesAFileAndLeavesNothingBeside) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Open());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
  RunSql("PRAGMA integrity_check");
}

// Goal: many processes that open a new store at once all get the same registry.
TEST_F(SqliteRegistryTest, RacingToMakeTheFileIsHarmless) {
  constexpr int kProcesses = 6;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto registry = OpenSqliteRegistry({.path = path_, .busy_timeout_ms = 60'000});
      const std::string project = "p" + std::to_string(i);
      const bool ok =
          registry && (*registry)->Commit(project, 0, {AddObject(ObjectKind::kEntity, "e", "")}, kNow);
      ::_exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Open().value()->Projects()->size(), kProcesses);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(SqliteRegistryTest, AHeldLockIsBusyAndNamesTheFile) {
  Fill();
  const auto registry = Open().value();
  const RegistryState state = registry->Load("demo").value();
  sqlite3* holder = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &holder), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(holder, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto loaded = registry->Load("demo");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kBusy);
  EXPECT_THAT(loaded.error().message, HasSubstr(path_));
  EXPECT_THAT(loaded.error().message, HasSubstr("20 ms"));
  const auto committed =
      registry->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "x", "")}, kNow);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kBusy);
  EXPECT_EQ(OpenCode(), ErrorCode::kBusy);
  ASSERT_EQ(sqlite3_exec(holder, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);

  // A reader holds up the commit itself: it is undone, and goes through once the reader is gone.
  ASSERT_EQ(sqlite3_exec(holder, "BEGIN; SELECT count(*) FROM objects", nullptr, nullptr, nullptr),
            SQLITE_OK);
  const auto held_up =
      registry->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "x", "")}, kNow);
  ASSERT_FALSE(held_up);
  EXPECT_EQ(held_up.error().code, ErrorCode::kBusy);
  EXPECT_EQ(registry->Load("demo")->objects, state.objects);
  sqlite3_close(holder);
  EXPECT_TRUE(registry->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "x", "")}, kNow));
}

TEST_F(SqliteRegistryTest, ANewerFormatIsUnsupportedAndNamesBoth) {
  Fill();
  RunSql("PRAGMA user_version = 7");
  std::string message;
  EXPECT_EQ(OpenCode(&message), ErrorCode::kUnsupported);
  EXPECT_THAT(message, HasSubstr("format 7"));
  EXPECT_THAT(message, HasSubstr("format 4"));
}

// Goal: a registry of format 1, before tables had a catalog, is brought up to date with all that is in it.
TEST_F(SqliteRegistryTest, AnOlderFormatIsMigrated) {
  Fill();
  const std::string truth = ReadAll().value();
  RunSql(
      "DROP TABLE iceberg_tables; DROP TABLE iceberg_namespace_properties; DROP TABLE offline_tables; DROP "
      "TABLE "
      "api_keys; DROP TABLE table_folders; PRAGMA user_version = 1");
  EXPECT_EQ(ReadAll().value(), truth);
  const auto catalog = OpenSqliteTableCatalog({.path = path_});
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  CatalogEntry entry;
  entry.id = 2;
  entry.name.database = "d";
  entry.name.name = "t";
  EXPECT_TRUE((*catalog)->Add(entry));
  EXPECT_EQ(ReadAll().value(), truth);
}

// Goal: format 1 with tables of format 2, or format 2 without them, is damage.
TEST_F(SqliteRegistryTest, AFormatThatItsTablesContradictIsDamage) {
  Fill();
  RunSql("PRAGMA user_version = 1");
  EXPECT_EQ(OpenCode(), ErrorCode::kCorruption);
  RunSql("PRAGMA user_version = 2");
  EXPECT_EQ(OpenCode(), ErrorCode::kCorruption);
  RunSql("PRAGMA user_version = 3; DROP TABLE offline_tables");
  EXPECT_EQ(OpenCode(), ErrorCode::kCorruption);
}

TEST_F(SqliteRegistryTest, AForeignDatabaseIsLeftAlone) {
  RunSql("PRAGMA journal_mode = WAL; CREATE TABLE songs (name TEXT); INSERT INTO songs VALUES ('x')");
  const std::string before = ReadFile(path_);
  std::string message;
  EXPECT_EQ(OpenCode(&message), ErrorCode::kInvalidArgument);
  EXPECT_THAT(message, HasSubstr(path_));
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(SqliteRegistryTest, WhatIsNoDatabaseIsDamage) {
  std::string message;
  WriteFile(path_, std::string(10'000, 'x'));
  EXPECT_EQ(OpenCode(&message), ErrorCode::kCorruption);
  EXPECT_THAT(message, HasSubstr("backup"));
  WriteFile(path_, "");
  EXPECT_EQ(OpenCode(&message), ErrorCode::kCorruption);
  EXPECT_THAT(message, HasSubstr("empty"));
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_EQ(OpenCode(), ErrorCode::kIo);
}

// Goal: cut anywhere, the file is damaged; never a registry with less in it.
TEST_F(SqliteRegistryTest, ATruncatedFileIsDamage) {
  Fill();
  const std::string whole = ReadFile(path_);
  for (std::size_t size = 0; size < whole.size(); size += (size < 120 ? 1 : 509)) {
    WriteFile(path_, whole.substr(0, size));
    const auto read = ReadAll();
    ASSERT_FALSE(read) << "cut to " << size << " bytes";
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << read.error().ToString();
    EXPECT_THAT(read.error().message, HasSubstr(path_));
  }
}

// Goal: a flipped byte anywhere is an error or has no effect; never another value.
TEST_F(SqliteRegistryTest, AFlippedByteIsNeverAWrongValue) {
  Fill();
  const std::string whole = ReadFile(path_);
  const std::string truth = ReadAll().value();
  int found = 0;
  for (std::size_t at = 0; at < whole.size(); at += (at < 200 ? 1 : 11)) {
    for (const int mask : {0x01, 0xFF}) {
      WriteByte(path_, at, static_cast<char>(whole[at] ^ mask));
      const auto read = ReadAll();
      WriteByte(path_, at, whole[at]);
      if (read) {
        ASSERT_TRUE(*read == truth) << "byte " << at;
        continue;
      }
      ++found;
      EXPECT_THAT(read.error().code, AnyOf(Eq(ErrorCode::kCorruption), Eq(ErrorCode::kUnsupported)))
          << "byte " << at << ": " << read.error().ToString();
      EXPECT_THAT(read.error().message, HasSubstr(path_));
    }
  }
  EXPECT_GT(found, 100);
  EXPECT_TRUE(ReadAll().value() == truth);
}

TEST_F(SqliteRegistryTest, OverwrittenRunsAreDamage) {
  Fill();
  const std::string whole = ReadFile(path_);
  std::mt19937 random(7);
  for (std::size_t page = 0; page * 4096 < whole.size(); ++page) {
    std::string damaged = whole;
    std::generate_n(damaged.begin() + static_cast<std::ptrdiff_t>(page * 4096), 4096,
                    [&] { return static_cast<char>(random()); });
    WriteFile(path_, damaged);
    const auto read = ReadAll();
    ASSERT_FALSE(read) << "page " << page;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << read.error().ToString();
  }
}

// Goal: rows that somebody takes away or moves with correct pages and checksums of their own are missed.
TEST_F(SqliteRegistryTest, MissingRowsAreDamage) {
  Fill();
  const std::string whole = ReadFile(path_);
  for (const std::string sql :
       {"DELETE FROM versions WHERE object_id = 1 AND version = 1",
        "DELETE FROM versions WHERE object_id = 2", "DELETE FROM objects WHERE id = 1",
        "UPDATE objects SET project = 'other' WHERE id = 1",
        "UPDATE versions SET document = 'evil' WHERE object_id = 2", "UPDATE notes SET document = 'evil'",
        "DROP TABLE notes", "CREATE TABLE more (x TEXT)", "PRAGMA user_version = 0"}) {
    WriteFile(path_, whole);
    RunSql(sql);
    const auto read = ReadAll();
    ASSERT_FALSE(read) << sql;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << sql << ": " << read.error().ToString();
  }
}

TEST_F(SqliteRegistryTest, AJournalWithoutItsRegistryIsRefused) {
  WriteFile(path_ + "-journal", "left over");
  std::string message;
  EXPECT_EQ(OpenCode(&message), ErrorCode::kCorruption);
  EXPECT_THAT(message, HasSubstr("-journal"));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SqliteRegistryTest, AMissingFolderIsIo) {
  path_ = folder_.path() / "nowhere" / "registry.db";
  std::string message;
  EXPECT_EQ(OpenCode(&message), ErrorCode::kIo);
  EXPECT_THAT(message, HasSubstr(path_));
}

/// Gives up root's right to write everywhere for a while.
class AsNobody {
 public:
  AsNobody() {
    if (::geteuid() == 0) was_root_ = ::seteuid(65534) == 0;
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  bool was_root_ = false;
};

TEST_F(SqliteRegistryTest, AReadOnlyFolderIsIo) {
  fs::permissions(folder_.path(), fs::perms{0555});
  {
    const AsNobody nobody;
    EXPECT_EQ(OpenCode(), ErrorCode::kIo);
  }
  fs::permissions(folder_.path(), fs::perms{0755});
  Fill();
  fs::permissions(folder_.path(), fs::perms{0555});
  {
    const AsNobody nobody;
    const auto registry = Open();
    ASSERT_TRUE(registry) << registry.error().ToString();
    const RegistryState state = (*registry)->Load("demo").value();
    const auto failed =
        (*registry)->Commit("demo", state.serial, {AddObject(ObjectKind::kEntity, "x", "")}, kNow);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kIo) << failed.error().ToString();
    EXPECT_EQ((*registry)->Load("demo")->objects, state.objects);
  }
  fs::permissions(folder_.path(), fs::perms::owner_all);
}

// Goal: whichever write, sync or removal fails during a commit, the error says what it is, and the registry
// is as it was before or as the commit meant it; as before unless the error says that the fate is unknown.
TEST_F(SqliteRegistryTest, AFailingDiskIsAllOrNothing) {
  struct Fault {
    std::string_view operation;
    int sqlite_code;
    ErrorCode expected;
  };
  Fill();
  const std::string whole = ReadFile(path_);
  for (const Fault& fault :
       {Fault{"write", SQLITE_FULL, ErrorCode::kOutOfSpace},
        Fault{"write", SQLITE_IOERR_WRITE, ErrorCode::kIo}, Fault{"sync", SQLITE_IOERR_FSYNC, ErrorCode::kIo},
        Fault{"delete", SQLITE_IOERR_DELETE, ErrorCode::kUnknownFate}}) {
    int failures = 0;
    for (int survive = 0; survive < 100; ++survive) {
      fs::remove(path_ + "-journal");
      WriteFile(path_, whole);
      sqlite::FaultyDisk disk;
      auto registry = Open().value();
      const RegistryState before = registry->Load("demo").value();
      int left = survive;
      disk.set_fault([&](std::string_view operation) {
        if (operation != fault.operation || left-- > 0) return SQLITE_OK;
        return fault.sqlite_code;
      });
      const auto committed = registry->Commit(
          "demo", before.serial, {AddObject(ObjectKind::kEntity, "x", std::string(20'000, 'x'))}, kNow);
      disk.set_fault(nullptr);
      if (committed) break;
      ++failures;
      EXPECT_EQ(committed.error().code, fault.expected) << committed.error().ToString();
      registry = Open().value();
      const RegistryState after = registry->Load("demo").value();
      if (fault.expected != ErrorCode::kUnknownFate) {
        EXPECT_EQ(after.objects, before.objects);
      }
      EXPECT_THAT(after.objects.size() - before.objects.size(), AnyOf(0U, 1U));
      EXPECT_TRUE(registry->Commit("demo", after.serial, {AddObject(ObjectKind::kEntity, "y", "")}, kNow));
    }
    EXPECT_GT(failures, 0) << fault.operation;
  }
}

// Goal: a serial that another process has moved is known as soon as its commit is over, however shortly the
// commits follow each other, and also when the one before was remembered.
TEST_F(SqliteRegistryTest, ASerialThatAnotherProcessMovesIsSeenAtOnce) {
  ASSERT_TRUE(Open());
  int asks[2];
  int answers[2];
  ASSERT_EQ(::pipe(asks), 0);
  ASSERT_EQ(::pipe(answers), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(asks[1]);
    auto registry = Open().value();
    char ask = 0;
    for (std::int64_t serial = 0; ::read(asks[0], &ask, 1) == 1;) {
      const std::string name = "e" + std::to_string(serial);
      serial = registry->Commit("demo", serial, {AddObject(ObjectKind::kEntity, name, "x")}, kNow)->serial;
      if (::write(answers[1], &serial, sizeof(serial)) != sizeof(serial)) ::_exit(1);
    }
    ::_exit(0);
  }
  const auto registry = Open().value();
  const auto commit = [&] {
    std::int64_t serial = 0;
    EXPECT_EQ(::write(asks[1], "x", 1), 1);
    EXPECT_EQ(::read(answers[0], &serial, sizeof(serial)), std::int64_t{sizeof(serial)});
    return serial;
  };
  for (int round = 0; round < 100; ++round) {
    const std::int64_t serial = commit();
    ASSERT_EQ(registry->Serial("demo").value(), serial);
    ASSERT_EQ(registry->Serial("demo").value(), serial);
  }
  for (int round = 0; round < 3; ++round) {
    const std::int64_t serial = commit();
    while (!sqlite::WatchedFile(path_).Stamp()->IsSettled())
      ASSERT_EQ(registry->Serial("demo").value(), serial);
    for (int ask = 0; ask < 3; ++ask)  // one that looks, and two that remember
      ASSERT_EQ(registry->Serial("demo").value(), serial);
    ASSERT_EQ(registry->Serial("other").value(), 0);
    ASSERT_EQ(commit(), serial + 1);
    ASSERT_EQ(registry->Serial("demo").value(), serial + 1);
  }
  ::close(asks[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(asks[0]);
  ::close(answers[0]);
  ::close(answers[1]);
}

// Goal: a process that is killed in the middle of commits leaves a registry that holds a whole number of
// them.
TEST_F(SqliteRegistryTest, KilledInTheMiddleOfCommits) {
  Fill();
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto registry = Open().value();
      while (true) {
        auto state = registry->Load("pairs").value();
        const std::string name = std::to_string(state.serial);
        if (!registry->Commit("pairs", state.serial,
                              {AddObject(ObjectKind::kEntity, "a" + name, std::string(9000, 'a')),
                               AddObject(ObjectKind::kFeatureView, "b" + name, std::string(9000, 'b'))},
                              kNow)) {
          ::_exit(1);
        }
        if (::write(pipe_ends[1], "x", 1) != 1) ::_exit(2);
      }
    }
    char acknowledged = 0;
    for (int i = 0; i <= round; ++i)
      ASSERT_EQ(::read(pipe_ends[0], &acknowledged, 1), 1);
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    const RegistryState state = Open().value()->Load("pairs").value();
    const auto entities = std::ranges::count(state.objects, ObjectKind::kEntity, &RegistryObject::kind);
    EXPECT_EQ(2 * entities, std::ssize(state.objects));
    EXPECT_GE(entities, (round + 1) * (round + 2) / 2);
  }
}

}  // namespace
}  // namespace tidemark
