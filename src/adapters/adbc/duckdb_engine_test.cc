// DuckDB as an engine: the conformance suite, and what only it is asked for.
#include "adapters/adbc/duckdb_engine.h"

#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "adapters/adbc/duckdb_testing.h"
#include "pit/columns.h"
#include "store/sql_engine_testing.h"

namespace tidemark::testing_support {

INSTANTIATE_TEST_SUITE_P(DuckDb, SqlEngineConformance,
                         testing::Values(SqlEngineMaker{"duckdb", MakeTestEngine, WriteParquet, ReadParquet}),
                         SqlEngineName);

}  // namespace tidemark::testing_support

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing_support::RowsText;
using testing_support::RunSql;
using testing_support::TableOf;

const DataType kInt{TypeKind::kInt64};
const DataType kText{TypeKind::kString};
const DataType kTime{TypeKind::kTimestamp};

class DuckDbEngineTest : public testing::Test {
 protected:
  std::string Run(const std::string& sql, const std::vector<SqlTable>& tables) {
    return RowsText(RunSql(*engine_, sql, tables));
  }

  std::string WriteText(const std::string& name, const std::string& text) {
    const auto file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file.string();
  }

  testing_support::TestFolder folder_;
  std::unique_ptr<SqlEngine> engine_ = testing_support::MakeTestEngine(folder_.path() / "spill");
};

std::shared_ptr<arrow::Field> WithId(const std::string& name, std::shared_ptr<arrow::DataType> type, int id) {
  return arrow::field(name, std::move(type))
      ->WithMetadata(arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(id)}));
}

// Columns with field ids are found by these, whatever a file calls them; nested ones too.
TEST_F(DuckDbEngineTest, ColumnsAreFoundByFieldId) {
  const auto member = arrow::struct_({WithId("p", arrow::int64(), 4)});
  const auto old_file = folder_.path() / "old.parquet";
  const auto new_file = folder_.path() / "new.parquet";
  testing_support::WriteParquet(
      *TableOf(arrow::schema({WithId("a", arrow::int32(), 1), WithId("s", member, 3)}), R"([[1, {"p": 7}]])"),
      old_file);
  testing_support::WriteParquet(
      *TableOf(arrow::schema({WithId("s", member, 3), WithId("renamed", arrow::int64(), 1),
                              WithId("a", arrow::utf8(), 2)}),
               R"([[{"p": 8}, 6000000000, "text"]])"),
      new_file);
  const SqlTable table{.schema = "p",
                       .name = "t",
                       .columns = {{.name = "renamed", .type = kInt, .id = 1},
                                   {.name = "a", .type = kText, .id = 2},
                                   {.name = "s", .type = DataType::Struct({{"p", kInt}}), .id = 3}},
                       .files = {.paths = {old_file.string(), new_file.string()}},
                       .identity = "ids"};
  EXPECT_EQ(Run("select renamed, a, s.p from p.t order by 1", {table}), "1, null, 7 | 6000000000, text, 8");
}

// Values of `name=value` folders are columns of a stated type, decoded; Hive's null is null.
TEST_F(DuckDbEngineTest, HivePartitionsAreColumns) {
  std::vector<std::string> paths;
  for (const std::string part :
       {"y=2019/name=a%20b", "y=2020/name=x", "y=__HIVE_DEFAULT_PARTITION__/name=z"}) {
    const auto file = folder_.path() / "y=1" / part / "f.parquet";
    std::filesystem::create_directories(file.parent_path());
    testing_support::WriteParquet(*TableOf(arrow::schema({arrow::field("n", arrow::int64())}), "[[1], [2]]"),
                                  file);
    paths.push_back(file.string());
  }
  const SqlTable table{
      .schema = "p",
      .name = "t",
      .columns = {{.name = "n", .type = kInt}, {.name = "y", .type = kInt}, {.name = "name", .type = kText}},
      .files = {.paths = paths, .hive_columns = {"y", "name"}},
      .identity = "hive"};
  EXPECT_EQ(Run("select y, name, sum(n)::bigint from p.t group by all order by y nulls last", {table}),
            "2019, a b, 3 | 2020, x, 3 | null, z, 3");
  EXPECT_EQ(Run("select n from p.t where y = 2020 and name = 'x' order by n", {table}), "1 | 2");
}

