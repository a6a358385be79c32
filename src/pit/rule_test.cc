// Goal: a row's status is right at every boundary, also where times are so far apart that their difference
// overflows; and the order compares what it should, in the order in which it should.
#include "pit/rule.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();

RowState At(std::int64_t event_us) {
  return {.event = {event_us}, .is_deleted = false, .expires_at_us = kNeverExpires};
}

TEST(StatusAt, ARowOfExactlyTheAgeTtlIsFresh) {
  EXPECT_EQ(StatusAt(At(100), 110, 10), Status::kPresent);
  EXPECT_EQ(StatusAt(At(100), 111, 10), Status::kOutsideMaxAge);
  EXPECT_EQ(StatusAt(At(100), 100, 1), Status::kPresent);
}

TEST(StatusAt, NoTtlIsNoLimit) {
  EXPECT_EQ(StatusAt(At(kLowest), kGreatest, 0), Status::kPresent);
}

TEST(StatusAt, DoesNotOverflow) {
  EXPECT_EQ(StatusAt(At(kLowest), kGreatest, kGreatest), Status::kOutsideMaxAge);
  EXPECT_EQ(StatusAt(At(kLowest), kLowest, kGreatest), Status::kPresent);
  EXPECT_EQ(StatusAt(At(kLowest), kLowest + 5, kGreatest), Status::kPresent);
  EXPECT_EQ(StatusAt(At(kLowest), kLowest + 5, 4), Status::kOutsideMaxAge);
  EXPECT_EQ(StatusAt(At(kGreatest), kGreatest, 1), Status::kPresent);
}

TEST(StatusAt, ExpiryCountsFromItsMomentOn) {
  const RowState row{.event = {0}, .is_deleted = false, .expires_at_us = 50};
  EXPECT_EQ(StatusAt(row, 49, 0), Status::kPresent);
  EXPECT_EQ(StatusAt(row, 50, 0), Status::kOutsideMaxAge);
  EXPECT_EQ(StatusAt(At(0), kGreatest, 0), Status::kPresent) << "never is never";
}

TEST(StatusAt, DeletedComesFirst) {
  EXPECT_EQ(StatusAt({.event = {0}, .is_deleted = true, .expires_at_us = 0}, 10, 1), Status::kNotFound);
}

TEST(RowOrder, EventThenCreatedThenSequenceThenOrigin) {
  const RowOrder row{{5}, {5}, 5, 5};
  EXPECT_LT(row, (RowOrder{{6}, {0}, 0, 0}));
  EXPECT_LT(row, (RowOrder{{5}, {6}, 0, 0}));
  EXPECT_LT(row, (RowOrder{{5}, {5}, 6, 0}));
  EXPECT_LT(row, (RowOrder{{5}, {5}, 5, 6}));
  EXPECT_EQ(row, (RowOrder{{5}, {5}, 5, 5}));
}

TEST(StatusName, AsUsersSeeThem) {
  EXPECT_EQ(StatusName(Status::kPresent), "PRESENT");
  EXPECT_EQ(StatusName(Status::kNullValue), "NULL_VALUE");
  EXPECT_EQ(StatusName(Status::kNotFound), "NOT_FOUND");
  EXPECT_EQ(StatusName(Status::kOutsideMaxAge), "OUTSIDE_MAX_AGE");
}

}  // namespace
}  // namespace tidemark
