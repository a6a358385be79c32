// Goal: the kernel answers every golden case of tests/golden as it is written there, in whichever order and
// from however many threads its rows come; and the parser refuses what is not a golden file.
#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/time.h"
#include "pit/columns.h"
#include "pit/golden_testing.h"

namespace tidemark {
namespace {

using namespace pit_testing;

arrow::ArrayVector Keys(const arrow::RecordBatch& batch, const GoldenView& view) {
  auto keys = view.keys;
  std::ranges::sort(keys, {}, &GoldenColumn::name);
  arrow::ArrayVector out;
  for (const GoldenColumn& key : keys) {
    auto canonical = CanonicalKey(batch.GetColumnByName(key.name), key.type, key.name, 0);
    EXPECT_TRUE(canonical.has_value()) << canonical.error().ToString();
    out.push_back(*canonical);
  }
  return out;
}

std::shared_ptr<arrow::Int64Array> Micros(const arrow::RecordBatch& batch, const std::string& column) {
  const auto times = batch.GetColumnByName(column);
  return times == nullptr ? nullptr : *NullableTimesToMicros(*times, column, 0);
}

FeatureRows Rows(const arrow::RecordBatch& batch, const GoldenView& view, std::int64_t row) {
  FeatureRows out;
  out.keys = Keys(batch, view);
  out.event = Micros(batch, "event_timestamp");
  out.created = Micros(batch, "created_timestamp");
  out.expires_at = Micros(batch, "expires_at");
  out.sequence = std::static_pointer_cast<arrow::Int64Array>(batch.GetColumnByName("write_time"));
  out.is_deleted = std::static_pointer_cast<arrow::BooleanArray>(batch.GetColumnByName("is_deleted"));
  if (const auto origins = batch.GetColumnByName("origin")) {
    arrow::UInt32Builder builder;
    for (std::int64_t i = 0; i < origins->length(); ++i) {
      EXPECT_TRUE(
          builder.Append(static_cast<std::uint32_t>(static_cast<arrow::Int64Array&>(*origins).Value(i)))
              .ok());
    }
    out.origin = std::static_pointer_cast<arrow::UInt32Array>(builder.Finish().ValueOrDie());
  }
  out.first_location = static_cast<RowLocation>(row);
  return out;
}

// Rows one by one, in the order of `order`, given to as many threads in turn.
std::vector<Winner> Join(const GoldenCase& one, const GoldenView& view,
                         const std::vector<std::int64_t>& order, std::size_t threads) {
  const auto entities = *one.EntityBatch();
  const auto batch = *view.ToBatch();
  const auto groups = EntityGroups::Make(Keys(*entities, view), *Micros(*entities, "event_timestamp"));
  PointInTimeJoin join(*groups, {one.known_by, view.ttl_us, threads});
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto added = join.Add(Rows(*batch->Slice(order[i], 1), view, order[i]), i % threads);
    EXPECT_TRUE(added.has_value()) << added.error().ToString();
  }
  return join.Finish();
}

std::vector<GoldenAnswer> Answers(const std::vector<Winner>& winners, const GoldenView& view,
                                  const std::string& feature) {
  const auto values = (*view.ToBatch())->GetColumnByName(feature);
  std::vector<GoldenAnswer> out;
  for (const Winner& winner : winners) {
    GoldenAnswer answer{winner.status, {}};
    if (winner.status == Status::kPresent) {
      const auto row = static_cast<std::int64_t>(winner.location);
      if (values->IsNull(row)) {
        answer.status = Status::kNullValue;
      } else {
        answer.value = GoldenText(*values, row);
      }
    }
    out.push_back(answer);
  }
  return out;
}

std::string Print(const std::vector<GoldenAnswer>& answers) {
  std::string out;
  for (const auto& answer : answers) {
    if (answer.status == Status::kPresent) {
      out += answer.value;
    } else {
      out += StatusName(answer.status);
    }
    out += '\n';
  }
  return out;
}

TEST(Golden, TheKernelAnswersAsWritten) {
  const auto cases = ReadGoldenFolder(TIDEMARK_SOURCE_DIR "/tests/golden");
  ASSERT_TRUE(cases.has_value()) << cases.error().ToString();
  ASSERT_GE(cases->size(), 25U);
  for (const GoldenCase& one : *cases) {
    for (const auto& expected : one.expected) {
      const GoldenView& view = one.view(expected.view);
      std::vector<std::int64_t> order;
      for (std::size_t i = 0; i < view.rows.rows.size(); ++i)
        order.push_back(static_cast<std::int64_t>(i));
      for (const std::size_t threads : {1U, 2U, 3U}) {
        EXPECT_EQ(Print(Answers(Join(one, view, order, threads), view, expected.feature)),
                  Print(expected.answers))
            << one.place << ", " << expected.view << ":" << expected.feature;
        std::ranges::reverse(order);
      }
    }
  }
}

TEST(Golden, WhatIsNoGoldenFileIsRefused) {
  for (const std::string text :
       {"view x", "case a\nrows", "case a\nnonsense", "case a\nview v\nrows\na | b int64\n1",
        "case a\nknown_by soon", "case a\nview v\nrows\na\n", "case a\nview v\nttl soon"}) {
    EXPECT_FALSE(ParseGolden(text, "x.txt").has_value()) << text;
  }
  const auto failed = ParseGolden("case a\nnonsense", "x.txt");
  EXPECT_THAT(failed.error().ToString(), testing::HasSubstr("x.txt:2"));
}

}  // namespace
}  // namespace tidemark
