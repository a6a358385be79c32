// Goal: frames of streams are in the log and online once each, whoever merges them and whenever: before they
// are logged or after, by a recovery, or by an owner that has lost its partition and does not know it yet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "wiring/streams_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;

// An owner that has lost a partition and does not know it yet goes on writing.
TEST_F(StreamsTest, WhatAFormerOwnerWritesLaterCountsNoMore) {
  Add(0, 1, 1);
  MustRead();
  const auto tables = tables_->Open().value();
  const std::string& place = place_;
  const StreamMarks before = tables->TakeStream(view(), std::vector{place}).value();
  const auto write = [&](const StreamMarks& marks, std::int64_t n) {
    const StreamPart part = PartTo(marks, n);
    const auto frame = tables->PrepareStream(view(), {OneRow(n)}, {&part, 1}).value();
    ASSERT_TRUE(tables->CheckStream(*frame));
    ASSERT_TRUE(tables->LogStream({&frame, 1}));
    ASSERT_TRUE(tables->MergeStream({&frame, 1}));
  };
  write(before, 1);
  StreamMarks after;
  when_checked_ = [&] { after = tables->TakeStream(view(), std::vector{place}).value(); };
  write(before, 2);  // by who loses it meanwhile
  ASSERT_EQ(after.at(place).epoch, before.at(place).epoch + 1);
  EXPECT_EQ(after.at(place).read, StreamOffset(1));
  EXPECT_EQ(Column("n"), "1, 1");
  EXPECT_EQ(tables->StreamProgress(view())->at(place).read, StreamOffset(1));
  write(after, 3);
  EXPECT_EQ(Column("n"), "1, 1, 3");
  ASSERT_TRUE(tables->Flush(view()));
  ASSERT_TRUE(tables->TrimLogs());
  EXPECT_EQ(Column("n"), "1, 1, 3");
  EXPECT_EQ(tables->StreamProgress(view())->at(place).read, StreamOffset(3));
  EXPECT_EQ(tables->StreamProgress(view())->at(place).epoch, after.at(place).epoch);
}

class StreamFramesTest : public StreamsTest {
 protected:
  StreamFramesTest() {
    tables_of_view_ = tables_->Open().value();
    marks_ = tables_of_view_->TakeStream(view(), std::vector{place_}).value();
  }

  std::shared_ptr<StreamFrame> Prepared(const StreamMarks& marks, std::int64_t n) {
    const StreamPart part = PartTo(marks, n);
    return tables_of_view_->PrepareStream(view(), {OneRow(n)}, {&part, 1}).value();
  }
  /// In the log, and not online yet.
  std::shared_ptr<StreamFrame> Logged(std::int64_t n) {
    auto frame = Prepared(marks_, n);
    EXPECT_TRUE(tables_of_view_->CheckStream(*frame));
    EXPECT_TRUE(tables_of_view_->LogStream({&frame, 1}));
    return frame;
  }
  int FramesInLogs() const {
    int frames = 0;
    const auto logs = tables_of_view_->log().Snapshots().value();
    for (const auto& log : logs) {
      EXPECT_TRUE(log->Read(0, std::nullopt, [&](const LogFrame&) -> Result<void> {
        ++frames;
        return {};
      }));
    }
    return frames;
  }

  std::shared_ptr<FeatureTables> tables_of_view_;
  StreamMarks marks_;
};

TEST_F(StreamFramesTest, ALoggedFrameStaysInTheLogUntilItIsOnline) {
  const auto first = Logged(1);
  const auto second = Logged(2);
  EXPECT_EQ(Column("n"), "1, 2");
  EXPECT_EQ(Online(1), "null");
  const std::vector both{second, first};
  ASSERT_TRUE(tables_of_view_->Flush(view()));
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(FramesInLogs(), 2);
  ASSERT_TRUE(tables_of_view_->MergeStream(both));
  EXPECT_EQ(Online(1), "2");
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(FramesInLogs(), 0);
  EXPECT_EQ(Column("n"), "1, 2");
}

