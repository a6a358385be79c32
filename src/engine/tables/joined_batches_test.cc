// Goal: rows keep their order and none is lost; only batches of few rows are copied.
#include "engine/tables/joined_batches.h"

#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace tidemark {
namespace {

std::shared_ptr<arrow::RecordBatch> Numbers(std::int64_t from, std::int64_t count) {
  arrow::Int64Builder builder;
  for (std::int64_t number = from; number < from + count; ++number)
    EXPECT_TRUE(builder.Append(number).ok());
  static const auto schema = arrow::schema({arrow::field("n", arrow::int64())});
  return arrow::RecordBatch::Make(schema, count, {builder.Finish().ValueOrDie()});
}

std::vector<std::int64_t> NumbersOf(const arrow::RecordBatchVector& batches) {
  std::vector<std::int64_t> numbers;
  for (const auto& batch : batches) {
    const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
    numbers.insert(numbers.end(), column.raw_values(), column.raw_values() + column.length());
  }
  return numbers;
}

std::vector<std::int64_t> UpTo(std::int64_t count) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t number = 0; number < count; ++number)
    numbers.push_back(number);
  return numbers;
}

TEST(JoinedBatches, RowsKeepTheirOrderWhateverTheirBatchesWere) {
  JoinedBatches joined;
  std::int64_t rows = 0;
  for (const std::int64_t count : {1, 0, 7, 40'000, 1, 30'000, 2'768, 5, 33'000}) {
    ASSERT_TRUE(joined.Add(Numbers(rows, count)));
    rows += count;
  }
  const auto last = joined.TakeLast().value();
  arrow::RecordBatchVector batches = joined.TakeWhole();
  EXPECT_LE(batches.size(), 6U);
  if (last != nullptr) batches.push_back(last);
  EXPECT_EQ(NumbersOf(batches), UpTo(rows));
  EXPECT_EQ(joined.TakeLast().value(), nullptr);
  EXPECT_TRUE(joined.TakeWhole().empty());
}

TEST(JoinedBatches, AreGoneOnWithByAnother) {
  JoinedBatches first;
  ASSERT_TRUE(first.Add(Numbers(0, 40'000)));
  ASSERT_TRUE(first.Add(Numbers(40'000, 3)));
  auto last = first.TakeLast().value();
  JoinedBatches second(first.TakeWhole(), std::move(last));
  ASSERT_TRUE(second.Add(Numbers(40'003, 2)));
  const auto rest = second.TakeLast().value();
  arrow::RecordBatchVector batches = second.TakeWhole();
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(rest->num_rows(), 5);
  batches.push_back(rest);
  EXPECT_EQ(NumbersOf(batches), UpTo(40'005));
}

TEST(JoinedBatches, ABatchOfManyRowsIsNotCopied) {
  JoinedBatches joined;
  const auto many = Numbers(0, 50'000);
  ASSERT_TRUE(joined.Add(many));
  EXPECT_EQ(joined.TakeWhole(), arrow::RecordBatchVector{many});
}

}  // namespace
}  // namespace tidemark
