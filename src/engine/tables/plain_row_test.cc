// Goal: a row that is copied into a frame is there as every other row is, also online; what needs more than
// to be copied is not plain.
#include "engine/tables/plain_row.h"

#include <arrow/builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "engine/online_rows.h"
#include "engine/tables/plain_frames.h"
#include "engine/tables/plain_row_testing.h"
#include "engine/tables/table_log.h"
#include "engine/tables/table_rows.h"
#include "engine/tables/table_shape.h"
#include "pit/columns.h"
#include "store/memory_source_testing.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;
using testing_support::kMicrosUtc;
using testing_support::RowsOfAll;
using testing_support::ViewOf;
using testing_support::ViewOfAll;

constexpr std::int64_t kArrivalUs = 1'735'689'600'000'007;
constexpr std::int64_t kWriteTimeUs = 1'735'689'600'000'011;

/// The same rows as all others are made.
std::shared_ptr<arrow::RecordBatch> Stamped(const CatalogView& view, const arrow::RecordBatch& batch) {
  bool cut = false;
  TableRowsOptions options;
  options.arrival_us = kArrivalUs;
  options.others_allowed = true;
  const auto rows = ReadTableRows(view, batch, options, &cut);
  EXPECT_TRUE(rows) << rows.error().ToString();
  arrow::Int64Builder times;
  EXPECT_TRUE(times.AppendValues(std::vector<std::int64_t>(1, kWriteTimeUs)).ok());
  const auto written = std::static_pointer_cast<arrow::Int64Array>(times.Finish().ValueOrDie());
  return StampedRows(TableSchema(view), *rows, written).value();
}

void ExpectAsOthers(const CatalogView& view, const std::shared_ptr<arrow::RecordBatch>& batch) {
  const auto kept = TableSchema(view);
  const PlainColumns columns(view, kept, batch->schema());
  ASSERT_TRUE(columns.are_plain());
  const auto row = PlainRow::Of(columns, *batch, kArrivalUs);
  ASSERT_TRUE(row);
  const auto wanted = Stamped(view, *batch);
  const std::string frame = row->Frame(EncodePlainSchema(*kept).value(), kWriteTimeUs);
  const auto decoded = DecodePlainRow(std::as_bytes(std::span(frame)));
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_TRUE((*decoded)->Equals(*wanted, /*check_metadata=*/true))
      << (*decoded)->ToString() << wanted->ToString();

  const PackedLayout layout = CurrentLayout(view);
  const auto online = OnlineRowsOf(view, layout, *wanted, kArrivalUs);
  ASSERT_TRUE(online) << online.error().ToString();
  const arrow::ArrayVector keys = row->Keys(view).value();
  const arrow::ArrayVector features = row->Features();
  OnlineBatch packing(layout, view.id, keys, features);
  ASSERT_TRUE(packing.Add(0, row->Header(static_cast<std::uint32_t>(view.version), kWriteTimeUs)));
  const auto own = packing.packed().Writes();
  const auto others = online->rows.Writes();
  ASSERT_EQ(own.size(), 1);
  ASSERT_EQ(others.size(), 1);
  EXPECT_EQ(own[0].key, others[0].key);
  EXPECT_TRUE(std::ranges::equal(own[0].value, others[0].value));
}

TEST(PlainRow, IsInAFrameAsEveryOtherRow) {
  const auto rows = RowsOfAll();
  for (std::int64_t row = 0; row < rows->num_rows(); ++row) {
    SCOPED_TRACE(row);
    ExpectAsOthers(ViewOfAll(), rows->Slice(row, 1));
  }
  ExpectAsOthers(ViewOfAll(), rows->RemoveColumn(2).ValueOrDie()->Slice(1, 1));  // created when it arrived
  for (const TypeKind kind : {TypeKind::kInt32, TypeKind::kBool, TypeKind::kTimestamp, TypeKind::kBinary}) {
    const CatalogView view = ViewOf({}, false, kind);
    const std::string value = kind == TypeKind::kBool ? "true" : kind == TypeKind::kBinary ? R"("x")" : "5";
    ExpectAsOthers(view, BatchOf({{"city", ToArrow(DataType{.kind = kind}), "[" + value + "]"},
                                  {"key", arrow::int64(), "[1]"},
                                  {"at", kMicrosUtc, "[9]"}}));
  }
}

std::shared_ptr<arrow::RecordBatch> RowWith(const std::string& name,
                                            const std::shared_ptr<arrow::DataType>& type,
                                            const std::string& value) {
  std::vector<testing_support::TextColumn> columns{{"city", arrow::utf8(), R"(["Bonn"])"},
                                                   {"key", arrow::int64(), "[1]"},
                                                   {"at", kMicrosUtc, "[9]"},
                                                   {"n", arrow::float64(), "[0.5]"}};
  const auto same = std::ranges::find(columns, name, &testing_support::TextColumn::name);
  if (same == columns.end()) {
    columns.push_back({name, type, value});
  } else {
    *same = {name, type, value};
  }
  return BatchOf(columns);
}