// Of a log that is longer than what is flushed at a time each part is a commit.
TEST_F(StreamFramesTest, ALongLogIsFlushedInParts) {
  tables_of_view_.reset();
  flush_bytes_ = 1;
  tables_ = Opened();
  tables_of_view_ = tables_->Open().value();
  const auto snapshots = [&] {
    return tables_of_view_->offline().Open(view().id).value()->Snapshots()->size();
  };
  const auto frames = std::vector{Logged(1), Logged(2), Logged(3)};
  const auto flushed = tables_of_view_->Flush(view());
  ASSERT_TRUE(flushed) << flushed.error().ToString();
  EXPECT_EQ(flushed->rows, 3);
  EXPECT_EQ(snapshots(), 3);
  EXPECT_EQ(Column("n"), "1, 2, 3");
  const auto more = std::vector{Logged(4), Logged(5)};
  const StreamMarks taken = tables_of_view_->TakeStream(view(), std::vector{place_}).value();
  EXPECT_EQ(taken.at(place_).epoch, marks_.at(place_).epoch + 1);
  EXPECT_EQ(taken.at(place_).read, StreamOffset(5));
  EXPECT_EQ(snapshots(), 5);
  EXPECT_EQ(tables_of_view_->FlushedStreamMarks(view()).value(), taken);
  EXPECT_EQ(Column("n"), "1, 2, 3, 4, 5");
  const auto none = tables_of_view_->Flush(view());
  ASSERT_TRUE(none);
  EXPECT_EQ(none->rows, 0);
}

TEST_F(StreamFramesTest, AFrameThatNobodyMergesComesOnlineByTheNextRecovery) {
  Logged(1).reset();
  ASSERT_TRUE(tables_of_view_->Flush(view()));
  EXPECT_EQ(Online(1), "1");
  scene_.online().FailMergeAfter(0);
  const auto frame = Logged(2);
  EXPECT_FALSE(tables_of_view_->MergeStream({&frame, 1}));
  scene_.online().FailMergeAfter(-1);
  EXPECT_EQ(Online(1), "1");
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(Online(1), "2");
}

TEST_F(StreamFramesTest, AFrameMayComeOnlineBeforeItIsLogged) {
  const auto frame = Prepared(marks_, 1);
  ASSERT_TRUE(tables_of_view_->CheckStream(*frame));
  ASSERT_TRUE(tables_of_view_->MergeStream({&frame, 1}));
  EXPECT_EQ(Online(1), "1");
  EXPECT_EQ(FramesInLogs(), 0);
  ASSERT_TRUE(tables_of_view_->LogStream({&frame, 1}));
  EXPECT_EQ(FramesInLogs(), 1);
  EXPECT_EQ(Column("n"), "1");
  ASSERT_TRUE(tables_of_view_->Flush(view()));
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(FramesInLogs(), 0);
  EXPECT_EQ(Online(1), "1");
}

TEST_F(StreamFramesTest, OneThatCouldNotIsMergedFromTheLog) {
  const auto frame = Prepared(marks_, 1);
  scene_.online().FailMergeAfter(0);
  EXPECT_FALSE(tables_of_view_->MergeStream({&frame, 1}));
  scene_.online().FailMergeAfter(-1);
  ASSERT_TRUE(tables_of_view_->LogStream({&frame, 1}));
  EXPECT_EQ(Online(1), "null");
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(Online(1), "1");
}

// One of them is merged before, one after, and one never.
TEST_F(StreamFramesTest, FramesThatAreLoggedTogetherKeepTheirOrder) {
  std::vector frames{Prepared(marks_, 1), Prepared(marks_, 2), Prepared(marks_, 3)};
  ASSERT_TRUE(tables_of_view_->MergeStream(std::span(frames).subspan(1, 1)));
  ASSERT_TRUE(tables_of_view_->LogStream(frames));
  EXPECT_EQ(FramesInLogs(), 3);
  EXPECT_EQ(Column("n"), "1, 2, 3");
  EXPECT_EQ(Online(1), "2");
  EXPECT_EQ(tables_of_view_->StreamProgress(view())->at(place_).read, StreamOffset(3));
  ASSERT_TRUE(tables_of_view_->MergeStream(std::span(frames).first(1)));
  ASSERT_TRUE(tables_of_view_->Flush(view()));
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(FramesInLogs(), 3);
  frames.clear();
  ASSERT_TRUE(tables_of_view_->TrimLogs());
  EXPECT_EQ(FramesInLogs(), 0);
  EXPECT_EQ(Online(1), "3");
}

TEST_F(StreamFramesTest, AFrameOfAProcessThatIsGoneComesOnlineByTheNextOne) {
  auto frame = Logged(1);
  frame.reset();
  tables_of_view_.reset();
  tables_ = Opened();
  EXPECT_EQ(Online(1), "null");
  ASSERT_TRUE(tables_->Repair());
  EXPECT_EQ(Online(1), "1");
  EXPECT_EQ(Column("n"), "1");
}

