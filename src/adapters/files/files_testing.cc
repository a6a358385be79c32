// Tables of made-up rows, and writers for them.
#include "adapters/files/files_testing.h"

#include <arrow/builder.h>
#include <arrow/io/compressed.h>
#include <arrow/io/file.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>

#include <fstream>
#include <random>
#include <sstream>

namespace tidemark::testing_support {
namespace {

std::shared_ptr<arrow::Array> Finish(arrow::ArrayBuilder& builder) {
  return builder.Finish().ValueOrDie();
}

void Check(const arrow::Status& status) {
  if (!status.ok()) status.Abort();
}

std::shared_ptr<arrow::Array> MakeTags(std::int64_t rows, std::mt19937_64& random) {
  auto values = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), values);
  for (std::int64_t i = 0; i < rows; ++i) {
    if (random() % 7 == 0) {
      Check(lists.AppendNull());
      continue;
    }
    Check(lists.Append());
    for (std::uint64_t n = random() % 4; n > 0; --n)
      Check(values->Append(static_cast<std::int32_t>(random())));
  }
  return Finish(lists);
}

template <typename Builder, typename Make>
std::shared_ptr<arrow::Array> Nullable(Builder&& builder, std::int64_t rows, std::mt19937_64& random,
                                       unsigned one_in, const Make& make) {
  for (std::int64_t i = 0; i < rows; ++i) {
    if (one_in > 0 && random() % one_in == 0) {
      Check(builder.AppendNull());
    } else {
      Check(builder.Append(make(i)));
    }
  }
  return Finish(builder);
}

}  // namespace

std::shared_ptr<arrow::Table> MakeRows(std::int64_t rows, unsigned seed) {
  std::mt19937_64 random(seed);
  const auto micros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  auto* const pool = arrow::default_memory_pool();
  const auto key = Nullable(arrow::Int64Builder(), rows, random, 0,
                            [&](std::int64_t) { return static_cast<std::int64_t>(random() % 1000); });
  const auto name = Nullable(arrow::StringBuilder(), rows, random, 5, [&](std::int64_t) {
    return random() % 9 == 0 ? std::string() : "name " + std::to_string(random() % 100'000);
  });
  const auto event = Nullable(arrow::TimestampBuilder(micros, pool), rows, random, 0, [&](std::int64_t i) {
    return 1'700'000'000'000'000 + i * 1'000 + static_cast<std::int64_t>(random() % 5000);
  });
  const auto price = Nullable(arrow::DoubleBuilder(), rows, random, 11,
                              [&](std::int64_t) { return static_cast<double>(random() % 1'000'000) / 7; });
  const auto flag =
      Nullable(arrow::BooleanBuilder(), rows, random, 3, [&](std::int64_t) { return random() % 2 == 0; });
  const auto day = Nullable(arrow::Date32Builder(), rows, random, 50,
                            [&](std::int64_t) { return static_cast<std::int32_t>(random() % 20'000) - 300; });
  const auto count = Nullable(arrow::Int8Builder(), rows, random, 4,
                              [&](std::int64_t) { return static_cast<std::int8_t>(random() % 200); });
  const auto amount =
      Nullable(arrow::Decimal128Builder(arrow::decimal128(20, 2), pool), rows, random, 6,
               [&](std::int64_t) { return arrow::Decimal128(static_cast<std::int64_t>(random() % 99999)); });
  const auto schema =
      arrow::schema({arrow::field("key", arrow::int64()), arrow::field("name", arrow::utf8()),
                     arrow::field("event", micros), arrow::field("price", arrow::float64()),
                     arrow::field("flag", arrow::boolean()), arrow::field("day", arrow::date32()),
                     arrow::field("count", arrow::int8()),
                     arrow::field("tags", arrow::list(arrow::field("element", arrow::int32()))),
                     arrow::field("amount", arrow::decimal128(20, 2))});
  const auto tags = MakeTags(rows, random)->View(schema->GetFieldByName("tags")->type()).ValueOrDie();
  return arrow::Table::Make(schema, {key, name, event, price, flag, day, count, tags, amount});
}

std::shared_ptr<arrow::Table> MakeKeys(const std::vector<std::int64_t>& keys) {
  arrow::Int64Builder builder;
  Check(builder.AppendValues(keys));
  return arrow::Table::Make(arrow::schema({arrow::field("key", arrow::int64())}), {Finish(builder)});
}

void WriteParquet(const std::filesystem::path& path, const arrow::Table& table, const ParquetLayout& layout) {
  std::filesystem::create_directories(path.parent_path());
  parquet::WriterProperties::Builder builder;
  builder.data_pagesize(layout.page_bytes)->compression(layout.compression)->write_batch_size(256);
  builder.dictionary_pagesize_limit(64 * 1024);
  if (!layout.dictionary) builder.disable_dictionary();
  if (layout.page_checksums) builder.enable_page_checksum();
  if (layout.version_2_pages) builder.data_page_version(parquet::ParquetDataPageVersion::V2);
  const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  const auto out = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  Check(parquet::arrow::WriteTable(table, arrow::default_memory_pool(), out, layout.row_group_rows,
                                   builder.build(), arrow_properties));
  Check(out->Close());
}

void WriteText(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

void WriteGzip(const std::filesystem::path& path, std::string_view text) {
  const auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP).ValueOrDie();
  const auto raw = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  const auto out = arrow::io::CompressedOutputStream::Make(codec.get(), raw).ValueOrDie();
  Check(out->Write(text.data(), static_cast<std::int64_t>(text.size())));
  Check(out->Close());
}

std::string ReadBytes(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(bytes).str();
}

}  // namespace tidemark::testing_support
