// Goal: columns of numbers come back as they were written, whatever their pages' version, encoding,
// compression and nulls, read in batches or row by row; and damaged ones are errors, never a crash.
#include "adapters/parquet/flat_column.h"

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <random>

#include "adapters/parquet/parquet_file.h"

namespace tidemark {
namespace {

class InMemory final : public FileBytes {
 public:
  explicit InMemory(std::shared_ptr<arrow::Buffer> bytes) : bytes_(std::move(bytes)) {}
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> Open() const override {
    return std::make_shared<arrow::io::BufferReader>(bytes_);
  }

 private:
  const std::shared_ptr<arrow::Buffer> bytes_;
};

struct Layout {
  parquet::Compression::type compression = parquet::Compression::SNAPPY;
  parquet::ParquetDataPageVersion version = parquet::ParquetDataPageVersion::V1;
  bool with_dictionary = false;
  parquet::Encoding::type encoding = parquet::Encoding::PLAIN;
};

constexpr std::int64_t kRows = 5000;

// What the numbers look like decides what snappy makes of them.
enum class Look { kRandom, kFew, kSmall, kOften };

template <typename Type>
std::shared_ptr<arrow::Array> Numbers(Look look, double null_share, std::mt19937_64& random,
                                      std::int64_t rows = kRows) {
  typename arrow::TypeTraits<Type>::BuilderType builder;
  using Value = typename Type::c_type;
  std::uint64_t bits = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (static_cast<double>(random() % 1000) < null_share * 1000) {
      EXPECT_TRUE(builder.AppendNull().ok());
      continue;
    }
    // Now and then a number that came before, so that a page has literals and copies.
    if (look != Look::kOften || row % 200 != 1) bits = random();
    if (look == Look::kFew) bits %= 3;
    if (look == Look::kSmall) bits %= 1000;
    EXPECT_TRUE(builder.Append(static_cast<Value>(static_cast<std::int64_t>(bits))).ok());
  }
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Buffer> Write(const arrow::ArrayVector& columns, const Layout& layout) {
  arrow::FieldVector fields;
  for (const auto& column : columns)
    fields.push_back(
        arrow::field("c" + std::to_string(fields.size()), column->type(), column->null_count() > 0));
  const auto table = arrow::Table::Make(arrow::schema(fields), columns);
  parquet::WriterProperties::Builder properties;
  properties.compression(layout.compression)->data_page_version(layout.version)->data_pagesize(4096);
  properties.write_batch_size(64);
  if (layout.with_dictionary) {
    properties.enable_dictionary()->dictionary_pagesize_limit(8192);
  } else {
    properties.disable_dictionary()->encoding(layout.encoding);
  }
  const auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, table->num_rows(),
                                         properties.build())
                  .ok());
  return out->Finish().ValueOrDie();
}

std::vector<std::int64_t> SomeRows(std::mt19937_64& random, std::uint64_t every, std::int64_t of = kRows) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < of; ++row) {
    if (random() % every == 0) rows.push_back(row);
  }
  return rows;
}

void ExpectReadBack(const arrow::ArrayVector& columns, const Layout& layout, std::mt19937_64& random) {
  const auto file = OpenParquetFile(std::make_unique<InMemory>(Write(columns, layout)), nullptr);
  ASSERT_TRUE(file.has_value()) << file.error().ToString();
  std::vector<int> numbers;
  for (std::size_t i = 0; i < columns.size(); ++i)
    numbers.push_back(static_cast<int>(i));
  const auto scanned = (*file)->Scan(
      0, numbers,
      [&](const arrow::ArrayVector& batch, std::int64_t rows, std::int64_t first) -> Result<void> {
        for (std::size_t i = 0; i < batch.size(); ++i)
          EXPECT_TRUE(batch[i]->Equals(columns[i]->Slice(first, rows))) << columns[i]->type()->ToString();
        return {};
      });
  ASSERT_TRUE(scanned.has_value()) << scanned.error().ToString();
  for (const std::uint64_t every : {1U, 3U, 10U, 700U, 6000U}) {
    const auto rows = SomeRows(random, every, columns[0]->length());
    const auto taken = (*file)->Take(0, numbers, rows);
    ASSERT_TRUE(taken.has_value()) << taken.error().ToString();
    arrow::Int64Builder places;
    ASSERT_TRUE(places.AppendValues(rows).ok());
    const auto index = places.Finish().ValueOrDie();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto expected = arrow::compute::Take(*columns[i], *index).ValueOrDie();
      EXPECT_TRUE((*taken)[i]->Equals(expected)) << columns[i]->type()->ToString();
    }
  }
}

