// Goal: the printed spec has the members and names that users of Feast know,
// and is stable text.
#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "model/definition_json.h"

namespace tidemark {
namespace {

constexpr std::string_view kSpec = R"json({
  "spec": {
    "name": "driver_trips",
    "entities": [
      {
        "name": "driver_id",
        "valueType": "INT64"
      },
      {
        "name": "city",
        "valueType": "STRING"
      },
      {
        "name": "zip"
      }
    ],
    "features": [
      {
        "name": "rating",
        "valueType": "DOUBLE"
      },
      {
        "name": "trips",
        "valueType": "INT32"
      },
      {
        "name": "names",
        "valueType": "STRING_LIST"
      },
      {
        "name": "day",
        "valueType": "date"
      },
      {
        "name": "price",
        "valueType": "decimal(10, 2)"
      },
      {
        "name": "at",
        "valueType": "list<list<int64>>"
      }
    ],
    "owner": "ops",
    "tags": {
      "team": "a"
    },
    "maxAge": "86400s",
    "batchSource": {
      "type": "BATCH_FILE",
      "name": "driver_trips",
      "eventTimestampColumn": "ts",
      "createdTimestampColumn": "created",
      "fieldMapping": {
        "Rating": "rating"
      },
      "fileOptions": {
        "fileFormat": {
          "parquetFormat": {}
        },
        "fileUrl": "data/trips.parquet"
      }
    }
  },
  "meta": {
    "createdTimestamp": "2020-03-15T07:47:52Z",
    "lastUpdatedTimestamp": "2020-03-15T07:47:52.500000Z",
    "version": 3
  }
})json";

TEST(ToSpecJson, PrintsTheSpecOfAView) {
  const FeatureView view = FeatureViewFromJson(R"json({
    "name": "driver_trips", "entities": ["driver", "place"], "ttl": "1d",
    "owner": "ops", "tags": {"team": "a"},
    "fields": {"rating": "float64", "trips": "int32", "names": "list<string>", "day": "date",
               "price": "decimal(10, 2)", "at": "list<list<int64>>"},
    "source": {"path": "data/trips.parquet", "format": "parquet", "timestamp_field": "ts",
               "created_timestamp_column": "created", "field_mapping": {"Rating": "rating"}}})json")
                               .value();
  const std::vector<Entity> entities{
      EntityFromJson(R"({"name": "driver", "join_keys": [{"name": "driver_id", "type": "int64"}]})").value(),
      EntityFromJson(R"({"name": "place", "join_keys": [{"name": "city", "type": "string"}, "zip"]})")
          .value()};
  const SpecMeta meta{.created_us = 1'584'258'472'000'000, .updated_us = 1'584'258'472'500'000, .version = 3};
  EXPECT_EQ(ToSpecJson(view, entities, meta), kSpec);
}

TEST(ToSpecJson, PrintsAgesAsSeconds) {
  const std::pair<std::int64_t, std::string_view> ages[] = {
      {0, "\"0s\""}, {500'000, "\"0.5s\""}, {90'000'001, "\"90.000001s\""}, {604'800'000'000, "\"604800s\""}};
  for (const auto& [ttl_us, text] : ages) {
    FeatureView view;
    view.ttl_us = ttl_us;
    EXPECT_NE(ToSpecJson(view, {}, {}).find("\"maxAge\": " + std::string(text)), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace tidemark
