// Goal: what a statement can read is never more than what it is said to read.
#include "adapters/adbc/sql_reads_internal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/adbc/duckdb_testing.h"
#include "adapters/adbc/sql_tree_internal.h"
#include "store/sql_engine_testing.h"

namespace tidemark {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

class SqlReadsTest : public testing::Test {
 protected:
  Json Tree(const std::string& sql) {
    const auto statement = engine_->Parse(sql, {.open_files = {"/x"}});
    EXPECT_TRUE(statement.has_value()) << sql;
    return TreeOf(*statement).value();
  }
  SqlReads Reads(const std::string& sql) { return ReadsOf(Tree(sql)); }

  testing_support::TestFolder folder_;
  std::unique_ptr<SqlEngine> engine_ = testing_support::MakeTestEngine(folder_.path() / "spill");
};

TEST_F(SqlReadsTest, NamedColumns) {
  const SqlReads reads = Reads("SELECT a, max(V.b) FROM t v WHERE c.d > 1 GROUP BY ALL ORDER BY e");
  EXPECT_FALSE(reads.is_of_all_columns);
  for (const char* name : {"a", "b", "c", "e"})
    EXPECT_THAT(reads.columns, Contains(name));
  EXPECT_THAT(reads.columns, Not(Contains("f")));
  EXPECT_THAT(Reads("SELECT 1 FROM t JOIN u USING (k, l)").columns, Contains("l"));
  EXPECT_THAT(Reads("SELECT (SELECT max(x) FROM u WHERE u.k = t.k) FROM t").columns, Contains("x"));
  EXPECT_THAT(Reads("SELECT count(*) FROM t").columns, IsEmpty());
  EXPECT_FALSE(Reads("SELECT count(*) FROM t").is_of_all_columns);
  EXPECT_FALSE(Reads("DESCRIBE t").is_of_all_columns);
}

TEST_F(SqlReadsTest, ColumnsThatAreNotNamed) {
  for (const char* sql :
       {"SELECT * FROM t", "SELECT t.* FROM t", "SELECT t FROM t", "SELECT hash(v) FROM t AS v",
        "SELECT a FROM t v(a, b)", "FROM t", "SELECT COLUMNS('a.*') FROM t", "SELECT #1 FROM t",
        "SELECT a FROM t NATURAL JOIN u", "SUMMARIZE t", "SELECT count(*) FROM (SELECT * FROM t)",
        "WITH w AS (FROM t) SELECT a FROM w", "SELECT a FROM t UNION ALL BY NAME SELECT * FROM u"})
    EXPECT_TRUE(Reads(sql).is_of_all_columns) << sql;
}

TEST_F(SqlReadsTest, FirstRows) {
  EXPECT_EQ(Reads("SELECT * FROM a.t LIMIT 1000").rows_max, 1000);
  EXPECT_EQ(Reads("SELECT x, y AS z FROM t LIMIT 10 OFFSET 5").rows_max, 15);
  for (const char* sql :
       {"SELECT * FROM t", "SELECT * FROM t WHERE x LIMIT 9", "SELECT * FROM t ORDER BY x LIMIT 9",
        "SELECT DISTINCT x FROM t LIMIT 9", "SELECT max(x) FROM t LIMIT 9",
        "SELECT x FROM t GROUP BY x LIMIT 9", "SELECT * FROM t LIMIT 10%", "SELECT * FROM t LIMIT (SELECT 9)",
        "SELECT * FROM t, u LIMIT 9", "SELECT * FROM t TABLESAMPLE 10% LIMIT 9",
        "SELECT * FROM (SELECT * FROM t LIMIT 9)",
        "WITH t AS (SELECT * FROM u WHERE x) SELECT * FROM t LIMIT 9", "SELECT unnest(x) FROM t LIMIT 9",
        "SELECT * FROM t QUALIFY row_number() OVER (ORDER BY x) = 1 LIMIT 9",
        "SELECT * FROM t LIMIT 9 OFFSET (SELECT 1)", "SELECT * FROM t UNION ALL SELECT * FROM u LIMIT 9"})
    EXPECT_EQ(Reads(sql).rows_max, std::nullopt) << sql;
}

TEST_F(SqlReadsTest, FilesThatAreNamed) {
  EXPECT_TRUE(Reads("SELECT * FROM '/x/a.parquet'").names_files);
  EXPECT_TRUE(Reads("SELECT * FROM read_parquet('/x')").names_files);
  EXPECT_FALSE(Reads("SELECT * FROM t").names_files);
}

TEST_F(SqlReadsTest, ConditionsOnFolders) {
  const auto kept = [&](const std::string& sql) -> std::size_t {
    const Json found = ConditionsOn(Tree(sql), "t", {"y", "m"});
    if (found.is_null()) return 0;
    return TextOf(found, "type") == "CONJUNCTION_AND" ? found.at("children").size() : 1;
  };
  EXPECT_EQ(kept("SELECT * FROM t WHERE y = 2019 AND x = 1 AND t.m IN (1, 2)"), 2U);
  EXPECT_EQ(kept("SELECT * FROM a.t AS v WHERE v.Y BETWEEN 1 AND 2 OR v.m = 3"), 1U);
  EXPECT_EQ(
      kept("SELECT * FROM (SELECT *, row_number() OVER (ORDER BY x) AS n FROM t WHERE y = 1) WHERE n = 1"),
      1U);
  for (const char* sql : {"SELECT * FROM t WHERE y = x", "SELECT * FROM t WHERE y = 1 OR x = 1",
                          "SELECT * FROM t WHERE u.y = 1", "SELECT * FROM t WHERE abs(y) = 1",
                          "SELECT * FROM t", "SELECT * FROM t JOIN u ON t.k = u.k WHERE t.y = 1",
                          "SELECT * FROM t WHERE y = (SELECT max(y) FROM u)",
                          "SELECT * FROM t WHERE y = 1 UNION ALL SELECT * FROM t"})
    EXPECT_EQ(kept(sql), 0U) << sql;
}

}  // namespace
}  // namespace tidemark
