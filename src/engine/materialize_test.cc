// Goal: after any series of loads (files added in front and behind, changed, gone; ranges; interrupts) the
// online answer is the offline answer of the same moment, and a load reads and writes no more than what is
// new.
#include "engine/materialize.h"

#include <gmock/gmock.h>

#include <fmt/format.h>

#include <array>
#include <map>
#include <random>

#include "engine/engine_testing.h"
#include "engine/online_write.h"
#include "model/key_codec.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kStats = R"({
  "entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "int64"}]}],
  "feature_views": [{"name": "stats", "entities": ["driver"], "ttl": "1h", "fields": {"trips": "int64"},
                     "source": {"type": "file", "path": "stats", "timestamp_field": "event_timestamp"}}]})";

/// Rows (driver, second, trips).
std::shared_ptr<arrow::RecordBatch> Rows(const std::vector<std::array<std::int64_t, 3>>& rows) {
  arrow::Int64Builder drivers;
  arrow::TimestampBuilder times(kMicros, arrow::default_memory_pool());
  arrow::Int64Builder trips;
  for (const auto& [driver, second, trip] : rows) {
    EXPECT_TRUE(drivers.Append(driver).ok() && times.Append(AtSecond(second)).ok() &&
                trips.Append(trip).ok());
  }
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("driver", arrow::int64()), arrow::field("event_timestamp", kMicros),
                     arrow::field("trips", arrow::int64())}),
      std::ssize(rows),
      {drivers.Finish().ValueOrDie(), times.Finish().ValueOrDie(), trips.Finish().ValueOrDie()});
}

arrow::ArrayVector Drivers(const std::string& json) {
  return {BatchOf({{"driver", arrow::int64(), json}})->column(0)};
}

class MaterializeTest : public testing::Test {
 protected:
  MaterializeTest() {
    scene_.source("stats") = {{"b", Rows({{1, 10, 1}, {2, 10, 2}, {1, 20, 3}}), 2, 1}};
    scene_.Apply(std::string(kStats));
    scene_.clock().set_us(AtSecond(100));
  }

  MaterializedView Load(const std::function<void(MaterializeRequest&)>& adjust = {}) {
    auto loaded = scene_.Load("stats", adjust);
    EXPECT_TRUE(loaded) << loaded.error().ToString();
    return loaded ? *std::move(loaded) : MaterializedView{};
  }

  std::string Trips(const std::string& drivers) {
    const auto answer = scene_.Online({"stats:trips"}, Drivers(drivers));
    EXPECT_TRUE(answer) << answer.error().ToString();
    return answer ? TextOf(**answer, "trips") : "";
  }

  Scene scene_;
};

TEST_F(MaterializeTest, LoadsTheLatestRowOfEachKeyOnce) {
  const MaterializedView first = Load();
  EXPECT_EQ(first.rows_read, 3);
  EXPECT_EQ(first.rows_written, 2);
  EXPECT_EQ(first.files_read, 1);
  EXPECT_THAT(first.warnings, IsEmpty());
  EXPECT_EQ(Trips("[1, 2, 3]"), "3, 2, null");
  const std::int64_t scanned = scene_.reads().scanned_fragments;
  const MaterializedView again = Load();
  EXPECT_EQ(again.rows_read, 0);
  EXPECT_EQ(again.rows_written, 0);
  EXPECT_EQ(again.files_skipped, 1);
  EXPECT_EQ(scene_.reads().scanned_fragments, scanned);
}

TEST_F(MaterializeTest, ANewFileAloneIsRead) {
  Load();
  scene_.source("stats").push_back({"c", Rows({{2, 30, 7}, {3, 30, 8}}), 2, 1});
  const MaterializedView second = Load();
  EXPECT_EQ(second.rows_read, 2);
  EXPECT_EQ(second.rows_written, 2);
  EXPECT_EQ(second.files_read, 1);
  EXPECT_EQ(second.files_skipped, 1);
  EXPECT_EQ(Trips("[1, 2, 3]"), "3, 7, 8");
}

TEST_F(MaterializeTest, LateRowsOfANewFileAreNotMissed) {
  Load();
  scene_.source("stats").push_back({"c", Rows({{4, 1, 9}}), 1, 1});  // before all that was loaded
  Load();
  EXPECT_EQ(Trips("[4]"), "9");
}

TEST_F(MaterializeTest, TiesGoByPathWhenAFileComesInFront) {
  Load();
  scene_.source("stats").push_back({"a", Rows({{1, 20, 77}, {2, 11, 5}}), 2, 1});
  const MaterializedView second = Load();
  EXPECT_EQ(second.files_read, 2);     // those behind it too
  EXPECT_EQ(second.rows_written, 1);   // but what is online already is not written again
  EXPECT_EQ(Trips("[1, 2]"), "3, 5");  // the last file wins the tie
}

