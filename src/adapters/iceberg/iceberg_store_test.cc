// Goal: what is appended is there, in snapshots, whatever else commits at the same time.
#include "adapters/iceberg/iceberg_store.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "adapters/iceberg/iceberg_testing.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::DriverLayout;
using testing_support::DriverRows;
using testing_support::MemoryTableCatalog;
using testing_support::ReaderOf;

class IcebergStoreTest : public testing::Test {
 protected:
  std::unique_ptr<OfflineTable> CreateTable(TableId id = 1) {
    auto created = store_->Create(id, {.database = "db", .name = "t" + std::to_string(id)}, DriverLayout());
    EXPECT_TRUE(created) << created.error().ToString();
    return std::move(created).value();
  }

  static std::unique_ptr<StagedRows> Stage(OfflineTable& table, std::int64_t first, std::int64_t count) {
    const auto reader = ReaderOf({DriverRows(first, count)});
    auto staged = table.Stage(*reader, {});
    EXPECT_TRUE(staged) << staged.error().ToString();
    return std::move(staged).value();
  }

  static CommitOutcome AppendRows(OfflineTable& table, std::int64_t first, std::int64_t count,
                                  const CommitRule& rule = CommitAlways) {
    auto appended = table.Append(Stage(table, first, count), rule);
    EXPECT_TRUE(appended) << appended.error().ToString();
    return *appended;
  }

  static Result<CommitOutcome> RewriteRows(OfflineTable& table, std::vector<std::string> inputs,
                                           std::int64_t first, std::int64_t count) {
    RewriteOptions options;
    options.inputs = std::move(inputs);
    return table.Rewrite(options, Stage(table, first, count), CommitAlways);
  }

  static std::vector<DataFileInfo> FilesOf(const OfflineTable& table, const SnapshotChoice& choice = {}) {
    const auto snapshot = table.Snapshot(choice);
    EXPECT_TRUE(snapshot) << snapshot.error().ToString();
    auto files = (*snapshot)->Files();
    EXPECT_TRUE(files) << files.error().ToString();
    return std::move(files).value();
  }

  static std::int64_t RowsOf(const OfflineTable& table, const SnapshotChoice& choice = {}) {
    std::int64_t rows = 0;
    for (const DataFileInfo& file : FilesOf(table, choice))
      rows += file.rows;
    return rows;
  }

  /// How many files with this ending the store has.
  std::int64_t CountFiles(std::string_view ending) const {
    std::int64_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      count += entry.path().native().ends_with(ending) ? 1 : 0;
    return count;
  }

