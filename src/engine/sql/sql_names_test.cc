// Goal: a name in a statement stands for one table, in whatever case and spelling users write it, and what is
// unknown is told with what is near.
#include "engine/sql/sql_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kDefinitions = R"({
  "entities": [{"name": "user", "join_keys": [{"name": "id", "type": "int64"}]}],
  "feature_views": [
    {"name": "my-table", "entities": ["user"], "fields": [{"name": "a", "type": "int64"}]},
    {"name": "orders", "entities": ["user"], "fields": [{"name": "a", "type": "int64"}],
     "table": {"database": "Sales"}},
    {"name": "secret", "entities": ["user"], "fields": [{"name": "a", "type": "int64"}],
     "table": {"catalog": false}},
    {"name": "stats", "entities": ["user"], "fields": [{"name": "a", "type": "int64"}],
     "source": {"name": "raw", "path": "x.parquet", "timestamp_field": "event_timestamp"}},
    {"name": "raw2", "entities": ["user"], "fields": [{"name": "a", "type": "int64"}],
     "source": {"name": "Stats", "path": "x.parquet", "timestamp_field": "event_timestamp"}}
  ]})";

class SqlNamesTest : public testing::Test {
 protected:
  SqlNamesTest() {
    scene_.source("x.parquet")
        .push_back({.path = "x.parquet",
                    .rows = TableOf({{"id", arrow::int64(), "[1]"},
                                     {"event_timestamp", kMicros, R"(["2026-01-01T00:00:00Z"])"},
                                     {"a", arrow::int64(), "[1]"}})
                                ->CombineChunksToBatch()
                                .ValueOrDie()});
    scene_.Apply(kDefinitions);
  }

  SqlNames Names() const { return SqlNames({{"default", "feature_store", scene_.catalog()}}, {}, {"empty"}); }

  std::string Find(const std::string& schema, const std::string& table) const {
    const SqlNames names = Names();
    const auto found = names.Find({.schema = schema, .table = table});
    return found ? (*found)->database + "." + (*found)->name : found.error().message;
  }

  Scene scene_;
};

TEST_F(SqlNamesTest, CaseDashesAndTheOwnDatabase) {
  for (const char* schema : {"", "feature_store", "FEATURE_STORE", "default", "Default", "feature-store"}) {
    for (const char* table : {"my-table", "MY-TABLE", "my_table", "My_Table"})
      EXPECT_EQ(Find(schema, table), "feature_store.my-table") << schema << "." << table;
  }
  EXPECT_EQ(Find("sales", "ORDERS"), "Sales.orders");
}

TEST_F(SqlNamesTest, AViewGoesBeforeASourceOfItsName) {
  const SqlNames names = Names();
  const auto view = names.Find({.schema = "", .table = "STATS"});
  ASSERT_TRUE(view);
  EXPECT_EQ((*view)->kind, SqlEntry::Kind::kView);
  const auto source = names.Find({.schema = "", .table = "raw"});
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->kind, SqlEntry::Kind::kSource);
}

TEST_F(SqlNamesTest, UnknownNamesAreToldWithNearOnes) {
  EXPECT_THAT(Find("", "my_tabel"), HasSubstr("did you mean 'my-table'"));
  EXPECT_THAT(Find("", "orders"), HasSubstr("did you mean 'Sales.orders'"));
  EXPECT_THAT(Find("feature_stor", "x"), HasSubstr("no database"));
  EXPECT_THAT(Find("feature_stor", "x"), HasSubstr("did you mean 'feature_store'"));
  EXPECT_THAT(Find("empty", "x"), HasSubstr("no table 'x' in database 'empty'"));
  EXPECT_THAT(Find("", "secret"), HasSubstr("kept from SQL"));
}

TEST_F(SqlNamesTest, ListsWhatCanBeNamed) {
  const SqlNames names = Names();
  std::vector<std::string> listed;
  for (const SqlEntry& entry : names.entries())
    listed.push_back(entry.database + "." + entry.name);
  EXPECT_THAT(listed, ElementsAre("Sales.orders", "feature_store.my-table", "feature_store.raw",
                                  "feature_store.raw2", "feature_store.stats"));
  EXPECT_THAT(names.databases(), ElementsAre("Sales", "empty", "feature_store"));
}

}  // namespace
}  // namespace tidemark::testing_support
