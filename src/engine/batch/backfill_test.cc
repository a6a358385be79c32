// Which ranges a backfill computes.
#include "engine/batch/backfill.h"

#include <gtest/gtest.h>

#include <limits>

namespace tidemark {
namespace {

using Ranges = std::vector<TimeSpan>;

// The last step is as short as the end makes it.
TEST(PlanBackfill, CutsARangeIntoSteps) {
  const auto plan = PlanBackfill({.start_us = 0, .end_us = 25, .step_us = 10, .now_us = 100}, {}, "q");
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->ranges, (Ranges{{0, 10}, {10, 20}, {20, 25}}));
}

// The same request again computes what is missing, in the same steps.
TEST(PlanBackfill, GoesOnWhereItWas) {
  const DoneRanges done{{{0, 10}, "q"}, {{20, 30}, "old"}};
  const auto plan = PlanBackfill({.start_us = 0, .end_us = 35, .step_us = 10, .now_us = 100}, done, "q");
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->ranges, (Ranges{{10, 20}, {30, 35}}));
  EXPECT_EQ(plan->steps_done, 2);
  EXPECT_EQ(plan->steps_of_others, 1);
}

// Without start and end: from the last range to the last step that is over.
TEST(PlanBackfill, EndsWithTheLastWholeStep) {
  const DoneRanges done{{{5, 15}, "q"}};
  const auto plan = PlanBackfill({.start_us = {}, .end_us = {}, .step_us = 10, .now_us = 48}, done, "q");
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->ranges, (Ranges{{15, 25}, {25, 35}, {35, 45}}));
  const auto early = PlanBackfill({.start_us = {}, .end_us = {}, .step_us = 10, .now_us = 20}, done, "q");
  ASSERT_TRUE(early.has_value());
  EXPECT_TRUE(early->ranges.empty());
}

TEST(PlanBackfill, RefusesWhatHasNoEnd) {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  for (const BackfillRequest& request : {
           BackfillRequest{.start_us = {}, .end_us = 10, .step_us = 10, .now_us = 0},
           BackfillRequest{.start_us = 20, .end_us = 10, .step_us = 10, .now_us = 0},
           BackfillRequest{.start_us = 0, .end_us = 10, .step_us = 0, .now_us = 0},
           BackfillRequest{.start_us = kMin, .end_us = kMax, .step_us = 1, .now_us = 0},
       }) {
    const auto plan = PlanBackfill(request, {}, "q");
    ASSERT_FALSE(plan.has_value());
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tidemark
