// Goal: a table behind an ADBC driver keeps the contract of Source. The driver is DuckDB's, which needs no
// server; what is PostgreSQL's own is tested on a real one (tests/python/test_warehouses.py).
#include "adapters/adbc/adbc_source.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/table.h>
#include <gmock/gmock.h>

#include "adapters/adbc/connection.h"
#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kEntrypoint = "duckdb_adbc_init";

std::shared_ptr<arrow::Table> MakeRows(std::int64_t count) {
  arrow::Int64Builder keys;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO), arrow::default_memory_pool());
  arrow::DoubleBuilder prices;
  arrow::StringBuilder names;
  arrow::Date32Builder days;
  for (std::int64_t row = 0; row < count; ++row) {
    EXPECT_TRUE(keys.Append(row % 97).ok());
    EXPECT_TRUE(times.Append(1'700'000'000'000'000 + row * 1'000).ok());
    EXPECT_TRUE((row % 5 == 0 ? prices.AppendNull() : prices.Append(static_cast<double>(row) / 4)).ok());
    EXPECT_TRUE((row % 7 == 0 ? names.AppendNull() : names.Append("n" + std::to_string(row))).ok());
    EXPECT_TRUE(days.Append(static_cast<std::int32_t>(row % 365)).ok());
  }
  const auto schema = arrow::schema(
      {arrow::field("key", arrow::int64()), arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO)),
       arrow::field("price", arrow::float64()), arrow::field("name", arrow::utf8()),
       arrow::field("day", arrow::date32())});
  return arrow::Table::Make(
      schema, {keys.Finish().ValueOrDie(), times.Finish().ValueOrDie(), prices.Finish().ValueOrDie(),
               names.Finish().ValueOrDie(), days.Finish().ValueOrDie()});
}

/// Rows in a table of a DuckDB file, and the definition of a source over it.
BatchSource Put(const std::filesystem::path& folder, const std::shared_ptr<arrow::Table>& rows) {
  BatchSource definition;
  definition.timestamp_field = "at";
  Warehouse& warehouse = definition.warehouse.emplace();
  warehouse.driver = TIDEMARK_DUCKDB_LIBRARY;
  warehouse.entrypoint = kEntrypoint;
  warehouse.options = {{"path", (folder / "shop.db").string()}};
  warehouse.table = "trips";
  const auto database = AdbcDatabase::Open(
      {.driver = warehouse.driver, .entrypoint = warehouse.entrypoint, .options = warehouse.options});
  EXPECT_TRUE(database) << database.error().ToString();
  const auto connection = (*database)->Connect();
  EXPECT_TRUE(connection) << connection.error().ToString();
  const auto written =
      (*connection)->Ingest({.table = "trips"}, std::make_shared<arrow::TableBatchReader>(rows));
  EXPECT_TRUE(written) << written.error().ToString();
  return definition;
}

SourceSample OverTable(const std::filesystem::path& folder) {
  const auto rows = MakeRows(200'000);
  auto source = OpenAdbcSource(Put(folder, rows), {});
  EXPECT_TRUE(source) << source.error().ToString();
  return {source ? *std::move(source) : nullptr, rows};
}

SourceSample OverQuery(const std::filesystem::path& folder) {
  const auto rows = MakeRows(3'000);
  BatchSource definition = Put(folder, rows);
  definition.warehouse->table.clear();
  definition.warehouse->query = R"(SELECT * FROM trips ORDER BY "at";)";
  auto source = OpenAdbcSource(definition, {});
  EXPECT_TRUE(source) << source.error().ToString();
  return {source ? *std::move(source) : nullptr, rows};
}

INSTANTIATE_TEST_SUITE_P(Adbc, SourceConformance,
                         testing::Values(SourceUnderTest{"table", OverTable},
                                         SourceUnderTest{"query", OverQuery}),
                         SourceName);

// Goal: only what is needed is read; other columns are not there to be asked for.
TEST(AdbcSourceTest, ReadsWhatIsNeeded) {
  const TestFolder folder;
  const auto rows = MakeRows(1'000);
  BatchSource definition = Put(folder.path(), rows);
  definition.field_mapping = {{"price", "cost"}};
  AdbcSourceOptions options;
  options.needs.columns = {"key", "at", "cost"};
  options.needs.times = {
      {.event_first_us = 1'700'000'000'000'000 + 100'000, .event_last_us = 1'700'000'000'000'000 + 199'000}};
  const auto source = OpenAdbcSource(definition, options);
  ASSERT_TRUE(source) << source.error().ToString();
  EXPECT_EQ((*source)->schema()->field_names(),
            (std::vector<std::string>{"key", "at", "cost", "name", "day"}));
  const auto got = ScanAll(**source, {"cost", "key"});
  EXPECT_EQ(got->num_rows(), 100);
  EXPECT_TRUE(got->GetColumnByName("key")->Equals(*rows->GetColumnByName("key")->Slice(100, 100)));
}

TEST(AdbcSourceTest, ATableWithoutRows) {
  const TestFolder folder;
  const auto source = OpenAdbcSource(Put(folder.path(), MakeRows(0)), {});
  ASSERT_TRUE(source) << source.error().ToString();
  const auto fragments = (*source)->Fragments({"key"});
  ASSERT_TRUE(fragments) << fragments.error().ToString();
  EXPECT_EQ(ScanAll(**source, {"key", "name"})->num_rows(), 0);
  const auto none = (*source)->Take(fragments->front(), {"name"}, {});
  ASSERT_TRUE(none) << none.error().ToString();
  EXPECT_EQ((*none)->num_rows(), 0);
}

TEST(AdbcSourceTest, TwoColumnsOfOneName) {
  const TestFolder folder;
  BatchSource definition = Put(folder.path(), MakeRows(1));
  definition.field_mapping = {{"price", "name"}};
  const auto source = OpenAdbcSource(definition, {});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(source.error().ToString(), HasSubstr("'price'"));
}

TEST(AdbcSourceTest, ATableThatIsNotThere) {
  const TestFolder folder;
  BatchSource definition = Put(folder.path(), MakeRows(1));
  definition.warehouse->table = "trip";
  const auto source = OpenAdbcSource(definition, {});
  ASSERT_FALSE(source);
  EXPECT_THAT(source.error().ToString(), HasSubstr("trip"));
}

}  // namespace
}  // namespace tidemark::testing_support