  testing_support::TestFolder folder_;
  MemoryTableCatalog catalog_;
  ManualClock clock_{1'700'000'000'000'000};
  std::unique_ptr<OfflineStore> store_ =
      OpenIcebergStore(catalog_, clock_, {.root = folder_.path() / "tables"}).value();
};

TEST_F(IcebergStoreTest, AnEmptyTableHasNoSnapshot) {
  const auto table = CreateTable();
  EXPECT_THAT(table->Snapshots().value(), IsEmpty());
  const auto snapshot = table->Snapshot({}).value();
  EXPECT_EQ(snapshot->id(), 0);
  EXPECT_THAT(snapshot->Files().value(), IsEmpty());
  EXPECT_EQ(snapshot->system_columns().event_time, "event");
}

TEST_F(IcebergStoreTest, AppendsAddUp) {
  const auto table = CreateTable();
  const auto first = AppendRows(*table, 0, 100);
  clock_.set_us(clock_.now_us() + 5'000'000);
  const auto second = AppendRows(*table, 100, 50);
  EXPECT_TRUE(first.committed && second.committed);
  EXPECT_EQ(RowsOf(*table), 150);
  EXPECT_EQ(RowsOf(*table, {.id = first.snapshot_id}), 100);
  EXPECT_EQ(RowsOf(*table, {.as_of_us = clock_.now_us() - 1}), 100);
  EXPECT_EQ(RowsOf(*store_->Open(1).value()), 150);
  const auto snapshots = table->Snapshots().value();
  ASSERT_THAT(snapshots, SizeIs(2));
  EXPECT_EQ(snapshots[1].parent_id, first.snapshot_id);
  EXPECT_EQ(snapshots[1].rows, 150);
  EXPECT_EQ(snapshots[1].operation, "append");
}

TEST_F(IcebergStoreTest, FilesStateBounds) {
  const auto table = CreateTable();
  AppendRows(*table, 3, 4);
  const auto files = FilesOf(*table);
  ASSERT_THAT(files, SizeIs(1));
  ASSERT_THAT(files[0].ranges, SizeIs(3));  // rating is a float: no range
  EXPECT_EQ(files[0].ranges[0].column, "driver");
  EXPECT_EQ(std::get<std::int64_t>(files[0].ranges[0].low), 3);
  EXPECT_EQ(std::get<std::int64_t>(files[0].ranges[0].high), 6);
  EXPECT_EQ(std::get<std::int64_t>(files[0].ranges[1].high), 1'700'000'006'000'000);
  EXPECT_EQ(std::get<std::string>(files[0].ranges[2].low), "city 3");
}

// Goal: a commit that is overtaken is made again on top of the other one; neither is lost.
TEST_F(IcebergStoreTest, AnOvertakenCommitIsMadeAgain) {
  const auto table = CreateTable();
  const auto other = store_->Open(1).value();
  int asked = 0;
  auto late = Stage(*table, 0, 10);
  auto fast = Stage(*other, 10, 5);
  catalog_.before_swap = [&]() -> Result<void> {
    // Without the lock that keeps commits apart, so that the swap itself must decide.
    for (const auto& entry : fs::directory_iterator(folder_.path() / "tables"))
      fs::remove(entry.path() / "commit.lock");
    EXPECT_TRUE(other->Append(std::move(fast), CommitAlways).value().committed);
    return {};
  };
  const auto outcome = table->Append(std::move(late), [&](const TableHead&) -> Result<CommitDecision> {
    ++asked;
    return CommitDecision{};
  });
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  EXPECT_TRUE(outcome->committed);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(RowsOf(*table), 15);
  EXPECT_EQ(CountFiles(".metadata.json"), 3);  // the lost try left nothing
}

// Goal: rows of a log are flushed exactly once, as the property that says how far it is flushed decides.
TEST_F(IcebergStoreTest, ARuleDecidesWithThePropertiesOfTheHead) {
  const auto table = CreateTable();
  const auto flush = [](std::string from, std::string to) -> CommitRule {
    return [=](const TableHead& head) -> Result<CommitDecision> {
      const auto found = head.properties.find("flushed.7");
      const std::string flushed = found == head.properties.end() ? "0" : found->second;
      if (flushed == to) return CommitDecision{.commit = false};
      if (flushed != from) return Fail(ErrorCode::kInvalidArgument, "flushed is " + flushed);
      return CommitDecision{.properties = {{"flushed.7", to}}};
    };
  };
  EXPECT_TRUE(AppendRows(*table, 0, 10, flush("0", "10")).committed);
  EXPECT_FALSE(AppendRows(*table, 0, 10, flush("0", "10")).committed);
  EXPECT_EQ(RowsOf(*table), 10);
  EXPECT_EQ(CountFiles(".parquet"), 1);
  const auto wrong = table->Append(Stage(*table, 10, 5), flush("15", "20"));
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(CountFiles(".parquet"), 1);
  EXPECT_EQ(table->Snapshot({}).value()->properties().at("flushed.7"), "10");
}

TEST_F(IcebergStoreTest, AnUnknownFateIsLookedUp) {
  const auto table = CreateTable();
  for (const bool happened : {true, false}) {
    const std::int64_t before = RowsOf(*table);
    catalog_.swaps_all_the_same = happened;
    catalog_.before_swap = []() -> Result<void> { return Fail(ErrorCode::kUnknownFate, "who knows"); };
    // Lost or not, after looking it is known, and the rows are there once.
    EXPECT_TRUE(AppendRows(*table, before, 10).committed);
    EXPECT_EQ(RowsOf(*table), before + 10);
  }
}

// Goal: many threads and instances commit to one table, and every row is there once.
TEST_F(IcebergStoreTest, ManyWritersLoseNothing) {
  CreateTable();
  constexpr int kWriters = 4;
  constexpr int kCommits = 15;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      const auto table = store_->Open(1).value();
      for (int c = 0; c < kCommits; ++c)
        EXPECT_TRUE(AppendRows(*table, (w * kCommits + c) * 10, 10).committed);
    });
  }
  for (std::thread& writer : writers)
    writer.join();
  const auto table = store_->Open(1).value();
  EXPECT_EQ(RowsOf(*table), kWriters * kCommits * 10);
  EXPECT_THAT(table->Snapshots().value(), SizeIs(kWriters * kCommits));
}