// CSV is read as the files layer reads it.
TEST_F(DuckDbEngineTest, CsvIsReadAsElsewhere) {
  const std::string one =
      WriteText("one.csv",
                "k,when,name,x,ok,b\n1,2024-05-01T02:00+02:00,\"\",1.5,true,ab\n2,2024-05-02,,,,\n"
                "3,2024-05-03 00:00:00Z,\"a\nb\"\"c\",-2,false,\"\"\n");
  const std::string two = WriteText("two.csv", "name,k,other\nNA,4,x\n");
  const SqlTable table{.schema = "p",
                       .name = "t",
                       .columns = {{.name = "id", .type = kInt, .in_file = "k"},
                                   {.name = "when", .type = kTime},
                                   {.name = "name", .type = kText},
                                   {.name = "x", .type = {TypeKind::kFloat64}},
                                   {.name = "ok", .type = {TypeKind::kBool}},
                                   {.name = "b", .type = {TypeKind::kBinary}},
                                   {.name = "missing", .type = {TypeKind::kDate}}},
                       .files = {.format = SqlFiles::Format::kCsv, .paths = {one}},
                       .identity = "csv-1"};
  const std::string wanted =
      "1, 2024-05-01 00:00:00.000000Z, , 1.5, true, ab, null | 2, 2024-05-02 00:00:00.000000Z, null, null, "
      "null, "
      "null, null | 3, 2024-05-03 00:00:00.000000Z, a\nb\"c, -2, false, , null";
  EXPECT_EQ(Run("select * from p.t order by id", {table}), wanted);
  SqlTable both = table;
  both.files.paths = {one, two};
  both.identity = "csv-2";
  EXPECT_EQ(Run("select * from p.t order by id", {both}), wanted + " | 4, null, NA, null, null, null, null");

  SqlTable bad = table;
  bad.files.paths = {WriteText("bad.csv", "k,name\n1,a\nseven,b\n")};
  bad.identity = "csv-3";
  const auto error = RunSql(*engine_, "select id from p.t", {bad});
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(error.error().ToString(), HasSubstr("bad.csv: row 3: "));
  EXPECT_THAT(error.error().ToString(), HasSubstr("seven"));
}

// A project may be called as DuckDB calls its own catalogs.
TEST_F(DuckDbEngineTest, SchemasMayBeCalledAsDuckDbsOwn) {
  for (const char* schema : {"memory", "temp", "system", "main"}) {
    const SqlTable table{.schema = schema,
                         .name = "t",
                         .columns = {{.name = "k", .type = kInt}},
                         .rows = TableOf(arrow::schema({arrow::field("k", arrow::int64())}), "[[7]]"),
                         .identity = schema};
    EXPECT_EQ(Run("select t.k from " + std::string(schema) + ".t", {table}), "7") << schema;
  }
}

// Presto's functions that DuckDB calls otherwise.
TEST_F(DuckDbEngineTest, PrestoFunctionsAreKnown) {
  EXPECT_EQ(
      Run("select to_unixtime(from_unixtime(1.5)), to_unixtime(from_iso8601_timestamp('2024-05-01T00:00Z')), "
          "regexp_like('abc', 'b.'), json_extract_scalar('{\"a\": \"b\"}', '$.a'), approx_distinct(x), "
          "array_join([1, 2], '-') from (values (1)) v(x)",
          {}),
      "1.5, 1714521600, true, b, 1, 1-2");
  EXPECT_EQ(Run("select element_at(['x', 'y'], 2), element_at(['x'], 2), element_at(map(['a'], [1]), 'a'), "
                "array_max([1, 3]), array_min([3, 1]), slice([1, 2, 3], 2, 2)::varchar, "
                "sequence(1, 3)::varchar, array_remove([1, 2, 1], 1)::varchar",
                {}),
            "y, null, 1, 3, 1, [2, 3], [1, 2, 3], [2]");
  EXPECT_EQ(Run("select date_format(timestamp '2024-05-01 13:04:05', '%Y-%m-%d %H:%i:%s %M'), "
                "date_add('day', -1, timestamp '2024-05-01') = timestamp '2024-04-30', "
                "date_add(date '2024-05-01', interval 1 month) = date '2024-06-01', "
                "day_of_week(date '2024-05-05'), last_day_of_month(date '2024-02-01') = date '2024-02-29', "
                "to_iso8601(timestamp '2024-05-01 01:02:03.5')",
                {}),
            "2024-05-01 13:04:05 May, true, true, 7, true, 2024-05-01T01:02:03.500Z");
  EXPECT_EQ(Run("select bitwise_and(6, 3), from_utf8(to_utf8('é')), json_format(json_parse('[1]')), "
                "truncate(-1.5), is_nan(nan()), approx_percentile(x, 0.5), set_agg(x)::varchar, "
                "approx_distinct(x, 0.01) from (values (4), (4)) v(x)",
                {}),
            "2, é, [1], -1, true, 4, [4], 1");
}

