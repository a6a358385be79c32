// Goal: without entity rows a training set has each entity that has a row in the range, once, with the answer
// of the rule at the end of it; and rows before the start are as if they were not there.
#include "engine/entity_range.h"

#include <gmock/gmock.h>

#include <random>

#include "engine/engine_testing.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/naive_testing.h"
#include "pit/random_cases_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kRangeViews = R"({
  "entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "int64"}]},
               {"name": "driver32", "join_keys": [{"name": "driver", "type": "int32"}]},
               {"name": "word", "join_keys": [{"name": "driver", "type": "string"}]},
               {"name": "pair",
                "join_keys": [{"name": "a", "type": "int64"}, {"name": "b", "type": "string"}]},
               {"name": "swapped",
                "join_keys": [{"name": "x", "type": "string"}, {"name": "y", "type": "int64"}]}],
  "feature_views": [
    {"name": "stats", "entities": ["driver"], "ttl": "10s", "fields": {"trips": "int64"},
     "source": {"type": "file", "path": "stats", "timestamp_field": "event_timestamp",
                "created_timestamp_column": "created"}},
    {"name": "more", "entities": ["driver32"], "ttl": "20s", "fields": {"miles": "int64"},
     "source": {"type": "file", "path": "more", "timestamp_field": "event_timestamp"}},
    {"name": "words", "entities": ["word"], "fields": {"text": "string"},
     "source": {"type": "file", "path": "words", "timestamp_field": "event_timestamp"}},
    {"name": "pairs", "entities": ["pair"], "fields": {"score": "int64"},
     "source": {"type": "file", "path": "pairs", "timestamp_field": "event_timestamp"}},
    {"name": "swaps", "entities": ["swapped"], "fields": {"level": "int64"},
     "source": {"type": "file", "path": "swaps", "timestamp_field": "event_timestamp"}},
    {"name": "world", "entities": [], "fields": {"rate": "int32"},
     "source": {"type": "file", "path": "world", "timestamp_field": "event_timestamp"}}]})";

const auto kRangeInt64 = arrow::int64();
const auto kRangeTimes = arrow::timestamp(arrow::TimeUnit::MICRO);

std::string RangeTimes(const std::vector<std::int64_t>& seconds) {
  std::string text = "[";
  for (const std::int64_t second : seconds)
    text += (text.size() > 1 ? ", \"" : "\"") + FormatTimestampUs(AtSecond(second)).substr(0, 19) + "\"";
  return text + "]";
}

class EntityRangeTest : public testing::Test {
 protected:
  EntityRangeTest() {
    scene_.source("stats") = {{"a",
                               BatchOf({{"driver", kRangeInt64, "[1, 2, 3, 1, 2]"},
                                        {"event_timestamp", kRangeTimes, RangeTimes({0, 4, 8, 12, 30})},
                                        {"created", kRangeTimes, RangeTimes({1, 5, 20, 13, 31})},
                                        {"trips", kRangeInt64, "[10, 20, null, 11, 21]"}}),
                               2, 1}};
    scene_.source("more") = {{"a",
                              BatchOf({{"driver", arrow::int32(), "[7, 1, 3]"},
                                       {"event_timestamp", kRangeTimes, RangeTimes({2, 3, 9})},
                                       {"miles", kRangeInt64, "[70, 10, 30]"}}),
                              0, 1}};
    scene_.source("words") = {{"a",
                               BatchOf({{"driver", arrow::utf8(), R"(["b", "a", "b"])"},
                                        {"event_timestamp", kRangeTimes, RangeTimes({0, 1, 2})},
                                        {"text", arrow::utf8(), R"(["x", "y", "z"])"}}),
                               0, 1}};
    scene_.source("pairs") = {{"a",
                               BatchOf({{"a", kRangeInt64, "[1, 2]"},
                                        {"b", arrow::utf8(), R"(["p", "q"])"},
                                        {"event_timestamp", kRangeTimes, RangeTimes({0, 0})},
                                        {"score", kRangeInt64, "[1, 2]"}}),
                               0, 1}};
    scene_.source("swaps") = {{"a",
                               BatchOf({{"x", arrow::utf8(), R"(["q", "r"])"},
                                        {"y", kRangeInt64, "[2, 3]"},
                                        {"event_timestamp", kRangeTimes, RangeTimes({0, 0})},
                                        {"level", kRangeInt64, "[20, 30]"}}),
                               0, 1}};
    scene_.source("world") = {
        {"a",
         BatchOf({{"event_timestamp", kRangeTimes, RangeTimes({0, 4})}, {"rate", arrow::int32(), "[3, 4]"}}),
         0, 1}};
    scene_.Apply(std::string(kRangeViews));
  }

