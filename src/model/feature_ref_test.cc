// Goal: a reference is a view with or without one feature, and output names follow the one rule.
#include "model/feature_ref.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(ParseFeatureRef, ReadsAViewWithOrWithoutAFeature) {
  EXPECT_EQ(ParseFeatureRef("driver_stats:rating").value(), (FeatureRef{"driver_stats", "rating"}));
  EXPECT_EQ(ParseFeatureRef("driver_stats").value(), (FeatureRef{"driver_stats", ""}));
}

TEST(ParseFeatureRef, RefusesEmptyPartsAndASecondColon) {
  for (const std::string_view text : {"", ":", ":rating", "driver_stats:", "a:b:c", "a::b"}) {
    const Result<FeatureRef> ref = ParseFeatureRef(text);
    ASSERT_FALSE(ref) << text;
    EXPECT_EQ(ref.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(ref.error().message, testing::HasSubstr("write view:feature"));
  }
}

TEST(OutputName, HasTheViewOnlyInFullNames) {
  EXPECT_EQ(OutputName("driver_stats", "rating", false), "rating");
  EXPECT_EQ(OutputName("driver_stats", "rating", true), "driver_stats__rating");
}

}  // namespace
}  // namespace tidemark