// ---- times as text

class TextTimeTest : public DuckDbEngineTest {
 protected:
  SqlTable Events(const std::string& identity = "events") {
    const auto schema = arrow::schema({arrow::field("k", arrow::int64()), arrow::field("t", arrow::utf8())});
    // In the order of time: 3, 1, 2, 4; as text: 4, 1, 2, 3.
    return {.schema = "p",
            .name = "events",
            .columns = {{.name = "k", .type = kInt}, {.name = "t", .type = kText, .is_text_time = true}},
            .rows = TableOf(schema, R"([[1, "2024-05-01T01:00:00Z"], [2, "2024-05-01 02:00"],
                                        [3, "2024-05-01T02:30+02:00"], [4, "2024-04-30T22:00:00-05:00"],
                                        [5, null]])"),
            .identity = identity};
  }

  SqlTable Other() {
    const auto schema = arrow::schema({arrow::field("k", arrow::int64()), arrow::field("t", arrow::utf8())});
    return {.schema = "p",
            .name = "other",
            .columns = {{.name = "k", .type = kInt}, {.name = "t", .type = kText}},
            .rows = TableOf(schema, R"([[1, "b"], [2, "a"]])"),
            .identity = "other"};
  }

  std::string Keys(const std::string& rest) {
    return Run("select k from p.events " + rest, {Events(), Other()});
  }
};

TEST_F(TextTimeTest, ComparisonsAreThoseOfTimes) {
  EXPECT_EQ(Keys("where t <= timestamp '2024-05-01 01:00:00' order by k"), "1 | 3");
  EXPECT_EQ(Keys("where T <= '2024-05-01T01:00Z' order by k"), "1 | 3");
  EXPECT_EQ(Keys("where '2024-05-01T01:00:00Z' < events.t order by k"), "2 | 4");
  EXPECT_EQ(Keys("where p.events.t = '2024-05-01T03:00:00+02:00'"), "1");
  EXPECT_EQ(Keys("where t between '2024-05-01T00:45Z' and '2024-05-01T02:00Z' order by k"), "1 | 2");
  EXPECT_EQ(Keys("where t in ('2024-05-01T00:30:00Z', '2024-05-01T03:00:00Z') order by k"), "3 | 4");
  EXPECT_EQ(Keys("where t not in ('2024-05-01T00:30:00Z') order by k"), "1 | 2 | 4");
  EXPECT_EQ(Keys("where t is distinct from '2024-05-01T01:00:00Z' order by k"), "2 | 3 | 4 | 5");
  EXPECT_EQ(Keys("where t = (select max(t) from p.events)"), "4");
  EXPECT_EQ(Keys("where t in (select min(t) from p.events where k > 1)"), "3");
  EXPECT_EQ(Keys("where case when t > '2024-05-01T01:30Z' then true else false end order by k"), "2 | 4");
}

// As times in UTC: key 3 is 00:30, key 4 is 03:00 on the first of May.
TEST_F(TextTimeTest, CastsGoByTheZone) {
  EXPECT_EQ(Keys("where cast(t as timestamp) = timestamp '2024-05-01 00:30'"), "3");
  EXPECT_EQ(Keys("where t::timestamptz = timestamp '2024-05-01 03:00'"), "4");
  EXPECT_EQ(Keys("where k = 4 and cast(t as date) = date '2024-05-01'"), "4");
  EXPECT_EQ(Keys("where date_diff('minute', cast(t as timestamp), timestamp '2024-05-01 01:00') = 30"), "3");
  EXPECT_EQ(Keys("where k = 4 and cast(t as varchar) = '2024-04-30T22:00:00-05:00'"), "4");
}

TEST_F(TextTimeTest, RowsOfValuesAreComparedAsTimes) {
  EXPECT_EQ(Keys("where (k, t) = (3, '2024-05-01T00:30:00Z')"), "3");
  EXPECT_EQ(Keys("where (k, t) in ((1, '2024-05-01 01:00'), (4, '2024-05-01T03:00:00Z')) order by k"),
            "1 | 4");
  EXPECT_EQ(Keys("where (k, t) in (select k, max(t) from p.events where k = 3 group by k)"), "3");
  EXPECT_EQ(Keys("where (t, k) in (select timestamptz '2024-05-01 03:00:00Z', 4)"), "4");
  EXPECT_EQ(Keys("where (k, '2024-05-01T00:30:00Z') in (select k, t from p.events)"), "3");
}