// All rows of these tests are equal in key and times, so that their write times decide.
class StaleOwnerTest : public StreamFramesTest {
 protected:
  StaleOwnerTest() : stale_(marks_) {}

  /// Another reader takes the partition and reads two messages; the stale owner had come to the first.
  void ReadByTheNextOwner() {
    marks_ = tables_of_view_->TakeStream(view(), std::vector{place_}).value();
    for (const int n : {1, 2}) {
      const auto frame = Logged(n);
      ASSERT_TRUE(tables_of_view_->MergeStream({&frame, 1}));
    }
  }
  void ExpectRefused(StreamFrame& frame) {
    const auto checked = tables_of_view_->CheckStream(frame);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::kBusy);
    EXPECT_THAT(checked.error().ToString(), HasSubstr("view clicks"));
    EXPECT_TRUE(frame.was_outrun);
  }
  /// By who was there, and by who comes later and reads the log again.
  void ExpectTheRowsOfTheNextOwner() {
    EXPECT_EQ(Online(1), "2");
    EXPECT_EQ(Column("n"), "1, 2");
    tables_of_view_.reset();
    tables_ = Opened();
    ASSERT_TRUE(tables_->Repair());
    EXPECT_EQ(Online(1), "2");
    EXPECT_EQ(Column("n"), "1, 2");
  }

  const StreamMarks stale_;
};

TEST_F(StaleOwnerTest, RowsStampedAfterThePartitionWasTakenDoNotComeOnline) {
  ReadByTheNextOwner();
  ExpectRefused(*Prepared(stale_, 1));
  ExpectTheRowsOfTheNextOwner();
}

TEST_F(StaleOwnerTest, NorDoThoseOfAnOwnerThatIsStoppedBetweenStampAndCheck) {
  const auto frame = Prepared(stale_, 1);
  ReadByTheNextOwner();
  ExpectRefused(*frame);
  ExpectTheRowsOfTheNextOwner();
}

TEST_F(StaleOwnerTest, ThoseOfOneThatIsStoppedAfterTheCheckAreOlder) {
  const auto frame = Prepared(stale_, 1);
  when_checked_ = [this] { ReadByTheNextOwner(); };
  ASSERT_TRUE(tables_of_view_->CheckStream(*frame));
  ASSERT_TRUE(tables_of_view_->LogStream({&frame, 1}));
  EXPECT_EQ(Online(1), "2");
  ASSERT_TRUE(tables_of_view_->MergeStream({&frame, 1}));
  ExpectTheRowsOfTheNextOwner();
}

TEST_F(StaleOwnerTest, AndSoAreThoseThatAreMergedByARecovery) {
  auto frame = Prepared(stale_, 1);
  when_checked_ = [this] { ReadByTheNextOwner(); };
  ASSERT_TRUE(tables_of_view_->CheckStream(*frame));
  ASSERT_TRUE(tables_of_view_->LogStream({&frame, 1}));
  frame.reset();
  ASSERT_TRUE(tables_->Repair());
  ExpectTheRowsOfTheNextOwner();
}

// As the end of a process leaves it that comes before the frame is logged.
TEST_F(StaleOwnerTest, RowsOnlineWhoseFrameIsLostAreReadAgain) {
  auto frame = Prepared(stale_, 2);
  ASSERT_TRUE(tables_of_view_->MergeStream({&frame, 1}));
  EXPECT_EQ(Online(1), "2");
  frame.reset();
  ReadByTheNextOwner();
  ExpectTheRowsOfTheNextOwner();
}

// The file of write times may lose its last one, and the clock may then be an earlier one.
TEST_F(StaleOwnerTest, AfterALossOfPowerWriteTimesAreLaterThanThoseOfTheLog) {
  const TableRows later = OneRow(2);
  const auto frame = Logged(1);
  ASSERT_TRUE(tables_of_view_->MergeStream({&frame, 1}));
  tables_of_view_.reset();
  write_times_ = std::make_shared<WriteTimes>();
  scene_.clock().set_us(now_us() - 3'600'000'000);
  tables_ = Opened();
  tables_of_view_ = tables_->Open().value();
  marks_ = tables_of_view_->TakeStream(view(), std::vector{place_}).value();
  const StreamPart part = PartTo(marks_, 2);
  const auto next = tables_of_view_->PrepareStream(view(), {later}, {&part, 1}).value();
  ASSERT_TRUE(tables_of_view_->LogStream({&next, 1}));
  EXPECT_GT(next->record.write_time_us, frame->record.write_time_us);
}

}  // namespace
}  // namespace tidemark
