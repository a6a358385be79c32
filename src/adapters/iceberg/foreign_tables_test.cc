// Goal: a table over files of others has them all or not, in whole commits, and none of its work ever writes,
// moves or removes one of them.
#include "adapters/iceberg/foreign_tables.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <parquet/arrow/writer.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>

#include "adapters/iceberg/external_table.h"
#include "adapters/iceberg/iceberg_store.h"
#include "adapters/iceberg/iceberg_testing.h"
#include "adapters/parquet/data_file.h"
#include "store/offline_store_testing.h"
#include "store/source_testing.h"

namespace tidemark {
namespace testing_support {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::shared_ptr<arrow::Array> Longs(std::int64_t first, std::int64_t count) {
  arrow::Int64Builder builder;
  for (std::int64_t i = 0; i < count; ++i)
    EXPECT_TRUE(builder.Append(first + i).ok());
  return builder.Finish().ValueOrDie();
}

/// A file of `rows` values of `n` from `first` on, below `day=<day>`.
ForeignFile WriteDay(const fs::path& root, const std::string& day, std::int64_t first, std::int64_t rows,
                     const std::string& column = "n") {
  const fs::path folder = root / ("day=" + day);
  fs::create_directories(folder);
  const fs::path path = folder / (column + ".parquet");
  const auto table =
      arrow::Table::Make(arrow::schema({arrow::field(column, arrow::int64())}), {Longs(first, rows)});
  const auto out = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out).ok());
  EXPECT_TRUE(out->Close().ok());
  return {.file = DescribeFile(path, StatFile(path).value()), .folders = {{"day", day}}};
}

std::map<std::string, std::string> Look(const fs::path& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().string()] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

class ForeignTablesTest : public testing::Test {
 protected:
  ForeignTablesTest() {
    fs::create_directories(lake());
    Open();
  }

  fs::path lake() const { return folder_.path() / "lake"; }
  fs::path own() const { return folder_.path() / "tables"; }

  void Open(std::function<Result<void>(std::string_view)> at_step = {}) {
    tables_ = OpenForeignTables(catalog_, clock_, {.root = own(), .at_step = std::move(at_step)}).value();
  }

  Result<ForeignOutcome> Create(const std::vector<ForeignFile>& files) {
    const ForeignLayout layout{.folder_columns = {{.name = "day", .type = {.kind = TypeKind::kInt64}}}};
    return tables_->Create(1, {.database = "db", .name = "t"}, layout, files, {});
  }

  /// All values of `n`, as a source reads them.
  Result<std::int64_t> Sum(const std::string& column) const {
    TM_ASSIGN(const ForeignState state, tables_->Load(1));
    TM_ASSIGN(const auto source, OpenExternalTable(state.metadata_path, {}));
    TM_ASSIGN(const auto fragments, source->Fragments({}));
    std::int64_t sum = 0;
    for (const Fragment& fragment : fragments) {
      TM_TRY(source->Scan(fragment, {column},
                          [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
                            const auto& values = static_cast<const arrow::Int64Array&>(*batch.column(0));
                            for (std::int64_t row = 0; row < values.length(); ++row)
                              sum += values.IsNull(row) ? 0 : values.Value(row);
                            return {};
                          }));
    }
    return sum;
  }

