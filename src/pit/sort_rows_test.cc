// Goal: rows come out in the order of key, event and created time, equal ones as they came and counted,
// whatever the types of the keys.
#include "pit/sort_rows.h"

#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <tuple>

namespace tidemark {
namespace {

using Row = std::tuple<std::int64_t, bool, std::string, std::int64_t, std::int64_t>;

template <typename Builder, typename Get>
auto Column(const std::vector<Row>& rows, const Get& get) {
  Builder builder;
  for (const Row& row : rows)
    EXPECT_TRUE(builder.Append(get(row)).ok());
  return builder.Finish().ValueOrDie();
}

SortColumns ColumnsOf(const std::vector<Row>& rows) {
  SortColumns columns;
  columns.keys = {Column<arrow::Int64Builder>(rows, [](const Row& row) { return std::get<0>(row); }),
                  Column<arrow::BooleanBuilder>(rows, [](const Row& row) { return std::get<1>(row); }),
                  Column<arrow::BinaryBuilder>(rows, [](const Row& row) { return std::get<2>(row); })};
  columns.event = std::static_pointer_cast<arrow::Int64Array>(
      Column<arrow::Int64Builder>(rows, [](const Row& row) { return std::get<3>(row); }));
  columns.created = std::static_pointer_cast<arrow::Int64Array>(
      Column<arrow::Int64Builder>(rows, [](const Row& row) { return std::get<4>(row); }));
  return columns;
}

std::vector<Row> RandomRows(std::mt19937& random, std::size_t count) {
  const auto pick = [&](int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); };
  const std::vector<std::string> texts{
      "", "a", std::string(1, '\0'), "prefix 8", "prefix 8b", "prefix 8\xff", "prefix", "\xff"};
  std::vector<Row> rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows.emplace_back(pick(5) - 2, pick(2) == 1, texts[static_cast<std::size_t>(pick(8))],
                      std::int64_t{pick(3)} << 40, pick(2) - 1);
  }
  return rows;
}

TEST(SortRows, EqualsAStableSortOfTheValues) {
  std::mt19937 random(20240501);  // NOLINT(cert-msc51-cpp): the same cases every time
  for (int round = 0; round < 200; ++round) {
    const std::vector<Row> rows = RandomRows(random, static_cast<std::size_t>(round));
    std::vector<std::uint32_t> expected(rows.size());
    std::iota(expected.begin(), expected.end(), 0U);
    std::ranges::stable_sort(expected, [&](auto left, auto right) { return rows[left] < rows[right]; });

    const auto sorted = SortRows(ColumnsOf(rows));
    ASSERT_TRUE(sorted) << sorted.error().ToString();
    if (!sorted->order.empty()) {
      EXPECT_EQ(sorted->order, expected);
    } else {
      EXPECT_TRUE(std::ranges::is_sorted(rows));
    }
    std::uint32_t repeats = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      repeats = i > 0 && rows[expected[i - 1]] == rows[expected[i]] ? repeats + 1 : 0;
      EXPECT_EQ(sorted->repeats.empty() ? 0 : sorted->repeats[i], repeats);
    }
  }
}

TEST(SortRows, RowsInOrderAreLeftAsTheyAre) {
  const std::vector<Row> rows{{1, false, "a", 1, 1}, {1, false, "a", 2, 0}, {2, false, "", 0, 0}};
  const auto sorted = SortRows(ColumnsOf(rows));
  ASSERT_TRUE(sorted);
  EXPECT_TRUE(sorted->order.empty());
  EXPECT_TRUE(sorted->repeats.empty());
}

TEST(SortRows, KeysThatDifferAreKnownToDiffer) {
  std::mt19937 random(20240502);  // NOLINT(cert-msc51-cpp): the same cases every time
  int different = 0;
  for (int round = 0; round < 200; ++round) {
    const std::vector<Row> rows = RandomRows(random, static_cast<std::size_t>(round % 24));
    std::vector<std::tuple<std::int64_t, bool, std::string>> keys;
    for (const auto& [number, flag, text, event, created] : rows)
      keys.emplace_back(number, flag, text);
    std::ranges::sort(keys);
    const bool differ = std::ranges::adjacent_find(keys) == keys.end();
    different += differ ? 1 : 0;
    const SortColumns columns = ColumnsOf(rows);
    EXPECT_EQ(HaveDifferentKeys(columns.keys, std::ssize(rows)).value(), differ);
    std::vector<std::int64_t> numbers;
    for (const Row& row : rows)
      numbers.push_back(std::get<0>(row));
    std::ranges::sort(numbers);
    EXPECT_EQ(HaveDifferentKeys({columns.keys[0]}, std::ssize(rows)).value(),
              std::ranges::adjacent_find(numbers) == numbers.end());
  }
  EXPECT_GT(different, 50);
  EXPECT_LT(different, 150);
  EXPECT_TRUE(HaveDifferentKeys({}, 1).value());
  EXPECT_FALSE(HaveDifferentKeys({}, 2).value()) << "rows without keys are all of one entity";
}

TEST(SortRows, AColumnThatIsNoKeyIsRefused) {
  SortColumns columns = ColumnsOf({{1, false, "a", 1, 1}});
  columns.keys = {arrow::MakeArrayOfNull(arrow::int64(), 1).ValueOrDie()};
  EXPECT_EQ(SortRows(columns).error().code, ErrorCode::kInvalidArgument);
  columns.keys = {arrow::MakeArrayFromScalar(arrow::DoubleScalar(1), 1).ValueOrDie()};
  EXPECT_EQ(SortRows(columns).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidemark
