// Goal: logged rows reach files without anybody asking, when they are many or old; small files are
// compacted; what fails is told once and tried again; threads end with their store, and do no harm to a fork.
#include "wiring/table_maintenance.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <latch>
#include <thread>

#include "store/online_store_testing.h"
#include "wiring/table_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kMinuteUs = std::int64_t{60} * 1'000'000;

class TableMaintenanceTest : public testing::Test {
 protected:
  TableMaintenanceTest() {
    MakeVisitsStore(folder_.path());
    EmbeddedTablesParts parts = PartsIn(folder_.path(), clock_);
    view_ = VisitsView(*parts.registry);
    own_ = std::make_unique<EmbeddedTables>(std::move(parts));
    tables_ = own_->Open().value();
  }

  TableMaintenance::Parts Parts() {
    TableMaintenance::Parts parts;
    parts.tables = [this]() -> Result<std::shared_ptr<FeatureTables>> {
      if (fails_) return Fail(ErrorCode::kIo, "the disk is gone");
      return tables_;
    };
    parts.views = [this]() -> Result<TableMaintenance::Views> { return TableMaintenance::Views{view_}; };
    parts.clock = clock_;
    parts.interval_ms = 1;
    parts.tell = [this](const std::string& message) { told_.push_back(message); };
    return parts;
  }

  void Ingest(std::int64_t n) const { ASSERT_TRUE(tables_->Ingest(*view_, VisitRows({{"a", n, "x"}}), {})); }

  std::vector<SnapshotInfo> Snapshots() const {
    return tables_->offline().Open(view_->id).value()->Snapshots().value();
  }

  void Pass(std::int64_t us) { clock_->set_us(clock_->now_us() + us); }

  TemporaryFolder folder_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(SystemClock().now_us());
  std::shared_ptr<const CatalogView> view_;
  std::unique_ptr<EmbeddedTables> own_;
  std::shared_ptr<FeatureTables> tables_;
  bool fails_ = false;
  std::vector<std::string> told_;
};

TEST_F(TableMaintenanceTest, FlushesWhatIsOld) {
  TableMaintenance maintenance(Parts());
  Ingest(1);
  Pass(4 * kMinuteUs);
  Ingest(2);
  maintenance.RunOnce({});
  EXPECT_THAT(Snapshots(), IsEmpty());
  Pass(kMinuteUs);
  maintenance.RunOnce({});
  ASSERT_EQ(Snapshots().size(), 1U);
  EXPECT_EQ(Snapshots()[0].rows, 2);
  Pass(10 * kMinuteUs);
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().size(), 1U) << "there is nothing new";
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(TableMaintenanceTest, WhatIsBeingDoneEndsBeforeWhatItUsesIsGone) {
  TableMaintenance::Parts parts = Parts();
  std::latch is_in_third_round(1);
  parts.tables = [&, round = 0]() mutable -> Result<std::shared_ptr<FeatureTables>> {
    if (++round == 3) {
      is_in_third_round.count_down();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return Fail(ErrorCode::kIo, "the disk that the folder of the store was on is gone");
  };
  {
    TableMaintenance maintenance(std::move(parts));
    maintenance.Start();
    is_in_third_round.wait();
  }
  EXPECT_THAT(told_, ElementsAre(HasSubstr("is gone"))) << "the same failure is told once";
}

TEST_F(TableMaintenanceTest, FlushesWhatIsMuch) {
  Ingest(1);
  TableMaintenance::Parts parts = Parts();
  parts.settings.flush_bytes = 2 * tables_->log().Unflushed().at(view_->id).bytes + 1;
  TableMaintenance maintenance(std::move(parts));
  maintenance.RunOnce({});
  EXPECT_THAT(Snapshots(), IsEmpty());
  Ingest(2);
  Ingest(3);
  maintenance.RunOnce({});
  ASSERT_EQ(Snapshots().size(), 1U);
  EXPECT_EQ(Snapshots()[0].rows, 3);
}

TEST_F(TableMaintenanceTest, CompactsWhenSmallFilesHaveGathered) {
  TableMaintenance maintenance(Parts());
  for (int i = 0; i < 15; ++i) {
    Ingest(i);
    ASSERT_TRUE(tables_->Flush(*view_));
  }
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().back().files, 15);
  Ingest(15);
  ASSERT_TRUE(tables_->Flush(*view_));
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().back().files, 16) << "it looks once a minute";
  Pass(kMinuteUs);
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().back().files, 1);
  EXPECT_EQ(Snapshots().back().rows, 16);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(TableMaintenanceTest, ForgetsOldSnapshotsButTheNewestTen) {
  TableMaintenance maintenance(Parts());
  for (int i = 0; i < 14; ++i) {
    Ingest(i);
    ASSERT_TRUE(tables_->Flush(*view_));
  }
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().size(), 14U);
  Pass(std::int64_t{8} * 24 * 60 * kMinuteUs);
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().size(), 10U);
}

