// Goal: frames of one row each become the same rows together as decoded one by one, and whatever is not such
// a frame, to the byte, is left to be decoded as it is.
#include "engine/tables/plain_frames.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/tables/plain_row.h"
#include "engine/tables/plain_row_testing.h"
#include "engine/tables/table_rows.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;
using testing_support::kMicrosUtc;
using testing_support::RowsOfAll;
using testing_support::ViewOf;
using testing_support::ViewOfAll;

std::span<const std::byte> BytesOf(const std::string& frame) {
  return std::as_bytes(std::span(frame));
}

/// A frame for each row.
std::vector<std::string> FramesOf(const CatalogView& view, const std::shared_ptr<arrow::RecordBatch>& rows) {
  const auto kept = TableSchema(view);
  const std::string encoded = EncodePlainSchema(*kept).value();
  std::vector<std::string> frames;
  for (std::int64_t row = 0; row < rows->num_rows(); ++row) {
    const auto batch = rows->Slice(row, 1);
    const PlainColumns columns(view, kept, batch->schema());
    frames.push_back(PlainRow::Of(columns, *batch, /*arrival_us=*/100 + row)->Frame(encoded, 200 + row));
  }
  return frames;
}

PlainFrames FramesFor(const CatalogView& view) {
  const auto kept = TableSchema(view);
  return {kept, EncodePlainSchema(*kept).value()};
}

void ExpectNone(PlainFrames& plain, const std::string& frame) {
  EXPECT_FALSE(plain.Add(BytesOf(frame)).value()) << frame.size();
  EXPECT_FALSE(DecodePlainRow(BytesOf(frame))) << frame.size();
}

std::shared_ptr<arrow::RecordBatch> DecodedOneByOne(const std::vector<std::string>& frames) {
  arrow::RecordBatchVector batches;
  for (const std::string& frame : frames)
    batches.push_back(DecodePlainRow(BytesOf(frame)).value());
  return arrow::ConcatenateRecordBatches(batches).ValueOrDie();
}

TEST(PlainFrames, AreTheSameRowsTogether) {
  const CatalogView view = ViewOfAll();
  std::vector<std::string> frames = FramesOf(view, RowsOfAll());
  // A null comes first, in the midst, and last.
  frames = {frames[1], frames[0], frames[1], frames[2], frames[2], frames[0], frames[1]};
  PlainFrames plain = FramesFor(view);
  for (int turn = 0; turn < 2; ++turn) {
    for (const std::string& frame : frames)
      EXPECT_TRUE(plain.Add(BytesOf(frame)).value());
    EXPECT_EQ(plain.rows(), std::ssize(frames));
    const auto rows = plain.Take().value();
    EXPECT_EQ(plain.rows(), 0);
    ASSERT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull().ToString();
    const auto wanted = DecodedOneByOne(frames);
    EXPECT_TRUE(rows->Equals(*wanted, /*check_metadata=*/true)) << rows->ToString() << wanted->ToString();
  }
}

TEST(PlainFrames, RowsWithoutANullHaveNoBitsForThem) {
  const CatalogView view = ViewOfAll();
  const std::vector<std::string> frames = FramesOf(view, RowsOfAll()->Slice(2, 1));
  PlainFrames plain = FramesFor(view);
  EXPECT_TRUE(plain.Add(BytesOf(frames[0])).value());
  const auto rows = plain.Take().value();
  EXPECT_EQ(rows->GetColumnByName("text")->null_bitmap(), nullptr);
}

// The log's checksums find a flipped bit before; here nothing may come of it but other values, or an error.
TEST(PlainFrames, WithAnyByteFlippedAreSoundRowsOrErrors) {
  const CatalogView view = ViewOfAll();
  const std::size_t schema_bytes = EncodePlainSchema(*TableSchema(view)).value().size();
  for (const std::string& frame : FramesOf(view, RowsOfAll()->Slice(0, 2))) {
    int read = 0;
    int refused = 0;
    for (std::size_t at = 0; at < frame.size(); ++at) {
      SCOPED_TRACE(at);
      std::string flipped = frame;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
      PlainFrames plain = FramesFor(view);
      const bool is_added = plain.Add(BytesOf(flipped)).value();
      const auto decoded = DecodePlainRow(BytesOf(flipped));
      if (decoded) {
        EXPECT_TRUE((*decoded)->ValidateFull().ok());
      } else {
        EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
        ++refused;
      }
      if (!is_added) continue;
      ++read;
      EXPECT_GE(at, schema_bytes) << "it says other columns";
      EXPECT_TRUE(plain.Take().value()->Equals(**decoded));
    }
    EXPECT_GT(read, 0);  // other numbers
    EXPECT_GT(refused, 0);
  }
}

TEST(PlainFrames, CutOrLongerAreNotRead) {
  const CatalogView view = ViewOfAll();
  const std::string frame = FramesOf(view, RowsOfAll()).front();
  PlainFrames plain = FramesFor(view);
  for (std::size_t bytes = 0; bytes < frame.size(); ++bytes)
    ExpectNone(plain, frame.substr(0, bytes));
  ExpectNone(plain, frame + '\0');
  EXPECT_EQ(plain.rows(), 0);
}

TEST(PlainFrames, OfOtherSchemasAndRowsAreNotRead) {
  const CatalogView view = ViewOf({{"n", {.kind = TypeKind::kFloat64}}});
  const CatalogView older = ViewOf({{"n", {.kind = TypeKind::kFloat32}}});
  const auto row = BatchOf({{"city", arrow::utf8(), R"(["Bonn"])"},
                            {"key", arrow::int64(), "[1]"},
                            {"at", kMicrosUtc, "[9]"},
                            {"n", arrow::float32(), "[0.5]"}});
  PlainFrames plain = FramesFor(view);
  EXPECT_FALSE(plain.Add(BytesOf(FramesOf(older, row).front())).value());

  PlainFrames of_older = FramesFor(older);
  EXPECT_TRUE(of_older.Add(BytesOf(FramesOf(older, row).front())).value());
}

TEST(PlainFrames, TablesWithNestedColumnsHaveNone) {
  PlainFrames plain = FramesFor(ViewOf({{"list", DataType::List({.kind = TypeKind::kInt64})}}));
  const std::string frame = FramesOf(ViewOf({}), BatchOf({{"city", arrow::utf8(), R"(["Bonn"])"},
                                                          {"key", arrow::int64(), "[1]"},
                                                          {"at", kMicrosUtc, "[9]"}}))
                                .front();
  EXPECT_FALSE(plain.Add(BytesOf(frame)).value());
}

TEST(PlainFrames, AreFullAfterSoManyRows) {
  const CatalogView view = ViewOfAll();
  const std::string frame = FramesOf(view, RowsOfAll()).front();
  PlainFrames plain = FramesFor(view);
  while (!plain.is_full())
    ASSERT_TRUE(plain.Add(BytesOf(frame)).value());
  EXPECT_EQ(plain.rows(), 32 * 1024);
  EXPECT_TRUE(plain.Take().value()->ValidateFull().ok());
  EXPECT_FALSE(plain.is_full());
}

}  // namespace
}  // namespace tidemark
