// Goal: values of every width come to the rows that asked for them, slices and nulls included; rows that did
// not ask are null.
#include "engine/ordered_columns.h"

#include <gtest/gtest.h>

#include "engine/engine_testing.h"

namespace tidemark {
namespace {

std::shared_ptr<arrow::Array> ArrayOf(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return testing_support::BatchOf({{"x", type, json}})->column(0);
}

TEST(OrderedColumns, HoldOnlyWords) {
  EXPECT_TRUE(IsOfWords(*arrow::int32()) && IsOfWords(*arrow::float64()) && IsOfWords(*arrow::date32()));
  EXPECT_TRUE(IsOfWords(*arrow::decimal128(5, 1)));
  EXPECT_FALSE(IsOfWords(*arrow::boolean()) || IsOfWords(*arrow::utf8()) || IsOfWords(*arrow::int16()));
}

TEST(OrderedColumns, PutPartsInTheOrderOfTheAsks) {
  const AsksByPart asks{.begin = {0, 3, 3, 6}, .asks = {1, 4, 9, 0, 2, 8}, .asked = {0b00010111, 0b11}};
  const std::vector<std::pair<std::shared_ptr<arrow::DataType>, std::vector<std::string>>> columns{
      {arrow::int32(), {"[7, 10, 40, 90]", "[7]", "[7, 5, null, 80]"}},
      {arrow::float64(), {"[7, 10, 40, 90]", "[7]", "[7, 5, null, 80]"}},
      {arrow::decimal128(5, 1),
       {R"(["7.0", "10.0", "40.0", "90.0"])", R"(["7.0"])", R"(["7.0", "5.0", null, "80.0"])"}}};
  for (const auto& [type, json] : columns) {
    arrow::ArrayVector parts;
    for (const std::string& part : json)
      parts.push_back(ArrayOf(type, part)->Slice(1));  // an offset
    // For each row: the part, counted from 1 (-1: none), and the value's place in it.
    const std::vector<std::pair<int, int>> expected{{3, 0},  {1, 0},  {3, 1},  {-1, 0}, {1, 1},
                                                    {-1, 0}, {-1, 0}, {-1, 0}, {3, 2},  {1, 2}};
    for (const auto& [begin, rows] : {std::pair{0, 10}, {1, 8}, {3, 1}, {9, 1}, {4, 0}}) {
      const auto got = InOrderOfAsks(type, parts, asks, begin, rows);
      ASSERT_TRUE(got) << got.error().ToString();
      ASSERT_TRUE((*got)->ValidateFull().ok());
      ASSERT_EQ((*got)->length(), rows);
      for (int row = 0; row < rows; ++row) {
        const auto [part, place] = expected[static_cast<std::size_t>(begin + row)];
        if (part < 0) {
          EXPECT_TRUE((*got)->IsNull(row));
        } else {
          const auto& values = *parts[static_cast<std::size_t>(part - 1)];
          EXPECT_TRUE((*got)->Slice(row, 1)->Equals(values.Slice(place, 1)));
        }
      }
    }
  }
}

TEST(OrderedColumns, TakeWordsKeepsNulls) {
  const auto values = ArrayOf(arrow::int64(), "[0, 1, null, 3]")->Slice(1);
  const std::vector<std::int32_t> index{2, 1, 0, 0};
  const auto got = TakeWords(*values, index);
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_TRUE((*got)->Equals(ArrayOf(arrow::int64(), "[3, null, 1, 1]"))) << (*got)->ToString();
  EXPECT_EQ(TakeWords(*values, {}).value()->length(), 0);
}

}  // namespace
}  // namespace tidemark
