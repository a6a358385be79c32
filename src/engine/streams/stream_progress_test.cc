// Goal: messages that are no rows are refused when they are too many, and stay so for whoever reads them next
// by the same definition.
#include "engine/streams/stream_progress.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

constexpr std::uint32_t kView = 7;

/// One that has just refused a message, with ten bad ones of a hundred before it.
RejectionGauge Refusing() {
  RejectionGauge gauge(0.1);
  gauge.Begin(kView, 1);
  EXPECT_TRUE(gauge.Admit(100, 10));
  EXPECT_FALSE(gauge.Admit(1, 1));
  return gauge;
}

TEST(RejectionGaugeTest, FewMessagesSayNothingOfARate) {
  RejectionGauge gauge(0.1);
  gauge.Begin(kView, 1);
  EXPECT_TRUE(gauge.Admit(99, 99));
  EXPECT_FALSE(gauge.Admit(1, 1));
}

TEST(RejectionGaugeTest, WhatWasRefusedIsRefusedOfTheNextSession) {
  RejectionGauge gauge = Refusing();
  for (int session = 0; session < 3; ++session) {
    gauge.Begin(kView, 1);
    EXPECT_FALSE(gauge.Admit(1, 1));
  }
  gauge.Begin(kView, 1);
  EXPECT_TRUE(gauge.Admit(50, 1)) << "most of them fit";
}

TEST(RejectionGaugeTest, FewOfThoseThatWereRefusedAreRefusedToo) {
  RejectionGauge gauge(0.1);
  gauge.Begin(kView, 1);
  EXPECT_FALSE(gauge.Admit(150, 150));
  gauge.Begin(kView, 1);
  EXPECT_FALSE(gauge.Admit(20, 20));
  EXPECT_TRUE(gauge.Admit(20, 0));
}

TEST(RejectionGaugeTest, NoMessagesSayNothing) {
  RejectionGauge gauge = Refusing();
  gauge.Begin(kView, 1);
  EXPECT_TRUE(gauge.Admit(0, 0));
  gauge.Begin(kView, 1);
  EXPECT_FALSE(gauge.Admit(1, 1));
}

TEST(RejectionGaugeTest, AnotherDefinitionBeginsAnew) {
  RejectionGauge gauge = Refusing();
  gauge.Begin(kView, 2);
  EXPECT_TRUE(gauge.Admit(99, 99));
  RejectionGauge other = Refusing();
  other.Begin(kView + 1, 1);
  EXPECT_TRUE(other.Admit(99, 99)) << "a view of the same name, made anew";
}

// Its messages were counted, and are read again as they could not be written.
TEST(RejectionGaugeTest, ASessionThatFailedOtherwiseIsNotCounted) {
  RejectionGauge gauge(0.1);
  for (int session = 0; session < 30; ++session) {
    gauge.Begin(kView, 1);
    EXPECT_TRUE(gauge.Admit(5, 1));
  }
}

}  // namespace
}  // namespace tidemark
