// Goal: what a load log says is covered was covered, by random ranges against a set of moments; its JSON
// gives back everything, paths of any bytes included; and text that is none is an error.
#include "engine/load_log.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace tidemark {
namespace {

constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();

TEST(LoadLog, MergedRangesAreSortedAndApart) {
  EXPECT_EQ(Merged({}, {1, 5}), (std::vector<TimeRange>{{1, 5}}));
  EXPECT_EQ(Merged({{1, 5}}, {6, 9}), (std::vector<TimeRange>{{1, 9}}));  // they touch
  EXPECT_EQ(Merged({{1, 5}}, {7, 9}), (std::vector<TimeRange>{{1, 5}, {7, 9}}));
  EXPECT_EQ(Merged({{7, 9}}, {1, 5}), (std::vector<TimeRange>{{1, 5}, {7, 9}}));
  EXPECT_EQ(Merged({{1, 2}, {4, 5}, {8, 9}}, {2, 7}), (std::vector<TimeRange>{{1, 9}}));
  EXPECT_EQ(Merged({{kMin, 5}}, {3, kMax}), (std::vector<TimeRange>{{kMin, kMax}}));
  EXPECT_EQ(Merged({{kMin, kMax}}, {3, 4}), (std::vector<TimeRange>{{kMin, kMax}}));
}

TEST(LoadLog, UncoveredIsWhatSpansTheRest) {
  EXPECT_EQ(Uncovered({1, 9}, {}), (TimeRange{1, 9}));
  EXPECT_EQ(Uncovered({1, 9}, {{1, 9}}), std::nullopt);
  EXPECT_EQ(Uncovered({1, 9}, {{0, 4}}), (TimeRange{5, 9}));
  EXPECT_EQ(Uncovered({1, 9}, {{5, 20}}), (TimeRange{1, 4}));
  EXPECT_EQ(Uncovered({1, 9}, {{0, 2}, {8, 20}}), (TimeRange{3, 7}));
  EXPECT_EQ(Uncovered({1, 9}, {{3, 4}}), (TimeRange{1, 9}));  // a hole is read again
  EXPECT_EQ(Uncovered({kMin, 9}, {{kMin, kMax}}), std::nullopt);
  EXPECT_EQ(Uncovered({kMin, kMax}, {{kMin, 5}}), (TimeRange{6, kMax}));
}

TEST(LoadLog, RandomRangesAgainstASetOfMoments) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same cases each time
  const auto moment = [&] { return static_cast<std::int64_t>(random() % 20); };
  for (int round = 0; round < 20'000; ++round) {
    std::vector<TimeRange> ranges;
    std::set<std::int64_t> covered;
    for (auto i = random() % 5; i > 0; --i) {
      const std::int64_t start = moment();
      const TimeRange range{start, start + moment() / 4};
      ranges = Merged(std::move(ranges), range);
      for (std::int64_t t = range.start_us; t <= range.end_us; ++t)
        covered.insert(t);
    }
    const std::int64_t start = moment();
    const TimeRange wanted{start, start + moment()};
    const auto rest = Uncovered(wanted, ranges);
    for (std::int64_t t = wanted.start_us; t <= wanted.end_us; ++t) {
      const bool is_read = rest && t >= rest->start_us && t <= rest->end_us;
      ASSERT_TRUE(is_read || covered.contains(t)) << "round " << round << ", moment " << t;
    }
    if (!rest) continue;
    // No more than it takes: the edges are not covered.
    ASSERT_LE(rest->start_us, rest->end_us);
    ASSERT_FALSE(covered.contains(rest->start_us)) << "round " << round;
    ASSERT_FALSE(covered.contains(rest->end_us)) << "round " << round;
  }
}

LoadLog Sample() {
  LoadLog log;
  log.definition = "driver:int64 {\"name\":\"x\"}";
  log.online_store = "abc";
  log.loaded_at_us = 7;
  log.rows_written = 3;
  log.last = {kMin, 9};
  log.newest_event_us = -5;
  log.files = {{{"/data/a.parquet", "1:2", 10, 11}, {{1, 5}, {8, kMax}}},
               {{"/data/\xFFz\xC3\xA9\x80", "1:3", 0, 0}, {}, TimeRange{-4, 12}},
               {{"/data/none.csv", "1:4", 5, 0}, {}, kNoTimes}};
  return log;
}

TEST(LoadLog, JsonGivesEverythingBack) {
  const auto again = LoadLogFromJson(ToJson(Sample()));
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(*again, Sample());
  LoadLog none;
  EXPECT_EQ(LoadLogFromJson(ToJson(none)).value(), none);
}

TEST(LoadLog, FilesOfAStoreThatMovedAreKnown) {
  const std::string text = ToJson(Sample(), "/data");
  EXPECT_EQ(LoadLogFromJson(text, "/data").value(), Sample());
  const LoadLog moved = LoadLogFromJson(text, "/elsewhere/store").value();
  EXPECT_EQ(moved.files[0].file.path, "/elsewhere/store/a.parquet");
  EXPECT_EQ(moved.files[1].file.path, "/elsewhere/store/\xFFz\xC3\xA9\x80");
  // What lies elsewhere stays there, also beside a folder whose name begins alike.
  for (const char* folder : {"/dat", "/data/a", "/other"})
    EXPECT_EQ(LoadLogFromJson(ToJson(Sample(), folder), "/elsewhere").value(), Sample()) << folder;
}

TEST(LoadLog, OtherTextIsCorruption) {
  for (const std::string text : {"", "{", "[]", "3", "{}", R"({"definition": 3})", "\xFF"}) {
    const auto log = LoadLogFromJson(text);
    ASSERT_FALSE(log) << text;
    EXPECT_EQ(log.error().code, ErrorCode::kCorruption);
  }
  std::string text = ToJson(Sample());
  text.replace(text.find("\"size\":10"), 9, "\"size\":\"\"");
  EXPECT_FALSE(LoadLogFromJson(text));
}

TEST(LoadLog, AFileIsUnchangedIfNothingOfItChanged) {
  const LoadLog log = Sample();
  SourceFile file = log.files[0].file;
  EXPECT_EQ(log.Unchanged(file), &log.files[0]);
  for (const auto change : {0, 1, 2, 3}) {
    SourceFile other = file;
    if (change == 0) other.path += "x";
    if (change == 1) other.id += "x";
    if (change == 2) ++other.size;
    if (change == 3) ++other.mtime_ns;
    EXPECT_EQ(log.Unchanged(other), nullptr) << change;
  }
}

}  // namespace
}  // namespace tidemark