TEST_F(IcebergStoreTest, RewriteReplacesFilesWhileTheyAreLive) {
  const auto table = CreateTable();
  AppendRows(*table, 0, 10);
  AppendRows(*table, 10, 10);
  AppendRows(*table, 20, 10);
  std::vector<std::string> inputs;
  for (const DataFileInfo& file : FilesOf(*table)) {
    if (std::get<std::int64_t>(file.ranges[0].low) < 20) inputs.push_back(file.path);
  }
  ASSERT_THAT(inputs, SizeIs(2));
  const auto rewritten = RewriteRows(*table, inputs, 0, 20);
  ASSERT_TRUE(rewritten) << rewritten.error().ToString();
  EXPECT_TRUE(rewritten->committed);
  EXPECT_EQ(RowsOf(*table), 30);
  EXPECT_THAT(FilesOf(*table), SizeIs(2));
  EXPECT_EQ(table->Snapshots()->back().operation, "replace");
  const auto again = RewriteRows(*table, inputs, 0, 20);
  EXPECT_FALSE(again.value().committed);
  EXPECT_EQ(RowsOf(*table), 30);
}

TEST_F(IcebergStoreTest, ExpiryKeepsWhatIsTaggedLeasedAndNew) {
  const auto table = CreateTable();
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(AppendRows(*table, i * 10, 10).snapshot_id);
    const auto files = FilesOf(*table);
    // Each rewrite leaves a file that only older snapshots have.
    ids.push_back(RewriteRows(*table, {files[0].path}, i * 10, 10).value().snapshot_id);
  }
  ASSERT_TRUE(table->Tag("training", ids[2]));
  const auto reader = table->Snapshot({.id = ids[4]}).value();
  const auto report = table->ExpireSnapshots({.older_than_us = clock_.now_us() + 1, .keep = 2}).value();
  EXPECT_EQ(report.leased, 1);
  EXPECT_EQ(report.snapshots, 8);
  EXPECT_GT(report.files, 8);
  std::vector<std::int64_t> left;
  const auto snapshots = table->Snapshots().value();
  for (const SnapshotInfo& snapshot : snapshots)
    left.push_back(snapshot.id);
  EXPECT_THAT(left, ElementsAre(ids[2], ids[4], ids[10], ids[11]));
  for (const std::int64_t id : left) {
    for (const DataFileInfo& file : FilesOf(*table, {.id = id}))
      EXPECT_TRUE(fs::exists(file.path));
  }
  EXPECT_EQ(RowsOf(*table), 60);
  EXPECT_EQ(table->Snapshot({.id = ids[0]}).error().code, ErrorCode::kNotFound);
}

TEST_F(IcebergStoreTest, OrphansGoAndNothingElse) {
  const auto table = CreateTable();
  AppendRows(*table, 0, 10);
  const std::int64_t parquet = CountFiles(".parquet");
  const fs::path data = fs::path(FilesOf(*table)[0].path).parent_path();
  std::ofstream(data / "0123-crc00000000.parquet") << "left by a writer that died";
  std::ofstream(data / "0123.unfinished") << "so is this";
  EXPECT_EQ(table->RemoveOrphans(0).value().files, 0);
  const std::int64_t later = SystemClock().now_us() + 10'000'000;
  EXPECT_EQ(table->RemoveOrphans(later).value().files, 2);
  EXPECT_EQ(CountFiles(".parquet"), parquet);
  EXPECT_EQ(RowsOf(*table), 10);
}

