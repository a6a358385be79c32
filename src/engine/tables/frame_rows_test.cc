// Goal: the rows of frames of all kinds come in the order of the log and in the table's present columns, also
// those of plain rows that were written when it had others.
#include "engine/tables/frame_rows.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "engine/tables/plain_row.h"
#include "engine/tables/plain_row_testing.h"
#include "engine/tables/table_rows.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;
using testing_support::kMicrosUtc;
using testing_support::ViewOf;

CatalogView NarrowView() {
  return ViewOf({{"n", {.kind = TypeKind::kFloat32}}});
}
CatalogView WideView() {
  return ViewOf({{"n", {.kind = TypeKind::kFloat64}}, {"text", {.kind = TypeKind::kString}}});
}

/// A row of the view with that key.
std::shared_ptr<arrow::RecordBatch> RowOf(const CatalogView& view, int key) {
  const std::string number = "[" + std::to_string(key) + "]";
  auto row = BatchOf({{"city", arrow::utf8(), R"(["Bonn"])"},
                      {"key", arrow::int64(), number},
                      {"at", kMicrosUtc, number},
                      {"n", ToArrow(view.definition.fields[0].type), number},
                      {"text", arrow::utf8(), R"(["x"])"}});
  return view.definition.fields.size() > 1 ? row : row->RemoveColumn(4).ValueOrDie();
}

std::string PlainPayload(const CatalogView& view, int key) {
  const auto kept = TableSchema(view);
  const auto batch = RowOf(view, key);
  const PlainColumns columns(view, kept, batch->schema());
  return PlainRow::Of(columns, *batch, /*arrival_us=*/1)->Frame(EncodePlainSchema(*kept).value(), key);
}

/// The same row as a frame of rows.
std::string RowsPayload(const CatalogView& view, int key) {
  const std::string plain = PlainPayload(view, key);
  const auto rows = DecodePlainRow(std::as_bytes(std::span(plain))).value();
  return EncodeBatch(EncodeSchema(*rows->schema()).value(), *rows).value()->ToString();
}

struct Payload {
  FrameKind kind;
  std::string bytes;
};

class FrameRowsTest : public testing::Test {
 protected:
  /// The batches that come of the frames, read in the columns of the wide view.
  arrow::RecordBatchVector BatchesOf(const std::vector<Payload>& payloads) {
    arrow::RecordBatchVector batches;
    const auto keep = [&](std::shared_ptr<arrow::RecordBatch> rows) -> Result<void> {
      batches.push_back(std::move(rows));
      return {};
    };
    FrameRows frames(view_, schema_, marks_, keep);
    for (const Payload& payload : payloads) {
      LogFrame frame;
      frame.record.kind = payload.kind;
      frame.record.targets = targets_;
      frame.record.payload = std::as_bytes(std::span(payload.bytes));
      const auto added = frames.Add(frame);
      EXPECT_TRUE(added) << added.error().ToString();
      EXPECT_EQ(*added, targets_ != kLogToOnline && payload.kind != FrameKind::kFence);
    }
    EXPECT_TRUE(frames.Finish());
    return batches;
  }

  static std::vector<std::int64_t> KeysOf(const arrow::RecordBatchVector& batches) {
    std::vector<std::int64_t> keys;
    for (const auto& batch : batches) {
      EXPECT_TRUE(batch->ValidateFull().ok());
      const auto column = std::static_pointer_cast<arrow::Int64Array>(batch->GetColumnByName("key"));
      for (std::int64_t row = 0; row < column->length(); ++row)
        keys.push_back(column->Value(row));
    }
    return keys;
  }

  const CatalogView view_ = WideView();
  const std::shared_ptr<arrow::Schema> schema_ = TableSchema(view_);
  const StreamMarks marks_;
  std::uint8_t targets_ = kLogToOffline;
};

TEST_F(FrameRowsTest, PlainRowsComeTogetherAndInOrderWithOthers) {
  const auto batches = BatchesOf({{FrameKind::kPlainRow, PlainPayload(view_, 1)},
                                  {FrameKind::kPlainRow, PlainPayload(view_, 2)},
                                  {FrameKind::kRows, RowsPayload(view_, 3)},
                                  {FrameKind::kPlainRow, PlainPayload(view_, 4)},
                                  {FrameKind::kFence, std::string(kFenceBytes, 'x')},
                                  {FrameKind::kPlainRow, PlainPayload(view_, 5)}});
  EXPECT_EQ(KeysOf(batches), (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(batches.size(), 3);
}

TEST_F(FrameRowsTest, PlainRowsOfOlderColumnsComeInThePresentOnes) {
  const auto batches = BatchesOf({{FrameKind::kPlainRow, PlainPayload(view_, 1)},
                                  {FrameKind::kPlainRow, PlainPayload(NarrowView(), 2)},
                                  {FrameKind::kRows, RowsPayload(NarrowView(), 3)},
                                  {FrameKind::kPlainRow, PlainPayload(view_, 4)}});
  EXPECT_EQ(KeysOf(batches), (std::vector<std::int64_t>{1, 2, 3, 4}));
  for (const auto& batch : batches)
    EXPECT_TRUE(batch->schema()->Equals(*schema_));
  const auto widened = std::static_pointer_cast<arrow::DoubleArray>(batches[1]->GetColumnByName("n"));
  EXPECT_EQ(widened->Value(0), 2.0);
  EXPECT_TRUE(batches[1]->GetColumnByName("text")->IsNull(0));
}

TEST_F(FrameRowsTest, FramesForTheOnlineStoreAloneHaveNothingForTheTable) {
  targets_ = kLogToOnline;
  EXPECT_TRUE(BatchesOf({{FrameKind::kPlainRow, PlainPayload(view_, 1)}}).empty());
}

TEST_F(FrameRowsTest, DamagedPlainRowsAreErrors) {
  const auto keep = [](const std::shared_ptr<arrow::RecordBatch>&) -> Result<void> { return {}; };
  FrameRows frames(view_, schema_, marks_, keep);
  const std::string payload = PlainPayload(view_, 1);
  LogFrame frame;
  frame.record.kind = FrameKind::kPlainRow;
  frame.record.targets = kLogToOffline;
  frame.record.payload = std::as_bytes(std::span(payload)).first(payload.size() - 1);
  const auto added = frames.Add(frame);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace tidemark
