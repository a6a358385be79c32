// Goal: Iceberg tables keep what every offline store promises, and of their own: a swap decides which commit
// was first, and manifests stay few.
#include "adapters/iceberg/iceberg_store.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "adapters/iceberg/iceberg_testing.h"
#include "store/source_testing.h"

namespace tidemark {
namespace testing_support {
namespace {

namespace fs = std::filesystem;

std::int64_t CountFiles(const fs::path& folder, std::string_view ending) {
  std::int64_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    count += entry.path().native().ends_with(ending) ? 1 : 0;
  return count;
}

class IcebergPlace final : public OfflineStorePlace {
 public:
  Result<std::unique_ptr<OfflineStore>> Open() override {
    return OpenIcebergStore(catalog_, clock_, {.root = folder_.path() / "tables"});
  }
  ManualClock& clock() override { return clock_; }
  std::int64_t data_files() const override {
    return CountFiles(folder_.path(), ".parquet") + CountFiles(folder_.path(), ".unfinished");
  }
  std::int64_t LeaveOrphans(const OfflineTable& table) override {
    const fs::path data = fs::path(FilesOf(table)[0].path).parent_path();
    std::ofstream(data / "0123-crc00000000.parquet") << "left by a writer that died";
    std::ofstream(data / "0123.unfinished") << "so is this";
    return 2;
  }

 private:
  TestFolder folder_;
  MemoryTableCatalog catalog_;
  ManualClock clock_{1'700'000'000'000'000};
};

INSTANTIATE_TEST_SUITE_P(Iceberg, OfflineStoreConformance,
                         testing::Values(OfflineStoreMaker{"folder",
                                                           [] { return std::make_unique<IcebergPlace>(); }}),
                         OfflineStoreName);

class IcebergStoreTest : public testing::Test {
 protected:
  std::unique_ptr<OfflineTable> CreateTable(TableId id = 1) {
    auto created = store_->Create(id, {.database = "db", .name = "t" + std::to_string(id)}, DriverLayout());
    EXPECT_TRUE(created) << created.error().ToString();
    return std::move(created).value();
  }

  std::int64_t Count(std::string_view ending) const { return CountFiles(folder_.path(), ending); }

  TestFolder folder_;
  MemoryTableCatalog catalog_;
  ManualClock clock_{1'700'000'000'000'000};
  std::unique_ptr<OfflineStore> store_ =
      OpenIcebergStore(catalog_, clock_, {.root = folder_.path() / "tables"}).value();
};

// Goal: a commit that is overtaken is made again on top of the other one; neither is lost.
TEST_F(IcebergStoreTest, AnOvertakenCommitIsMadeAgain) {
  const auto table = CreateTable();
  const auto other = store_->Open(1).value();
  int asked = 0;
  auto late = StageRows(*table, 0, 10);
  auto fast = StageRows(*other, 10, 5);
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
  EXPECT_EQ(Count(".metadata.json"), 3);  // the lost try left nothing
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

TEST_F(IcebergStoreTest, DroppedTablesLeaveNothing) {
  CreateTable(1);
  CreateTable(2);
  ASSERT_TRUE(store_->Drop(1));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path() / "tables"), fs::directory_iterator()), 1);
}

// Goal: columns are known by their field ids, which no change takes from them.
TEST_F(IcebergStoreTest, ColumnsKeepTheirIds) {
  const auto table = CreateTable();
  const std::vector<ColumnChange> changes{
      {.kind = ColumnChange::Kind::kRename, .column = "event", .new_name = "event_time"},
      {.kind = ColumnChange::Kind::kAdd, .column = "event", .type = {.kind = TypeKind::kInt32}}};
  ASSERT_TRUE(table->Evolve(changes));
  std::vector<std::int32_t> ids;
  const auto layout = table->Layout().value();
  for (const TableColumn& column : layout.columns)
    ids.push_back(column.id);
  EXPECT_THAT(ids, testing::ElementsAre(1, 2, 3, 4, 5));
}

// Goal: with many commits the manifests stay few, and each file is in one of them.
TEST_F(IcebergStoreTest, ManyCommitsMergeManifests) {
  const auto table = CreateTable();
  for (int i = 0; i < 40; ++i)
    AppendRows(*table, i, 1);
  EXPECT_EQ(RowsOf(*table), 40);
  ASSERT_TRUE(table->ExpireSnapshots({.older_than_us = clock_.now_us() + 1, .keep = 1}));
  // One list, and manifests of 16, 16 and the 8 since.
  EXPECT_EQ(Count(".avro"), 1 + 2 + 8);
  EXPECT_EQ(RowsOf(*table), 40);
}

}  // namespace
}  // namespace testing_support
}  // namespace tidemark
