// Goal: Parquet and CSV, as one file, a glob and a folder, keep the contract of Source.
#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

#include "adapters/files/file_source.h"
#include "adapters/files/files_testing.h"
#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Source> Open(const fs::path& folder, const std::string& path,
                             const FileSourceOptions& options = {}) {
  BatchSource definition;
  definition.path = path;
  auto source = OpenFileSource(definition, folder, options);
  EXPECT_TRUE(source) << source.error().ToString();
  return source ? *std::move(source) : nullptr;
}

SourceSample OneParquet(const fs::path& folder, const ParquetLayout& layout) {
  const auto rows = MakeRows(80'000, 1);
  WriteParquet(folder / "rows.parquet", *rows, layout);
  return {Open(folder, "rows.parquet"), rows};
}

SourceSample PlainPages(const fs::path& folder) {
  return OneParquet(folder, {.dictionary = false});
}

SourceSample DictionaryPages(const fs::path& folder) {
  return OneParquet(folder, {.page_checksums = true});
}

SourceSample Version2Pages(const fs::path& folder) {
  return OneParquet(
      folder, {.page_bytes = 100'000, .version_2_pages = true, .compression = arrow::Compression::ZSTD});
}

SourceSample ParquetGlob(const fs::path& folder) {
  const auto rows = MakeRows(15'000, 2);
  WriteParquet(folder / "a" / "1.parquet", *rows->Slice(0, 5'000));
  WriteParquet(folder / "b" / "2.parquet", *rows->Slice(5'000, 10'000), {.row_group_rows = 3'000});
  WriteParquet(folder / "b" / "other.pq", *MakeKeys({1}));
  return {Open(folder, "*/[0-9].parquet"), rows};
}

std::shared_ptr<arrow::ChunkedArray> Repeated(const std::shared_ptr<arrow::Scalar>& value,
                                              std::int64_t rows) {
  return std::make_shared<arrow::ChunkedArray>(arrow::MakeArrayFromScalar(*value, rows).ValueOrDie());
}

std::shared_ptr<arrow::Table> WithPartitions(const arrow::Table& rows,
                                             const std::shared_ptr<arrow::Scalar>& year,
                                             const std::shared_ptr<arrow::Scalar>& city) {
  const int end = rows.num_columns();
  return rows.AddColumn(end, arrow::field("year", arrow::int64()), Repeated(year, rows.num_rows()))
      .ValueOrDie()
      ->AddColumn(end + 1, arrow::field("city", arrow::utf8()), Repeated(city, rows.num_rows()))
      .ValueOrDie();
}

SourceSample HiveFolder(const fs::path& folder) {
  const auto rows = MakeRows(6'000, 3);
  WriteParquet(folder / "t/year=2023/city=S%C3%A3o%20Paulo/p.parquet", *rows->Slice(0, 1'000));
  WriteParquet(folder / "t/year=2024/city=12/p.parquet", *rows->Slice(1'000, 2'000), {.row_group_rows = 500});
  WriteParquet(folder / "t/year=__HIVE_DEFAULT_PARTITION__/city=__HIVE_DEFAULT_PARTITION__/p.parquet",
               *rows->Slice(3'000));
  WriteText(folder / "t/_SUCCESS", "");
  WriteText(folder / "t/year=2024/city=12/.p.parquet.crc", "x");
  WriteText(folder / "t/README.txt", "x");
  const auto all = arrow::ConcatenateTables(
                       {WithPartitions(*rows->Slice(0, 1'000), arrow::MakeScalar(std::int64_t{2023}),
                                       arrow::MakeScalar("S\u00e3o Paulo")),
                        WithPartitions(*rows->Slice(1'000, 2'000), arrow::MakeScalar(std::int64_t{2024}),
                                       arrow::MakeScalar("12")),
                        WithPartitions(*rows->Slice(3'000), arrow::MakeNullScalar(arrow::int64()),
                                       arrow::MakeNullScalar(arrow::utf8()))})
                       .ValueOrDie();
  return {Open(folder, "t"), all};
}

// Rows that survive being text: key, name (never null), price, flag.
std::shared_ptr<arrow::Table> TextRows(std::int64_t rows) {
  const auto all = MakeRows(rows, 4);
  const auto key = all->GetColumnByName("key");
  arrow::StringBuilder names;
  arrow::DoubleBuilder prices;
  for (std::int64_t i = 0; i < rows; ++i) {
    EXPECT_TRUE(
        names.Append(i % 5 == 0   ? ""
                     : i % 5 == 1 ? "two\nlines"
                                  : "say \"" + std::to_string(i) + "\"")
            .ok());
    EXPECT_TRUE((i % 3 == 0 ? prices.AppendNull() : prices.Append(static_cast<double>(i) + 0.25)).ok());
  }
  const auto schema =
      arrow::schema({arrow::field("key", arrow::int64()), arrow::field("name", arrow::utf8()),
                     arrow::field("price", arrow::float64()), arrow::field("flag", arrow::boolean())});
  const auto column = [](arrow::ArrayBuilder& builder) {
    return std::make_shared<arrow::ChunkedArray>(builder.Finish().ValueOrDie());
  };
  return arrow::Table::Make(schema, {key, column(names), column(prices), all->GetColumnByName("flag")});
}

std::string AsCsv(const arrow::Table& table) {
  const auto rows = table.CombineChunksToBatch().ValueOrDie();
  const auto& key = static_cast<const arrow::Int64Array&>(*rows->column(0));
  const auto& name = static_cast<const arrow::StringArray&>(*rows->column(1));
  const auto& price = static_cast<const arrow::DoubleArray&>(*rows->column(2));
  const auto& flag = static_cast<const arrow::BooleanArray&>(*rows->column(3));
  std::string text = "key,name,price,flag\r\n";
  for (std::int64_t i = 0; i < rows->num_rows(); ++i) {
    std::string quoted;
    for (const char c : name.GetView(i))
      quoted.append(c == '"' ? "\"\"" : std::string(1, c));
    text += std::to_string(key.Value(i)) + ",\"" + quoted + "\",";
    if (price.IsValid(i)) text += fmt::format("{}", price.Value(i));
    text += flag.IsNull(i) ? "," : flag.Value(i) ? ",true" : ",false";
    text += "\r\n";
  }
  return text;
}

SourceSample OneCsv(const fs::path& folder) {
  const auto rows = TextRows(180'000);
  WriteText(folder / "rows.csv", "\xEF\xBB\xBF" + AsCsv(*rows));
  EXPECT_GT(fs::file_size(folder / "rows.csv"), 4U << 20) << "more than one block";
  return {Open(folder, "rows.csv"), rows};
}

// Cut into parts that begin anywhere: behind values with line ends, between blocks.
SourceSample CsvParts(const fs::path& folder) {
  const auto rows = TextRows(20'000);
  WriteText(folder / "rows.csv", "\xEF\xBB\xBF" + AsCsv(*rows));
  FileSourceOptions options;
  options.csv_part_bytes = 10'000;
  auto source = Open(folder, "rows.csv", options);
  EXPECT_GT(source->Fragments({})->size(), 20U);
  return {std::move(source), rows};
}

SourceSample CsvFolder(const fs::path& folder) {
  const auto rows = TextRows(3'000);
  WriteText(folder / "c" / "1.csv", AsCsv(*rows->Slice(0, 1'000)));
  WriteGzip(folder / "c" / "2.csv.gz", AsCsv(*rows->Slice(1'000)));
  return {Open(folder, "c"), rows};
}

INSTANTIATE_TEST_SUITE_P(Files, SourceConformance,
                         testing::Values(SourceUnderTest{"ParquetPlainPages", PlainPages},
                                         SourceUnderTest{"ParquetDictionaryPages", DictionaryPages},
                                         SourceUnderTest{"ParquetVersion2Pages", Version2Pages},
                                         SourceUnderTest{"ParquetGlob", ParquetGlob},
                                         SourceUnderTest{"HiveFolder", HiveFolder},
                                         SourceUnderTest{"Csv", OneCsv},
                                         SourceUnderTest{"CsvParts", CsvParts},
                                         SourceUnderTest{"CsvFolder", CsvFolder}),
                         SourceName);

}  // namespace
}  // namespace tidemark::testing_support
