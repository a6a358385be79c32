// Goal: rows come online as they were given, however many blocks they are cut into and whether or not they
// are put aside on the way; rows of which one is wrong change nothing, and the error names the row in the
// whole.
#include "engine/online_write.h"

#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>

#include "engine/engine_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr std::string_view kStats = R"({
  "entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "string"}]}],
  "feature_views": [{"name": "stats", "entities": ["driver"],
                     "fields": {"trips": "int64", "note": "string"}}]})";

class MemorySpill final : public Spill {
 public:
  explicit MemorySpill(std::string& bytes) : bytes_(bytes) {}
  Result<void> Append(std::string_view bytes) override {
    bytes_ += bytes;
    return {};
  }
  Result<std::string> Read(std::int64_t offset, std::int64_t count) const override {
    return bytes_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(count));
  }

 private:
  std::string& bytes_;
};

class OnlineWriteTest : public testing::Test {
 protected:
  OnlineWriteTest() { scene_.Apply(std::string(kStats)); }

  /// `count` rows of keys k0, k1, ... that repeat after `keys`; trips is the row's number, a null each
  /// seventh.
  static std::shared_ptr<arrow::Table> Rows(std::int64_t count, std::int64_t keys) {
    arrow::StringBuilder drivers;
    arrow::TimestampBuilder times(kMicros, arrow::default_memory_pool());
    arrow::Int64Builder trips;
    arrow::StringBuilder notes;
    for (std::int64_t i = 0; i < count; ++i) {
      EXPECT_TRUE(drivers.Append(fmt::format("k{}", i % keys)).ok() && times.Append(AtSecond(0)).ok());
      EXPECT_TRUE((i % 7 == 3 ? trips.AppendNull() : trips.Append(i)).ok());
      EXPECT_TRUE(notes.Append(std::string(static_cast<std::size_t>(i % 50), 'n')).ok());
    }
    return arrow::Table::Make(
        arrow::schema({arrow::field("driver", arrow::utf8()), arrow::field("event_timestamp", kMicros),
                       arrow::field("trips", arrow::int64()), arrow::field("note", arrow::utf8())}),
        {drivers.Finish().ValueOrDie(), times.Finish().ValueOrDie(), trips.Finish().ValueOrDie(),
         notes.Finish().ValueOrDie()});
  }

  Result<MergeCounts> Write(const arrow::Table& rows, std::size_t bytes_max) {
    arrow::TableBatchReader reader(rows);
    reader.set_chunksize(1'000);
    const auto known = scene_.catalog();
    OnlineWriteOptions options;
    options.bytes_max = bytes_max;
    options.spill = [&]() -> Result<std::unique_ptr<Spill>> {
      return std::make_unique<MemorySpill>(put_aside_);
    };
    return WriteOnline(**known->View("stats"), reader, scene_.online(), scene_.clock(), scene_.write_times(),
                       options);
  }

  /// What is online of the first keys, as text.
  std::string Answer(std::int64_t keys) {
    arrow::StringBuilder builder;
    for (std::int64_t i = 0; i < keys; ++i)
      EXPECT_TRUE(builder.Append(fmt::format("k{}", i)).ok());
    const auto answer = scene_.Online({"stats:trips", "stats:note"}, {builder.Finish().ValueOrDie()});
    EXPECT_TRUE(answer) << answer.error().ToString();
    return answer ? TextOf(**answer, "trips") + TextOf(**answer, "note") : "";
  }

  Scene scene_;
  std::string put_aside_;
};

TEST_F(OnlineWriteTest, RowsPutAsideAreTheSameRows) {
  const auto rows = Rows(5'000, 4'000);  // the last thousand rows correct the first
  const auto held = Write(*rows, std::size_t{1} << 30);
  ASSERT_TRUE(held) << held.error().ToString();
  EXPECT_EQ(put_aside_, "");
  const std::string expected = Answer(4'001);
  EXPECT_THAT(expected, HasSubstr("4999"));

  for (const std::size_t bytes_max : {std::size_t{1}, std::size_t{10'000}, std::size_t{100'000}}) {
    scene_.ReplaceOnline("another");
    put_aside_.clear();
    const auto spilled = Write(*rows, bytes_max);
    ASSERT_TRUE(spilled) << spilled.error().ToString();
    EXPECT_FALSE(put_aside_.empty());
    EXPECT_EQ(spilled->written + spilled->kept, 5'000);
    EXPECT_EQ(Answer(4'001), expected) << bytes_max;
  }
}

TEST_F(OnlineWriteTest, OneWrongRowChangesNothingAndIsNamed) {
  ASSERT_TRUE(Write(*Rows(10, 10), 1'000));
  const std::string before = Answer(10);
  const auto rows = Rows(3'000, 3'000);
  arrow::StringBuilder drivers;
  for (std::int64_t i = 0; i < rows->num_rows(); ++i) {
    ASSERT_TRUE((i == 2'500 ? drivers.AppendNull() : drivers.Append(fmt::format("k{}", i))).ok());
  }
  const auto wrong = rows->SetColumn(0, rows->schema()->field(0),
                                     std::make_shared<arrow::ChunkedArray>(drivers.Finish().ValueOrDie()))
                         .ValueOrDie();
  const auto written = Write(*wrong, 1'000);  // most of it is put aside by then
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(written.error().ToString(), HasSubstr("row 2500"));
  EXPECT_EQ(Answer(10), before);
  EXPECT_EQ(scene_.online().Stats()->rows, 10);
}

TEST_F(OnlineWriteTest, NoRowsStillNeedTheColumns) {
  const auto none = Write(*Rows(0, 1), 1'000);
  ASSERT_TRUE(none) << none.error().ToString();
  EXPECT_EQ(*none, MergeCounts{});
  const auto missing = Write(*Rows(0, 1)->RemoveColumn(3).ValueOrDie(), 1'000);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().ToString(), HasSubstr("no column 'note'"));
}

}  // namespace
}  // namespace tidemark