TEST_F(TextTimeTest, UsingIsRefused) {
  for (const char* join : {"using (t)", "using (k, t)"}) {
    const auto refused = testing_support::RunSql(
        *engine_, "select count(*) from p.events a join p.events b " + std::string(join), {Events()});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("join ON a.t = b.t"));
  }
  EXPECT_EQ(Run("select count(*) from p.events a join p.events b using (k)", {Events()}), "5");
}

TEST_F(TextTimeTest, OrderIsThatOfTimes) {
  EXPECT_EQ(Keys("order by t"), "3 | 1 | 2 | 4 | 5");
  EXPECT_EQ(Keys("order by t desc nulls last limit 2"), "4 | 2");
  EXPECT_EQ(Run("select t as moment, k from p.events where k < 5 order by moment", {Events()}),
            "2024-05-01T02:30+02:00, 3 | 2024-05-01T01:00:00Z, 1 | 2024-05-01 02:00, 2 | "
            "2024-04-30T22:00:00-05:00, 4");
  EXPECT_EQ(Run("select k, t from p.events where k < 5 order by 2 desc limit 1", {Events()}),
            "4, 2024-04-30T22:00:00-05:00");
  EXPECT_EQ(Run("select t from p.events where k < 3 union all select t from p.events where k = 4 order by t "
                "desc limit 1",
                {Events()}),
            "2024-04-30T22:00:00-05:00");
  EXPECT_EQ(Run("select distinct t from p.events where k < 4 order by t limit 1", {Events()}),
            "2024-05-01T02:30+02:00");
  EXPECT_EQ(Run("select min(t), max(t) from p.events", {Events()}),
            "2024-05-01T02:30+02:00, 2024-04-30T22:00:00-05:00");
  EXPECT_EQ(Run("select list(k order by t)::varchar from p.events where k < 5", {Events()}), "[3, 1, 2, 4]");
  EXPECT_EQ(Run("select max_by(k, t), arg_min(k, t) from p.events", {Events()}), "4, 3");
  EXPECT_EQ(
      Run("select k from p.events qualify row_number() over (order by t desc nulls last) = 1", {Events()}),
      "4");
  EXPECT_EQ(Run("select max(t) over (order by k rows between 1 preceding and current row) m from p.events "
                "where k < 5 "
                "order by k",
                {Events()}),
            "2024-05-01T01:00:00Z | 2024-05-01 02:00 | 2024-05-01 02:00 | 2024-04-30T22:00:00-05:00");
}

// Through subqueries, stars and common tables; a column of the same name of another table stays text.
TEST_F(TextTimeTest, ScopesAreThoseOfSql) {
  EXPECT_EQ(
      Run("select k from (select *, row_number() over (partition by k % 2 order by t desc) as row_num from "
          "p.events where t <= timestamp '2024-05-01 02:00:00') where row_num = 1 order by k",
          {Events()}),
      "1 | 2");
  EXPECT_EQ(Run("with q as (select k, t as moment from p.events) select k from q where moment > "
                "'2024-05-01T01:30Z' "
                "order by moment",
                {Events()}),
            "2 | 4");
  EXPECT_EQ(
      Run("with q(a, b) as (select * from p.events) select a from q where b is not null order by b limit 1",
          {Events()}),
      "3");
  EXPECT_EQ(Run("select e.k from p.events e join p.other o on e.k = o.k where e.t < '2024-05-01T01:30Z' and "
                "o.t > 'a'",
                {Events(), Other()}),
            "1");
  EXPECT_EQ(Run("select o.k from p.other o order by o.t", {Events(), Other()}), "2 | 1");
  EXPECT_EQ(Run("select k from p.other where t in ('a', 'b') order by t", {Events(), Other()}), "2 | 1");
  EXPECT_EQ(Run("select o.k from p.other o where exists (select 1 from p.events e where e.k = o.k and "
                "e.t > '2024-05-01T01:30Z')",
                {Events(), Other()}),
            "2");
  EXPECT_EQ(Run("select count(*) from p.events a join p.events b on a.t < b.t", {Events()}), "6");
}

// What is selected stays text, under the name that it would have had.
TEST_F(TextTimeTest, NamesAndValuesStay) {
  const auto rows =
      RunSql(*engine_, "select t, max(t), t > '2024-01-01' from p.events where k = 1 group by t", {Events()});
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_EQ(rows.value()->schema()->field(0)->name(), "t");
  EXPECT_EQ(rows.value()->schema()->field(1)->name(), "max(t)");
  EXPECT_EQ(rows.value()->schema()->field(2)->name(), "(t > '2024-01-01')");
  EXPECT_TRUE(rows.value()->schema()->field(1)->type()->Equals(*arrow::utf8()));
}

