// Goal: every form of a warehouse source is read into one meaning, printed without its secrets, and refused
// when it cannot be meant.
#include "model/warehouse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "model/definition_json.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

FeatureView View(std::string_view source) {
  const auto view = FeatureViewFromJson(R"({"name": "v", "source": )" + std::string(source) + "}");
  EXPECT_TRUE(view) << source << (view ? "" : view.error().ToString());
  return view.value_or(FeatureView{});
}

Warehouse WarehouseOf(std::string_view source) {
  return View(source).source.value_or(BatchSource{}).warehouse.value_or(Warehouse{});
}

constexpr std::string_view kPostgreSql =
    R"({"type":"adbc","name":"trips","driver":"postgresql","uri":"postgresql://r:tide-7@db/shop",)"
    R"("options":{"auth_token":"t0k3n","region":"eu"},"schema":"sales","table":"trips","timeout":"30s",)"
    R"("timestamp_field":"at","created_timestamp_column":"made"})";

TEST(WarehouseTest, ReadsAndWritesAllMembers) {
  const std::string json = R"({"name":"v","source":)" + std::string(kPostgreSql) + "}";
  EXPECT_EQ(ToJson(FeatureViewFromJson(json).value()), json);
  const Warehouse warehouse = WarehouseOf(kPostgreSql);
  EXPECT_EQ(warehouse.timeout_us, 30'000'000);
  EXPECT_EQ(warehouse.place(), "sales.trips");
  EXPECT_EQ(warehouse.driver_name(), "postgresql");
}

// Goal: thin forms are the general one under words that users of the product know.
TEST(WarehouseTest, ThinForms) {
  const Warehouse big = WarehouseOf(R"({"type": "bigquery", "table_ref": "shop:sales.trips"})");
  EXPECT_EQ(big.kind, WarehouseKind::kBigQuery);
  EXPECT_EQ(big.driver_name(), "bigquery");
  EXPECT_EQ(big.place(), "shop:sales.trips");
  const Warehouse snow = WarehouseOf(
      R"({"type": "snowflake", "database": "SHOP", "schema": "SALES", "table": "TRIPS", "warehouse": "WH",
          "role": "READER"})");
  EXPECT_EQ(snow.place(), "SHOP.SALES.TRIPS");
  EXPECT_EQ(snow.driver_name(), "snowflake");
  EXPECT_EQ(snow.options, (std::map<std::string, std::string>{{"adbc.snowflake.sql.role", "READER"},
                                                              {"adbc.snowflake.sql.warehouse", "WH"}}));
  EXPECT_EQ(WarehouseOf(R"({"type": "redshift", "query": "select 1"})").driver_name(), "postgresql");
  EXPECT_EQ(WarehouseOf(R"({"type": "postgresql", "table": "t"})").driver_name(), "postgresql");
  const auto yaml = DefinitionsFromYaml(
      "feature_views: [{name: v, source: {type: postgresql, table: t, timeout: 5, options: {a: 1}}}]");
  ASSERT_TRUE(yaml) << yaml.error().ToString();
  EXPECT_EQ(yaml->views.at(0).source->warehouse->options.at("a"), "1");
}

TEST(WarehouseTest, RefusesWhatCannotBeMeant) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {R"({"type": "adbc", "table": "t"})", "names no driver"},
      {R"({"type": "postgresql"})", "neither a table nor a query"},
      {R"({"type": "postgresql", "table": "t", "query": "select 1"})", "give one of the two"},
      {R"({"type": "postgresql", "query": "select 1", "schema": "s"})", "leave out schema"},
      {R"({"type": "postgresql", "table": "t", "catalog": "c"})", "no schema"},
      {R"({"type": "postgresql", "table": "t\u0000"})", "null character"},
      {R"({"type": "postgresql", "table": "t", "uri": "postgresql://r:${A-B}@db"})", "${NAME}"},
      {R"({"type": "postgresql", "table": "t", "uri": "postgresql://r:${A@db"})", "${NAME}"},
      {R"({"type": "postgresql", "table": "t", "uri": "postgresql://r:***@db"})", "in the place of a secret"},
      {R"({"type": "postgresql", "table": "t", "options": {"password": "***"}})", "in the place of a secret"},
  };
  for (const auto& [source, message] : wrong) {
    Definitions definitions;
    definitions.views.push_back(View(source));
    const auto checked = CheckDefinitions(definitions, {});
    ASSERT_FALSE(checked) << source;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(checked.error().ToString(), HasSubstr(message)) << source;
  }
  EXPECT_FALSE(FeatureViewFromJson(R"({"name": "v", "source": {"type": "postgresql", "table_ref": "t"}})"));
  EXPECT_FALSE(FeatureViewFromJson(R"({"name": "v", "source": {"type": "adbc", "path": "t"}})"));
  const auto unknown = FeatureViewFromJson(R"({"name": "v", "source": {"type": "snowflak"}})");
  EXPECT_THAT(unknown.error().ToString(), HasSubstr("did you mean 'snowflake'?"));
}

// Goal: what is shown has no secret in it, and means the same when it is applied again.
TEST(WarehouseTest, ShowsNoSecretAndTakesWhatItShowed) {
  const Warehouse known = WarehouseOf(kPostgreSql);
  Warehouse shown = WithoutSecrets(known);
  EXPECT_EQ(shown.uri, "postgresql://r:***@db/shop");
  EXPECT_EQ(shown.options.at("auth_token"), "***");
  EXPECT_EQ(shown.options.at("region"), "eu");
  EXPECT_FALSE(CheckWarehouse(shown));
  EXPECT_THAT(known.identity(), Not(HasSubstr("tide-7")));
  RestoreSecrets(known, shown);
  EXPECT_EQ(shown, known);
  Warehouse elsewhere = WithoutSecrets(known);
  elsewhere.uri = "postgresql://r:***@other/shop";
  RestoreSecrets(known, elsewhere);
  EXPECT_FALSE(CheckWarehouse(elsewhere)) << "a password is not taken to another server";
}

TEST(WarehouseTest, SpecsNameTheKindOfSource) {
  const auto spec = [](std::string_view source) { return ToSpecJson(View(source), {}, {}); };
  EXPECT_THAT(spec(R"({"type": "bigquery", "table_ref": "shop:sales.trips", "timestamp_field": "at"})"),
              HasSubstr(R"("batchSource": {
      "type": "BATCH_BIGQUERY",
      "name": "v",
      "eventTimestampColumn": "at",
      "bigqueryOptions": {
        "tableRef": "shop:sales.trips"
      }
    })"));
  EXPECT_THAT(spec(kPostgreSql), HasSubstr(R"("type": "BATCH_ADBC")"));
  EXPECT_THAT(spec(kPostgreSql), Not(HasSubstr("tide-7")));
  EXPECT_THAT(spec(R"({"type": "snowflake", "database": "D", "schema": "S", "table": "T"})"),
              HasSubstr(R"("snowflakeOptions": {
        "database": "D",)"));
}

}  // namespace
}  // namespace tidemark