  Result<std::shared_ptr<arrow::Table>> Try(const std::vector<ViewSelection>& wanted,
                                            std::optional<std::int64_t> start_s, std::int64_t end_s,
                                            const std::function<void(HistoricalRequest&)>& adjust = {}) {
    const auto catalog = scene_.catalog();
    HistoricalRequest request;
    TM_ASSIGN(request.selection, Resolve(*catalog, wanted, true));
    const auto start_us = start_s ? std::optional(AtSecond(*start_s)) : std::nullopt;
    TM_ASSIGN(request.range, RangeOf(request.selection, start_us, AtSecond(end_s), 0));
    request.include_status = true;
    request.threads = 2;
    if (adjust) adjust(request);
    TM_ASSIGN(const auto reader, GetHistorical(catalog, nullptr, std::move(request), scene_.openers(),
                                               std::make_shared<Warnings>()));
    return FromArrowResult(reader->ToTable());
  }

  std::shared_ptr<arrow::Table> Get(const std::vector<std::string>& views,
                                    std::optional<std::int64_t> start_s, std::int64_t end_s,
                                    const std::function<void(HistoricalRequest&)>& adjust = {}) {
    auto table = Try(SelectionsFromRefs(views).value(), start_s, end_s, adjust);
    EXPECT_TRUE(table) << table.error().ToString();
    return table ? *table : TableOf({});
  }

  Error Fails(const std::vector<std::string>& views) {
    const auto table = Try(SelectionsFromRefs(views).value(), 0, 10);
    EXPECT_FALSE(table);
    return table ? Error{} : table.error();
  }

  Scene scene_;
};

TEST_F(EntityRangeTest, GivesEachEntityWithARowInTheRangeOnceAtItsEnd) {
  const auto table = Get({"stats"}, 4, 12);
  EXPECT_THAT(table->schema()->field_names(),
              ElementsAre("driver", "event_timestamp", "stats__trips", "stats__trips__status"));
  EXPECT_EQ(TextOf(*table, "driver"), "1, 2, 3");
  EXPECT_EQ(TextOf(*table, "stats__trips"), "11, 20, null");
  EXPECT_EQ(TextOf(*table, "stats__trips__status"), R"("PRESENT", "PRESENT", "NULL_VALUE")");
  for (const char* name : {"driver", "event_timestamp"})
    EXPECT_EQ(table->GetColumnByName(name)->null_count(), 0);
  EXPECT_EQ(TextOf(*Get({"stats"}, 4, 11), "driver"), "2, 3");  // the row of driver 1 is before the start
  EXPECT_EQ(TextOf(*Get({"stats"}, 8, 8), "driver"), "3");      // both ends count
  EXPECT_EQ(Get({"stats"}, 13, 29)->num_rows(), 0);
  EXPECT_EQ(Get({"stats"}, 13, 29)->num_columns(), 4);
}

TEST_F(EntityRangeTest, TheRuleIsAppliedAtTheEnd) {
  const auto table = Get({"stats"}, 0, 20);
  EXPECT_EQ(TextOf(*table, "driver"), "1, 2, 3");
  EXPECT_EQ(TextOf(*table, "stats__trips__status"), R"("PRESENT", "OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE")");
  EXPECT_EQ(TextOf(*table, "stats__trips"), "11, null, null");
}

