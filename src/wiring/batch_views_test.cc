// Goal: rows that a query computes are there once, range by range, whatever interrupts the run; a range that
// is computed again holds what the query gives now and nothing else, offline and online.
#include <arrow/c/bridge.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stop_token>

#include "store/online_store_testing.h"
#include "tidemark/store.h"
#include "wiring/table_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

constexpr std::int64_t kDayUs = std::int64_t{24} * 3600 * 1'000'000;
const std::int64_t kMay = *ParseTime("2024-05-01");

constexpr std::string_view kDaily =
    "SELECT driver_id, date_trunc('day', begun) AS event_timestamp, count(*) AS trips, "
    "CAST(sum(km) AS BIGINT) AS km FROM rides WHERE begun >= $start_time AND begun < $end_time GROUP BY ALL";

std::string DailyView(std::string_view sql, std::string_view more = "") {
  std::string text(sql);
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return fmt::format(
      R"({{"entities": [{{"name": "driver", "join_keys": ["driver_id"]}}],
           "feature_views": [{{"name": "daily", "entities": ["driver"]{},
             "batch": {{"sql": "{}", "sources": [{{"name": "rides", "path": "rides.csv"}}]}}}}]}})",
      more, text);
}

class BatchViewsTest : public testing::Test {
 protected:
  BatchViewsTest() {
    fs::create_directories(path_);
    std::ofstream(path_ / "tidemark.yaml") << "offline_store:\n  maintenance: false\n";
    // Two rides of driver 1 and one of driver 2, each day.
    WriteRides({"1,2024-05-01T08:00:00Z,3", "1,2024-05-01T09:00:00Z,4", "2,2024-05-01T09:30:00Z,5",
                "1,2024-05-02T08:00:00Z,6", "2,2024-05-02T09:30:00Z,7", "1,2024-05-03T08:00:00Z,8"});
    store_ = *Store::Open({.path = path_});
  }

  void WriteRides(const std::vector<std::string>& lines) {
    std::ofstream file(path_ / "rides.csv", std::ios::trunc);
    file << "driver_id,begun,km\n";
    for (const std::string& line : lines)
      file << line << '\n';
  }

  void Apply(const std::string& definitions) {
    const auto applied = store_->Apply(definitions, {});
    ASSERT_TRUE(applied) << applied.error().ToString();
  }
  std::string ApplyError(const std::string& definitions) {
    const auto applied = store_->Apply(definitions, {});
    return applied ? "" : applied.error().ToString();
  }

  Result<BackfillReport> Days(int from, int to, bool restart = false) {
    BackfillOptions options;
    options.start_us = kMay + from * kDayUs;
    options.end_us = kMay + to * kDayUs;
    options.restart = restart;
    return store_->Backfill("daily", options);
  }

  /// "driver day trips km" of the rows that count, in order.
  std::vector<std::string> Rows(Store& store) {
    ArrowArrayStream stream{};
    const auto asked = store.Sql(
        "SELECT driver_id, day(event_timestamp), trips, km FROM (SELECT *, row_number() OVER (PARTITION BY "
        "driver_id, event_timestamp ORDER BY api_invocation_time DESC, write_time DESC) AS n FROM daily) "
        "WHERE n = 1 AND NOT is_deleted ORDER BY ALL",
        {}, &stream);
    EXPECT_TRUE(asked) << asked.error().ToString();
    if (!asked) return {};
    const auto table = arrow::ImportRecordBatchReader(&stream).ValueOrDie()->ToTable().ValueOrDie();
    std::vector<std::string> lines;
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      std::string line;
      for (const auto& column : table->columns())
        line += (line.empty() ? "" : " ") + column->GetScalar(row).ValueOrDie()->ToString();
      lines.push_back(std::move(line));
    }
    return lines;
  }
  std::vector<std::string> Rows() { return Rows(*store_); }

  TemporaryFolder folder_;
  const fs::path path_ = fs::path(folder_.path()) / "store";
  std::unique_ptr<Store> store_;
};

