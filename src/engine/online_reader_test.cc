// Goal: rows that were stored under an older version of their view are read as what the view says now, or as
// nothing, never as what they are not.
#include <gmock/gmock.h>

#include <fmt/format.h>

#include "engine/engine_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;

const auto kNaiveTimes = arrow::timestamp(arrow::TimeUnit::MICRO);

class OnlineReaderTest : public testing::Test {
 protected:
  void Apply(const std::string& count, const std::string& weight, const std::string& items) {
    scene_.Apply(fmt::format(R"({{
      "entities": [{{"name": "driver", "join_keys": [{{"name": "driver", "type": "int64"}}]}}],
      "feature_views": [
        {{"name": "stats", "entities": ["driver"],
          "fields": {{"flag": "bool", "count": "{}", "weight": "{}", "items": "{}", "name": "string"}},
          "source": {{"type": "file", "path": "stats", "timestamp_field": "event_timestamp"}}}}]}})",
                             count, weight, items));
  }

  void Add(std::int64_t driver, const std::string& count, const std::string& weight) {
    const std::string n = std::to_string(driver);
    const auto rows = BatchOf({{"driver", arrow::int64(), "[" + n + "]"},
                               {"event_timestamp", kNaiveTimes, "[1714564800000000]"},
                               {"flag", arrow::boolean(), "[true]"},
                               {"count", arrow::int64(), "[" + count + "]"},
                               {"weight", arrow::float64(), "[" + weight + "]"},
                               {"items", arrow::list(arrow::int64()), "[[1, 2]]"},
                               {"name", arrow::utf8(), "[\"n\"]"}});
    scene_.source("stats").push_back({"file " + n, rows, 0, driver});
  }

  std::string Ask(const std::string& feature) {
    arrow::Int64Builder keys;
    EXPECT_TRUE(keys.AppendValues({1, 2, 3}).ok());
    const auto answer = scene_.Online({"stats:" + feature}, {keys.Finish().ValueOrDie()});
    EXPECT_TRUE(answer) << answer.error().ToString();
    return answer ? TextOf(**answer, feature) : "";
  }

  Scene scene_;
};

TEST_F(OnlineReaderTest, FieldsThatHaveBecomeWiderAreWidened) {
  Apply("int32", "float32", "list<int64>");
  Add(1, "-2147483648", "0.5");
  Add(2, "null", "null");
  ASSERT_TRUE(scene_.Load("stats"));
  Apply("int64", "float64", "list<int64>");
  EXPECT_EQ(Ask("count"), "-2147483648, null, null");
  EXPECT_EQ(Ask("weight"), "0.5, null, null");
  EXPECT_EQ(Ask("flag"), "true, true, null");
  EXPECT_EQ(Ask("name"), R"("n", "n", null)");
}

TEST_F(OnlineReaderTest, RowsOfBothVersionsAreReadSideBySide) {
  Apply("int32", "float32", "list<int64>");
  Add(1, "7", "0.5");
  ASSERT_TRUE(scene_.Load("stats"));
  Apply("int64", "float64", "list<int64>");
  scene_.source("stats").clear();  // the row of driver 1 stays as it was written
  Add(2, "9007199254740993", "1e300");
  ASSERT_TRUE(scene_.Load("stats"));
  EXPECT_EQ(Ask("count"), "7, 9007199254740993, null");
  EXPECT_EQ(Ask("weight"), "0.5, 1e+300, null");
}

TEST_F(OnlineReaderTest, OtherChangesOfTypeAreOtherFields) {
  Apply("int64", "float64", "list<int64>");
  Add(1, "7", "0.5");
  ASSERT_TRUE(scene_.Load("stats"));
  Apply("int32", "float32", "list<float64>");
  EXPECT_EQ(Ask("count"), "null, null, null");
  EXPECT_EQ(Ask("weight"), "null, null, null");
  EXPECT_EQ(Ask("items"), "null, null, null");
  EXPECT_EQ(Ask("name"), R"("n", null, null)");
  Apply("int64", "float64", "list<int64>");  // the narrow field becomes wide: what it was before is not it
  EXPECT_EQ(Ask("count"), "null, null, null");
  ASSERT_TRUE(scene_.Load("stats"));
  EXPECT_EQ(Ask("count"), "7, null, null");
}

}  // namespace
}  // namespace tidemark