TEST_F(MaterializeTest, TiesGoByPathWhenFilesAreCoveredDifferently) {
  scene_.source("stats") = {{"a", Rows({{1, 5, 10}}), 1, 1}, {"b", Rows({{1, 5, 20}}), 1, 1}};
  Load();
  EXPECT_EQ(Trips("[1]"), "20");
  scene_.source("stats")[0] = {"a", Rows({{1, 5, 11}}), 1, 2};  // changed, and loaded over a part only
  Load([](MaterializeRequest& request) { request.start_us = AtSecond(50); });
  Load();  // now a is read over the rest, and b is covered already
  EXPECT_EQ(Trips("[1]"), "20");
}

TEST_F(MaterializeTest, AFileReadBeyondItsOwnRangeDoesNotWinTies) {
  scene_.source("stats") = {{"a", Rows({{1, 5, 10}, {1, 15, 12}}), 2, 1}, {"b", Rows({{1, 5, 20}}), 1, 1}};
  Load([](MaterializeRequest& request) { request.end_us = AtSecond(10); });
  scene_.source("stats").push_back(
      {"c", Rows({{2, 1, 1}}), 1, 1});  // wants all times; a wants those after 10
  Load([](MaterializeRequest& request) { request.end_us = AtSecond(14); });
  EXPECT_EQ(Trips("[1, 2]"), "20, 1");
}

TEST_F(MaterializeTest, AChangedFileIsReadAgain) {
  Load();
  scene_.source("stats")[0] = {"b", Rows({{1, 10, 1}, {2, 10, 2}, {1, 20, 33}}), 2, 2};
  const MaterializedView second = Load();
  EXPECT_EQ(second.rows_read, 3);
  EXPECT_EQ(second.rows_written, 1);
  EXPECT_EQ(Trips("[1, 2]"), "33, 2");  // of two rows equal in their times the one read later counts
}

TEST_F(MaterializeTest, AChangedFileCountsEvenIfTheClockWasSetBack) {
  Load();
  scene_.clock().set_us(AtSecond(50));
  scene_.source("stats")[0] = {"b", Rows({{1, 20, 33}}), 2, 2};
  Load();
  EXPECT_EQ(Trips("[1]"), "33");
}

TEST_F(MaterializeTest, AVanishedFileIsReportedOnce) {
  scene_.source("stats").push_back({"c", Rows({{3, 30, 8}}), 1, 1});
  Load();
  scene_.source("stats").pop_back();
  EXPECT_THAT(Load().warnings, testing::ElementsAre(HasSubstr("'c'")));
  EXPECT_THAT(Load().warnings, IsEmpty());
  EXPECT_EQ(Trips("[3]"), "8");
}

TEST_F(MaterializeTest, RangesAreReadOnce) {
  scene_.source("stats") = {{"b", Rows({{1, 10, 1}, {2, 20, 2}, {3, 30, 3}, {4, 40, 4}}), 1, 1}};
  const auto load = [&](std::int64_t start, std::int64_t end) {
    return Load([=](MaterializeRequest& request) {
             request.start_us = AtSecond(start);
             request.end_us = AtSecond(end);
           })
        .rows_read;
  };
  EXPECT_EQ(load(20, 30), 2);
  EXPECT_EQ(Trips("[1, 2, 3, 4]"), "null, 2, 3, null");
  EXPECT_EQ(load(20, 30), 0);
  EXPECT_EQ(load(25, 40), 1);
  EXPECT_EQ(Load().rows_written,
            1);  // before and after are read as one range; what is there is not written again
  EXPECT_EQ(Trips("[1, 2, 3, 4]"), "1, 2, 3, 4");
  EXPECT_EQ(load(0, 100), 0);
}

TEST_F(MaterializeTest, RowsAheadOfTheClockComeWhenTheyAreDue) {
  scene_.source("stats") = {{"b", Rows({{1, 10, 1}, {1, 150, 2}}), 2, 1}};
  const auto beyond = [](MaterializeRequest& request) { request.end_us = AtSecond(1000); };
  EXPECT_THAT(Load(beyond).warnings, testing::ElementsAre(HasSubstr("after now")));
  EXPECT_EQ(Trips("[1]"), "1");
  scene_.clock().set_us(AtSecond(150));
  Load();
  EXPECT_EQ(Trips("[1]"), "2");
}

