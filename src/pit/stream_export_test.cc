// A stream's errors must say their code, and its end must be told once with the rows there were.
#include "pit/stream_export.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "base/result.h"
#include "pit/arrow_status.h"
#include "tidemark/store.h"

namespace tidemark {
namespace {

/// Two batches, then `end`.
class Batches final : public arrow::RecordBatchReader {
 public:
  explicit Batches(arrow::Status end) : end_(std::move(end)) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    if (given_++ >= 2) return end_;
    arrow::Int64Builder builder;
    ARROW_RETURN_NOT_OK(builder.AppendValues({1, 2, 3}));
    ARROW_ASSIGN_OR_RAISE(const auto values, builder.Finish());
    *batch = arrow::RecordBatch::Make(schema_, values->length(), {values});
    return arrow::Status::OK();
  }

 private:
  const std::shared_ptr<arrow::Schema> schema_ = arrow::schema({arrow::field("x", arrow::int64())});
  const arrow::Status end_;
  int given_ = 0;
};

TEST(StreamExport, GoesThroughAndTellsItsEndOnce) {
  ArrowArrayStream stream{};
  std::vector<std::int64_t> ends;
  ExportStream(
      std::make_shared<Batches>(arrow::Status::OK()), [&ends](std::int64_t rows) { ends.push_back(rows); },
      &stream);
  const auto reader = arrow::ImportRecordBatchReader(&stream).ValueOrDie();
  const auto table = reader->ToTable().ValueOrDie();
  EXPECT_EQ(table->num_rows(), 6);
  std::shared_ptr<arrow::RecordBatch> again;
  ASSERT_TRUE(reader->ReadNext(&again).ok());
  EXPECT_EQ(again, nullptr);
  EXPECT_EQ(ends, std::vector<std::int64_t>{6});
}

TEST(StreamExport, AnErrorKeepsItsCode) {
  const Error error{ErrorCode::kTypeMismatch, "x is no number", "entity rows: row 7"};
  ArrowArrayStream stream{};
  ExportStream(std::make_shared<Batches>(ToStatus(error)), {}, &stream);
  ArrowArray batch{};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(stream.get_next(&stream, &batch), 0);
    batch.release(&batch);
  }
  EXPECT_EQ(stream.get_next(&stream, &batch), EINVAL);
  EXPECT_STREQ(stream.get_last_error(&stream), "TYPE_MISMATCH: entity rows: row 7: x is no number");
  const Error told = StreamError(&stream, EINVAL);
  EXPECT_EQ(told.code, ErrorCode::kTypeMismatch);
  EXPECT_EQ(told.ToString(), "entity rows: row 7: x is no number");
  stream.release(&stream);
  EXPECT_EQ(stream.release, nullptr);
}

TEST(StreamExport, CancelledIsToldApart) {
  ArrowArrayStream stream{};
  ExportStream(std::make_shared<Batches>(ToStatus({ErrorCode::kCancelled, "interrupted", {}})), {}, &stream);
  ArrowArray batch{};
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(stream.get_next(&stream, &batch), 0);
    batch.release(&batch);
  }
  EXPECT_EQ(stream.get_next(&stream, &batch), ECANCELED);
  stream.release(&stream);
}

}  // namespace
}  // namespace tidemark
