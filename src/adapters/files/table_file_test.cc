// Goal: a table file gives back what was written; it appears whole or not at all, whatever fails on the way;
// damage is an error that names the file, never other values.
#include "adapters/files/table_file.h"

#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <parquet/file_reader.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <numeric>
#include <stop_token>

#include "adapters/files/files_testing.h"
#include "pit/arrow_status.h"
#include "store/memory_source_testing.h"
#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::shared_ptr<arrow::Table> Sample() {
  const auto batch = BatchOf({{"id", arrow::int64(), "[1, 9007199254740993, null, -4]"},
                              {"code", arrow::utf8(), R"(["007", "a,b", "", "line\nline"])"},
                              {"when", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[0, 1, null, -1]"},
                              {"on", arrow::boolean(), "[true, null, false, true]"}});
  return arrow::Table::FromRecordBatches({batch, batch->Slice(1, 2)}).ValueOrDie();
}

class TableFileTest : public testing::Test {
 protected:
  Result<std::int64_t> Write(const arrow::Table& table, const fs::path& path) {
    arrow::TableBatchReader reader(table);
    reader.set_chunksize(1000);
    return WriteTableFile(reader, path, options_);
  }
  Result<std::shared_ptr<arrow::Table>> Read(const fs::path& path,
                                             const std::map<std::string, DataType>& types = {}) {
    TM_ASSIGN(const auto reader, OpenTableFile(path, 2, types));
    return FromArrowResult(reader->ToTable());
  }
  /// Everything in the folder, so that nothing is left over unseen.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

  TestFolder folder_;
  TableWriteOptions options_{.threads = 2};
};

TEST_F(TableFileTest, ParquetGivesEverythingBack) {
  const fs::path path = folder_.path() / "rows.parquet";
  EXPECT_EQ(Write(*Sample(), path).value(), 6);
  const auto table = Read(path);
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_TRUE((*table)->Equals(*Sample()));
  EXPECT_THAT(Names(), testing::ElementsAre("rows.parquet"));
}

