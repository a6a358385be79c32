// Goal: a dictionary is chosen for numbers that repeat and for text, not for measured values, ids and times.
#include "adapters/files/dictionary_choice.h"

#include <arrow/builder.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tidemark