TEST_F(BatchViewsTest, RangesAreComputedOnce) {
  Apply(DailyView(kDaily));
  const auto first = Days(0, 2);
  ASSERT_TRUE(first) << first.error().ToString();
  EXPECT_EQ(first->ranges, 2);
  EXPECT_EQ(first->rows, 4);
  EXPECT_EQ(first->online_rows, 4);
  EXPECT_THAT(Rows(), ElementsAre("1 1 2 7", "1 2 1 6", "2 1 1 5", "2 2 1 7"));
  // Another run does what is missing; days without rides are done too.
  const auto second = Days(0, 5);
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_EQ(second->ranges, 3);
  EXPECT_EQ(second->ranges_before, 2);
  EXPECT_EQ(second->rows, 1);
  const auto third = Days(0, 5);
  ASSERT_TRUE(third) << third.error().ToString();
  EXPECT_EQ(third->ranges, 0);
  EXPECT_EQ(Rows().size(), 5U);
  // Without a start it goes on from there, without an end it ends with the last whole step.
  BackfillOptions onwards;
  onwards.end_us = kMay + 6 * kDayUs;
  const auto fourth = store_->Backfill("daily", onwards);
  ASSERT_TRUE(fourth) << fourth.error().ToString();
  EXPECT_EQ(fourth->start_us, kMay + 5 * kDayUs);
  EXPECT_EQ(fourth->ranges, 1);
}

// Rows that the source has no more are deleted by computing their range anew; the other ranges stay.
TEST_F(BatchViewsTest, ComputingAnewReplaces) {
  Apply(DailyView(kDaily));
  ASSERT_TRUE(Days(0, 3));
  WriteRides({"1,2024-05-01T08:00:00Z,3", "3,2024-05-01T09:00:00Z,1"});
  ASSERT_TRUE(Days(0, 3));
  EXPECT_EQ(Rows().size(), 5U);  // what is done is left alone
  const auto again = Days(0, 1, true);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->ranges, 1);
  EXPECT_EQ(again->rows, 2);
  EXPECT_EQ(again->deletions, 1);
  EXPECT_THAT(Rows(), ElementsAre("1 1 1 3", "1 2 1 6", "1 3 1 8", "2 2 1 7", "3 1 1 1"));
  // And what comes back is there again.
  WriteRides({"2,2024-05-01T09:30:00Z,5"});
  const auto back = Days(0, 1, true);
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(back->deletions, 2);
  EXPECT_THAT(Rows(), ElementsAre("1 2 1 6", "1 3 1 8", "2 1 1 5", "2 2 1 7"));
}

// A query may change: what was computed stays, and is told of.
TEST_F(BatchViewsTest, AnotherQueryIsToldOf) {
  Apply(DailyView(kDaily));
  ASSERT_TRUE(Days(0, 2));
  std::string doubled(kDaily);
  doubled.replace(doubled.find("sum(km)"), 7, "sum(2 * km)");
  const auto applied = store_->Apply(DailyView(doubled), {});
  ASSERT_TRUE(applied) << applied.error().ToString();
  EXPECT_THAT(fmt::format("{}", fmt::join(applied->at(0).details, "\n")), HasSubstr("backfill --restart"));
  const auto more = Days(0, 3);
  ASSERT_TRUE(more) << more.error().ToString();
  ASSERT_EQ(more->warnings.size(), 1U);
  EXPECT_THAT(more->warnings[0], HasSubstr("2 of the ranges were computed by another query"));
  ASSERT_TRUE(Days(0, 2, true));
  EXPECT_THAT(Rows(), ElementsAre("1 1 2 14", "1 2 1 12", "1 3 1 16", "2 1 1 10", "2 2 1 14"));
  EXPECT_THAT(Days(0, 3)->warnings, IsEmpty());
}

TEST_F(BatchViewsTest, StoppedBetweenRangesItGoesOn) {
  Apply(DailyView(kDaily));
  std::stop_source stop;
  BackfillOptions options;
  options.start_us = kMay;
  options.end_us = kMay + 3 * kDayUs;
  options.work.stop = stop.get_token();
  options.work.progress = [&](const Progress& progress) {
    if (progress.done == 1) stop.request_stop();
  };
  const auto stopped = store_->Backfill("daily", options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(stopped.error().ToString(), HasSubstr("1 of 3 ranges"));
  EXPECT_EQ(Rows().size(), 2U);
  const auto rest = Days(0, 3);
  ASSERT_TRUE(rest) << rest.error().ToString();
  EXPECT_EQ(rest->ranges, 2);
  EXPECT_EQ(Rows().size(), 5U);
}

// A process that is killed while it computes: the next one ends with the same rows, each range once.
TEST_F(BatchViewsTest, KilledItGoesOn) {
  Apply(DailyView(kDaily));
  store_.reset();
  for (int killed_at = 0; killed_at < 3; ++killed_at) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto store = Store::Open({.path = path_});
      BackfillOptions options;
      options.start_us = kMay;
      options.end_us = kMay + 3 * kDayUs;
      options.work.progress = [](const Progress& progress) {
        if (progress.done == 1) raise(SIGKILL);
      };
      if (store) (void)(*store)->Backfill("daily", options);
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(killed_at == 2 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) << status;
  }
  store_ = *Store::Open({.path = path_});
  ASSERT_TRUE(Days(0, 3));
  EXPECT_THAT(Rows(), ElementsAre("1 1 2 7", "1 2 1 6", "1 3 1 8", "2 1 1 5", "2 2 1 7"));
  ArrowArrayStream stream{};
  ASSERT_TRUE(store_->Sql("SELECT count(*) FROM daily", {}, &stream));
  const auto counted = arrow::ImportRecordBatchReader(&stream).ValueOrDie()->ToTable().ValueOrDie();
  EXPECT_EQ(counted->column(0)->GetScalar(0).ValueOrDie()->ToString(), "5");
}

