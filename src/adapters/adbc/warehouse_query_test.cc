// Goal: the SQL that reads a source asks for what is needed and no more, in each warehouse's own notation;
// names and texts never end up as SQL.
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "adapters/adbc/warehouse_query_internal.h"
#include "adapters/adbc/warehouse_session_internal.h"
#include "model/time.h"

namespace tidemark {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();

std::int64_t Us(std::string_view text) {
  return ParseTimestampUs(text).value();
}

BatchSource SourceOf(WarehouseKind kind, const std::string& table) {
  BatchSource source;
  source.warehouse.emplace();
  source.warehouse->kind = kind;
  source.warehouse->table = table;
  source.timestamp_field = "at";
  source.created_timestamp_column = "made";
  return source;
}

std::vector<WarehouseColumn> Columns(SqlDialect dialect, arrow::TimeUnit::type unit,
                                     const std::string& zone) {
  const auto time = zone.empty() ? arrow::timestamp(unit) : arrow::timestamp(unit, zone);
  const arrow::Schema arriving({arrow::field("id", arrow::int64()), arrow::field("at", time),
                                arrow::field("made", time), arrow::field("na\"me`", arrow::utf8())});
  ColumnPlan plan;
  plan.dialect = dialect;
  return PlanColumns(arriving, plan).value();
}

std::string QueryOf(WarehouseKind kind, const std::string& table, const SourceNeeds& needs,
                    arrow::TimeUnit::type unit = arrow::TimeUnit::MICRO, const std::string& zone = "UTC") {
  const BatchSource source = SourceOf(kind, table);
  const SqlDialect dialect = DialectOf(*source.warehouse);
  return RowsQuery(dialect, source, Columns(dialect, unit, zone), {0, 1}, needs);
}

TEST(WarehouseQueryTest, ColumnsAndTimesOfPostgreSql) {
  SourceNeeds needs;
  EXPECT_EQ(QueryOf(WarehouseKind::kPostgreSql, "trips", needs), R"(SELECT "id", "at" FROM "trips")");
  needs.times.push_back(
      {.event_first_us = Us("2026-01-01T00:00:00Z"), .event_last_us = Us("2026-01-02T03:04:05.678901Z")});
  EXPECT_EQ(QueryOf(WarehouseKind::kPostgreSql, "trips", needs),
            R"(SELECT "id", "at" FROM "trips" WHERE (("at" >= TIMESTAMP WITH TIME ZONE )"
            R"('2026-01-01 00:00:00+00:00' AND "at" <= TIMESTAMP WITH TIME ZONE )"
            R"('2026-01-02 03:04:05.678901+00:00') OR "at" IS NULL))");
  EXPECT_EQ(QueryOf(WarehouseKind::kPostgreSql, "trips", needs, arrow::TimeUnit::MICRO, ""),
            R"(SELECT "id", "at" FROM "trips" WHERE (("at" >= TIMESTAMP '2026-01-01 00:00:00' AND "at" <= )"
            R"(TIMESTAMP '2026-01-02 03:04:05.678901') OR "at" IS NULL))");
}

// Goal: digits behind the microseconds are cut when they are read, so a bound takes them in.
TEST(WarehouseQueryTest, FinerTimes) {
  const SourceNeeds needs{.times = {{.event_last_us = Us("2026-01-01T00:00:00Z")}}};
  EXPECT_EQ(QueryOf(WarehouseKind::kSnowflake, "T", needs, arrow::TimeUnit::NANO, ""),
            R"(SELECT "id", "at" FROM "T" WHERE (("at" < '2026-01-01 00:00:00.000001'::TIMESTAMP_NTZ) OR )"
            R"("at" IS NULL))");
}

TEST(WarehouseQueryTest, TimesBeyondTheCalendarOfDatabases) {
  SourceNeeds needs{.times = {{.event_first_us = kLowest + 1, .event_last_us = kGreatest - 1}}};
  EXPECT_EQ(QueryOf(WarehouseKind::kPostgreSql, "t", needs), R"(SELECT "id", "at" FROM "t")");
  needs.times = {{.event_first_us = kGreatest - 1, .event_last_us = kGreatest}};
  EXPECT_NE(QueryOf(WarehouseKind::kPostgreSql, "t", needs).find("9999-12-31 23:59:59.999999"),
            std::string::npos);
  needs.times = {{.event_first_us = kLowest, .event_last_us = kLowest}};
  EXPECT_NE(QueryOf(WarehouseKind::kPostgreSql, "t", needs).find("\"at\" <= TIMESTAMP WITH TIME ZONE '0001-"),
            std::string::npos);
}

// Goal: any of several boxes; one without bounds makes all rows matter.
TEST(WarehouseQueryTest, SeveralRanges) {
  const std::int64_t day = Us("2026-01-01T00:00:00Z");
  SourceNeeds needs{.times = {{.event_last_us = day}, {.created_first_us = day}}};
  EXPECT_EQ(
      QueryOf(WarehouseKind::kBigQuery, "p:d.t", needs),
      "SELECT `id`, `at` FROM `p.d.t` WHERE ((`at` <= TIMESTAMP '2026-01-01 00:00:00+00:00') OR (`made` "
      ">= TIMESTAMP '2026-01-01 00:00:00+00:00') OR `at` IS NULL OR `made` IS NULL)");
  needs.times.emplace_back();
  EXPECT_EQ(QueryOf(WarehouseKind::kBigQuery, "p:d.t", needs), "SELECT `id`, `at` FROM `p.d.t`");
}

TEST(WarehouseQueryTest, KeysOfOneEntity) {
  arrow::Int64Builder number;
  ASSERT_TRUE(number.Append(-7).ok());
  arrow::BinaryBuilder text;
  ASSERT_TRUE(text.Append("a'b\\").ok());
  const SourceNeeds needs{
      .key = {{"id", number.Finish().ValueOrDie()}, {"na\"me`", text.Finish().ValueOrDie()}}};
  EXPECT_EQ(QueryOf(WarehouseKind::kPostgreSql, "t", needs),
            R"(SELECT "id", "at" FROM "t" WHERE "id" = -7 AND CAST("na""me`" AS text) = E'a\'b\\')");
  EXPECT_EQ(QueryOf(WarehouseKind::kSnowflake, "t", needs),
            R"(SELECT "id", "at" FROM "t" WHERE "id" = -7 AND CAST("na""me`" AS VARCHAR) = 'a\'b\\')");
  EXPECT_EQ(QueryOf(WarehouseKind::kBigQuery, "t", needs),
            R"(SELECT `id`, `at` FROM `t` WHERE `id` = -7 AND CAST(`na"me\`` AS STRING) = 'a\'b\\')");
}