// Text that is no time is an error that names the column; unknown names still have their place in the user's
// text.
TEST_F(TextTimeTest, ErrorsNameColumnAndPlace) {
  SqlTable table = Events("bad");
  table.rows = TableOf(table.rows->schema(), R"([[1, "yesterday"]])");
  const auto bad = RunSql(*engine_, "select k from p.events order by t", {table});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(bad.error().message, HasSubstr("column \"t\": 'yesterday' is no time"));
  const auto unknown = RunSql(*engine_, "select kk\nfrom p.events where t > '2024-05-01'", {Events()});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("LINE 1: select kk\n"));
}

// Names of a result tell its columns apart wherever they are keys.
TEST_F(DuckDbEngineTest, NoTwoColumnsOfAResultHaveOneName) {
  const auto rows = RunSql(*engine_, "select 1 as a, 2 as A, 3 as a, 4 as a_1, 5 as b", {});
  ASSERT_TRUE(rows) << rows.error().ToString();
  EXPECT_THAT((*rows)->schema()->field_names(), testing::ElementsAre("a", "A_1", "a_2", "a_1_1", "b"));
  EXPECT_EQ(RowsText(rows), "1, 2, 3, 4, 5");
  const auto file = folder_.path() / "copy.parquet";
  const auto statement = engine_->Parse("select 1 as a, 2 as A, 3 as a");
  ASSERT_TRUE(engine_->Copy(*statement, {}, file, {}));
  EXPECT_THAT(testing_support::ReadParquet(file)->schema()->field_names(),
              testing::ElementsAre("a", "A_1", "a_2"));
}

// What only DuckDB could read again is refused by name, streamed or written, and so deep within others.
TEST_F(DuckDbEngineTest, TypesWithoutACounterpartAreErrors) {
  for (const char* value : {"union_value(k := 1)", "[9999999999999::bignum]", "{'v': 1::variant}"}) {
    const auto rows = RunSql(*engine_, fmt::format("select 1 as a, {} as x", value), {});
    ASSERT_FALSE(rows) << value;
    EXPECT_EQ(rows.error().code, ErrorCode::kUnsupported) << value << rows.error().ToString();
    EXPECT_THAT(rows.error().message, HasSubstr("AS VARCHAR)")) << value;
  }
  const auto file = folder_.path() / "refused.parquet";
  for (const char* value : {"interval 1 day", "[interval 1 day]", "union_value(k := 1)", "'101'::bit",
                            "{'bit': '1'::bit}", "timetz '10:00:00+02:00'", "1::variant"}) {
    const auto statement = engine_->Parse(fmt::format("select 1 as a, {} as x", value));
    const auto copied = engine_->Copy(*statement, {}, file, {});
    ASSERT_FALSE(copied) << value;
    EXPECT_EQ(copied.error().code, ErrorCode::kUnsupported) << value << copied.error().ToString();
    EXPECT_THAT(copied.error().message, HasSubstr("AS VARCHAR)")) << value;
    EXPECT_FALSE(std::filesystem::exists(file)) << value;
  }
}

// Fields of structs may be called as types are.
TEST_F(DuckDbEngineTest, FieldsThatAreCalledLikeTypesAreCopied) {
  const auto file = folder_.path() / "fields.parquet";
  const auto statement = engine_->Parse(
      "select {'UUID': uuid(), 'BIT': 1::tinyint, 'interval': [{'HUGEINT': 5::hugeint}]} as x");
  ASSERT_TRUE(engine_->Copy(*statement, {}, file, {}));
  const auto type = testing_support::ReadParquet(file)->schema()->field(0)->type();
  EXPECT_EQ(type->ToString(),
            "struct<UUID: string, BIT: int32, interval: list<element: struct<HUGEINT: decimal128(38, 0)>>>");
}

// A column of one table among several is suggested, too.
TEST_F(DuckDbEngineTest, AMissingColumnOfOneTableIsToldWithTheNearest) {
  const auto file = folder_.path() / "t.parquet";
  testing_support::WriteParquet(*TableOf(arrow::schema({arrow::field("amount", arrow::int64())}), "[[1]]"),
                                file);
  const SqlTable table{.schema = "p",
                       .name = "t",
                       .columns = {{.name = "amount", .type = kInt}},
                       .files = {.paths = {file.string()}},
                       .identity = "missing"};
  const auto rows = RunSql(*engine_, "select a.amout from p.t a join p.t b using (amount)", {table});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(rows.error().message, HasSubstr("\"a\" has no column \"amout\" (did you mean 'amount'?)"));
}

}  // namespace
}  // namespace tidemark
