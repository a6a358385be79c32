// What is said of ranges that were computed: their text, and what is still to be done.
#include "engine/tables/range_marks.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(RangeMarks, TextReadsBack) {
  const DoneRanges ranges{{{-5, 10}, "a"}, {{10, 20}, "b"}};
  const auto read = DoneRangesOf({{kDoneRangesProperty, DoneRangesText(ranges)}});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, ranges);
  EXPECT_TRUE(DoneRangesOf({})->empty());
}

TEST(RangeMarks, DamageIsToldAndNotPassedOver) {
  for (const char* text : {"1 2\n", "1\n", "2 1 a\n", "x 2 a\n", "1 3 a\n2 4 a\n", "\n"}) {
    const auto read = DoneRangesOf({{kDoneRangesProperty, text}});
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  }
}

// Neighbours of one query become one range, so that the list does not grow with the runs.
TEST(RangeMarks, NeighboursJoin) {
  DoneRanges ranges = WithRange({}, {{10, 20}, "a"});
  ranges = WithRange(ranges, {{30, 40}, "a"});
  EXPECT_EQ(ranges.size(), 2U);
  ranges = WithRange(ranges, {{20, 30}, "a"});
  EXPECT_EQ(ranges, (DoneRanges{{{10, 40}, "a"}}));
  ranges = WithRange(ranges, {{40, 50}, "b"});
  EXPECT_EQ(ranges, (DoneRanges{{{10, 40}, "a"}, {{40, 50}, "b"}}));
  ranges = WithRange(ranges, {{20, 45}, "c"});
  EXPECT_EQ(ranges, (DoneRanges{{{10, 20}, "a"}, {{20, 45}, "c"}, {{45, 50}, "b"}}));
}

TEST(RangeMarks, WhatIsMissingIsFound) {
  const DoneRanges ranges{{{10, 20}, "a"}, {{30, 40}, "b"}};
  EXPECT_EQ(MissingRanges(ranges, {0, 50}), (std::vector<TimeSpan>{{0, 10}, {20, 30}, {40, 50}}));
  EXPECT_EQ(MissingRanges(ranges, {15, 35}), (std::vector<TimeSpan>{{20, 30}}));
  EXPECT_EQ(MissingRanges(ranges, {22, 25}), (std::vector<TimeSpan>{{22, 25}}));
  EXPECT_TRUE(IsDone(ranges, {12, 20}));
  EXPECT_FALSE(IsDone(ranges, {12, 21}));
  EXPECT_EQ(WithoutRange(ranges, {15, 35}), (DoneRanges{{{10, 15}, "a"}, {{35, 40}, "b"}}));
}

}  // namespace
}  // namespace tidemark
