// Goal: a file's bytes follow from its rows alone; it is put in its place whole, and never over another one
// unless that is asked for; and what is claimed is known to be for as long as it is.
#include "adapters/files/dataset_folder.h"

#include <arrow/api.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "store/online_store_testing.h"

namespace tidemark::testing_support {
namespace {

namespace stdfs = std::filesystem;

/// Numbers, some missing, and text, in batches of so many rows that are cut out of larger ones.
std::shared_ptr<arrow::RecordBatchReader> NumberedRows(std::int64_t rows, std::int64_t batch_rows) {
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts;
  arrow::BooleanBuilder flags;
  for (std::int64_t i = 0; i < rows; ++i) {
    EXPECT_TRUE((i % 7 == 0 ? numbers.AppendNull() : numbers.Append(i * i)).ok());
    EXPECT_TRUE(texts.Append("text " + std::to_string(i % 1000)).ok());
    EXPECT_TRUE(flags.Append(i % 3 == 0).ok());
  }
  const auto schema =
      arrow::schema({arrow::field("number", arrow::int64()), arrow::field("text", arrow::utf8()),
                     arrow::field("flag", arrow::boolean())});
  const auto all = arrow::RecordBatch::Make(
      schema, rows,
      {numbers.Finish().ValueOrDie(), texts.Finish().ValueOrDie(), flags.Finish().ValueOrDie()});
  arrow::RecordBatchVector batches;
  for (std::int64_t begin = 0; begin < rows; begin += batch_rows)
    batches.push_back(all->Slice(begin, batch_rows));
  return arrow::RecordBatchReader::Make(batches, schema).ValueOrDie();
}

class DatasetFolderTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  const stdfs::path path_ = stdfs::path(folder_.path());
  const std::unique_ptr<DatasetFiles> files_ = OpenDatasetFolder(path_ / "datasets", 2);
};

TEST_F(DatasetFolderTest, BytesFollowFromTheRows) {
  constexpr std::int64_t kRows = 300'000;  // three row groups
  const auto one_thread = OpenDatasetFolder(path_ / "datasets", 1);
  const FileSum whole = files_->Write(*NumberedRows(kRows, kRows), path_ / "a.parquet").value()->sum();
  EXPECT_EQ(files_->Write(*NumberedRows(kRows, 999), path_ / "a.parquet").value()->sum(), whole);
  EXPECT_EQ(one_thread->Write(*NumberedRows(kRows, 70'001), path_ / "a.parquet").value()->sum(), whole);
  EXPECT_NE(files_->Write(*NumberedRows(kRows - 1, kRows), path_ / "a.parquet").value()->sum(), whole);
  EXPECT_TRUE(stdfs::is_empty(path_)) << "what is not put in its place goes";
}

TEST_F(DatasetFolderTest, IsPutInItsPlace) {
  const stdfs::path place = path_ / "a.parquet";
  std::ofstream(place) << "somebody's";
  const auto rows = files_->Write(*NumberedRows(10, 3), place).value();
  const auto refused = rows->Put(false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(rows->Put(true));
  EXPECT_EQ(files_->SumOf(place, {}).value(), rows->sum());
  EXPECT_EQ(files_->Read(place, {}).value()->ToTable().ValueOrDie()->num_rows(), 10);
  ASSERT_TRUE(files_->Remove(place));
  ASSERT_TRUE(files_->Remove(place)) << "that it is gone is no error";
  EXPECT_EQ(files_->LookAt(place).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_->Write(*NumberedRows(1, 1), path_ / "a.csv").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(files_->Write(*NumberedRows(1, 1), path_ / "no" / "a.parquet").error().code,
            ErrorCode::kNotFound);
}

TEST_F(DatasetFolderTest, IsClaimedAsLongAsItsMakerLives) {
  EXPECT_FALSE(files_->IsClaimed("0123").value());
  {
    const auto claim = files_->Claim("0123").value();
    EXPECT_TRUE(files_->IsClaimed("0123").value());
    EXPECT_TRUE(OpenDatasetFolder(path_ / "datasets", 1)->IsClaimed("0123").value());
  }
  EXPECT_FALSE(files_->IsClaimed("0123").value());
  ASSERT_TRUE(files_->RemoveFolder("0123"));
  EXPECT_TRUE(stdfs::is_empty(path_ / "datasets"));
}

TEST_F(DatasetFolderTest, AChangeAtTheEndIsSeen) {
  const stdfs::path path = path_ / "a.csv";
  std::ofstream(path) << std::string(100'000, 'x');
  const FileLook before = files_->LookAt(path).value();
  const auto time = stdfs::last_write_time(path);
  std::ofstream(path) << std::string(99'999, 'x') << 'y';
  stdfs::last_write_time(path, time);
  const FileLook after = files_->LookAt(path).value();
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.mtime_ns, before.mtime_ns);
  EXPECT_NE(after.end_crc, before.end_crc);
}

}  // namespace
}  // namespace tidemark::testing_support
