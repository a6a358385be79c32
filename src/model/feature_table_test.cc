// Goal: what users write of a table is read as they mean it, and what means nothing is refused.
#include "model/feature_table.h"

#include <gtest/gtest.h>

#include "model/definition.h"
#include "model/definition_json.h"

namespace tidemark {
namespace {

TEST(FeatureTable, PartitionsAreColumnsBucketsAndDays) {
  EXPECT_EQ(ParsePartition("customer").value(),
            (Partition{.kind = Partition::Kind::kIdentity, .column = "customer"}));
  EXPECT_EQ(ParsePartition("bucket( 16 , customer )").value(),
            (Partition{.kind = Partition::Kind::kBucket, .column = "customer", .buckets = 16}));
  EXPECT_EQ(ParsePartition("day").value(), (Partition{.kind = Partition::Kind::kDay, .column = ""}));
}

TEST(FeatureTable, WhatIsNoPartitionIsRefused) {
  for (const char* text : {"", "bucket(0, a)", "bucket(10001, a)", "bucket(x, a)", "bucket(4)", "bucket(4, a",
                           "bucket(4, a b)", "year(a)", "a b"}) {
    const auto read = ParsePartition(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(FeatureTable, EventTimesAreOrderedByATimestampColumn) {
  FeatureView view;
  EXPECT_TRUE(view.is_table());
  EXPECT_EQ(view.event_column(), "event_timestamp");
  EXPECT_EQ(view.created_column(), "api_invocation_time");
  view.table.timestamp_field = "seen";
  view.table.timestamp_type = {.kind = TypeKind::kFloat64};
  view.table.created_timestamp_column = "made";
  EXPECT_EQ(view.event_column(), "__event_timestamp");
  EXPECT_EQ(view.created_column(), "made");
}

TEST(FeatureTable, OptionsAndPushSourcesReadBackFromJson) {
  FeatureView view;
  view.name = "clicks";
  view.table.timestamp_field = "seen";
  view.table.timestamp_type = {.kind = TypeKind::kInt64};
  view.table.timestamp_unit = TimeUnit::kMilliseconds;
  view.table.created_timestamp_column = "made";
  view.table.partitions = {"bucket(4, user)", "day"};
  view.table.catalog = false;
  view.push = PushSource{.name = "clicks_push", .metadata = {}};
  const auto read = FeatureViewFromJson(ToJson(view));
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(*read, view);
}

TEST(FeatureTable, AnUnknownUnitOrSourceIsRefused) {
  const auto unit = FeatureViewFromJson(R"({"name": "v", "table": {"timestamp_unit": "min"}})");
  ASSERT_FALSE(unit);
  EXPECT_NE(unit.error().ToString().find("there are s, ms, us and ns"), std::string::npos);
  const auto source =
      FeatureViewFromJson(R"({"name": "v", "stream_source": {"type": "rabbit", "name": "k"}})");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tidemark
