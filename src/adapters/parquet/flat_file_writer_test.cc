// Goal: any reader gets back what was written, whatever the nulls, offsets and sizes; the statistics are
// those of Arrow's own writer; a flipped byte is noticed.
#include "adapters/parquet/flat_file_writer.h"

#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/statistics.h>

#include <cmath>
#include <limits>
#include <random>

namespace tidemark {
namespace {

using BufferPtr = std::shared_ptr<arrow::Buffer>;

std::shared_ptr<parquet::WriterProperties> PropertiesFor(const arrow::Schema& schema) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::SNAPPY)->enable_page_checksum();
  for (const auto& field : schema.fields()) {
    if (!field->name().starts_with("dictionary_")) builder.disable_dictionary(field->name());
    if (field->name().starts_with("plain_"))
      builder.compression(field->name(), parquet::Compression::UNCOMPRESSED);
  }
  return builder.build();
}

BufferPtr Written(const arrow::RecordBatchVector& batches) {
  const auto& schema = batches.front()->schema();
  EXPECT_TRUE(FlatFileWriter::Takes(*schema));
  const auto output = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = FlatFileWriter::Open(schema, output, PropertiesFor(*schema), 2).ValueOrDie();
  EXPECT_TRUE(writer->WriteRowGroup(batches).ok());
  EXPECT_TRUE(writer->WriteRowGroup({batches.back()}).ok());
  EXPECT_TRUE(writer->Close().ok());
  return output->Finish().ValueOrDie();
}

arrow::Result<std::shared_ptr<arrow::Table>> TableOf(const BufferPtr& file) {
  parquet::arrow::FileReaderBuilder builder;
  parquet::ReaderProperties properties;
  properties.set_page_checksum_verification(true);
  ARROW_RETURN_NOT_OK(builder.Open(std::make_shared<arrow::io::BufferReader>(file), properties));
  ARROW_ASSIGN_OR_RAISE(const auto reader, builder.Build());
  return reader->ReadTable();
}

/// `rows` values of a type, some of them null, behind an offset.
template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Values(Builder builder, std::int64_t rows, double nulls, const Value& value) {
  constexpr std::int64_t kOffset = 3;
  std::mt19937_64 random(static_cast<std::uint64_t>(rows));
  for (std::int64_t row = 0; row < rows + kOffset; ++row) {
    const bool is_null = std::uniform_real_distribution<double>()(random) < nulls;
    EXPECT_TRUE((is_null ? builder.AppendNull() : builder.Append(value(random()))).ok());
  }
  return builder.Finish().ValueOrDie()->Slice(kOffset);
}

std::shared_ptr<arrow::RecordBatch> Batch(std::int64_t rows, double nulls) {
  const auto number = [](std::uint64_t bits) { return static_cast<std::int64_t>(bits); };
  const auto small = [](std::uint64_t bits) { return static_cast<std::int32_t>(bits % 1000) - 500; };
  const auto real = [](std::uint64_t bits) {
    constexpr std::array<double, 5> kOdd{std::numeric_limits<double>::quiet_NaN(), -0.0, 0.0, HUGE_VAL,
                                         -HUGE_VAL};
    return bits % 7 < kOdd.size() ? kOdd.at(bits % 7) : static_cast<double>(bits) / 3;
  };
  const auto text = [](std::uint64_t bits) { return std::to_string(bits % 10'000); };
  auto* const pool = arrow::default_memory_pool();
  const auto us = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto seconds = arrow::timestamp(arrow::TimeUnit::SECOND);
  const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>> columns{
      {"int64", Values(arrow::Int64Builder(), rows, nulls, number)},
      {"plain_int64", Values(arrow::Int64Builder(), rows, nulls, small)},
      {"dictionary_int64", Values(arrow::Int64Builder(), rows, nulls, small)},
      {"int32", Values(arrow::Int32Builder(), rows, nulls, small)},
      {"uint32", Values(arrow::UInt32Builder(), rows, nulls, small)},
      {"int8",
       Values(arrow::Int8Builder(), rows, nulls, [](auto bits) { return static_cast<std::int8_t>(bits); })},
      {"date", Values(arrow::Date32Builder(), rows, nulls, small)},
      {"plain_double", Values(arrow::DoubleBuilder(), rows, nulls, real)},
      {"float",
       Values(arrow::FloatBuilder(), rows, nulls, [&](auto bits) { return static_cast<float>(real(bits)); })},
      {"time", Values(arrow::TimestampBuilder(us, pool), rows, nulls, number)},
      {"seconds", Values(arrow::TimestampBuilder(seconds, pool), rows, nulls, small)},
      {"bool", Values(arrow::BooleanBuilder(), rows, nulls, [](auto bits) { return bits % 2 == 0; })},
      {"text", Values(arrow::StringBuilder(), rows, nulls, text)},
      {"dictionary_text", Values(arrow::StringBuilder(), rows, nulls, text)},
      {"decimal", Values(arrow::Decimal128Builder(arrow::decimal128(20, 2)), rows, nulls,
                         [&](auto bits) { return arrow::Decimal128(small(bits)); })},
  };
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, values] : columns) {
    fields.push_back(arrow::field(name, values->type(), nulls > 0));
    arrays.push_back(values);
  }
  const auto metadata = arrow::key_value_metadata({"pandas"}, {"kept"});
  return arrow::RecordBatch::Make(arrow::schema(fields, metadata), rows, arrays);
}

