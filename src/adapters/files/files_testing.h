// Writes the files that the tests of this adapter read.
#pragma once

#include <arrow/table.h>
#include <parquet/properties.h>

#include <filesystem>
#include <memory>
#include <string_view>

namespace tidemark::testing_support {

/// How a Parquet file is laid out; small by default, so that there are several row groups and pages.
struct ParquetLayout {
  std::int64_t row_group_rows = 70'000;
  std::int64_t page_bytes = 8 * 1024;
  bool dictionary = true;
  bool page_checksums = false;
  bool version_2_pages = false;
  arrow::Compression::type compression = arrow::Compression::SNAPPY;
};

void WriteParquet(const std::filesystem::path& path, const arrow::Table& table,
                  const ParquetLayout& layout = {});
void WriteText(const std::filesystem::path& path, std::string_view text);
void WriteGzip(const std::filesystem::path& path, std::string_view text);
std::string ReadBytes(const std::filesystem::path& path);

/// `rows` rows of the columns that Parquet has in all their variety: key, name, event, price, flag, day,
/// count, tags, amount, with nulls here and there. The same `seed` gives the same rows.
std::shared_ptr<arrow::Table> MakeRows(std::int64_t rows, unsigned seed);

/// One column of int64.
std::shared_ptr<arrow::Table> MakeKeys(const std::vector<std::int64_t>& keys);

}  // namespace tidemark::testing_support