TEST_F(TableFileTest, RowGroupsEndBeforeTheyTakeTooMuchMemory) {
  const fs::path path = folder_.path() / "rows.parquet";
  const auto table = MakeRows(20'000, 3);
  const auto row_groups = [&](std::int64_t bytes_max) {
    options_.row_group_bytes_max = bytes_max;
    EXPECT_EQ(Write(*table, path).value(), 20'000);
    EXPECT_TRUE((*Read(path))->Equals(*table));
    return parquet::ReadMetaData(arrow::io::ReadableFile::Open(path.string()).ValueOrDie())->num_row_groups();
  };
  EXPECT_EQ(row_groups(std::int64_t{1} << 30), 1);
  EXPECT_EQ(row_groups(1), 20);  // batches are of a thousand rows and are not cut
  const int some = row_groups(400'000);
  EXPECT_GT(some, 1);
  EXPECT_LT(some, 20);
}

// Goal: rows that the writer itself puts into another row group do not count against the bytes of the next.
TEST_F(TableFileTest, BytesAreThoseOfOneRowGroup) {
  std::vector<std::int64_t> keys(300'000);
  std::iota(keys.begin(), keys.end(), 0);
  const fs::path path = folder_.path() / "rows.parquet";
  options_.row_group_bytes_max = 8 * (std::int64_t{1} << 17) * 3 / 2;
  EXPECT_EQ(Write(*MakeKeys(keys), path).value(), 300'000);
  const auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  EXPECT_EQ(parquet::ReadMetaData(file)->num_row_groups(), 3);
}

TEST_F(TableFileTest, CsvGivesBackWhatItCanHold) {
  for (const std::string name : {"rows.csv", "rows.csv.gz"}) {
    EXPECT_EQ(Write(*Sample(), folder_.path() / name).value(), 6);
    const auto table = Read(folder_.path() / name, {{"code", {.kind = TypeKind::kString}}});
    ASSERT_TRUE(table) << table.error().ToString();
    EXPECT_TRUE((*table)->GetColumnByName("id")->Equals(Sample()->GetColumnByName("id")));
    EXPECT_TRUE((*table)->GetColumnByName("code")->Equals(Sample()->GetColumnByName("code")));
  }
}

TEST_F(TableFileTest, CsvTypesAreFoundOverAllRows) {
  std::string text = "id,code\n";
  for (int i = 0; i < 300'000; ++i)
    text += "1,7\n";
  text += "2.5,x\n";  // far behind the first block
  WriteText(folder_.path() / "rows.csv", text);
  const auto table = Read(folder_.path() / "rows.csv");
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_EQ((*table)->GetColumnByName("id")->type()->ToString(), "double");
  EXPECT_EQ((*table)->GetColumnByName("code")->type()->ToString(), "string");
  EXPECT_EQ((*table)->num_rows(), 300'001);
}

TEST_F(TableFileTest, CsvComesBlockByBlock) {
  // Rows that are wrong far behind the first block are told when they are reached, with file and row.
  std::string text = "id,code\n";
  const std::string row = "1," + std::string(198, 's') + "\n";
  for (int i = 0; i < 50'000; ++i)
    text += row;
  WriteText(folder_.path() / "rows.csv", text + "x,seven\n");
  const auto reader =
      OpenTableFile(folder_.path() / "rows.csv", 2,
                    {{"id", {.kind = TypeKind::kInt64}}, {"code", {.kind = TypeKind::kString}}});
  ASSERT_TRUE(reader) << reader.error().ToString();
  std::int64_t rows = 0;
  std::int64_t largest = 0;
  arrow::Status status;
  for (std::shared_ptr<arrow::RecordBatch> batch;;) {
    status = (*reader)->ReadNext(&batch);
    if (!status.ok() || batch == nullptr) break;
    rows += batch->num_rows();
    largest = std::max(largest, batch->num_rows());
  }
  EXPECT_GT(rows, 30'000);
  EXPECT_LT(largest, 30'000);
  const Error error = FromStatus(status);
  EXPECT_EQ(error.code, ErrorCode::kInvalidData);
  EXPECT_THAT(error.ToString(), testing::AllOf(HasSubstr("rows.csv"), HasSubstr("5000"), HasSubstr("'id'")));
}

TEST_F(TableFileTest, AQuoteOutOfPlaceIsFoundWhetherOrNotTypesAreStated) {
  WriteText(folder_.path() / "rows.csv", "id,code\n1,x\n2,\"y\n3,z\n");
  using Types = std::map<std::string, DataType>;
  for (const Types& types :
       {Types{}, Types{{"id", {.kind = TypeKind::kInt64}}, {"code", {.kind = TypeKind::kString}}}}) {
    const auto table = Read(folder_.path() / "rows.csv", types);
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().code, ErrorCode::kInvalidData);
    EXPECT_THAT(table.error().ToString(),
                testing::AllOf(HasSubstr("rows.csv"), HasSubstr("row 3 "), HasSubstr("never closed")));
  }
}

TEST_F(TableFileTest, FindingTypesCanBeInterrupted) {
  WriteText(folder_.path() / "rows.csv", "id\n1\n");
  std::stop_source stop;
  stop.request_stop();
  const auto reader = OpenTableFile(folder_.path() / "rows.csv", 1, {}, stop.get_token());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kCancelled);
}

TEST_F(TableFileTest, NoRowsAreATableToo) {
  for (const std::string name : {"rows.parquet", "rows.csv"}) {
    EXPECT_EQ(Write(*Sample()->Slice(0, 0), folder_.path() / name).value(), 0);
    const auto table = Read(folder_.path() / name);
    ASSERT_TRUE(table) << table.error().ToString();
    EXPECT_EQ((*table)->num_rows(), 0);
    EXPECT_EQ((*table)->num_columns(), 4);
  }
}

TEST_F(TableFileTest, RefusesWhatItCannotWrite) {
  const auto code = [&](const arrow::Table& table, const std::string& name) {
    const auto written = Write(table, folder_.path() / name);
    EXPECT_FALSE(written) << name;
    return written ? ErrorCode::kInternal : written.error().code;
  };
  EXPECT_EQ(code(*Sample(), "rows.txt"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(*Sample(), "rows"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(*Sample(), "no/such/folder.parquet"), ErrorCode::kIo);
  const auto nested =
      arrow::Table::FromRecordBatches({BatchOf({{"l", arrow::list(arrow::int64()), "[[1]]"}})}).ValueOrDie();
  EXPECT_EQ(code(*nested, "rows.csv"), ErrorCode::kUnsupported);
  fs::create_directory(folder_.path() / "folder.parquet");
  EXPECT_EQ(code(*Sample(), "folder.parquet"), ErrorCode::kIo);
  EXPECT_THAT(Names(), testing::ElementsAre("folder.parquet"));
}

/// Gives a batch, then our own error.
class Interrupted final : public arrow::RecordBatchReader {
 public:
  std::shared_ptr<arrow::Schema> schema() const override { return Sample()->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    if (++calls_ > 1) return ToStatus({ErrorCode::kCancelled, "interrupted", "view x"});
    *batch = Sample()->CombineChunksToBatch().ValueOrDie();
    return arrow::Status::OK();
  }

 private:
  int calls_ = 0;
};

TEST_F(TableFileTest, WhatIsInterruptedLeavesTheOldFile) {
  for (const std::string name : {"rows.parquet", "rows.csv", "rows.csv.gz"}) {
    WriteText(folder_.path() / name, "old");
    Interrupted reader;
    const auto written = WriteTableFile(reader, folder_.path() / name, options_);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::kCancelled);
    EXPECT_EQ(written.error().ToString(), "view x: interrupted");  // not the fault of the file
    EXPECT_EQ(ReadBytes(folder_.path() / name), "old");
  }
  EXPECT_EQ(Names().size(), 3U);
}

TEST_F(TableFileTest, AFullDiskIsToldApart) {
  // A limit on the size of files stands for the disk; in a process of its own, since it cannot be raised
  // again.
  const auto table = MakeRows(200'000, 1);
  for (const std::string name : {"rows.parquet", "rows.csv"}) {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{100'000, 100'000};
      setrlimit(RLIMIT_FSIZE, &limit);
      const auto flat = table->SelectColumns({0, 1, 2, 3}).ValueOrDie();
      arrow::TableBatchReader reader(*flat);
      const auto written = WriteTableFile(reader, folder_.path() / name, {});
      const bool is_told = !written && written.error().code == ErrorCode::kOutOfSpace &&
                           written.error().ToString().contains("File too large");
      _exit(is_told ? 0 : 1);
    }
    int state = 0;
    ASSERT_EQ(waitpid(child, &state, 0), child);
    EXPECT_EQ(state, 0) << name;
  }
  EXPECT_THAT(Names(), testing::IsEmpty());
}

TEST_F(TableFileTest, NamesFilesThatCannotBeRead) {
  const auto error = [&](const std::string& name) {
    const auto table = Read(folder_.path() / name);
    EXPECT_FALSE(table) << name;
    if (table) return ErrorCode::kInternal;
    EXPECT_THAT(table.error().ToString(), HasSubstr(name));
    return table.error().code;
  };
  EXPECT_EQ(error("none.parquet"), ErrorCode::kNotFound);
  EXPECT_EQ(error("rows.json"), ErrorCode::kInvalidArgument);
  fs::create_directory(folder_.path() / "folder.csv");
  EXPECT_EQ(error("folder.csv"), ErrorCode::kNotFound);
  WriteText(folder_.path() / "empty.parquet", "");
  EXPECT_EQ(error("empty.parquet"), ErrorCode::kCorruption);
  WriteText(folder_.path() / "text.parquet", std::string(1000, 'x'));
  EXPECT_EQ(error("text.parquet"), ErrorCode::kCorruption);
  WriteText(folder_.path() / "empty.csv", "");
  EXPECT_EQ(error("empty.csv"), ErrorCode::kInvalidData);
  WriteText(folder_.path() / "ragged.csv", "a,b\n1,2\n3\n");
  EXPECT_EQ(error("ragged.csv"), ErrorCode::kInvalidData);
  WriteText(folder_.path() / "plain.csv.gz", "a,b\n1,2\n");
  EXPECT_EQ(error("plain.csv.gz"), ErrorCode::kInvalidData);
}

TEST_F(TableFileTest, AnyFlippedByteIsAnErrorOrChangesNothing) {
  const fs::path path = folder_.path() / "rows.parquet";
  const auto table = MakeRows(2'000, 5);
  ASSERT_TRUE(Write(*table, path));
  const auto before = Read(path);
  ASSERT_TRUE(before);
  const std::string bytes = ReadBytes(path);
  std::uint32_t footer_bytes = 0;  // which Parquet has no checksum of
  std::memcpy(&footer_bytes, bytes.data() + bytes.size() - 8, sizeof footer_bytes);
  const std::size_t pages_end = bytes.size() - 8 - footer_bytes;
  int errors = 0;
  for (std::size_t at = 0; at < pages_end; at += pages_end / 400 + 1) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    WriteText(path, damaged);
    const auto read = Read(path);
    if (read) {
      EXPECT_TRUE((*read)->Equals(**before)) << "byte " << at;
    } else {
      ++errors;
      EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << at << ": " << read.error().ToString();
    }
  }
  EXPECT_GT(errors, 200);
  for (const std::size_t size : {bytes.size() / 2, bytes.size() - 1, std::size_t{3}}) {
    WriteText(path, bytes.substr(0, size));
    const auto read = Read(path);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  }
}

}  // namespace
}  // namespace tidemark::testing_support
