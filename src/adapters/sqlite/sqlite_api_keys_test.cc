// API keys in the registry's file: kept as they are, seen by other processes, damage found.
#include "adapters/sqlite/sqlite_api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/sqlite/sqlite_registry.h"

namespace tidemark {
namespace {

class SqliteApiKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("tidemark_api_keys_") + test->name() + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path() const { return (folder_ / "registry.db").string(); }
  std::unique_ptr<ApiKeyStore> Open() const { return OpenSqliteApiKeys({.path = Path()}).value(); }
  void RunSql(const std::string& sql) const {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(Path().c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(handle);
  }

  std::filesystem::path folder_;
};

StoredApiKey Key(const std::string& id, std::int64_t created_us) {
  StoredApiKey stored;
  stored.key = {.id = id,
                .name = "it's \"quoted\"",
                .scopes = {{"*", 1}, {"fraud", 7}},
                .created_us = created_us,
                .expires_us = 99};
  stored.secret_hash = "ab";
  return stored;
}

// Goal: what is listed is what was added, oldest first; a revoked one stays, and is revoked once.
TEST_F(SqliteApiKeysTest, KeysAreKeptAsTheyAre) {
  const auto keys = Open();
  ASSERT_TRUE(keys->Add(Key("B", 2)));
  ASSERT_TRUE(keys->Add(Key("A", 1)));
  EXPECT_EQ(keys->Add(Key("A", 3)).error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(keys->List().value(), testing::ElementsAre(Key("A", 1), Key("B", 2)));
  EXPECT_EQ(keys->Get("C").value(), std::nullopt);
  EXPECT_TRUE(keys->Revoke("A", 5).value());
  EXPECT_FALSE(keys->Revoke("A", 6).value());
  EXPECT_EQ(keys->Revoke("C", 5).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(keys->Get("A").value()->key.revoked_us, 5);
}

// Goal: a change by another connection, or by this one, is noticed by the revision.
TEST_F(SqliteApiKeysTest, TheRevisionMovesWithEveryChange) {
  const auto ours = Open();
  const auto theirs = Open();
  std::int64_t before = ours->Revision().value();
  EXPECT_EQ(ours->Revision().value(), before);
  ASSERT_TRUE(theirs->Add(Key("A", 1)));
  EXPECT_NE(ours->Revision().value(), before);
  before = ours->Revision().value();
  ASSERT_TRUE(ours->Revoke("A", 5).value());
  EXPECT_NE(ours->Revision().value(), before);
}

// Goal: scopes that somebody has edited in the file are damage, not a wider key.
TEST_F(SqliteApiKeysTest, AnEditedRowIsDamage) {
  const auto keys = Open();
  ASSERT_TRUE(keys->Add(Key("A", 1)));
  RunSql("UPDATE api_keys SET scopes = '*=7'");
  EXPECT_EQ(keys->List().error().code, ErrorCode::kCorruption);
  EXPECT_EQ(keys->Get("A").error().code, ErrorCode::kCorruption);
}

// Goal: a registry of the format before keys is brought up to date.
TEST_F(SqliteApiKeysTest, ARegistryWithoutKeysGetsThem) {
  ASSERT_TRUE(OpenSqliteRegistry({.path = Path()}));
  RunSql("DROP TABLE table_folders; DROP TABLE api_keys; PRAGMA user_version = 2");
  EXPECT_TRUE(Open()->Add(Key("A", 1)));
}

}  // namespace
}  // namespace tidemark
