// The contract in sql_engine.h, clause by clause.
#include "store/sql_engine_testing.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <gmock/gmock.h>

#include <chrono>
#include <ostream>
#include <stop_token>
#include <thread>
#include <utility>

#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark::testing_support {
namespace {

using testing::HasSubstr;

const DataType kInt{TypeKind::kInt64};
const DataType kFloat{TypeKind::kFloat64};
const DataType kText{TypeKind::kString};
const DataType kTime{TypeKind::kTimestamp};

// Keeps a processor busy for hours.
constexpr const char* kEndless =
    "SELECT count(*) FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3";

}  // namespace

std::shared_ptr<arrow::Table> TableOf(const std::shared_ptr<arrow::Schema>& schema, const std::string& json) {
  const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json).ValueOrDie();
  const auto batch = arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
  return arrow::Table::FromRecordBatches(schema, {batch}).ValueOrDie();
}

Result<std::shared_ptr<arrow::Table>> RunSql(SqlEngine& engine, const std::string& text,
                                             const std::vector<SqlTable>& tables, const SqlOptions& options) {
  TM_ASSIGN(const SqlStatement statement, engine.Parse(text));
  TM_ASSIGN(const auto reader, engine.Query(statement, tables, options));
  return FromArrowResult(reader->ToTable());
}

std::string RowsText(const Result<std::shared_ptr<arrow::Table>>& rows) {
  if (!rows) {
    ADD_FAILURE() << rows.error().ToString();
    return {};
  }
  const arrow::Table& table = *rows.value();
  std::string text;
  for (std::int64_t row = 0; row < table.num_rows(); ++row) {
    if (row > 0) text += " | ";
    for (int i = 0; i < table.num_columns(); ++i) {
      const auto value = table.column(i)->GetScalar(row).ValueOrDie();
      text += (i > 0 ? ", " : "") + (value->is_valid ? value->ToString() : "null");
    }
  }
  return text;
}

void PrintTo(const SqlEngineMaker& maker, std::ostream* out) {
  *out << maker.name;
}

std::string SqlEngineName(const testing::TestParamInfo<SqlEngineMaker>& info) {
  return info.param.name;
}

void SqlEngineConformance::SetUp() {
  engine_ = GetParam().make(folder_.path() / "spill");
}

SqlTable SqlEngineConformance::Drivers() {
  const auto schema =
      arrow::schema({arrow::field("driver_id", arrow::int64()), arrow::field("rating", arrow::float64()),
                     arrow::field("seen_at", ToArrow(kTime))});
  const auto file = folder_.path() / "drivers.parquet";
  if (!std::filesystem::exists(file)) {
    GetParam().write(*TableOf(schema, R"([[1, 4.5, "2024-05-01T00:00:00Z"], [2, null, "2024-05-02T00:00:00Z"],
                                          [3, 3.5, "2024-05-03T00:00:00Z"]])"),
                     file);
  }
  return {.schema = "shop",
          .name = "drivers",
          .columns = {{.name = "driver_id", .type = kInt},
                      {.name = "rating", .type = kFloat},
                      {.name = "seen_at", .type = kTime}},
          .files = {.paths = {file.string()}},
          .rows = TableOf(schema, R"([[4, 1.5, "2024-05-04T00:00:00Z"]])"),
          .identity = "drivers-1"};
}

// A statement tells its tables as they were written, those of common table expressions among them, and where.
TEST_P(SqlEngineConformance, StatementsTellTheirTables) {
  const std::string text =
      "WITH q AS (SELECT * FROM Shop.\"Dri vers\") SELECT (SELECT max(x) FROM inner_one) FROM q "
      "JOIN other USING (k)";
  const auto statement = engine_->Parse(text);
  ASSERT_TRUE(statement) << statement.error().ToString();
  std::vector<std::string> names;
  for (const SqlTableName& table : statement->tables) {
    names.push_back(table.schema + "/" + table.table);
    EXPECT_THAT(text.substr(table.position),
                testing::AnyOf(testing::StartsWith(table.table), testing::StartsWith(table.schema)));
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("Shop/Dri vers", "/inner_one", "/q", "/other"));
}

// At every depth, folded: a table that is named like one may be that one.
TEST_P(SqlEngineConformance, StatementsTellTheirCommonTables) {
  const auto statement = engine_->Parse(
      "WITH A AS (WITH Inner_One AS (SELECT 1 AS x) SELECT * FROM inner_one) SELECT * FROM a WHERE x IN "
      "(WITH RECURSIVE Third AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM third WHERE n < 3) FROM third)");
  ASSERT_TRUE(statement) << statement.error().ToString();
  EXPECT_THAT(statement->common_tables, testing::UnorderedElementsAre("a", "inner_one", "third"));
}