/// As bits: NaN is not equal to itself.
void ExpectSame(const arrow::Table& got, const arrow::RecordBatchVector& batches) {
  const auto expected = arrow::Table::FromRecordBatches(batches).ValueOrDie();
  EXPECT_TRUE(got.schema()->metadata()->Equals(*expected->schema()->metadata()));
  ASSERT_EQ(got.num_rows(), expected->num_rows());
  for (int column = 0; column < got.num_columns(); ++column) {
    const auto& name = expected->field(column)->name();
    const auto wanted = expected->column(column);
    const auto equal = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
    if (name == "seconds") {  // Parquet has none, and Arrow gives back milliseconds
      EXPECT_EQ(got.column(column)->null_count(), wanted->null_count());
      continue;
    }
    EXPECT_TRUE(got.field(column)->Equals(*expected->field(column))) << got.field(column)->ToString();
    EXPECT_TRUE(got.column(column)->Equals(*wanted, equal)) << name;
  }
}

TEST(FlatFileWriter, GivesBackWhatWasWritten) {
  for (const std::int64_t rows : {1, 7, 8, 9, 1'000, 16'384, 16'385, 50'003}) {
    for (const double nulls : {0.0, 0.01, 0.5, 1.0}) {
      const arrow::RecordBatchVector one{Batch(rows, nulls)};
      const auto table = TableOf(Written(one));
      ASSERT_TRUE(table.ok()) << table.status().ToString();
      ExpectSame(**table, {one.front(), one.front()});
    }
  }
}

TEST(FlatFileWriter, PutsBatchesIntoOneRowGroup) {
  const arrow::RecordBatchVector batches{Batch(20'000, 0.3), Batch(5, 0.9), Batch(17'000, 0.1)};
  const BufferPtr file = Written(batches);
  const auto metadata = parquet::ReadMetaData(std::make_shared<arrow::io::BufferReader>(file));
  ASSERT_EQ(metadata->num_row_groups(), 2);
  EXPECT_EQ(metadata->RowGroup(0)->num_rows(), 37'005);
  ExpectSame(**TableOf(file), {batches[0], batches[1], batches[2], batches[2]});
}

TEST(FlatFileWriter, StatesWhatArrowsOwnWriterStates) {
  for (const double nulls : {0.0, 0.2, 1.0}) {
    const auto batch = Batch(20'000, nulls);
    const auto own = parquet::ReadMetaData(std::make_shared<arrow::io::BufferReader>(Written({batch})));
    const auto output = arrow::io::BufferOutputStream::Create().ValueOrDie();
    const auto table = arrow::Table::FromRecordBatches({batch}).ValueOrDie();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), output, 20'000,
                                           PropertiesFor(*batch->schema()))
                    .ok());
    const auto arrows =
        parquet::ReadMetaData(std::make_shared<arrow::io::BufferReader>(output->Finish().ValueOrDie()));
    EXPECT_TRUE(own->schema()->Equals(*arrows->schema()));
    for (int column = 0; column < own->num_columns(); ++column) {
      const auto chunk = own->RowGroup(0)->ColumnChunk(column);
      const auto expected = arrows->RowGroup(0)->ColumnChunk(column);
      EXPECT_EQ(chunk->compression(), expected->compression());
      EXPECT_EQ(chunk->num_values(), expected->num_values());
      ASSERT_TRUE(chunk->is_stats_set() && expected->is_stats_set());
      EXPECT_TRUE(chunk->statistics()->Equals(*expected->statistics()))
          << batch->schema()->field(column)->name();
    }
  }
}

TEST(FlatFileWriter, DamageIsNoticed) {
  const auto batch = Batch(3'000, 0.2)->SelectColumns({0, 1, 7}).ValueOrDie();
  const BufferPtr file = Written({batch});
  const auto end = parquet::ReadMetaData(std::make_shared<arrow::io::BufferReader>(file))
                       ->RowGroup(1)
                       ->ColumnChunk(2)
                       ->data_page_offset();
  int noticed = 0;
  for (std::int64_t at = 100; at < end; at += 997) {
    std::string bytes = file->ToString();
    bytes[static_cast<std::size_t>(at)] = static_cast<char>(bytes[static_cast<std::size_t>(at)] ^ 4);
    EXPECT_FALSE(TableOf(arrow::Buffer::FromString(bytes)).ok()) << at;
    ++noticed;
  }
  EXPECT_GT(noticed, 50);
}

TEST(FlatFileWriter, NullsAreRefusedWhereNoneAreDeclared) {
  for (const int column : {0, 12}) {
    const auto batch = Batch(10, 1.0);
    const auto schema = arrow::schema({batch->schema()->field(column)->WithNullable(false)});
    const auto output = arrow::io::BufferOutputStream::Create().ValueOrDie();
    const auto writer = FlatFileWriter::Open(schema, output, PropertiesFor(*schema), 1).ValueOrDie();
    const auto status =
        writer->WriteRowGroup({arrow::RecordBatch::Make(schema, 10, {batch->column(column)})});
    EXPECT_TRUE(status.IsInvalid()) << status.ToString();
  }
}

TEST(FlatFileWriter, TakesNoNestedColumns) {
  EXPECT_FALSE(FlatFileWriter::Takes(*arrow::schema({arrow::field("x", arrow::list(arrow::int64()))})));
  EXPECT_FALSE(FlatFileWriter::Takes(
      *arrow::schema({arrow::field("x", arrow::dictionary(arrow::int8(), arrow::utf8()))})));
  EXPECT_TRUE(FlatFileWriter::Takes(*arrow::schema({})));
}

}  // namespace
}  // namespace tidemark