TEST(PlainRow, WhatNeedsMoreThanToBeCopiedIsLeftToOthers) {
  const CatalogView view = ViewOf({{"n", {.kind = TypeKind::kFloat64}}});
  const auto is_plain = [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    const PlainColumns columns(view, TableSchema(view), batch->schema());
    return PlainRow::Of(columns, *batch, kArrivalUs).has_value();
  };
  const auto good = RowWith("n", arrow::float64(), "[null]");
  EXPECT_TRUE(is_plain(good));
  EXPECT_FALSE(is_plain(good->Slice(1)));
  EXPECT_FALSE(is_plain(BatchOf({{"city", arrow::utf8(), R"(["a", "b"])"},
                                 {"key", arrow::int64(), "[1, 2]"},
                                 {"at", kMicrosUtc, "[9, 9]"},
                                 {"n", arrow::float64(), "[1, 2]"}})));
  for (int column = 0; column < good->num_columns(); ++column)
    EXPECT_FALSE(is_plain(good->RemoveColumn(column).ValueOrDie())) << column;
  EXPECT_FALSE(is_plain(RowWith("n", arrow::float32(), "[0.5]")));
  EXPECT_FALSE(is_plain(RowWith("at", arrow::timestamp(arrow::TimeUnit::MICRO), "[9]")));
  EXPECT_FALSE(is_plain(RowWith("at", arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), "[9]")));
  EXPECT_FALSE(is_plain(RowWith("at", kMicrosUtc, "[null]")));
  EXPECT_FALSE(is_plain(RowWith("at", kMicrosUtc, "[9223372036854775807]")));
  EXPECT_FALSE(is_plain(RowWith("at", kMicrosUtc, "[-9223372036854775807]")));
  EXPECT_FALSE(is_plain(RowWith("key", arrow::int64(), "[null]")));
  EXPECT_FALSE(is_plain(RowWith("key", arrow::int32(), "[1]")));
  EXPECT_FALSE(is_plain(RowWith("city", arrow::utf8(), "[null]")));
  arrow::StringBuilder no_text;
  ASSERT_TRUE(no_text.Append("\xFF").ok());
  EXPECT_FALSE(
      is_plain(good->SetColumn(0, good->schema()->field(0), no_text.Finish().ValueOrDie()).ValueOrDie()));
  EXPECT_FALSE(is_plain(RowWith("expires_at", kMicrosUtc, "[9]")));
  EXPECT_FALSE(is_plain(RowWith("write_time", kMicrosUtc, "[9]")));
  EXPECT_FALSE(is_plain(RowWith("__event_timestamp", kMicrosUtc, "[9]")));
  const std::string long_text(70'000, 'x');
  EXPECT_FALSE(is_plain(RowWith("city", arrow::utf8(), "[\"" + long_text + "\"]")));
  const auto twice = good->AddColumn(0, "n", good->GetColumnByName("n")).ValueOrDie();
  EXPECT_FALSE(is_plain(twice));
}

TEST(PlainRow, ColumnsThatTheTableDoesNotHaveAreTold) {
  const CatalogView view = ViewOf({{"n", {.kind = TypeKind::kFloat64}}});
  const auto kept = TableSchema(view);
  const auto batch = RowWith("other", arrow::list(arrow::int32()), "[[1]]");
  const PlainColumns columns(view, kept, batch->schema());
  EXPECT_TRUE(columns.has_others());
  EXPECT_FALSE(PlainColumns(view, kept, RowWith("n", arrow::float64(), "[1]")->schema()).has_others());
  ExpectAsOthers(view, batch);
}

TEST(PlainRow, TablesWhoseEventTimesAreTextAreLeftToOthers) {
  CatalogView view = ViewOf({});
  view.definition.table.timestamp_type = {.kind = TypeKind::kString};
  const auto batch = BatchOf({{"city", arrow::utf8(), R"(["Bonn"])"},
                              {"key", arrow::int64(), "[1]"},
                              {"at", arrow::utf8(), R"(["2025-01-01"])"}});
  EXPECT_FALSE(PlainColumns(view, TableSchema(view), batch->schema()).are_plain());
}

TEST(PlainRow, ColumnsAreKnownBySchemaAndTable) {
  KnownPlainColumns known;
  const CatalogView view = ViewOf({{"n", {.kind = TypeKind::kFloat64}}});
  const auto kept = TableSchema(view);
  const auto given = RowWith("n", arrow::float64(), "[1]")->schema();
  const auto first = known.Get(view, kept, given);
  EXPECT_EQ(known.Get(view, kept, given), first);
  EXPECT_NE(known.Get(view, TableSchema(view), given), first);
  for (int i = 0; i < 40; ++i)
    EXPECT_TRUE(known.Get(view, kept, RowWith("n", arrow::float64(), "[1]")->schema())->are_plain());
}

}  // namespace
}  // namespace tidemark