TEST_F(EntityRangeTest, WithoutAStartItReachesAsFarBackAsTtl) {
  EXPECT_EQ(TextOf(*Get({"stats"}, std::nullopt, 18), "driver"), "1, 3");  // 8 is 10 seconds ago
  EXPECT_EQ(TextOf(*Get({"stats"}, std::nullopt, 19), "driver"), "1");
  // The greatest ttl, and none where a view has none.
  EXPECT_EQ(TextOf(*Get({"stats", "more"}, std::nullopt, 22), "driver"), "1, 2, 3, 7");
  EXPECT_EQ(TextOf(*Get({"words"}, std::nullopt, 1'000'000), "driver"), R"("a", "b")");
}

TEST_F(EntityRangeTest, EntitiesOfSeveralViewsComeTogether) {
  const auto table = Get({"stats", "more", "world"}, 2, 9);
  EXPECT_EQ(TextOf(*table, "driver"), "1, 2, 3, 7");
  EXPECT_EQ(table->GetColumnByName("driver")->type()->ToString(), "int64");  // the wider of two
  EXPECT_EQ(TextOf(*table, "stats__trips"), "null, 20, null, null");
  EXPECT_EQ(TextOf(*table, "stats__trips__status"), R"("NOT_FOUND", "PRESENT", "NULL_VALUE", "NOT_FOUND")");
  EXPECT_EQ(TextOf(*table, "more__miles"), "10, null, 30, 70");
  EXPECT_EQ(TextOf(*table, "world__rate"), "4, 4, 4, 4");
}

TEST_F(EntityRangeTest, KeysMayHaveOtherNamesAndAnotherOrder) {
  const std::vector<ViewSelection> wanted{{"pairs", {}, {}, {}}, {"swaps", {}, {{"x", "b"}, {"y", "a"}}, {}}};
  const auto table = Try(wanted, 0, 5).value();
  EXPECT_THAT(table->schema()->field_names(), testing::Contains("b"));
  EXPECT_EQ(TextOf(*table, "a"), "1, 2, 3");
  EXPECT_EQ(TextOf(*table, "b"), R"("p", "q", "r")");
  EXPECT_EQ(TextOf(*table, "pairs__score"), "1, 2, null");
  EXPECT_EQ(TextOf(*table, "swaps__level"), "null, 20, 30");
}

TEST_F(EntityRangeTest, ViewsWithoutKeysHaveOneEntity) {
  const auto table = Get({"world"}, 0, 3);
  EXPECT_EQ(table->num_rows(), 1);
  EXPECT_EQ(TextOf(*table, "world__rate"), "3");
  EXPECT_EQ(Get({"world"}, 1, 3)->num_rows(), 0);
}

TEST_F(EntityRangeTest, OnlyWhatWasKnownCounts) {
  const auto by = [](KnownBy known_by) {
    return [known_by](HistoricalRequest& request) { request.known_by = known_by; };
  };
  EXPECT_EQ(TextOf(*Get({"stats"}, 0, 12, by({KnownBy::Kind::kEntityRow, 0})), "driver"), "1, 2");
  EXPECT_EQ(TextOf(*Get({"stats"}, 0, 12, by({KnownBy::Kind::kTime, AtSecond(4)})), "driver"), "1");
  EXPECT_EQ(TextOf(*Get({"stats"}, 0, 9, by({KnownBy::Kind::kTime, AtSecond(20)})), "driver"), "1, 2, 3");
}

TEST_F(EntityRangeTest, WhatCannotBeToldIsSaid) {
  EXPECT_THAT(Fails({"stats", "pairs"}).message,
              AllOf(HasSubstr("'stats' (driver)"), HasSubstr("'pairs' (a, b)"), HasSubstr("entity rows")));
  EXPECT_EQ(Fails({"stats", "words"}).code, ErrorCode::kTypeMismatch);
  const auto backwards = Try(SelectionsFromRefs({"stats"}).value(), 5, 4);
  EXPECT_THAT(backwards.error().message, HasSubstr("is after the end"));
  const auto named = Try(SelectionsFromRefs({"stats"}).value(), 0, 5,
                         [](HistoricalRequest& request) { request.event_timestamp_column = "driver"; });
  EXPECT_THAT(named.error().message, HasSubstr("'driver' is a join key"));
}