std::vector<Layout> Layouts() {
  std::vector<Layout> layouts;
  for (const auto compression : {parquet::Compression::UNCOMPRESSED, parquet::Compression::SNAPPY,
                                 parquet::Compression::ZSTD, parquet::Compression::GZIP}) {
    for (const auto version : {parquet::ParquetDataPageVersion::V1, parquet::ParquetDataPageVersion::V2}) {
      layouts.push_back({compression, version, true, parquet::Encoding::PLAIN});
      for (const auto encoding : {parquet::Encoding::PLAIN, parquet::Encoding::BYTE_STREAM_SPLIT})
        layouts.push_back({compression, version, false, encoding});
    }
  }
  return layouts;
}

TEST(FlatColumn, NumbersComeBackAsTheyWereWritten) {
  std::mt19937_64 random(5);
  for (const Layout& layout : Layouts()) {
    for (const Look look : {Look::kRandom, Look::kFew, Look::kSmall, Look::kOften}) {
      for (const double null_share : {0.0, 0.05, 0.9, 1.0}) {
        ExpectReadBack({Numbers<arrow::Int32Type>(look, null_share, random),
                        Numbers<arrow::Int64Type>(look, null_share, random),
                        Numbers<arrow::FloatType>(look, null_share, random),
                        Numbers<arrow::DoubleType>(look, null_share, random)},
                       layout, random);
      }
    }
  }
}

TEST(FlatColumn, IntegersOfDifferencesComeBack) {
  std::mt19937_64 random(6);
  for (const double null_share : {0.0, 0.1, 1.0}) {
    ExpectReadBack({Numbers<arrow::Int32Type>(Look::kSmall, null_share, random),
                    Numbers<arrow::Int64Type>(Look::kRandom, null_share, random)},
                   {.encoding = parquet::Encoding::DELTA_BINARY_PACKED}, random);
  }
}

// More than one window of the file, with pages that are passed over among them.
TEST(FlatColumn, LongColumnsComeBack) {
  constexpr std::int64_t kManyRows = 200'000;
  std::mt19937_64 random(8);
  for (const bool with_dictionary : {false, true}) {
    ExpectReadBack({Numbers<arrow::Int64Type>(Look::kOften, 0, random, kManyRows),
                    Numbers<arrow::DoubleType>(Look::kSmall, 0.01, random, kManyRows)},
                   {.with_dictionary = with_dictionary}, random);
  }
}

TEST(FlatColumn, DamagedPagesAreErrorsOrOtherNumbers) {
  std::mt19937_64 random(7);
  std::size_t refused = 0;
  for (const Layout& layout : Layouts()) {
    const arrow::ArrayVector columns{Numbers<arrow::Int64Type>(Look::kOften, 0.05, random)};
    const auto written = Write(columns, layout);
    for (int n = 0; n < 60; ++n) {
      std::string damaged = written->ToString();
      for (std::uint64_t i = 1 + random() % 3; i > 0; --i)
        damaged[4 + random() % (damaged.size() / 2)] ^= static_cast<char>(1U << random() % 8);
      const auto file =
          OpenParquetFile(std::make_unique<InMemory>(arrow::Buffer::FromString(std::move(damaged))), nullptr);
      if (!file) continue;
      const std::vector<int> numbers{0};
      const auto scanned = (*file)->Scan(
          0, numbers,
          [](const arrow::ArrayVector&, std::int64_t, std::int64_t) -> Result<void> { return {}; });
      const auto taken = (*file)->Take(0, numbers, SomeRows(random, 5));
      for (const auto* error : {scanned ? nullptr : &scanned.error(), taken ? nullptr : &taken.error()}) {
        if (error == nullptr) continue;
        EXPECT_EQ(error->code, ErrorCode::kCorruption) << error->ToString();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100U);
}

}  // namespace
}  // namespace tidemark
