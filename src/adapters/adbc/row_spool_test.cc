// Goal: rows come back as they went in, whether memory was enough or not.
#include "adapters/adbc/row_spool.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <gtest/gtest.h>

#include <string>

namespace tidemark {
namespace {

/// A spill in memory, which counts.
class CountingSpill final : public Spill {
 public:
  explicit CountingSpill(std::int64_t* bytes) : bytes_(bytes) {}
  Result<void> Append(std::string_view bytes) override {
    kept_ += bytes;
    *bytes_ = std::ssize(kept_);
    return {};
  }
  Result<std::string> Read(std::int64_t offset, std::int64_t count) const override {
    return kept_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(count));
  }

 private:
  std::int64_t* bytes_;
  std::string kept_;
};

const auto kSchema = arrow::schema({arrow::field("n", arrow::int64()), arrow::field("t", arrow::utf8())});

std::shared_ptr<arrow::RecordBatch> Rows(std::int64_t first, std::int64_t count) {
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts;
  for (std::int64_t row = first; row < first + count; ++row) {
    EXPECT_TRUE(numbers.Append(row).ok());
    EXPECT_TRUE((row % 3 == 0 ? texts.AppendNull() : texts.Append(std::to_string(row))).ok());
  }
  return arrow::RecordBatch::Make(kSchema, count,
                                  {numbers.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
}

void ExpectAll(const RowSpool& spool, std::int64_t rows) {
  const std::vector<int> columns{1, 0};
  std::int64_t next = 0;
  for (std::size_t part = 0; part < spool.parts(); ++part) {
    const auto read = spool.Read(part, columns);
    ASSERT_TRUE(read) << read.error().ToString();
    const auto wanted = Rows(next, spool.rows(part));
    EXPECT_TRUE(read->at(0)->Equals(*wanted->column(1))) << "part " << part;
    EXPECT_TRUE(read->at(1)->Equals(*wanted->column(0))) << "part " << part;
    next += spool.rows(part);
  }
  EXPECT_EQ(next, rows);
}

TEST(RowSpoolTest, KeepsSmallBatchesTogetherInMemory) {
  std::int64_t spilled = -1;
  RowSpool spool(kSchema, 1 << 30, [&] { return std::make_unique<CountingSpill>(&spilled); });
  for (std::int64_t first = 0; first < 200'000; first += 1'000)
    ASSERT_TRUE(spool.Add(Rows(first, 1'000)));
  ASSERT_TRUE(spool.Finish());
  EXPECT_EQ(spool.parts(), 4U);
  EXPECT_EQ(spilled, -1) << "nothing was put aside";
  ExpectAll(spool, 200'000);
}

TEST(RowSpoolTest, PutsAsideWhatMemoryDoesNotHold) {
  std::int64_t spilled = 0;
  RowSpool spool(kSchema, 2'500'000, [&] { return std::make_unique<CountingSpill>(&spilled); });
  ASSERT_TRUE(spool.Add(Rows(0, 100'000)->Slice(0, 0)));
  ASSERT_TRUE(spool.Add(Rows(0, 100'000)));
  ASSERT_TRUE(spool.Add(Rows(100'000, 100'000)));
  ASSERT_TRUE(spool.Add(Rows(200'000, 10)));
  ASSERT_TRUE(spool.Finish());
  EXPECT_GT(spilled, 1'000'000);
  ExpectAll(spool, 200'010);
}

TEST(RowSpoolTest, AFullDiskIsTold) {
  RowSpool spool(kSchema, 0, []() -> Result<std::unique_ptr<Spill>> {
    return Fail(ErrorCode::kOutOfSpace, "the disk is full");
  });
  EXPECT_EQ(spool.Add(Rows(0, 100'000)).error().code, ErrorCode::kOutOfSpace);
}

}  // namespace
}  // namespace tidemark