// Goal: whatever the memory limit, threads and range: the entities and their answers are those of the naive
// reference, which looks at every row.
TEST_F(EntityRangeTest, AgreesWithTheNaiveReference) {
  std::mt19937_64 random(pit_testing::TestSeed(11));
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  for (int round = 0; round < 60; ++round) {
    const std::int64_t rows = 1 + below(round % 10 == 0 ? 20'000 : 200);
    const std::int64_t entities = 1 + below(round % 10 == 0 ? 10'000 : 30);
    arrow::Int64Builder driver;
    arrow::TimestampBuilder event(kMicros, arrow::default_memory_pool());
    arrow::TimestampBuilder created(kMicros, arrow::default_memory_pool());
    arrow::Int64Builder trips;
    std::vector<pit_testing::NaiveFeatureRow> naive;
    for (std::int64_t i = 0; i < rows; ++i) {
      pit_testing::NaiveFeatureRow row;
      row.key = {below(entities)};
      row.event_us = AtSecond(below(40));
      row.created_us = row.event_us + below(3) * 1'000'000;
      row.location = static_cast<RowLocation>(i);
      ASSERT_TRUE(driver.Append(std::get<std::int64_t>(row.key[0])).ok());
      ASSERT_TRUE(event.Append(row.event_us).ok());
      ASSERT_TRUE(created.Append(row.created_us).ok());
      ASSERT_TRUE(trips.Append(i).ok());
      naive.push_back(std::move(row));
    }
    scene_.source("stats") = {
        {"a",
         arrow::RecordBatch::Make(
             arrow::schema({arrow::field("driver", kRangeInt64), arrow::field("event_timestamp", kMicros),
                            arrow::field("created", kMicros), arrow::field("trips", kRangeInt64)}),
             rows,
             {driver.Finish().ValueOrDie(), event.Finish().ValueOrDie(), created.Finish().ValueOrDie(),
              trips.Finish().ValueOrDie()}),
         static_cast<std::int64_t>(rows / 3 + 1), 1}};
    const std::int64_t start_s = below(40);
    const std::int64_t end_s = start_s + below(30);
    const std::int64_t known_us = AtSecond(below(45));
    const bool is_known_by = round % 2 == 0;
    if (is_known_by) std::erase_if(naive, [&](const auto& row) { return row.created_us > known_us; });
    const auto table = Get({"stats"}, start_s, end_s, [&](HistoricalRequest& request) {
      if (is_known_by) request.known_by = {KnownBy::Kind::kTime, known_us};
      request.threads = static_cast<std::size_t>(1 + below(3));
      request.memory_bytes_max = below(2) * (1 << 18);
    });
    const auto latest = pit_testing::NaiveLatest(naive, AtSecond(start_s), AtSecond(end_s), false);
    std::map<std::int64_t, std::string> expected;
    for (const auto& row : latest) {
      const bool is_fresh = row.event_us >= AtSecond(end_s) - 10'000'000;
      expected[std::get<std::int64_t>(row.key[0])] =
          is_fresh ? std::to_string(row.location) : std::string("OUTSIDE_MAX_AGE");
    }
    std::map<std::int64_t, std::string> got;
    const auto batch = table->CombineChunksToBatch().ValueOrDie();
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      const auto text = [&](const std::string& column) {
        return batch->GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
      };
      const bool is_present = text("stats__trips__status") == "PRESENT";
      got[std::stoll(text("driver"))] = is_present ? text("stats__trips") : text("stats__trips__status");
    }
    ASSERT_EQ(batch->num_rows(), std::ssize(got)) << "an entity came twice, in round " << round;
    ASSERT_EQ(got, expected) << "in round " << round;
  }
}

}  // namespace
}  // namespace tidemark
