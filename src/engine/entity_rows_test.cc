// Goal: blocks hold every row once and in order, however the stream is cut; keys and times are one array
// each; errors count rows over the whole stream.
#include "engine/entity_rows.h"

#include <gmock/gmock.h>

#include "engine/engine_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;

std::shared_ptr<arrow::RecordBatchReader> ReaderOf(const std::vector<std::int64_t>& sizes) {
  arrow::RecordBatchVector batches;
  std::int64_t next = 0;
  for (const std::int64_t size : sizes) {
    arrow::Int64Builder builder;
    for (std::int64_t i = 0; i < size; ++i)
      EXPECT_TRUE(builder.Append(next++).ok());
    batches.push_back(arrow::RecordBatch::Make(arrow::schema({arrow::field("n", arrow::int64())}), size,
                                               {builder.Finish().ValueOrDie()}));
  }
  return arrow::RecordBatchReader::Make(batches, arrow::schema({arrow::field("n", arrow::int64())}))
      .ValueOrDie();
}

TEST(EntityRowBlocks, HoldEveryRowOnceAndInOrder) {
  for (const std::int64_t rows_max : {1, 2, 3, 7, 100}) {
    for (const auto& sizes :
         std::vector<std::vector<std::int64_t>>{{5, 0, 1, 4}, {10}, {0, 0, 10}, {1, 1, 8, 0}}) {
      EntityRowBlocks blocks(ReaderOf(sizes));
      EXPECT_GT(blocks.BytesPerRow().value(), 0);  // which consumes nothing
      std::int64_t expected = 0;
      while (const auto block = blocks.Next(rows_max).value()) {
        EXPECT_EQ(block->num_rows(), std::min<std::int64_t>(rows_max, 10 - expected));
        const auto keys = EntityKey(*block, "n", {"n", DataType{.kind = TypeKind::kInt64}}, 0);
        ASSERT_TRUE(keys);
        for (std::int64_t i = 0; i < block->num_rows(); ++i) {
          EXPECT_EQ(static_cast<const arrow::Int64Array&>(**keys).Value(i), expected++);
        }
      }
      EXPECT_EQ(expected, 10);
      EXPECT_EQ(blocks.Next(rows_max).value(), nullptr);
    }
  }
}

TEST(EntityRowBlocks, NoRowsAreOneEmptyBlock) {
  for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{}, {0, 0}}) {
    EntityRowBlocks blocks(ReaderOf(sizes));
    EXPECT_EQ(blocks.BytesPerRow().value(), 0);
    EXPECT_EQ(blocks.Next(5).value()->num_rows(), 0);
    EXPECT_EQ(blocks.Next(5).value(), nullptr);
  }
}

TEST(EntityKeys, ChunksOfTextBecomeOneColumn) {
  const auto column = std::make_shared<arrow::ChunkedArray>(
      arrow::ArrayVector{BatchOf({{"k", arrow::utf8(), R"(["a", "b"])"}})->column(0)->Slice(1),
                         BatchOf({{"k", arrow::utf8(), R"([])"}})->column(0),
                         BatchOf({{"k", arrow::utf8(), R"(["", "c"])"}})->column(0)});
  const auto block = arrow::Table::Make(arrow::schema({arrow::field("k", arrow::utf8())}), {column});
  const auto key = EntityKey(*block, "k", {"k", DataType{.kind = TypeKind::kString}}, 0);
  ASSERT_TRUE(key) << key.error().ToString();
  EXPECT_EQ((*key)->length(), 3);
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(**key).GetView(0), "b");
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(**key).GetView(2), "c");
}

TEST(EntityKeys, ErrorsCountRowsOverTheWholeStream) {
  const auto nulls = BatchOf({{"k", arrow::int64(), "[1, null]"}});
  const auto block =
      arrow::Table::FromRecordBatches({BatchOf({{"k", arrow::int64(), "[1, 2, 3]"}}), nulls}).ValueOrDie();
  const auto key = EntityKey(*block, "k", {"k", DataType{.kind = TypeKind::kInt64}}, 1000);
  ASSERT_FALSE(key);
  EXPECT_THAT(key.error().ToString(), testing::AllOf(HasSubstr("entity rows"), HasSubstr("row 1004")));
  bool cut = false;
  const auto times = EntityTimes(
      *arrow::Table::FromRecordBatches({BatchOf({{"t", arrow::utf8(), R"(["2024-01-01", "x"])"}})})
           .ValueOrDie(),
      "t", 7, &cut);
  ASSERT_FALSE(times);
  EXPECT_THAT(times.error().ToString(), HasSubstr("row 8"));
}

TEST(EventColumn, IsTheOneThatIsMeant) {
  const auto find = [](const arrow::FieldVector& fields, const std::string& wanted) {
    return FindEventColumn(*arrow::schema(fields), wanted);
  };
  const auto text = arrow::utf8();
  EXPECT_EQ(find({arrow::field("event_timestamp", text), arrow::field("t", kMicros)}, "").value(),
            "event_timestamp");
  EXPECT_EQ(find({arrow::field("x", text), arrow::field("t", kMicros)}, "").value(), "t");
  EXPECT_EQ(find({arrow::field("x", text), arrow::field("t", kMicros)}, "x").value(), "x");
  EXPECT_EQ(find({arrow::field("x", text)}, "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(find({arrow::field("x", text)}, "y").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tidemark
