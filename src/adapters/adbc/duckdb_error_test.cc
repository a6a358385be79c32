// What DuckDB says of full disks, short memory and damaged files, as users are to be told.
#include "adapters/adbc/duckdb_error_internal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/result.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(DuckDbErrorTest, AFullDiskIsToldWithoutSettings) {
  const Error raw{
      ErrorCode::kIo,
      "Out of Memory Error: failed to offload data block of size 256.0 KiB (35.8 MiB/35.9 MiB used).\n"
      "This limit was set by the 'max_temp_directory_size' setting.\n"
      "You can adjust this setting, by using (for example) PRAGMA max_temp_directory_size='10GiB'",
      {}};
  const Error told = DuckDbErrorOf(raw, {});
  EXPECT_EQ(told.code, ErrorCode::kOutOfSpace);
  EXPECT_THAT(told.message, HasSubstr("the disk that the query spills to is full"));
  EXPECT_THAT(told.message, Not(HasSubstr("PRAGMA")));
}

TEST(DuckDbErrorTest, LimitsBelowAMegabyteAreBytes) {
  const Error raw{ErrorCode::kIo, "Out of Memory Error: failed to allocate data", {}};
  EXPECT_THAT(DuckDbErrorOf(raw, {.memory_bytes_max = 1000}).message, HasSubstr("(1000 bytes)"));
  EXPECT_THAT(DuckDbErrorOf(raw, {.memory_bytes_max = std::int64_t{64} << 20}).message, HasSubstr("(64 MB)"));
}

TEST(DuckDbErrorTest, TheDamagedOneOfSeveralFilesIsFound) {
  const testing_support::TestFolder folder;
  DuckDbQuestion question;
  for (const char* name : {"a.parquet", "b.parquet", "c.parquet"}) {
    question.files.push_back((folder.path() / name).string());
    std::ofstream(question.files.back()) << "PAR1";
  }
  const Error raw{ErrorCode::kInvalidArgument, "Invalid Error: don't know what type: \x11", {}};
  const auto trial = [&](const std::string& file) -> Result<void> {
    if (file == question.files[1]) return Fail(ErrorCode::kInvalidData, "don't know what type");
    return {};
  };
  const Error found = DuckDbErrorOf(raw, question, trial);
  EXPECT_EQ(found.code, ErrorCode::kCorruption);
  EXPECT_THAT(found.ToString(), HasSubstr("b.parquet"));
  // Stopped on the way, it knows of none.
  const auto stopped = [](const std::string&) -> Result<void> { return Fail(ErrorCode::kCancelled, "stop"); };
  const Error unknown = DuckDbErrorOf(raw, question, stopped);
  EXPECT_EQ(unknown.code, ErrorCode::kCorruption);
  EXPECT_THAT(unknown.message, HasSubstr("one of the 3 files"));
  // Without files it is the query's own trouble.
  EXPECT_EQ(DuckDbErrorOf(raw, {}).code, ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace tidemark