TEST_F(MaterializeTest, ARangeWhollyAheadLoadsAndNotesNothing) {
  const MaterializedView none = Load([](MaterializeRequest& request) {
    request.start_us = AtSecond(200);
    request.end_us = AtSecond(300);
  });
  EXPECT_EQ(none.rows_read, 0);
  EXPECT_THAT(none.warnings, testing::ElementsAre(HasSubstr("after now")));
  EXPECT_EQ(scene_.registry().GetNote(scene_.catalog()->View("stats").value()->id, kLoadLogNote).value(),
            std::nullopt);
  EXPECT_EQ(Load().rows_written, 2);
}

TEST_F(MaterializeTest, AnEndBeforeTheStartIsAnError) {
  const auto loaded = scene_.Load("stats", [](MaterializeRequest& request) {
    request.start_us = AtSecond(2);
    request.end_us = AtSecond(1);
  });
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(loaded.error().ToString(), HasSubstr("view stats"));
  EXPECT_THAT(loaded.error().ToString(), HasSubstr("12:00:02"));
}

// Goal: a file without statistics, such as CSV, is not read for times that it is known to have no rows of.
TEST_F(MaterializeTest, AnUnchangedFileWithoutStatisticsIsReadOnce) {
  scene_.source("stats") = {{"b", Rows({{1, 10, 1}, {1, 20, 3}}), 0, 1}};
  const auto until = [](std::int64_t end) {
    return [end](MaterializeRequest& request) { request.end_us = AtSecond(end); };
  };
  EXPECT_EQ(Load(until(15)).rows_written, 1);
  const MaterializedView rest = Load(until(50));  // some of its rows are later than what was loaded
  EXPECT_EQ(rest.files_read, 1);
  EXPECT_EQ(Trips("[1]"), "3");
  const std::int64_t scanned = scene_.reads().scanned_fragments;
  EXPECT_EQ(Load(until(90)).files_skipped, 1);
  EXPECT_EQ(scene_.reads().scanned_fragments, scanned);
  scene_.source("stats").push_back({"c", Rows({{2, 30, 7}}), 0, 1});
  EXPECT_EQ(Load(until(95)).rows_read, 1) << "the new file alone";
  scene_.source("stats")[0] = {"b", Rows({{1, 10, 1}, {1, 20, 4}}), 0, 2};
  EXPECT_EQ(Load(until(95)).rows_read, 3) << "changed, and the file behind it";
  EXPECT_EQ(Trips("[1, 2]"), "4, 7");
}

/// The key of a driver's online row.
std::string KeyOf(Scene& scene, std::int64_t driver) {
  std::string key;
  AppendViewId(scene.catalog()->View("stats").value()->id, key);
  AppendKeyInt64(driver, key);
  return key;
}

