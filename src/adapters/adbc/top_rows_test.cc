// The latest row of each key: by one row a key, or by sorting, the answers are the same.
#include "adapters/adbc/top_rows_internal.h"

#include <arrow/builder.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "adapters/adbc/duckdb_testing.h"
#include "adapters/adbc/sql_tree_internal.h"
#include "store/sql_engine_testing.h"

namespace tidemark {
namespace {

using testing_support::RowsText;
using testing_support::RunSql;
using testing_support::TableOf;

class TopRowsTest : public testing::Test {
 protected:
  // Keys, times and texts with nulls among them, in two files; `w` alone tells all rows apart.
  SqlTable Events() {
    std::mt19937 random(7);
    const auto maybe = [&](const std::string& value) { return random() % 5 == 0 ? "null" : value; };
    std::vector<std::string> files;
    for (int file = 0; file < 2; ++file) {
      std::string rows;
      for (int i = 0; i < 150; ++i) {
        rows += fmt::format("{}[{}, {}, {}, {}, \"{}\"]", i == 0 ? "" : ", ",
                            maybe(std::to_string(random() % 9)), maybe(fmt::format("\"{}\"", random() % 3)),
                            maybe(std::to_string(random() % 6)), file * 1000 + i, random() % 100);
      }
      const auto path = folder_.path() / fmt::format("{}.parquet", file);
      testing_support::WriteParquet(
          *TableOf(arrow::schema({arrow::field("k", arrow::int64()), arrow::field("part", arrow::utf8()),
                                  arrow::field("t", arrow::int64()), arrow::field("w", arrow::int64()),
                                  arrow::field("x", arrow::utf8())}),
                   "[" + rows + "]"),
          path);
      files.push_back(path.string());
    }
    const DataType number{TypeKind::kInt64};
    const DataType text{TypeKind::kString};
    return {.schema = "p",
            .name = "events",
            .columns = {{.name = "k", .type = number},
                        {.name = "part", .type = text},
                        {.name = "t", .type = number},
                        {.name = "w", .type = number},
                        {.name = "x", .type = text}},
            .files = {.paths = files},
            .identity = "events"};
  }

  bool IsRewritten(const std::string& sql, const SqlTable& table) {
    const TreeTools tools{.parse = [&](const std::string& text) -> Result<Json> {
                            TM_ASSIGN(const SqlStatement made, engine_->Parse(text));
                            return TreeOf(made);
                          },
                          .print = [](const Json&) -> Result<std::string> { return std::string(); }};
    const auto statement = engine_->Parse(sql);
    EXPECT_TRUE(statement.has_value()) << sql;
    auto tree = TreeOf(*statement);
    EXPECT_TRUE(tree.has_value());
    const auto done = RewriteTopRows(*tree, {table}, statement->common_tables, tools);
    EXPECT_TRUE(done.has_value()) << sql;
    return done.value_or(false);
  }