TEST(WarehouseQueryTest, PlacesOfTables) {
  Warehouse warehouse;
  warehouse.catalog = "c\"1";
  warehouse.schema = "s";
  warehouse.table = "t`x";
  EXPECT_EQ(FromClause(SqlDialect::kSnowflake, warehouse), R"("c""1"."s"."t`x")");
  EXPECT_EQ(FromClause(SqlDialect::kBigQuery, warehouse), "`c\"1`.`s`.`t\\`x`");
  Warehouse query;
  query.query = "SELECT 1 -- one;\n ; ";
  EXPECT_EQ(SchemaQuery(SqlDialect::kStandard, query), "SELECT * FROM (\nSELECT 1 -- one\n) AS \"source\"");
}

TEST(WarehouseQueryTest, DialectsGoByTheDriver) {
  const auto dialect_of = [](std::string_view driver) {
    Warehouse warehouse;
    warehouse.driver = driver;
    return DialectOf(warehouse);
  };
  EXPECT_EQ(dialect_of("adbc_driver_postgresql"), SqlDialect::kPostgreSql);
  EXPECT_EQ(dialect_of("/opt/snowflake/libadbc_driver_bigquery.so"), SqlDialect::kBigQuery);
  EXPECT_EQ(dialect_of("snowflake"), SqlDialect::kSnowflake);
  EXPECT_EQ(dialect_of("sqlite"), SqlDialect::kStandard);
  EXPECT_EQ(DialectOf(*SourceOf(WarehouseKind::kRedshift, "t").warehouse), SqlDialect::kPostgreSql);
}

// Goal: values of variables are written into URIs so that they are one password, and elsewhere as they are.
TEST(WarehouseQueryTest, VariablesAreResolved) {
  ASSERT_EQ(setenv("TIDEMARK_TEST_SECRET", "a@b/c d", 1), 0);
  EXPECT_EQ(ResolveVariables("postgresql://r:${TIDEMARK_TEST_SECRET}@db").value(),
            "postgresql://r:a%40b%2Fc%20d@db");
  EXPECT_EQ(ResolveVariables("${TIDEMARK_TEST_SECRET}").value(), "a@b/c d");
  EXPECT_EQ(ResolveVariables("plain").value(), "plain");
  ASSERT_EQ(unsetenv("TIDEMARK_TEST_SECRET"), 0);
  EXPECT_EQ(ResolveVariables("${TIDEMARK_TEST_SECRET}").error().code, ErrorCode::kInvalidArgument);
}

// Goal: a server that does not answer does not hold a request up for ever.
TEST(WarehouseQueryTest, ConnectionsHaveATimeLimit) {
  Warehouse warehouse = *SourceOf(WarehouseKind::kPostgreSql, "t").warehouse;
  const auto uri_of = [&](const std::string& uri, std::int64_t timeout_us) {
    warehouse.uri = uri;
    warehouse.timeout_us = timeout_us;
    return DatabaseOptionsOf(warehouse, {}).value().options.at("uri");
  };
  EXPECT_EQ(uri_of("postgresql://db/shop", 0), "postgresql://db/shop?connect_timeout=30");
  EXPECT_EQ(uri_of("postgresql://db/shop?sslmode=disable", 5'500'000),
            "postgresql://db/shop?sslmode=disable&connect_timeout=5");
  EXPECT_EQ(uri_of("host=db", 100), "host=db connect_timeout=1");
  EXPECT_EQ(uri_of("host=db connect_timeout=3", 0), "host=db connect_timeout=3");
  EXPECT_EQ(uri_of("", 0), "postgresql://?connect_timeout=30");
  warehouse.uri = "postgresql://r:a@b@db";
  EXPECT_EQ(DatabaseOptionsOf(warehouse, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST(WarehouseQueryTest, SnowflakeHasDatabaseAndSchemaAsOptions) {
  Warehouse warehouse = *SourceOf(WarehouseKind::kSnowflake, "T").warehouse;
  warehouse.catalog = "SHOP";
  warehouse.schema = "SALES";
  warehouse.options["adbc.snowflake.sql.schema"] = "OTHER";
  const auto options = DatabaseOptionsOf(warehouse, {}).value();
  EXPECT_EQ(options.driver, "snowflake");
  EXPECT_EQ(options.options, (std::map<std::string, std::string>{{"adbc.snowflake.sql.db", "SHOP"},
                                                                 {"adbc.snowflake.sql.schema", "OTHER"}}));
}

}  // namespace
}  // namespace tidemark
