// Goal: a dump is there whole or not at all, is known while it is written, and comes back as it was or says
// what is wrong with it.
#include "adapters/files/dump_folder.h"

#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "adapters/files/files_testing.h"
#include "adapters/files/table_file.h"
#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class DumpFolderTest : public testing::Test {
 protected:
  static std::shared_ptr<arrow::RecordBatchReader> Rows(std::int64_t count) {
    arrow::Int64Builder numbers;
    for (std::int64_t row = 0; row < count; ++row)
      EXPECT_TRUE(numbers.Append(row).ok());
    const auto schema = arrow::schema({arrow::field("n", arrow::int64())});
    const auto batch = arrow::RecordBatch::Make(schema, count, {numbers.Finish().ValueOrDie()});
    return arrow::RecordBatchReader::Make({batch}).ValueOrDie();
  }

  static DumpInfo Info() {
    return {.id = {}, .sql = "select n", .begun_us = 5, .tables = {"a.b"}, .feature_tables = {7}};
  }

  static DumpInfo Write(Dumps& dumps, std::int64_t count) {
    const auto unfinished = dumps.Begin(Info()).value();
    const std::int64_t rows = WriteTableFile(*Rows(count), unfinished->path(), {}).value();
    return unfinished->Finish(rows).value();
  }

  std::vector<std::string> Left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    return names;
  }

  static ErrorCode CodeOf(const auto& result) { return result ? ErrorCode::kInternal : result.error().code; }

  TemporaryFolder folder_;
  const fs::path path_ = fs::path(folder_.path()) / "dumps";
  std::unique_ptr<Dumps> dumps_ = OpenDumpFolder(path_, 1);
};

TEST_F(DumpFolderTest, ComesBackAsItWas) {
  EXPECT_THAT(dumps_->List().value(), IsEmpty());
  const DumpInfo made = Write(*dumps_, 3);
  EXPECT_EQ(made.rows, 3);
  EXPECT_EQ(made.columns, std::vector<DumpColumn>({{"n", "int64"}}));
  const auto listed = OpenDumpFolder(path_, 1)->List().value();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].id, made.id);
  EXPECT_EQ(listed[0].sql, "select n");
  EXPECT_THAT(listed[0].feature_tables, ElementsAre(7));
  EXPECT_EQ(listed[0].damage, "");
  EXPECT_EQ(dumps_->Read(made.id, {}).value()->ToTable().ValueOrDie()->num_rows(), 3);
  ASSERT_TRUE(dumps_->Remove(made.id));
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(DumpFolderTest, IsKnownWhileItIsWrittenAndNothingIfItFails) {
  auto unfinished = dumps_->Begin(Info()).value();
  const auto other = OpenDumpFolder(path_, 1);
  EXPECT_THAT(other->List().value(), IsEmpty());
  const auto written = other->BeingWritten().value();
  ASSERT_THAT(written, SizeIs(1));
  EXPECT_THAT(written[0].second, ElementsAre(7));
  unfinished.reset();
  EXPECT_THAT(other->BeingWritten().value(), IsEmpty());
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(DumpFolderTest, WhatAKilledWriterLeftGoes) {
  fs::create_directories(path_ / ".0000-aa.new");
  std::ofstream(path_ / ".0000-aa.new" / "data.parquet") << "half";
  std::ofstream(path_ / ".0000-aa.lock");
  EXPECT_THAT(dumps_->List().value(), IsEmpty());
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(DumpFolderTest, IdsNeverReachAPath) {
  const DumpInfo made = Write(*dumps_, 1);
  std::ofstream(fs::path(folder_.path()) / "victim") << "x";
  for (const std::string id : {"", ".", "..", "../victim", "/etc", "a/b", ".0-0.new", "A", "0-0"}) {
    EXPECT_EQ(CodeOf(dumps_->Find(id)), ErrorCode::kNotFound) << id;
    EXPECT_EQ(CodeOf(dumps_->Read(id, {})), ErrorCode::kNotFound) << id;
    EXPECT_EQ(CodeOf(dumps_->Remove(id)), ErrorCode::kNotFound) << id;
  }
  EXPECT_TRUE(fs::exists(fs::path(folder_.path()) / "victim"));
  EXPECT_TRUE(dumps_->Find(made.id));
}

TEST_F(DumpFolderTest, EveryDamageIsFound) {
  const DumpInfo made = Write(*dumps_, 100);
  std::ifstream file(made.path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  const auto put = [&](const std::string& bytes) {
    std::ofstream(made.path, std::ios::binary | std::ios::trunc) << bytes;
  };
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    put(flipped);
    EXPECT_EQ(CodeOf(dumps_->Read(made.id, {})), ErrorCode::kCorruption) << at;
  }
  put(whole.substr(0, whole.size() / 2));
  EXPECT_EQ(CodeOf(dumps_->Read(made.id, {})), ErrorCode::kCorruption);
  EXPECT_NE(dumps_->List().value()[0].damage, "");
  put(whole);
  EXPECT_TRUE(dumps_->Read(made.id, {}));
  std::ofstream(made.path.parent_path() / "dump.json", std::ios::trunc) << "{";
  EXPECT_EQ(CodeOf(dumps_->Read(made.id, {})), ErrorCode::kCorruption);
  EXPECT_NE(dumps_->List().value()[0].damage, "");
  EXPECT_TRUE(dumps_->Remove(made.id));
}

}  // namespace
}  // namespace tidemark::testing_support
