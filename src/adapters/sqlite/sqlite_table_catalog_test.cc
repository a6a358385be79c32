// Goal: the catalog's rows are those of Iceberg's SQL catalog, a swap is a compare-and-swap between any
// number of writers, and what another program does to the rows is an error with a name, never another table.
#include "adapters/sqlite/sqlite_table_catalog.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <atomic>
#include <thread>

#include "adapters/sqlite/sqlite_registry.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class SqliteTableCatalogTest : public testing::Test {
 protected:
  std::unique_ptr<TableCatalog> Open() {
    auto opened = OpenSqliteTableCatalog({.path = path_, .busy_timeout_ms = 60'000});
    EXPECT_TRUE(opened) << opened.error().ToString();
    return std::move(opened).value();
  }

  /// All rows that `sql` answers, `|` between columns and a newline after each row.
  std::string RunSql(const std::string& sql) const {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    std::string out;
    const auto row = [](void* to, int count, char** values, char** /*names*/) {
      auto& text = *static_cast<std::string*>(to);
      for (int i = 0; i < count; ++i)
        text += std::string(i == 0 ? "" : "|") + (values[i] == nullptr ? "NULL" : values[i]);
      text += "\n";
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), row, &out, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
    return out;
  }

  static CatalogEntry Entry(TableId id, std::string name, bool listed = true) {
    return {.id = id,
            .name = {.database = "feature_store", .name = std::move(name), .listed = listed},
            .metadata_location = "file:///t/" + std::to_string(id) + ".metadata.json"};
  }

  testing_support::TestFolder folder_;
  const std::string path_ = (folder_.path() / "registry.db").string();
};

TEST_F(SqliteTableCatalogTest, RowsAreThoseOfIcebergsSqlCatalog) {
  const auto catalog = Open();
  ASSERT_TRUE(catalog->Add(Entry(7, "rides_v0001")));
  ASSERT_TRUE(catalog->Add(Entry(9, "secret", false)));
  ASSERT_TRUE(catalog->Swap(7, "file:///t/7.metadata.json", "file:///t/8.metadata.json").value());
  EXPECT_EQ(RunSql("SELECT * FROM iceberg_tables"),
            "tidemark|feature_store|rides_v0001|file:///t/8.metadata.json|file:///t/7.metadata.json|TABLE\n"
            "tidemark_unlisted|feature_store|secret|file:///t/9.metadata.json|NULL|TABLE\n");
  EXPECT_EQ(RunSql("SELECT * FROM iceberg_namespace_properties WHERE catalog_name = 'tidemark'"),
            "tidemark|feature_store|exists|true\n");
}

TEST_F(SqliteTableCatalogTest, WhatIsAddedIsFoundAgain) {
  ASSERT_TRUE(Open()->Add(Entry(7, "rides")));
  ASSERT_TRUE(Open()->Add(Entry(3, "Users", false)));
  const auto catalog = Open();
  EXPECT_EQ(catalog->Get(7).value(), Entry(7, "rides"));
  EXPECT_THAT(catalog->List().value(), ElementsAre(Entry(3, "Users", false), Entry(7, "rides")));
  EXPECT_EQ(catalog->FindLocation("feature_store", "rides").value(), "file:///t/7.metadata.json");
  EXPECT_EQ(catalog->FindLocation("feature_store", "Users").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(catalog->Get(8).error().code, ErrorCode::kNotFound);
}

// Goal: a location that was damaged is damage; one that a move wrote, or another program's commit, is none.
TEST_F(SqliteTableCatalogTest, AFolderThatNobodyWroteIsDamage) {
  const auto catalog = Open();
  CatalogEntry entry = Entry(7, "rides");
  entry.metadata_location = "file:///store/tables/7-aa/metadata/1.metadata.json";
  ASSERT_TRUE(catalog->Add(entry));
  const auto point_at = [&](const std::string& location) {
    RunSql("UPDATE iceberg_tables SET metadata_location = '" + location + "'");
  };
  point_at("file:///store/tables/7-aa/metadata/2-theirs.metadata.json");
  EXPECT_TRUE(catalog->Get(7));
  for (const std::string location : {"file:///stove/tables/7-aa/metadata/1.metadata.json",
                                     "file:///store/tables/7-ab/metadata/1.metadata.json",
                                     "file:///store/tables/7-aa/metadata/1.m/tadata.json"}) {
    point_at(location);
    const auto read = catalog->Get(7);
    ASSERT_FALSE(read) << location;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(read.error().message, AllOf(HasSubstr(path_), HasSubstr("rides"), HasSubstr(location)));
    EXPECT_EQ(catalog->List().error().code, ErrorCode::kCorruption);
  }
  const std::string moved = "file:///elsewhere/tables/7-aa/metadata/3.metadata.json";
  point_at(entry.metadata_location);
  ASSERT_TRUE(catalog->Swap(7, entry.metadata_location, moved).value());
  EXPECT_EQ(catalog->Get(7)->metadata_location, moved);
  ASSERT_TRUE(catalog->Remove(7));
  ASSERT_TRUE(catalog->Add(Entry(7, "rides")));
  EXPECT_TRUE(catalog->Get(7));
}

TEST_F(SqliteTableCatalogTest, NamesAndIdsAreTakenOnce) {
  const auto catalog = Open();
  ASSERT_TRUE(catalog->Add(Entry(1, "rides")));
  EXPECT_EQ(catalog->Add(Entry(1, "other")).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(catalog->Add(Entry(2, "RIDES")).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(catalog->Add(Entry(2, "rides", false)).error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(catalog->List().value(), SizeIs(1));
  ASSERT_TRUE(catalog->Add(Entry(2, "users")));
  EXPECT_EQ(catalog->Rename(2, Entry(2, "Rides").name).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(SqliteTableCatalogTest, ARenamedTableKeepsWhereItIs) {
  const auto catalog = Open();
  ASSERT_TRUE(catalog->Add(Entry(1, "rides")));
  const TableName unlisted{.database = "other", .name = "RIDES", .listed = false};
  ASSERT_TRUE(catalog->Rename(1, unlisted));
  EXPECT_EQ(catalog->Get(1)->name, unlisted);
  EXPECT_EQ(catalog->Get(1)->metadata_location, Entry(1, "").metadata_location);
  EXPECT_EQ(catalog->FindLocation("other", "RIDES").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(catalog->Rename(1, Entry(1, "rides").name));
  EXPECT_TRUE(catalog->FindLocation("feature_store", "rides"));
}

TEST_F(SqliteTableCatalogTest, ASwapFromElsewhereChangesNothing) {
  const auto catalog = Open();
  ASSERT_TRUE(catalog->Add(Entry(1, "rides")));
  EXPECT_FALSE(catalog->Swap(1, "file:///elsewhere", "file:///x").value());
  EXPECT_EQ(catalog->Get(1).value(), Entry(1, "rides"));
  EXPECT_EQ(catalog->Swap(2, "", "file:///x").error().code, ErrorCode::kNotFound);
}

TEST_F(SqliteTableCatalogTest, DatabasesComeAndGo) {
  const auto catalog = Open();
  ASSERT_TRUE(catalog->CreateDatabase("b"));
  ASSERT_TRUE(catalog->CreateDatabase("b"));
  ASSERT_TRUE(catalog->Add(Entry(1, "rides")));
  EXPECT_THAT(catalog->Databases().value(), ElementsAre("b", "feature_store"));
  EXPECT_EQ(catalog->DropDatabase("feature_store").error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(catalog->Remove(1));
  ASSERT_TRUE(catalog->Remove(1));
  ASSERT_TRUE(catalog->DropDatabase("feature_store"));
  ASSERT_TRUE(catalog->DropDatabase("feature_store"));
  EXPECT_THAT(catalog->Databases().value(), ElementsAre("b"));
  EXPECT_EQ(catalog->CreateDatabase("a.b").error().code, ErrorCode::kInvalidArgument);
}

// Goal: of many writers that swap from the same place one wins, so that a counter of swaps loses none.
TEST_F(SqliteTableCatalogTest, RacingSwapsLoseNothing) {
  ASSERT_TRUE(Open()->Add({.id = 1, .name = {.database = "d", .name = "t"}, .metadata_location = "0"}));
  constexpr int kWriters = 4;
  constexpr int kEach = 25;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&] {
      const auto catalog = Open();
      for (int done = 0; done < kEach;) {
        const std::string at = catalog->Get(1)->metadata_location;
        if (catalog->Swap(1, at, std::to_string(std::stoi(at) + 1)).value()) ++done;
      }
    });
  }
  for (std::thread& writer : writers)
    writer.join();
  EXPECT_EQ(Open()->Get(1)->metadata_location, std::to_string(kWriters * kEach));
}

// Goal: another program's changes of the rows are told, and its own tables are left alone.
TEST_F(SqliteTableCatalogTest, OtherProgramsRows) {
  const auto catalog = Open();
  ASSERT_TRUE(catalog->Add(Entry(1, "rides")));
  RunSql(
      "INSERT INTO iceberg_tables VALUES ('tidemark', 'feature_store', 'theirs', 's3://x/1.metadata.json', "
      "NULL, NULL)");
  EXPECT_THAT(catalog->List().value(), SizeIs(1));
  EXPECT_EQ(catalog->FindLocation("feature_store", "theirs").value(), "s3://x/1.metadata.json");
  EXPECT_EQ(catalog->Add(Entry(2, "theirs")).error().code, ErrorCode::kAlreadyExists);
  RunSql("UPDATE iceberg_tables SET table_name = 'moved' WHERE table_name = 'rides'");
  const auto renamed = catalog->Get(1);  // or its name was damaged
  EXPECT_EQ(renamed.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(renamed.error().message, HasSubstr("'feature_store.rides' is not in the catalog"));
  EXPECT_THAT(renamed.error().message, HasSubstr("'feature_store.moved'"));
  RunSql(
      "UPDATE iceberg_tables SET table_name = 'rides', metadata_location = 'y' WHERE table_name = 'moved'");
  EXPECT_EQ(catalog->Get(1).error().code, ErrorCode::kCorruption);
  RunSql("DELETE FROM iceberg_tables WHERE table_name = 'rides'");
  const auto gone = catalog->Get(1);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(gone.error().message, HasSubstr("feature_store.rides"));
  RunSql("UPDATE offline_tables SET table_name = 'moved'");
  EXPECT_EQ(catalog->Get(1).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(OpenSqliteTableCatalog({.path = path_}).error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace tidemark