  testing_support::TestFolder folder_;
  std::unique_ptr<SqlEngine> engine_ = testing_support::MakeTestEngine(folder_.path() / "spill");
};

constexpr const char* kNumbered =
    "(SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {} DESC, w DESC) AS n FROM p.events {}) q";

TEST_F(TopRowsTest, AnswersAreTheWindows) {
  const SqlTable events = Events();
  for (const char* keys : {"k", "part, k", "K"}) {
    for (const char* order : {"t", "T DESC NULLS LAST, part", "x"}) {
      for (const char* where : {"", "WHERE t < 4", "WHERE events.x LIKE '%1' OR k IS NULL"}) {
        const std::string numbered = fmt::format(fmt::runtime(kNumbered), keys, order, where);
        for (const auto& [columns, also] : std::vector<std::pair<std::string, std::string>>{
                 {"*", ""},
                 {"q.*, n + 1", "AND NOT coalesce(t = 3, false)"},
                 {"w, q.x", "AND part = '1'"},
                 {"q", ""},
                 {"#5, #2", ""},
                 {"to_json(Q)", "AND q.N >= 1"},
                 {"count(*)", "AND q.t > 1"}}) {
          const std::string quick =
              fmt::format("SELECT {} FROM {} WHERE n = 1 {} ORDER BY ALL", columns, numbered, also);
          const std::string sorted =
              fmt::format("SELECT {} FROM {} WHERE n <= 1 {} ORDER BY ALL", columns, numbered, also);
          ASSERT_TRUE(IsRewritten(quick, events)) << quick;
          ASSERT_FALSE(IsRewritten(sorted, events));
          EXPECT_EQ(RowsText(RunSql(*engine_, quick, {events})), RowsText(RunSql(*engine_, sorted, {events})))
              << quick;
        }
      }
    }
  }
}

TEST_F(TopRowsTest, OthersStayAsTheyAre) {
  const SqlTable events = Events();
  const auto reader = [](const std::string& numbered) {
    return "SELECT * FROM (" + numbered + ") WHERE n = 1";
  };
  const std::string over = "row_number() OVER (PARTITION BY k ORDER BY w DESC) AS n FROM p.events";
  EXPECT_TRUE(IsRewritten(reader("SELECT *, " + over), events));
  for (const std::string& sql : {
           reader("SELECT *, row_number() OVER (PARTITION BY k ORDER BY w) AS n FROM p.events"),
           reader(
               "SELECT *, row_number() OVER (PARTITION BY k ORDER BY w DESC NULLS FIRST) AS n FROM p.events"),
           reader("SELECT *, row_number() OVER (PARTITION BY k % 2 ORDER BY w DESC) AS n FROM p.events"),
           reader("SELECT *, row_number() OVER (ORDER BY w DESC) AS n FROM p.events"),
           reader("SELECT *, rank() OVER (PARTITION BY k ORDER BY w DESC) AS n FROM p.events"),
           reader("SELECT * EXCLUDE (t), " + over),
           reader("SELECT k, " + over),
           reader("SELECT DISTINCT *, " + over),
           reader("SELECT *, " + over + " LIMIT 10"),
           reader("SELECT *, " + over + " USING SAMPLE 10 ROWS"),
           reader("SELECT *, " + over + ", p.events AS other"),
           "WITH events AS (SELECT * FROM p.events) " +
               reader("SELECT *, row_number() OVER (PARTITION BY k ORDER BY w DESC) AS n FROM events"),
           "SELECT * FROM (SELECT *, " + over + ") WHERE n = 2",
           "SELECT * FROM (SELECT *, " + over + ") WHERE n = 1 OR k = 3",
           "SELECT * FROM (SELECT *, " + over + ") WHERE NOT n = 1",
           "SELECT * FROM (SELECT *, " + over + ") q WHERE x.n = 1",
           "SELECT * FROM (SELECT *, " + over + ") x WHERE x.n = 1",
           "SELECT * FROM (SELECT *, " + over + ") q(a, b, c, d, e, n) WHERE n = 1",
       }) {
    EXPECT_FALSE(IsRewritten(sql, events)) << sql;
  }
}

// What is kept for each key does not fit, and the sorting spills.
TEST_F(TopRowsTest, LittleMemoryIsEnough) {
  constexpr int kRows = 800'000;
  arrow::Int64Builder keys;
  arrow::StringBuilder texts;
  for (int i = 0; i < kRows; ++i) {
    ASSERT_TRUE(keys.Append(i).ok());
    ASSERT_TRUE(texts.Append(std::string(150, 'a') + std::to_string(i)).ok());
  }
  const auto path = folder_.path() / "many.parquet";
  testing_support::WriteParquet(
      *arrow::Table::Make(
          arrow::schema({arrow::field("k", arrow::int64()), arrow::field("x", arrow::utf8())}),
          {keys.Finish().ValueOrDie(), texts.Finish().ValueOrDie()}),
      path);
  const SqlTable table{
      .schema = "p",
      .name = "many",
      .columns = {{.name = "k", .type = {TypeKind::kInt64}}, {.name = "x", .type = {TypeKind::kString}}},
      .files = {.paths = {path.string()}},
      .identity = "many"};
  const std::string sql =
      "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY x DESC) AS n FROM p.many) WHERE n "
      "= 1";
  ASSERT_TRUE(IsRewritten(sql, table));
  const auto statement = engine_->Parse(sql);
  ASSERT_TRUE(statement.has_value());
  const auto rows =
      engine_->Query(*statement, {table}, {.memory_bytes_max = std::int64_t{280} << 20, .threads = 2});
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  std::int64_t count = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    const arrow::Status read = (*rows)->ReadNext(&batch);
    ASSERT_TRUE(read.ok()) << read.ToString();
    if (batch == nullptr) break;
    count += batch->num_rows();
  }
  EXPECT_EQ(count, kRows);
  const auto file = folder_.path() / "out.parquet";
  const auto copied =
      engine_->Copy(*statement, {table}, file, {.memory_bytes_max = std::int64_t{280} << 20, .threads = 2});
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  EXPECT_EQ(*copied, kRows);
}

}  // namespace
}  // namespace tidemark