TEST_F(IcebergStoreTest, ColumnsEvolve) {
  const auto table = CreateTable();
  const auto old = AppendRows(*table, 0, 10);
  const std::vector<ColumnChange> changes{
      {.kind = ColumnChange::Kind::kAdd, .column = "trips", .type = {.kind = TypeKind::kInt32}},
      {.kind = ColumnChange::Kind::kRename, .column = "event", .new_name = "event_time"}};
  ASSERT_TRUE(table->Evolve(changes));
  const std::vector<ColumnChange> widen{
      {.kind = ColumnChange::Kind::kWiden, .column = "trips", .type = {.kind = TypeKind::kInt64}}};
  ASSERT_TRUE(table->Evolve(widen));
  const auto layout = table->Layout().value();
  ASSERT_THAT(layout.columns, SizeIs(5));
  EXPECT_EQ(layout.columns[1].name, "event_time");
  EXPECT_EQ(layout.columns[4].type.kind, TypeKind::kInt64);
  EXPECT_EQ(layout.columns[4].id, 5);
  EXPECT_EQ(layout.system.event_time, "event_time");
  EXPECT_THAT(layout.sort_columns, ElementsAre("driver", "event_time"));
  const auto names = std::vector<std::string>{"driver", "event_time", "rating", "city"};
  const auto rows = ReaderOf({DriverRows(10, 5)->RenameColumns(names).ValueOrDie()});
  auto staged = table->Stage(*rows, {});
  ASSERT_TRUE(staged) << staged.error().ToString();
  ASSERT_TRUE(table->Append(std::move(staged).value(), CommitAlways));
  EXPECT_EQ(RowsOf(*table), 15);
  EXPECT_EQ(table->Snapshot({.id = old.snapshot_id}).value()->columns()[1].name, "event");
}

TEST_F(IcebergStoreTest, OtherChangesOfColumnsAreRefused) {
  const auto table = CreateTable();
  const auto refused = [&](ColumnChange change) {
    const auto evolved = table->Evolve(std::span(&change, 1));
    EXPECT_FALSE(evolved);
    EXPECT_EQ(evolved.error().code, ErrorCode::kInvalidArgument);
    return evolved.error().message;
  };
  using Kind = ColumnChange::Kind;
  EXPECT_THAT(refused({.kind = Kind::kWiden, .column = "driver", .type = {.kind = TypeKind::kInt32}}),
              HasSubstr("int64"));
  EXPECT_THAT(refused({.kind = Kind::kAdd, .column = "CITY"}), HasSubstr("CITY"));
  EXPECT_THAT(refused({.kind = Kind::kRename, .column = "nothing", .new_name = "x"}), HasSubstr("nothing"));
  EXPECT_THAT(refused({.kind = Kind::kRename, .column = "city", .new_name = "rating"}), HasSubstr("rating"));
}

TEST_F(IcebergStoreTest, RowsThatDoNotFitAreRefusedAndLeaveNothing) {
  const auto table = CreateTable();
  const auto rows = DriverRows(0, 10);
  const auto stage = [&](std::vector<std::shared_ptr<arrow::RecordBatch>> batches) {
    return table->Stage(*ReaderOf(std::move(batches)), {});
  };
  EXPECT_EQ(stage({rows->RemoveColumn(0).ValueOrDie()}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(stage({rows->RenameColumns({"driver", "event", "rating", "town"}).ValueOrDie()}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(stage({rows->RenameColumns({"driver", "event", "city", "rating"}).ValueOrDie()}).error().code,
            ErrorCode::kTypeMismatch);
  const auto nulls =
      rows->SetColumn(0, rows->schema()->field(0), arrow::MakeArrayOfNull(arrow::int64(), 10).ValueOrDie())
          .ValueOrDie();
  const auto refused = stage({rows, nulls});
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(refused.error().message, HasSubstr("'driver', row 10"));
  EXPECT_EQ(CountFiles(".parquet"), 0);
  EXPECT_EQ(CountFiles(".unfinished"), 0);
}

TEST_F(IcebergStoreTest, DroppedTablesLeaveNothing) {
  CreateTable(1);
  CreateTable(2);
  EXPECT_EQ(store_->Create(1, {.database = "db", .name = "again"}, DriverLayout()).error().code,
            ErrorCode::kAlreadyExists);
  ASSERT_TRUE(store_->Drop(1));
  ASSERT_TRUE(store_->Drop(1));
  EXPECT_THAT(store_->List().value(), SizeIs(1));
  EXPECT_EQ(store_->Open(1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path() / "tables"), fs::directory_iterator()), 1);
}

// Goal: with many commits the manifests stay few, and each file is in one of them.
TEST_F(IcebergStoreTest, ManyCommitsMergeManifests) {
  const auto table = CreateTable();
  for (int i = 0; i < 40; ++i)
    AppendRows(*table, i, 1);
  EXPECT_EQ(RowsOf(*table), 40);
  ASSERT_TRUE(table->ExpireSnapshots({.older_than_us = clock_.now_us() + 1, .keep = 1}));
  // One list, and manifests of 16, 16 and the 8 since.
  EXPECT_EQ(CountFiles(".avro"), 1 + 2 + 8);
  EXPECT_EQ(RowsOf(*table), 40);
}

}  // namespace
}  // namespace tidemark