// Goal: a damaged row is an error until a reload puts what the source says in its place, whatever its header
// says.
TEST_F(MaterializeTest, AReloadReplacesDamagedRows) {
  Load();
  scene_.online().Damage(KeyOf(scene_, 1));
  EXPECT_EQ(scene_.Online({"stats:trips"}, Drivers("[1]")).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(Load().files_read, 0) << "what was loaded is not looked at";
  const auto reload = [](MaterializeRequest& request) { request.reload = true; };
  const MaterializedView loaded = Load(reload);
  EXPECT_EQ(loaded.files_read, 1);
  EXPECT_EQ(loaded.rows_written, 2);
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_EQ(Trips("[1, 2]"), "3, 2");
  EXPECT_EQ(Load().files_read, 0) << "the reload is noted";
}

// Goal: a reload of a part of the times does not put an earlier row in the place of a damaged later one.
TEST_F(MaterializeTest, AReloadCoversAllThatWasLoaded) {
  Load();
  scene_.online().Damage(KeyOf(scene_, 1));
  Load([](MaterializeRequest& request) {
    request.reload = true;
    request.start_us = AtSecond(5);
    request.end_us = AtSecond(12);
  });
  EXPECT_EQ(Trips("[1, 2]"), "3, 2");
}

// Goal: a damaged row that the source has no row for is removed with a warning; later and pushed rows stay.
TEST_F(MaterializeTest, AReloadRemovesDamagedRowsThatTheSourceLacks) {
  scene_.source("stats").push_back({"c", Rows({{3, 30, 8}, {4, 30, 9}}), 1, 1});
  Load();
  scene_.source("stats").pop_back();
  scene_.online().Damage(KeyOf(scene_, 3));
  const auto reload = [](MaterializeRequest& request) { request.reload = true; };
  EXPECT_THAT(Load(reload).warnings, testing::Contains(HasSubstr("1 damaged online row was removed")));
  EXPECT_EQ(Trips("[1, 2, 3, 4]"), "3, 2, null, 9");
}

// Goal: what the stored rows do not depend on loads nothing again; what they are read from does.
TEST_F(MaterializeTest, OtherWordsLoadNothingAgainAndAnotherSourceLoadsAll) {
  Load();
  std::string changed(kStats);
  changed.replace(changed.find(R"("ttl": "1h")"), 11, R"("ttl": "2h", "description": "d", "owner": "o")");
  scene_.Apply(changed);
  EXPECT_EQ(Load().files_read, 0);
  scene_.source("other") = {{"b", Rows({{1, 20, 33}, {2, 10, 22}}), 2, 1}};
  changed.replace(changed.find(R"("path": "stats")"), 15, R"("path": "other")");
  scene_.Apply(changed);
  EXPECT_EQ(Trips("[1, 2]"), "3, 2");
  EXPECT_EQ(Load().rows_read, 2);
  EXPECT_EQ(Trips("[1, 2]"), "33, 22");
}

// Goal: online equals offline after a view was given another source, also where the former one had later rows
// or other keys.
TEST_F(MaterializeTest, RowsOfAFormerSourceCountNoMore) {
  Load();
  scene_.clock().set_us(AtSecond(200));
  std::string changed(kStats);
  scene_.source("other") = {{"b", Rows({{1, 5, 33}, {3, 10, 22}}), 2, 1}};
  changed.replace(changed.find(R"("path": "stats")"), 15, R"("path": "other")");
  scene_.Apply(changed);
  EXPECT_EQ(Trips("[1, 2, 3]"), "3, 2, null") << "lookups go on meanwhile";
  scene_.clock().set_us(AtSecond(300));
  EXPECT_THAT(Load().warnings, testing::ElementsAre(HasSubstr("1 online row of before")));
  EXPECT_EQ(Trips("[1, 2, 3]"), "33, null, 22");
  EXPECT_THAT(Load().warnings, IsEmpty());
}

TEST_F(MaterializeTest, WhatWasInterruptedIsDoneAgain) {
  scene_.online().FailMergeAfter(0);
  EXPECT_FALSE(scene_.Load("stats"));
  scene_.online().FailMergeAfter(-1);
  scene_.online().FailSync(true);
  EXPECT_FALSE(scene_.Load("stats"));  // merged, and not durable: not noted
  scene_.online().FailSync(false);
  EXPECT_EQ(Load().rows_read, 3);
  EXPECT_EQ(Trips("[1, 2]"), "3, 2");
  EXPECT_EQ(Load().rows_read, 0);
}

TEST_F(MaterializeTest, AStopIsHeard) {
  std::stop_source stop;
  stop.request_stop();
  const auto loaded =
      scene_.Load("stats", [&](MaterializeRequest& request) { request.stop = stop.get_token(); });
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(Trips("[1]"), "null");
}

TEST_F(MaterializeTest, AnotherOnlineStoreOrDefinitionLoadsAllAgain) {
  Load();
  scene_.ReplaceOnline("another");
  EXPECT_EQ(Load().rows_written, 2);
  std::string changed(kStats);
  scene_.source("stats") = {
      {"b",
       BatchOf({{"driver", arrow::int64(), "[1, 2]"},
                {"event_timestamp", arrow::utf8(), R"(["2024-05-01T12:00:10Z", "2024-05-01 12:00:20"])"},
                {"trips", arrow::int64(), "[1, 2]"},
                {"note", arrow::utf8(), R"(["x", null])"}}),
       2, 1}};
  changed.replace(changed.find(R"({"trips": "int64"})"), 18, R"({"trips": "int64", "note": "string"})");
  scene_.Apply(changed);
  EXPECT_EQ(Load().rows_read, 2);
  const auto answer = scene_.Online({"stats"}, Drivers("[1, 2]"));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(TextOf(**answer, "note"), R"(null, null)");  // 1: the row of 20 s is later and has none
}

TEST_F(MaterializeTest, ANoteThatCannotBeReadCostsTimeOnly) {
  Load();
  ASSERT_TRUE(scene_.registry().PutNote(scene_.catalog()->View("stats").value()->id, kLoadLogNote, "{"));
  const MaterializedView loaded = Load();
  EXPECT_EQ(loaded.rows_read, 3);
  EXPECT_THAT(loaded.warnings, testing::ElementsAre(HasSubstr("loaded again")));
  EXPECT_THAT(Load().warnings, IsEmpty());
}

TEST_F(MaterializeTest, LittleMemoryWorksInParts) {
  std::vector<std::array<std::int64_t, 3>> rows;
  for (std::int64_t i = 0; i < 60'000; ++i)
    rows.push_back({i * 7919 % 20'011, i % 90, i});
  scene_.source("stats") = {{"b", Rows(rows), 10'000, 1}};
  const auto little = [](MaterializeRequest& request) {
    request.memory_bytes_max = 400'000;
    request.threads = 2;
  };
  const MaterializedView loaded = Load(little);
  EXPECT_EQ(loaded.rows_read, 60'000);
  EXPECT_EQ(loaded.rows_written, 20'011);
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> latest;
  for (const auto& [driver, second, trips] : rows)
    latest[driver] = std::max(latest[driver], {second, trips});
  arrow::Int64Builder builder;
  std::string expected;
  for (const auto& [driver, row] : latest) {
    ASSERT_TRUE(builder.Append(driver).ok());
    expected += (expected.empty() ? "" : ", ") + std::to_string(row.second);
  }
  const auto answer = scene_.Online({"stats:trips"}, {builder.Finish().ValueOrDie()});
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(TextOf(**answer, "trips"), expected);
}

TEST_F(MaterializeTest, CorrectionsWrittenAtOnceWin) {
  Load();
  const auto write = [&](const std::string& trips) {
    const auto rows = TableOf({{"driver", arrow::int64(), "[1, 1]"},
                               {"event_timestamp", kMicros, "[1714564820000000, 1714564820000000]"},
                               {"trips", arrow::int64(), trips}});
    arrow::TableBatchReader reader(*rows);
    const auto known = scene_.catalog();
    const auto counts = WriteOnline(**known->View("stats"), reader, scene_.online(), scene_.clock(),
                                    scene_.write_times(), {});
    EXPECT_TRUE(counts) << counts.error().ToString();
  };
  write("[4, 5]");
  EXPECT_EQ(Trips("[1]"), "5");
  write("[6, 7]");  // in the same microsecond of the clock
  EXPECT_EQ(Trips("[1]"), "7");
}

/// One random series of loads: files come, in front and behind, and grow; times go on; ranges are loaded by
/// themselves; some loads fail. No row ever goes, so that after each load the two sides must agree.
void RunAdditions(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  Scene scene;
  std::int64_t next_value = 1;
  std::map<std::string, std::vector<std::array<std::int64_t, 3>>> contents;
  std::int64_t next_mtime = 1;
  auto& files = scene.source("stats");
  const auto grow = [&](const std::string& path) {
    auto& rows = contents[path];
    for (std::int64_t i = below(5); i >= 0; --i)
      rows.push_back({below(4), below(12), next_value++});
    std::erase_if(files, [&](const MemoryFile& old) { return old.path == path; });
    files.push_back({path, Rows(rows), below(3), next_mtime++});
  };
  grow("m");
  scene.Apply(std::string(kStats));
  scene.clock().set_us(AtSecond(4));
  for (int step = 0; step < 8; ++step) {
    for (std::int64_t i = below(3); i > 0; --i)
      grow(std::string(1, static_cast<char>('k' + below(5))));
    scene.clock().set_us(scene.clock().now_us() + below(3) * 1'000'000);
    if (below(3) == 0) {
      const std::int64_t start = below(6);
      const std::int64_t end = start + below(9);
      ASSERT_TRUE(scene.Load("stats", [&](MaterializeRequest& request) {
        request.start_us = AtSecond(start);
        request.end_us = AtSecond(end);
        request.threads = 2;
      }));
      if (below(2) == 0) continue;
    }
    if (below(5) == 0) {
      scene.online().FailSync(true);
      ASSERT_FALSE(scene.Load("stats"));
      scene.online().FailSync(false);
    }
    ASSERT_TRUE(scene.Load("stats"));
    const auto entity_rows =
        TableOf({{"driver", arrow::int64(), "[0, 1, 2, 3]"},
                 {"event_timestamp", kMicros, fmt::format("[{0}, {0}, {0}, {0}]", scene.clock().now_us())}});
    const auto offline = scene.Historical(entity_rows, {"stats:trips"});
    const auto online = scene.Online({"stats:trips"}, Drivers("[0, 1, 2, 3]"));
    ASSERT_TRUE(offline && online);
    ASSERT_EQ(TextOf(**online, "trips"), TextOf(**offline, "trips")) << "seed " << seed << ", step " << step;
  }
}

TEST(MaterializeSeries, OnlineEqualsOfflineAfterEachLoad) {
  for (std::uint64_t seed = 1; seed <= 600 && !testing::Test::HasFatalFailure(); ++seed)
    RunAdditions(seed);
}

}  // namespace
}  // namespace tidemark
