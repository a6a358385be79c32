// Goal: what a batch's rows are does not depend on their order, on how they come in parts, or on what is
// stamped on them; and every other value of every type makes it another batch.
#include "engine/tables/batch_content.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "model/feature_table.h"
#include "store/memory_source_testing.h"
#include "store/write_log.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;

BatchContent ContentOf(const arrow::RecordBatchVector& parts,
                       std::uint8_t targets = kLogToOnline | kLogToOffline) {
  BatchContentSum sum("made", targets);
  for (const auto& part : parts) {
    const auto added = sum.Add(*part);
    EXPECT_TRUE(added) << added.error().ToString();
  }
  return sum.content();
}

const auto kMicros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");

TEST(BatchContentTest, OrderAndPartsSayNothing) {
  const auto rows = [](const char* keys, const char* values) {
    return BatchOf({{"key", arrow::int64(), keys}, {"city", arrow::utf8(), values}});
  };
  const auto all = rows("[1, 2, 3]", R"(["a", null, "c"])");
  const BatchContent content = ContentOf({all});
  EXPECT_TRUE(content.is_known());
  EXPECT_EQ(ContentOf({rows("[3, 1, 2]", R"(["c", "a", null])")}), content);
  EXPECT_EQ(ContentOf({all->Slice(1), all->Slice(0, 1)}), content);
  EXPECT_EQ(ParseContent(ContentText(content)), content);
  EXPECT_NE(ContentOf({all->Slice(1)}), content);
  EXPECT_NE(ContentOf({all, all->Slice(2)}), content) << "a row twice";
  EXPECT_NE(ContentOf({rows("[1, 2, 3]", R"(["c", null, "a"])")}), content);
  EXPECT_NE(ContentOf({rows("[1, 2, 3]", R"(["a", "", "c"])")}), content);
  EXPECT_FALSE(ContentOf({all->Slice(0, 0)}).is_known());
  EXPECT_FALSE(ParseContent("").is_known());
  EXPECT_FALSE(ParseContent("0123456789abcdef0123456789abcdeg").is_known());
}

TEST(BatchContentTest, EveryValueOfEveryTypeCounts) {
  const auto items = arrow::list(arrow::struct_({arrow::field("a", arrow::int32())}));
  const auto words = arrow::map(arrow::utf8(), arrow::float64());
  const std::vector<std::pair<std::shared_ptr<arrow::DataType>, std::vector<const char*>>> cases = {
      {arrow::boolean(), {"[true]", "[false]", "[null]"}},
      {arrow::int32(), {"[1]", "[2]", "[null]"}},
      {arrow::float64(), {"[0.5]", "[0.25]", "[null]"}},
      {arrow::date32(), {"[1]", "[2]"}},
      {arrow::decimal128(20, 2), {R"(["1.00"])", R"(["1.01"])"}},
      {arrow::binary(), {R"(["x"])", R"(["y"])", R"([""])", "[null]"}},
      {items, {R"([[{"a": 1}]])", R"([[{"a": 2}]])", R"([[{"a": 1}, {"a": null}]])", "[[]]", "[null]"}},
      {words, {R"([[["a", 1.5]]])", R"([[["a", 2.5]]])", R"([[["b", 1.5]]])", "[[]]"}},
  };
  for (const auto& [type, values] : cases) {
    std::set<std::string> seen;
    for (const char* value : values)
      seen.insert(
          ContentText(ContentOf({BatchOf({{"key", arrow::int64(), "[1]"}, {"value", type, value}})})));
    EXPECT_EQ(seen.size(), values.size()) << type->ToString();
  }
}

TEST(BatchContentTest, WhatIsStampedOnRowsSaysNothing) {
  const auto rows = [](const char* arrival, const char* event, const char* text, const char* written,
                       const char* is_deleted = "[false]") {
    return BatchOf({{"key", arrow::int64(), "[1]"},
                    {"at", arrow::utf8(), text},
                    {system_column::kEventTimestamp, kMicros, event},
                    {"made", kMicros, arrival},
                    {system_column::kWriteTime, kMicros, written},
                    {system_column::kArrival, kMicros, arrival},
                    {system_column::kIsDeleted, arrow::boolean(), is_deleted},
                    {system_column::kOrigin, arrow::int32(), "[1]"}});
  };
  const BatchContent content = ContentOf({rows("[50]", "[7]", R"(["seven"])", "[60]")});
  EXPECT_EQ(ContentOf({rows("[51]", "[7]", R"(["seven"])", "[61]")}), content);
  EXPECT_NE(ContentOf({rows("[51]", "[8]", R"(["eight"])", "[61]")}), content);
  // The event time of a deletion that was not given is the arrival; that of other rows was given.
  const auto now = rows("[50]", "[50]", R"(["fifty"])", "[60]", "[true]");
  EXPECT_EQ(ContentOf({rows("[51]", "[51]", R"(["fifty-one"])", "[61]", "[true]")}), ContentOf({now}));
  EXPECT_NE(ContentOf({rows("[51]", "[50]", R"(["fifty"])", "[61]", "[true]")}), ContentOf({now}));
  EXPECT_EQ(ContentOf({rows("[51]", "[50]", R"(["fifty"])", "[61]")}),
            ContentOf({rows("[50]", "[50]", R"(["fifty"])", "[60]")}));
}

TEST(BatchContentTest, TheStoresThatRowsAreForCount) {
  const auto rows = BatchOf({{"key", arrow::int64(), "[1]"}});
  const BatchContent both = ContentOf({rows});
  const BatchContent online = ContentOf({rows}, kLogToOnline);
  EXPECT_EQ(ContentOf({rows}, kLogToOnline), online);
  EXPECT_NE(online, both);
  EXPECT_NE(ContentOf({rows}, kLogToOffline), both);
  EXPECT_NE(ContentOf({rows}, kLogToOffline), online);
  EXPECT_FALSE(ContentOf({rows->Slice(0, 0)}, kLogToOnline).is_known());
}

TEST(BatchContentTest, AnotherContentIsAnErrorWhereBothAreKnown) {
  const BatchContent one{.low = 1, .high = 2};
  EXPECT_TRUE(CheckSameContent("k", one, one));
  EXPECT_TRUE(CheckSameContent("k", {}, one));
  EXPECT_TRUE(CheckSameContent("k", one, {}));
  const auto refused = CheckSameContent("k", one, {.low = 1, .high = 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
}

}  // namespace
}  // namespace tidemark
