// Goal: a byte that changed where somebody is going to read is found, before it is read, and nothing that is
// whole is refused.
#include "adapters/iceberg/file_checks.h"

#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_reader.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "adapters/iceberg/iceberg_testing.h"
#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

std::string ContentOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void PutContent(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

class FileChecksTest : public testing::Test {
 protected:
  /// A data file of a feature table: (driver, event, rating, city).
  fs::path OwnFile(std::int64_t rows) {
    MemoryTableCatalog catalog;
    ManualClock clock{1'700'000'000'000'000};
    const auto store = OpenIcebergStore(catalog, clock, {.root = folder_.path() / "tables"}).value();
    const auto table = store->Create(1, {.database = "db", .name = "t"}, DriverLayout()).value();
    AppendRows(*table, 0, rows);
    return FilesOf(*table).front().path;
  }

  /// A file of another writer's, with the same columns.
  fs::path OtherFile(const std::string& name, std::int64_t rows, bool has_checksums,
                     std::int64_t group_rows = 1'000) {
    const fs::path path = folder_.path() / name;
    const auto table = arrow::Table::FromRecordBatches({DriverRows(0, rows)}).ValueOrDie();
    const auto out = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
    parquet::WriterProperties::Builder properties;
    properties.compression(parquet::Compression::ZSTD)->data_pagesize(2'000);
    if (has_checksums) properties.enable_page_checksum();
    const auto written =
        parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, group_rows, properties.build());
    EXPECT_TRUE(written.ok()) << written.ToString();
    EXPECT_TRUE(out->Close().ok());
    return path;
  }

  /// By checks that know nothing yet.
  static Result<void> Check(const FilesToCheck& files, const FileCheckOptions& options = {.threads = 2}) {
    return MakeFileChecks()->Check(files, options);
  }

  TestFolder folder_;
};

/// The byte behind a column chunk.
std::size_t EndOf(const fs::path& path, int row_group, int column) {
  const auto footer = parquet::ReadMetaData(arrow::io::ReadableFile::Open(path.string()).ValueOrDie());
  const auto chunk = footer->RowGroup(row_group)->ColumnChunk(column);
  const std::int64_t begin =
      chunk->has_dictionary_page() ? chunk->dictionary_page_offset() : chunk->data_page_offset();
  return static_cast<std::size_t>(begin + chunk->total_compressed_size());
}

void ExpectDamage(const Result<void>& checked, const fs::path& path, std::size_t at) {
  ASSERT_FALSE(checked) << "byte " << at << " of " << path;
  EXPECT_EQ(checked.error().code, ErrorCode::kCorruption) << checked.error().ToString();
  EXPECT_THAT(checked.error().ToString(), HasSubstr(path.string()));
  EXPECT_THAT(checked.error().ToString(), HasSubstr("damaged"));
}

TEST_F(FileChecksTest, EveryByteOfADataFileCounts) {
  const fs::path path = OwnFile(60);
  const std::string whole = ContentOf(path);
  const FilesToCheck files{.paths = {path.string()}, .are_own = true};
  EXPECT_TRUE(Check(files));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    PutContent(path, damaged);
    ExpectDamage(Check(files), path, at);
  }
  PutContent(path, whole.substr(0, whole.size() / 2));
  ExpectDamage(Check(files), path, whole.size() / 2);
  fs::remove(path);
  const auto missing = Check(files);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().ToString(), HasSubstr(path.string() + ": the data file is missing"));
}

