// Goal: a dictionary is chosen for numbers that repeat and for text, not for measured values, ids and times;
// keys of sorted rows are written as steps; numbers without a pattern are not compressed, all else is.
#include "adapters/parquet/encoding_choice.h"

#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <random>

namespace tidemark {
namespace {

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Column(std::int64_t rows, const Value& value) {
  Builder builder;
  for (std::int64_t row = 0; row < rows; ++row)
    EXPECT_TRUE((row % 5 == 4 ? builder.AppendNull() : builder.Append(value(row))).ok());
  return builder.Finish().ValueOrDie();
}

TEST(DictionaryChoice, FollowsHowOftenValuesRepeat) {
  for (const std::int64_t rows : {100, 5'000, 100'000}) {
    const auto ids = Column<arrow::Int64Builder>(rows, [](std::int64_t row) { return row; });
    EXPECT_FALSE(DictionaryPays(*ids));
    EXPECT_FALSE(DictionaryPays(*ids->Slice(1)));
    const auto measured =
        Column<arrow::DoubleBuilder>(rows, [](std::int64_t row) { return 0.1 * static_cast<double>(row); });
    EXPECT_FALSE(DictionaryPays(*measured));
    const auto classes = Column<arrow::Int32Builder>(
        rows, [](std::int64_t row) { return static_cast<std::int32_t>(row % 7); });
    EXPECT_TRUE(DictionaryPays(*classes));
    EXPECT_TRUE(DictionaryPays(*classes->Slice(3)));
  }
  const auto text = Column<arrow::StringBuilder>(1'000, [](std::int64_t row) { return std::to_string(row); });
  EXPECT_TRUE(DictionaryPays(*text));
}

TEST(DictionaryChoice, LeavesItToTheWriterWhenThereIsNothingToJudgeBy) {
  EXPECT_TRUE(DictionaryPays(*Column<arrow::Int64Builder>(3, [](std::int64_t row) { return row; })));
  EXPECT_TRUE(DictionaryPays(arrow::NullArray(1'000)));
  EXPECT_TRUE(DictionaryPays(arrow::BooleanArray(0, nullptr)));
}

TEST(RunChoice, SeesRowsOfOneKeyTogether) {
  const auto keys = [](std::int64_t each) {
    return Column<arrow::Int64Builder>(10'000, [each](std::int64_t row) { return row / each; });
  };
  // Every fifth is null and ends its run, whatever bits it has.
  EXPECT_TRUE(HasRuns(*keys(20)));
  EXPECT_TRUE(HasRuns(*keys(20)->Slice(7)));
  EXPECT_FALSE(HasRuns(*keys(1)));
  const auto text = Column<arrow::StringBuilder>(100, [](std::int64_t) { return "x"; });
  EXPECT_FALSE(HasRuns(*text));
}

TEST(StepChoice, SeesKeysOfSortedRows) {
  const auto column = [](const auto& value) { return Column<arrow::Int64Builder>(20'000, value); };
  const auto keys = column([](std::int64_t row) { return -1'000 + row / 10 * 3; });
  EXPECT_TRUE(StepsPay(*keys));
  EXPECT_TRUE(StepsPay(*keys->Slice(7)));
  EXPECT_TRUE(StepsPay(*column([](std::int64_t row) { return row; })));
  EXPECT_TRUE(StepsPay(*column([](std::int64_t row) { return (std::int64_t{1} << 62) - 20'000 + row; })));
  const auto narrow = Column<arrow::Int32Builder>(
      20'000, [](std::int64_t row) { return static_cast<std::int32_t>(row / 10); });
  EXPECT_TRUE(StepsPay(*narrow));
}

TEST(StepChoice, LeavesOthersToDictionaries) {
  const auto column = [](const auto& value) { return Column<arrow::Int64Builder>(20'000, value); };
  EXPECT_FALSE(StepsPay(*column([](std::int64_t) { return 7; }))) << "one value";
  EXPECT_FALSE(StepsPay(*column([](std::int64_t row) { return row / 1'000; }))) << "few values";
  EXPECT_FALSE(StepsPay(*column([](std::int64_t row) { return row / 10 << 20; }))) << "large steps";
  EXPECT_FALSE(StepsPay(*column([](std::int64_t row) { return -row; }))) << "descending";
  EXPECT_FALSE(StepsPay(*column([](std::int64_t row) { return row % 5'000; }))) << "going back once";
  EXPECT_FALSE(StepsPay(*column([](std::int64_t row) { return row; })->Slice(0, 500))) << "too few to tell";
  EXPECT_FALSE(StepsPay(
      *Column<arrow::DoubleBuilder>(20'000, [](std::int64_t row) { return static_cast<double>(row); })));
  EXPECT_FALSE(StepsPay(arrow::NullArray(20'000)));
}

TEST(CompressionChoice, LeavesNumbersWithoutAPatternAsTheyAre) {
  std::mt19937_64 random(7);
  const auto noise = Column<arrow::DoubleBuilder>(
      100'000, [&](std::int64_t) { return std::normal_distribution<double>()(random); });
  EXPECT_FALSE(CompressionPays(*noise, arrow::Compression::ZSTD));
  EXPECT_FALSE(CompressionPays(*noise->Slice(1'000), arrow::Compression::ZSTD));
  const auto counts =
      Column<arrow::Int64Builder>(100'000, [&](std::int64_t) { return static_cast<int>(random() % 100); });
  EXPECT_TRUE(CompressionPays(*counts, arrow::Compression::ZSTD));
  const auto ids = Column<arrow::Int64Builder>(100'000, [](std::int64_t row) { return row; });
  EXPECT_TRUE(CompressionPays(*ids, arrow::Compression::ZSTD));
  const auto times = Column<arrow::Int64Builder>(100'000, [&](std::int64_t) {
    return (std::int64_t{1} << 50) + static_cast<std::int64_t>(random() >> 24);
  });
  EXPECT_TRUE(CompressionPays(*times, arrow::Compression::ZSTD));
  EXPECT_FALSE(CompressionPays(*times, arrow::Compression::SNAPPY));
}

TEST(CompressionChoice, JudgesByTheValuesBetweenNulls) {
  std::mt19937_64 random(7);
  arrow::DoubleBuilder builder;
  for (int row = 0; row < 100'000; ++row)
    ASSERT_TRUE(
        (row % 2 == 0 ? builder.AppendNull() : builder.Append(std::normal_distribution<double>()(random)))
            .ok());
  EXPECT_FALSE(CompressionPays(*builder.Finish().ValueOrDie(), arrow::Compression::SNAPPY));
}

TEST(CompressionChoice, CompressesWhatItCannotJudge) {
  std::mt19937_64 random(7);
  const auto few =
      Column<arrow::DoubleBuilder>(100, [&](std::int64_t) { return static_cast<double>(random()); });
  EXPECT_TRUE(CompressionPays(*few, arrow::Compression::ZSTD));
  EXPECT_TRUE(CompressionPays(arrow::NullArray(100'000), arrow::Compression::ZSTD));
  const auto text =
      Column<arrow::StringBuilder>(1'000, [&](std::int64_t) { return std::to_string(random()); });
  EXPECT_TRUE(CompressionPays(*text, arrow::Compression::ZSTD));
}

}  // namespace
}  // namespace tidemark