// What does not parse says where; what is no query is refused; one statement at a time.
TEST_P(SqlEngineConformance, TextThatIsNoQueryIsRefused) {
  const auto bad = engine_->Parse("SELECT 'é',\n  a b c FROM x");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("LINE 2:   a b c FROM x\n"));
  for (const char* text : {"COPY a TO 'b'",
                           "CREATE TABLE a (x int)",
                           "DROP TABLE a",
                           "INSERT INTO a VALUES (1)",
                           "UPDATE a SET x = 1",
                           "DELETE FROM a",
                           "SET x = 1",
                           "ATTACH 'a'",
                           "INSTALL x",
                           "LOAD x",
                           "PRAGMA version",
                           "CALL x()",
                           "EXPLAIN SELECT 1",
                           "EXPORT DATABASE 'x'",
                           "USE x",
                           "SELECT 1; SELECT 2",
                           "",
                           "-- nothing",
                           "SELECT $1",
                           "BEGIN",
                           "VACUUM"}) {
    const auto refused = engine_->Parse(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << text << refused.error().ToString();
  }
}

// Files are followed by rows in memory; names are found in any case, and under aliases.
TEST_P(SqlEngineConformance, FilesAndRowsAreOneTable) {
  SqlTable table = Drivers();
  table.aliases = {"dri-vers", "the \"drivers\""};
  EXPECT_EQ(RowsText(RunSql(*engine_, "select DRIVER_ID, rating from SHOP.Drivers", {table})),
            "1, 4.5 | 2, null | 3, 3.5 | 4, 1.5");
  EXPECT_EQ(RowsText(RunSql(*engine_, "select count(*) from shop.\"Dri-vers\"", {table})), "4");
  EXPECT_EQ(RowsText(RunSql(*engine_, "select count(*) from shop.\"the \"\"drivers\"\"\"", {table})), "4");
  table.files = {};
  table.identity = "rows only";
  EXPECT_EQ(RowsText(RunSql(*engine_, "from shop.drivers select driver_id", {table})), "4");
  table.rows = nullptr;
  table.identity = "";
  EXPECT_EQ(RowsText(RunSql(*engine_, "select count(*) from shop.drivers", {table})), "0");
}

// Columns of a file are found by their own names; those that it has not are null; narrow ones are widened.
TEST_P(SqlEngineConformance, ColumnsAreReadAsTheyAreStated) {
  const auto old_schema =
      arrow::schema({arrow::field("id", arrow::int32()), arrow::field("x y", arrow::float32())});
  const auto new_schema =
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("x y", arrow::float64()),
                     arrow::field("extra", arrow::utf8())});
  const auto before = folder_.path() / "it's [1] *.parquet";
  const auto after = folder_.path() / "new.parquet";
  GetParam().write(*TableOf(old_schema, "[[1, 0.5]]"), before);
  GetParam().write(*TableOf(new_schema, "[[5000000000, 1.5, \"e\"]]"), after);
  const SqlTable table{.schema = "a.b",
                       .name = "größe",
                       .columns = {{.name = "number", .type = kInt, .in_file = "id"},
                                   {.name = "x y", .type = kFloat},
                                   {.name = "extra", .type = kText},
                                   {.name = "nowhere", .type = kTime}},
                       .files = {.paths = {before.string(), after.string()}},
                       .identity = "evolved"};
  const auto rows = RunSql(*engine_, "select * from \"A.B\".\"größe\" order by number", {table});
  EXPECT_EQ(RowsText(rows), "1, 0.5, null, null | 5000000000, 1.5, e, null");
  ASSERT_TRUE(rows);
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto& field = *rows.value()->schema()->field(static_cast<int>(i));
    EXPECT_EQ(field.name(), table.columns[i].name);
    EXPECT_TRUE(field.type()->Equals(*ToArrow(table.columns[i].type))) << field.ToString();
  }
}