  TestFolder folder_;
  MemoryTableCatalog catalog_;
  ManualClock clock_{1'700'000'000'000'000};
  std::unique_ptr<ForeignTables> tables_;
};

TEST_F(ForeignTablesTest, RowsAreThoseOfTheFilesWithWhatFoldersSay) {
  ASSERT_TRUE(Create({WriteDay(lake(), "1", 10, 2), WriteDay(lake(), "02", 20, 1)}));
  EXPECT_EQ(Sum("n").value(), 10 + 11 + 20);
  EXPECT_EQ(Sum("day").value(), 1 + 1 + 2);
  const ForeignState state = tables_->Load(1).value();
  EXPECT_THAT(state.folder_columns, ElementsAre("day"));
  ASSERT_THAT(state.files, SizeIs(2));
  EXPECT_EQ(state.files[0].folders[0].second, "2");
  EXPECT_EQ(state.files[0].rows, 1);
  EXPECT_EQ(Create({WriteDay(lake(), "3", 1, 1)}).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(ForeignTablesTest, ATableThatCouldNotBeMadeLeavesNothing) {
  const ForeignFile file = WriteDay(lake(), "1", 10, 2);
  for (const std::string_view failing : {"manifest", "manifest list", "created"}) {
    Open([&](std::string_view step) -> Result<void> {
      if (step == failing) return Fail(ErrorCode::kOutOfSpace, "full");
      return {};
    });
    EXPECT_EQ(Create({file}).error().code, ErrorCode::kOutOfSpace) << failing;
    EXPECT_THAT(catalog_.List().value(), IsEmpty());
    EXPECT_TRUE(fs::is_empty(own())) << failing;
  }
  Open();
  EXPECT_TRUE(Create({file}));
}

TEST_F(ForeignTablesTest, BatchesBeforeAFailedOneStay) {
  ASSERT_TRUE(Create({WriteDay(lake(), "1", 1, 1)}));
  ForeignChange change;
  for (int day = 2; day <= 4; ++day)
    change.added.push_back({WriteDay(lake(), std::to_string(day), day, 1)});
  int swaps = 0;
  Open([&](std::string_view step) -> Result<void> {
    if (step == "before swap" && ++swaps == 2) return Fail(ErrorCode::kOutOfSpace, "full");
    return {};
  });
  std::size_t done = 0;
  const auto outcome = tables_->Change(1, change, {.committed = [&](std::size_t count) { done = count; }});
  EXPECT_EQ(outcome.error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(done, 1U);
  EXPECT_EQ(Sum("day").value(), 1 + 2);
  Open();
  const auto again = tables_->Change(1, change, {});
  ASSERT_TRUE(again);
  EXPECT_THAT(again->added, SizeIs(2)) << "those that were there are passed over";
  EXPECT_EQ(Sum("day").value(), 1 + 2 + 3 + 4);
}

TEST_F(ForeignTablesTest, ABadFileInALaterBatchChangesNothing) {
  ASSERT_TRUE(Create({WriteDay(lake(), "1", 1, 1)}));
  const std::string before = tables_->Load(1)->metadata_path;
  ForeignFile bad = WriteDay(lake(), "3", 3, 1);
  fs::resize_file(bad.file.path, 10);
  bad.file = DescribeFile(bad.file.path, StatFile(bad.file.path).value());
  const ForeignChange change{.added = {{WriteDay(lake(), "2", 2, 1)}, {bad}}, .removed = {}};
  const auto outcome = tables_->Change(1, change, {});
  EXPECT_EQ(outcome.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(outcome.error().context, HasSubstr(bad.file.path));
  EXPECT_EQ(tables_->Load(1)->metadata_path, before);
  const auto without = tables_->Change(1, change, {.skips_bad_files = true});
  ASSERT_TRUE(without);
  EXPECT_THAT(without->added, SizeIs(1));
  ASSERT_THAT(without->bad_files, SizeIs(1));
  EXPECT_THAT(without->bad_files[0].context, HasSubstr(bad.file.path));
}

TEST_F(ForeignTablesTest, SchemasGrow) {
  ASSERT_TRUE(Create({WriteDay(lake(), "1", 1, 1)}));
  const auto outcome = tables_->Change(1, {.added = {{WriteDay(lake(), "2", 7, 1, "m")}}, .removed = {}}, {});
  ASSERT_TRUE(outcome);
  EXPECT_THAT(outcome->new_columns, ElementsAre("m"));
  EXPECT_EQ(Sum("m").value(), 7);
  EXPECT_EQ(Sum("n").value(), 1);
}

TEST_F(ForeignTablesTest, AnotherCommitInBetweenIsBuiltUpon) {
  ASSERT_TRUE(Create({WriteDay(lake(), "1", 1, 1)}));
  const ForeignFile both = WriteDay(lake(), "2", 2, 1);
  const auto other = OpenForeignTables(catalog_, clock_, {.root = own()}).value();
  catalog_.before_swap = [&]() -> Result<void> {
    TM_TRY(other->Change(1, {.added = {{both}}, .removed = {}}, {}));
    return {};
  };
  const auto outcome =
      tables_->Change(1, {.added = {{both, WriteDay(lake(), "3", 3, 1)}}, .removed = {}}, {});
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  EXPECT_THAT(outcome->added, SizeIs(1)) << "the other one had added the first";
  EXPECT_EQ(Sum("day").value(), 1 + 2 + 3);
}

TEST_F(ForeignTablesTest, NoWorkOnTheTableTouchesItsFiles) {
  std::vector<ForeignFile> files;
  for (int day = 1; day <= 3; ++day)
    files.push_back(WriteDay(lake(), std::to_string(day), day, 1));
  const auto before = Look(lake());
  ASSERT_TRUE(Create({files[0]}));
  ASSERT_TRUE(tables_->Change(1, {.added = {{files[1]}, {files[2]}}, .removed = {}}, {}));
  ASSERT_TRUE(tables_->Change(1, {.added = {}, .removed = {files[0].file.path}}, {}));
  const auto store = OpenIcebergStore(catalog_, clock_, {.root = own()}).value();
  const auto table = store->Open(1).value();
  const auto rewritten = table->Rewrite({.inputs = {files[1].file.path}}, nullptr, CommitAlways);
  EXPECT_EQ(rewritten.error().code, ErrorCode::kUnsupported);
  const auto rows = arrow::RecordBatchReader::Make({}, arrow::schema({})).ValueOrDie();
  EXPECT_EQ(table->Stage(*rows, {}).error().code, ErrorCode::kUnsupported);
  clock_.set_us(clock_.now_us() + 1'000'000'000'000);
  ASSERT_TRUE(table->ExpireSnapshots({.older_than_us = clock_.now_us(), .keep = 1}));
  ASSERT_TRUE(table->RemoveOrphans(std::numeric_limits<std::int64_t>::max()));
  const ForeignTables::CleanupTimes all{.snapshots_before_us = clock_.now_us(),
                                        .orphans_before_us = std::numeric_limits<std::int64_t>::max()};
  ASSERT_TRUE(tables_->CleanUp(1, all));
  EXPECT_EQ(Sum("day").value(), 2 + 3);
  ASSERT_TRUE(tables_->Drop(1));
  EXPECT_TRUE(fs::is_empty(own()));
  EXPECT_EQ(Look(lake()), before);
}

TEST_F(ForeignTablesTest, AFileThatIsGoneOrChangedIsNamed) {
  const ForeignFile file = WriteDay(lake(), "1", 1, 1);
  ASSERT_TRUE(Create({file}));
  WriteDay(lake(), "1", 1, 1000);
  EXPECT_EQ(Sum("n").error().code, ErrorCode::kInvalidData);
  fs::remove(file.file.path);
  const Error error = Sum("n").error();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.context, HasSubstr(file.file.path));
  EXPECT_THAT(error.message, HasSubstr("refresh"));
}

}  // namespace
}  // namespace testing_support
}  // namespace tidemark