TEST_F(TableMaintenanceTest, TakesTheLogOfADeadProcessOver) {
  const pid_t child = ::fork();
  if (child == 0) {
    EmbeddedTables own(PartsIn(folder_.path(), clock_));
    const auto written = own.Open().value()->Ingest(*view_, VisitRows({{"dead", 1, "x"}}), {});
    ::_exit(written ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  TableMaintenance maintenance(Parts());
  maintenance.RunOnce({});
  ASSERT_EQ(Snapshots().size(), 1U);
  EXPECT_EQ(Snapshots()[0].rows, 1);
}

TEST_F(TableMaintenanceTest, TellsOfAFailureOnceAndTriesAgain) {
  TableMaintenance maintenance(Parts());
  Ingest(1);
  Pass(6 * kMinuteUs);
  fails_ = true;
  maintenance.RunOnce({});
  maintenance.RunOnce({});
  EXPECT_THAT(told_, ElementsAre(HasSubstr("the disk is gone")));
  EXPECT_THAT(Snapshots(), IsEmpty());
  fails_ = false;
  maintenance.RunOnce({});
  EXPECT_EQ(Snapshots().size(), 1U);
  fails_ = true;
  maintenance.RunOnce({});
  EXPECT_EQ(told_.size(), 2U) << "it is a new failure";
}

TEST_F(TableMaintenanceTest, AThreadDoesItAndEnds) {
  std::latch rounds(3);
  TableMaintenance::Parts parts = Parts();
  parts.after_round = [&rounds, left = 3]() mutable {
    if (left-- > 0) rounds.count_down();
  };
  Ingest(1);
  Pass(6 * kMinuteUs);
  {
    TableMaintenance maintenance(std::move(parts));
    maintenance.Start();
    maintenance.Start();
    rounds.wait();
  }
  EXPECT_EQ(Snapshots().size(), 1U);
}

TEST_F(TableMaintenanceTest, SwitchedOffItDoesNothing) {
  TableMaintenance::Parts parts = Parts();
  parts.settings.is_on = false;
  std::atomic<int> rounds = 0;
  parts.after_round = [&] { ++rounds; };
  {
    TableMaintenance maintenance(std::move(parts));
    maintenance.Start();
  }
  EXPECT_EQ(rounds, 0);
}

TEST_F(TableMaintenanceTest, AForkedChildHasItsOwn) {
  std::latch parent_runs(1);
  std::atomic<int> rounds = 0;
  TableMaintenance::Parts parts = Parts();
  parts.after_round = [&] {
    if (rounds++ == 0) parent_runs.count_down();
  };
  auto maintenance = std::make_unique<TableMaintenance>(std::move(parts));
  maintenance->Start();
  parent_runs.wait();
  for (int i = 0; i < 20; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(60);  // one that hangs is an error
      if (i % 2 == 0) {
        const int before = rounds;
        maintenance->Start();
        while (rounds == before)
          ::usleep(100);
      }
      maintenance.reset();
      ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0) << i;
  }
}

}  // namespace
}  // namespace tidemark::testing_support