// Pages are larger than blocks, so that columns lie in different ones.
TEST_F(FileChecksTest, OfADataFileOnlyWantedColumnsAreRead) {
  const fs::path path = OwnFile(60'000);
  const std::string whole = ContentOf(path);
  const auto footer = parquet::ReadMetaData(arrow::io::ReadableFile::Open(path.string()).ValueOrDie());
  const auto column = footer->RowGroup(0)->ColumnChunk(2);
  const std::int32_t id = footer->schema()->GetColumnRoot(2)->field_id();
  const auto at = static_cast<std::size_t>(column->data_page_offset() + column->total_compressed_size() / 2);
  std::string damaged = whole;
  damaged[at] = static_cast<char>(damaged[at] ^ 1);
  PutContent(path, damaged);
  FilesToCheck files{.paths = {path.string()}, .are_own = true, .are_all_columns = false};
  EXPECT_TRUE(Check(files));
  files.columns = {{.name = "driver", .id = footer->schema()->GetColumnRoot(0)->field_id()}};
  EXPECT_TRUE(Check(files));
  files.columns.push_back({.name = "rating", .id = id});
  ExpectDamage(Check(files), path, at);
}

TEST_F(FileChecksTest, EveryByteOfAPageCounts) {
  const fs::path path = OtherFile("a.parquet", 300, true);
  const std::string whole = ContentOf(path);
  const FilesToCheck files{.paths = {path.string()}};
  EXPECT_TRUE(Check(files));
  const std::size_t end = EndOf(path, 0, 3);
  std::size_t unnoticed = 0;
  for (std::size_t at = 4; at < end; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    PutContent(path, damaged);
    const auto checked = Check(files);
    if (checked) {
      ++unnoticed;
    } else {
      ExpectDamage(checked, path, at);
    }
  }
  // Within headers: encodings and statistics, which no checksum covers.
  EXPECT_LT(unnoticed, end / 20);
}

TEST_F(FileChecksTest, FilesWithoutChecksumsAndThoseThatAreNoneArePassedOver) {
  const fs::path bare = OtherFile("bare.parquet", 3'000, false);
  std::string damaged = ContentOf(bare);
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  PutContent(bare, damaged);
  const fs::path text = folder_.path() / "text.parquet";
  PutContent(text, "no Parquet at all");
  EXPECT_TRUE(Check({.paths = {bare.string(), text.string(), (folder_.path() / "gone.parquet").string()}}));
}

TEST_F(FileChecksTest, RowsBeyondThoseThatAreWantedAreNotRead) {
  const fs::path first = OtherFile("1.parquet", 1'000, true, 250);
  const fs::path second = OtherFile("2.parquet", 1'000, true, 250);
  const std::size_t at = EndOf(second, 2, 3) - 1;
  std::string damaged = ContentOf(second);
  damaged[at] = static_cast<char>(damaged[at] ^ 1);
  PutContent(second, damaged);
  const auto checks = MakeFileChecks();
  for (const std::int64_t rows : {1'000, 1'500, 100}) {
    EXPECT_TRUE(checks->Check({.paths = {first.string(), second.string()}, .rows_max = rows}, {})) << rows;
  }
  ExpectDamage(checks->Check({.paths = {first.string(), second.string()}, .rows_max = 1'501}, {}), second,
               at);
  ExpectDamage(checks->Check({.paths = {first.string(), second.string()}}, {}), second, at);
}

TEST_F(FileChecksTest, WhatIsKnownIsReadAgainWhenItChanges) {
  const fs::path path = OtherFile("a.parquet", 300, true);
  const auto checks = MakeFileChecks();
  int begun = 0;
  const FileCheckOptions options{.before = [&]() -> Result<void> {
    ++begun;
    return {};
  }};
  const FilesToCheck some{
      .paths = {path.string()}, .are_all_columns = false, .columns = {{.name = "CITY"}, {.name = "none"}}};
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(checks->Check(some, options));
  EXPECT_EQ(begun, 1);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(checks->Check({.paths = {path.string()}}, options));
  EXPECT_EQ(begun, 2);
  EXPECT_TRUE(checks->Check(some, options));
  EXPECT_EQ(begun, 2);
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::hours(1));
  EXPECT_TRUE(checks->Check(some, options));
  EXPECT_EQ(begun, 3);
  const auto refused = MakeFileChecks()->Check(
      some, {.before = []() -> Result<void> { return Fail(ErrorCode::kNotFound, "no such column"); }});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
}

TEST_F(FileChecksTest, AStopAndADeadlineEndIt) {
  const FilesToCheck files{.paths = {OtherFile("a.parquet", 300, true).string()}};
  std::stop_source stop;
  stop.request_stop();
  const auto now = std::chrono::steady_clock::now();
  for (const FileCheckOptions& options :
       {FileCheckOptions{.stop = stop.get_token()}, FileCheckOptions{.deadline = now}}) {
    const auto checked = Check(files, options);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::kCancelled);
  }
}

}  // namespace
}  // namespace tidemark::testing_support