// A query over a feature table of the store, and over another computed view: logged rows count, too.
TEST_F(BatchViewsTest, QueriesReadOtherViews) {
  Apply(DailyView(kDaily));
  ASSERT_TRUE(Days(0, 3));
  Apply(
      R"({"entities": [{"name": "driver", "join_keys": ["driver_id"]}], "feature_views": [
    {"name": "weekly", "entities": ["driver"], "batch": {"views": ["daily"],
      "sql": "SELECT driver_id, $start_time AS event_timestamp, CAST(sum(trips) AS BIGINT) AS trips )"
      R"(FROM daily WHERE event_timestamp >= $start_time AND event_timestamp < $end_time AND NOT is_deleted )"
      R"(GROUP BY 1"}}]})");
  BackfillOptions options;
  options.start_us = kMay;
  options.end_us = kMay + 7 * kDayUs;
  options.step_us = 7 * kDayUs;
  const auto made = store_->Backfill("weekly", options);
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_EQ(made->rows, 2);
  EXPECT_THAT(ApplyError(R"({"feature_views": [{"name": "weekly", "entities": ["driver"],
      "batch": {"views": ["weekly"], "sql": "SELECT 1"}}]})"),
              HasSubstr("its query reads its own rows: weekly <- weekly"));
  ApplyOptions remove;
  remove.remove = {{ObjectType::kFeatureView, "daily"}};
  const auto removed = store_->Apply("{}", remove);
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().ToString(), HasSubstr("feature view 'weekly' uses it"));
}

TEST_F(BatchViewsTest, WhatIsWrongIsSaidAtApply) {
  EXPECT_THAT(ApplyError(DailyView("SELEC 1")), HasSubstr("feature view daily: the query"));
  EXPECT_THAT(ApplyError(DailyView("SELECT driver_id, begun AS event_timestamp, km FROM ride")),
              HasSubstr("'ride' is none of the sources that the query was given (did you mean 'rides'?)"));
  EXPECT_THAT(ApplyError(DailyView("SELECT driver_id, km FROM rides")),
              HasSubstr("no column 'event_timestamp' of event times"));
  EXPECT_THAT(ApplyError(DailyView("SELECT begun AS event_timestamp, km FROM rides")),
              HasSubstr("no column 'driver_id' (a join key)"));
  EXPECT_THAT(ApplyError(DailyView("SELECT driver_id, begun AS event_timestamp, sqrt(km) AS km FROM rides",
                                   R"(, "fields": [{"name": "km", "type": "int64"}])")),
              HasSubstr("column 'km' has type double, which does not fit the field's type int64"));
  EXPECT_THAT(ApplyError(DailyView("SELECT driver_id, begun AS event_timestamp, km FROM rides",
                                   R"(, "table": {"created_timestamp_column": "c"})")),
              HasSubstr("created_timestamp_column"));
  EXPECT_THAT(ApplyError(R"({"feature_views": [{"name": "daily", "entities": [], "batch": {
      "sql": "SELECT 1", "sources": [{"name": "w", "type": "postgresql", "uri": "u", "table": "t"}]}}]})"),
              HasSubstr("lies in a warehouse"));
}

// Rows that somebody writes would go with the next computation.
TEST_F(BatchViewsTest, NobodyElseWritesRows) {
  Apply(DailyView(kDaily));
  const auto written = store_->Ingest("daily", {.stream = nullptr, .path = path_ / "rides.csv"}, {}, nullptr);
  ASSERT_FALSE(written);
  const auto none = store_->Backfill("daily", {});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().ToString(), HasSubstr("say where to begin"));
  BackfillOptions restart;
  restart.restart = true;
  EXPECT_FALSE(store_->Backfill("daily", restart));
}

}  // namespace
}  // namespace tidemark::testing_support
