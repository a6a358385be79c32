// Goal: rows that come in parts are stamped as if they had come as one, whatever the parts are.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/write_times.h"
#include "engine/tables/plain_row_testing.h"
#include "engine/tables/stamp_rows_internal.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;
using testing_support::kMicrosUtc;
using testing_support::RowsOfAll;
using testing_support::ViewOf;
using testing_support::ViewOfAll;

constexpr std::int64_t kNowUs = 1'735'689'600'000'007;

TableRows Read(const CatalogView& view, const arrow::RecordBatch& batch) {
  bool cut = false;
  TableRowsOptions options;
  options.arrival_us = kNowUs;
  auto rows = ReadTableRows(view, batch, options, &cut);
  EXPECT_TRUE(rows) << rows.error().ToString();
  return *std::move(rows);
}

void ExpectAsOne(const CatalogView& view, const std::vector<TableRows>& parts, StampOrder order) {
  const auto schema = TableSchema(view);
  WriteTimes times;
  WriteTimes others;
  const auto stamped = StampRows(schema, parts, times, kNowUs, order);
  ASSERT_TRUE(stamped) << stamped.error().ToString();
  const auto joined = JoinRows(parts);
  ASSERT_TRUE(joined) << joined.error().ToString();
  const auto wanted = StampRows(schema, {&*joined, 1}, others, kNowUs, order);
  ASSERT_TRUE(wanted) << wanted.error().ToString();
  ASSERT_TRUE(stamped->rows->ValidateFull().ok());
  EXPECT_TRUE(stamped->rows->Equals(*wanted->rows, /*check_metadata=*/true))
      << stamped->rows->ToString() << wanted->rows->ToString();
  EXPECT_EQ(stamped->write_time_us, wanted->write_time_us);
}

TEST(StampRows, PartsAreAsOne) {
  const CatalogView view = ViewOfAll();
  const auto rows = RowsOfAll();
  std::vector<TableRows> parts;
  for (const std::int64_t row : {2, 0, 1, 0})  // not in order, and one of them twice
    parts.push_back(Read(view, *rows->Slice(row, 1)));
  parts.push_back(Read(view, *rows));
  for (const StampOrder order : {StampOrder::kOfFiles, StampOrder::kAsGiven})
    ExpectAsOne(view, parts, order);
}

TEST(StampRows, OnlySomePartsSayWhenRowsExpire) {
  const CatalogView view = ViewOf({});
  const auto part = [&](const std::string& city, const std::string& expires_at) {
    std::vector<testing_support::TextColumn> columns{{"city", arrow::utf8(), "[\"" + city + "\"]"},
                                                     {"key", arrow::int64(), "[1]"},
                                                     {"at", kMicrosUtc, "[9]"}};
    if (!expires_at.empty()) columns.push_back({"expires_at", kMicrosUtc, "[" + expires_at + "]"});
    return Read(view, *BatchOf(columns));
  };
  const std::vector<TableRows> parts{part("c", ""), part("b", "77"), part("a", "null")};
  ExpectAsOne(view, parts, StampOrder::kOfFiles);
  WriteTimes times;
  const auto stamped = StampRows(TableSchema(view), parts, times, kNowUs);
  ASSERT_TRUE(stamped);
  const auto expiry = stamped->rows->GetColumnByName("expires_at");
  EXPECT_TRUE(expiry->IsNull(0));
  EXPECT_TRUE(expiry->IsValid(1));
  EXPECT_TRUE(expiry->IsNull(2));
}

}  // namespace
}  // namespace tidemark