// Every type comes back as it is everywhere else in Tidemark, from files and from memory.
TEST_P(SqlEngineConformance, TypesComeBackAsTheyAre) {
  const std::vector<SqlColumn> columns = {
      {.name = "b", .type = {TypeKind::kBool}},
      {.name = "i", .type = {TypeKind::kInt32}},
      {.name = "l", .type = kInt},
      {.name = "f", .type = {TypeKind::kFloat32}},
      {.name = "d", .type = kFloat},
      {.name = "s", .type = kText},
      {.name = "y", .type = {TypeKind::kBinary}},
      {.name = "t", .type = kTime},
      {.name = "day", .type = {TypeKind::kDate}},
      {.name = "m", .type = DataType::Decimal(20, 3)},
      {.name = "list", .type = DataType::List(DataType::List(kText))},
      {.name = "rec", .type = DataType::Struct({{"a b", kInt}, {"c", DataType::List(kTime)}})},
      {.name = "map", .type = DataType::Map(kText, DataType::Struct({{"v", kFloat}}))},
  };
  arrow::FieldVector fields;
  for (const SqlColumn& column : columns)
    fields.push_back(arrow::field(column.name, ToArrow(column.type)));
  const auto schema = arrow::schema(fields);
  const auto values = TableOf(schema, R"([
      [true, 1, 5000000000, 0.5, 1.25, "é\"'", "\u0000x", "2024-05-01T00:00:00.000001Z", 19000, "123.456",
       [["a", null], null, []], {"a b": 1, "c": [null, "2024-05-01T00:00:00Z"]},
       [["k", {"v": 1.5}], ["l", null]]],
      [null, null, null, null, null, null, null, null, null, null, null, null, null],
      [false, -1, -5, -0.5, -1.25, "", "", "1969-12-31T23:59:59.999999Z", -1, "-0.001", [],
       {"a b": null, "c": []}, []]])");
  const auto file = folder_.path() / "types.parquet";
  GetParam().write(*values, file);
  for (const bool in_memory : {false, true}) {
    const SqlTable table{
        .schema = "p",
        .name = "t",
        .columns = columns,
        .files = {.paths = in_memory ? std::vector<std::string>{} : std::vector{file.string()}},
        .rows = in_memory ? values : nullptr,
        .identity = in_memory ? "m" : "f"};
    const auto rows = RunSql(*engine_, "select * from p.t", {table});
    ASSERT_TRUE(rows) << rows.error().ToString();
    EXPECT_TRUE(rows.value()->schema()->Equals(*schema)) << rows.value()->schema()->ToString();
    EXPECT_TRUE(rows.value()->CombineChunks().ValueOrDie()->Equals(*values)) << rows.value()->ToString();
  }
}

// Rows of another identity are other rows, and rows without one are never those of a query before.
TEST_P(SqlEngineConformance, IdentityDecidesWhatIsReadAgain) {
  SqlTable table = Drivers();
  const std::string sql = "select sum(driver_id)::bigint from shop.drivers";
  EXPECT_EQ(RowsText(RunSql(*engine_, sql, {table})), "10");
  EXPECT_EQ(RowsText(RunSql(*engine_, sql, {table})), "10");
  const auto schema = table.rows->schema();
  for (int i = 5; i < 25; ++i) {
    table.rows = TableOf(schema, "[[" + std::to_string(i) + ", null, null]]");
    table.identity = i % 2 == 0 ? "" : "drivers-" + std::to_string(i);
    EXPECT_EQ(RowsText(RunSql(*engine_, sql, {table})), std::to_string(6 + i));
  }
}

// Unknown names are said with the nearest known ones and their place in the user's own text.
TEST_P(SqlEngineConformance, UnknownNamesAreExplained) {
  const SqlTable table = Drivers();
  const auto column = RunSql(*engine_, "select\n  ratin from shop.drivers", {table});
  ASSERT_FALSE(column);
  EXPECT_EQ(column.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(column.error().message, HasSubstr("rating"));
  EXPECT_THAT(column.error().message, HasSubstr("LINE 2:   ratin from shop.drivers"));
  const auto function = RunSql(*engine_, "select summ(rating) from shop.drivers", {table});
  ASSERT_FALSE(function);
  EXPECT_EQ(function.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(function.error().message, HasSubstr("summ"));
  const auto unknown = RunSql(*engine_, "select * from shop.driver", {table});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("shop.drivers"));
  EXPECT_THAT(unknown.error().message, HasSubstr("LINE 1: select * from shop.driver\n"));
}

// A stop that comes while a query runs ends it at once; so does the time limit, and each says which it was.
TEST_P(SqlEngineConformance, StopsAndTimeLimitsEndQueries) {
  // Whichever comes first, the stop or the query.
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const auto stopped = RunSql(*engine_, kEndless, {}, {.stop = stop.get_token()});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(stopped.error().message, HasSubstr("interrupted"));
  const auto late = RunSql(*engine_, kEndless, {}, {.time_limit = std::chrono::milliseconds(60)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(late.error().message, HasSubstr("time limit of 60 ms"));
  const auto never = RunSql(*engine_, "select 1", {}, {.stop = stop.get_token()});
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(RowsText(RunSql(*engine_, "select 1", {})), "1");
}

// A result streams: its first rows are there although all of it would never fit, and dropping it ends it.
TEST_P(SqlEngineConformance, ResultsStream) {
  const auto statement = engine_->Parse("SELECT i, repeat('x', 1000) FROM range(1000000000) t(i)");
  ASSERT_TRUE(statement);
  const auto reader = engine_->Query(*statement, {}, {.memory_bytes_max = std::int64_t{128} << 20});
  ASSERT_TRUE(reader) << reader.error().ToString();
  std::shared_ptr<arrow::RecordBatch> batch;
  ASSERT_TRUE((*reader)->ReadNext(&batch).ok());
  ASSERT_NE(batch, nullptr);
  EXPECT_GT(batch->num_rows(), 0);
}

// What does not fit into the memory limit goes to the disk, and what cannot go there is an error that names
// it.
TEST_P(SqlEngineConformance, MemoryLimitHolds) {
  const SqlOptions options{.memory_bytes_max = std::int64_t{320} << 20, .threads = 2};
  EXPECT_EQ(RowsText(RunSql(*engine_,
                            "SELECT count(*) FROM (SELECT DISTINCT hash(i), repeat('x', 20) || i AS s FROM "
                            "range(6000000) t(i))",
                            {}, options)),
            "6000000");
  const auto full =
      RunSql(*engine_, "SELECT len(list(repeat('x', 1000) || i)) FROM range(3000000) t(i)", {}, options);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(full.error().message, HasSubstr("memory_limit (320 MB)"));
  EXPECT_EQ(RowsText(RunSql(*engine_, "select 1", {}, options)), "1");
}

// Threads share an engine, and tables of theirs that differ in the same name.
TEST_P(SqlEngineConformance, ManyThreadsQueryAtOnce) {
  const SqlTable shared = Drivers();
  std::vector<std::jthread> threads;
  for (int number = 0; number < 6; ++number) {
    threads.emplace_back([&, number] {
      for (int i = 0; i < 8; ++i) {
        SqlTable own = shared;
        own.rows = TableOf(shared.rows->schema(), "[[" + std::to_string(100 * number + i) + ", null, null]]");
        own.identity = i % 2 == 0 ? "" : std::to_string(number);
        if (i % 2 == 1)
          own.rows = TableOf(shared.rows->schema(), "[[" + std::to_string(100 * number) + ", null, null]]");
        const int wanted = 6 + 100 * number + (i % 2 == 0 ? i : 0);
        EXPECT_EQ(RowsText(RunSql(*engine_, "select sum(driver_id)::bigint from shop.drivers", {own})),
                  std::to_string(wanted));
      }
    });
  }
}

// A copy is a new Parquet file with the rows and types of the query; nothing is left of one that fails.
TEST_P(SqlEngineConformance, CopiesAreWholeOrNotThere) {
  const SqlTable table = Drivers();
  const auto file = folder_.path() / "out's.parquet";
  const auto statement = engine_->Parse(
      "select driver_id, sum(rating) r, sum(driver_id) s, timestamp '2024-01-01' t, [driver_id] l from "
      "shop.drivers "
      "group by all order by driver_id -- all of them\n;");
  ASSERT_TRUE(statement) << statement.error().ToString();
  const auto rows = engine_->Copy(*statement, {table}, file, {});
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(*rows, 4);
  const auto copied = GetParam().read(file);
  EXPECT_EQ(copied->num_rows(), 4);
  EXPECT_TRUE(copied->schema()->field(3)->type()->Equals(*ToArrow(kTime))) << copied->schema()->ToString();
  EXPECT_TRUE(copied->schema()->field(2)->type()->Equals(*arrow::decimal128(38, 0)));
  const auto again = engine_->Copy(*statement, {table}, file, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  const auto failing = engine_->Parse("select error('no: ' || driver_id::varchar) from shop.drivers");
  ASSERT_TRUE(failing);
  EXPECT_FALSE(engine_->Copy(*failing, {table}, folder_.path() / "failed.parquet", {}));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "failed.parquet"));
  const auto endless = engine_->Parse(kEndless);
  ASSERT_TRUE(endless);
  const auto late = engine_->Copy(*endless, {}, folder_.path() / "late.parquet",
                                  {.time_limit = std::chrono::milliseconds(50)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "late.parquet"));
}

// A file that is gone, or is no Parquet file any more, is named.
TEST_P(SqlEngineConformance, LostAndDamagedFilesAreNamed) {
  SqlTable table = Drivers();
  const std::string file = table.files.paths[0];
  ASSERT_TRUE(RunSql(*engine_, "select * from shop.drivers", {table}));
  std::filesystem::rename(file, file + ".away");
  const auto lost = RunSql(*engine_, "select * from shop.drivers", {table});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kIo);
  EXPECT_THAT(lost.error().ToString(), HasSubstr(file));
  std::filesystem::rename(file + ".away", file);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const auto damaged = RunSql(*engine_, "select * from shop.drivers", {table});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(damaged.error().ToString(), HasSubstr(file));
}

}  // namespace tidemark::testing_support
