// Goal: a copied table is right in its new place, wherever its relocation was interrupted, and the place it
// came from is neither read nor written.
#include "adapters/iceberg/relocation.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "adapters/iceberg/avro_file.h"
#include "adapters/iceberg/iceberg_testing.h"
#include "adapters/iceberg/manifest.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/table_files.h"
#include "adapters/iceberg/table_head.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing_support::DriverLayout;
using testing_support::DriverRows;
using testing_support::MemoryTableCatalog;
using testing_support::ReaderOf;

class RelocationTest : public testing::Test {
 protected:
  static constexpr int kSnapshots = 3;

  RelocationTest() {
    auto table = Store(catalog_, old_root_)->Create(7, {.database = "db", .name = "t"}, DriverLayout());
    EXPECT_TRUE(table) << table.error().ToString();
    for (int i = 0; i < kSnapshots; ++i) {
      clock_.set_us(clock_.now_us() + 1'000'000);
      Append(**table, 100 * i);
    }
    const auto snapshots = (*table)->Snapshots().value();
    EXPECT_TRUE((*table)->Tag("first", snapshots.front().id));
    fs::copy(old_root_, new_root_, fs::copy_options::recursive);
    CopyCatalog();
  }

  std::unique_ptr<OfflineStore> Store(TableCatalog& catalog, const fs::path& root) {
    return OpenIcebergStore(catalog, clock_, {.root = root}).value();
  }

  static void Append(OfflineTable& table, std::int64_t first) {
    const auto reader = ReaderOf({DriverRows(first, 100)});
    auto staged = table.Stage(*reader, {});
    ASSERT_TRUE(staged) << staged.error().ToString();
    ASSERT_TRUE(table.Append(std::move(*staged), CommitAlways));
  }

  /// The catalog that came along with the copy.
  void CopyCatalog() {
    EXPECT_TRUE(copied_.Remove(7));
    EXPECT_TRUE(copied_.Add(catalog_.Get(7).value()));
  }

  static std::int64_t RowsOf(OfflineTable& table, const SnapshotChoice& choice = {}) {
    const auto snapshot = table.Snapshot(choice).value();
    const auto source = snapshot->OpenSource({});
    EXPECT_TRUE(source) << source.error().ToString();
    std::int64_t rows = 0;
    const auto fragments = (*source)->Fragments({}).value();
    for (const Fragment& fragment : fragments) {
      EXPECT_THAT((*source)->files()[fragment.file].path, HasSubstr("/new/"));
      rows += fragment.rows;
    }
    return rows;
  }

  void ExpectWhole() {
    const auto table = Store(copied_, new_root_)->Open(7);
    ASSERT_TRUE(table) << table.error().ToString();
    EXPECT_EQ(RowsOf(**table), 300);
    EXPECT_EQ(RowsOf(**table, {.tag = "first"}), 100);
    EXPECT_THAT((*table)->Snapshots().value(), SizeIs(kSnapshots));
    Append(**table, 300);
    EXPECT_EQ(RowsOf(**table), 400);
    EXPECT_TRUE((*table)->ExpireSnapshots({.older_than_us = clock_.now_us() + 1}));
    EXPECT_EQ(RowsOf(**table), 400);
    // What an interruption left is an orphan, and nothing else is.
    EXPECT_TRUE((*table)->RemoveOrphans(std::int64_t{1} << 62));
    EXPECT_EQ(RowsOf(**table), 400);
    EXPECT_THAT(TextsBelow(new_root_), Not(HasSubstr(old_root_.string())));
  }

  static std::string TextsBelow(const fs::path& folder) {
    std::stringstream texts;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) texts << std::ifstream(entry.path()).rdbuf();
    }
    return texts.str();
  }

  testing_support::TestFolder folder_;
  const fs::path old_root_ = folder_.path() / "old";
  const fs::path new_root_ = folder_.path() / "new";
  MemoryTableCatalog catalog_;
  MemoryTableCatalog copied_;
  ManualClock clock_{1'700'000'000'000'000};
};

TEST_F(RelocationTest, TheCopyIsRightAndTheFirstIsLeftAlone) {
  const std::string before = TextsBelow(old_root_);
  const auto moved = RelocateTables(copied_, {.root = new_root_});
  ASSERT_TRUE(moved) << moved.error().ToString();
  ASSERT_THAT(*moved, SizeIs(1));
  EXPECT_EQ(moved->front().from.parent_path(), old_root_);
  EXPECT_EQ(moved->front().to.parent_path(), new_root_);
  EXPECT_EQ(moved->front().snapshots, kSnapshots);
  EXPECT_EQ(TextsBelow(old_root_), before);
  EXPECT_THAT(TextsBelow(new_root_), Not(HasSubstr(old_root_.string())));
  EXPECT_THAT(RelocateTables(copied_, {.root = new_root_}).value(), IsEmpty());
  ExpectWhole();
}

TEST_F(RelocationTest, TheOldPlaceIsNotNeeded) {
  fs::remove_all(old_root_);
  ASSERT_TRUE(RelocateTables(copied_, {.root = new_root_}));
  ExpectWhole();
}

TEST_F(RelocationTest, InterruptedAnywhereItIsRunAgain) {
  int steps = 0;
  const auto count = [&](std::string_view) -> Result<void> {
    ++steps;
    return {};
  };
  ASSERT_TRUE(RelocateTables(copied_, {.root = new_root_, .at_step = count}));
  ASSERT_GT(steps, kSnapshots * 2);
  for (int stop = 0; stop < steps; ++stop) {
    SCOPED_TRACE(stop);
    fs::remove_all(new_root_);
    fs::copy(old_root_, new_root_, fs::copy_options::recursive);
    CopyCatalog();
    int left = stop;
    const auto fail = [&](std::string_view) -> Result<void> {
      return left-- == 0 ? Result<void>(Fail(ErrorCode::kIo, "interrupted")) : Result<void>();
    };
    ASSERT_FALSE(RelocateTables(copied_, {.root = new_root_, .at_step = fail}));
    ASSERT_TRUE(RelocateTables(copied_, {.root = new_root_}));
    ExpectWhole();
  }
}

TEST_F(RelocationTest, ATableThatChangesMeanwhileIsLeftToTheNextRun) {
  // Another relocation is faster.
  copied_.before_swap = [this]() -> Result<void> {
    EXPECT_TRUE(RelocateTables(copied_, {.root = new_root_}));
    return {};
  };
  const auto lost = RelocateTables(copied_, {.root = new_root_});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kBusy);
  ExpectWhole();
}

TEST_F(RelocationTest, AFateThatIsNotKnownRemovesNothing) {
  copied_.swaps_all_the_same = true;
  copied_.before_swap = []() -> Result<void> { return Fail(ErrorCode::kUnknownFate, "who knows"); };
  ASSERT_FALSE(RelocateTables(copied_, {.root = new_root_}));
  EXPECT_THAT(RelocateTables(copied_, {.root = new_root_}).value(), IsEmpty());
  ExpectWhole();
}

TEST_F(RelocationTest, AFileThatDidNotComeAlongIsNamedAndNothingChanges) {
  const CatalogEntry before = copied_.Get(7).value();
  const auto table_folder = fs::directory_iterator(new_root_)->path();
  for (const auto& entry : fs::directory_iterator(table_folder / "metadata")) {
    if (entry.path().native().ends_with(".avro")) fs::remove(entry.path());
  }
  const auto missing = RelocateTables(copied_, {.root = new_root_});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(missing.error().ToString(), HasSubstr("Copy the store's folder again"));
  EXPECT_EQ(copied_.Get(7).value(), before);
  fs::remove_all(table_folder);
  const auto gone = RelocateTables(copied_, {.root = new_root_});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(gone.error().ToString(), HasSubstr(table_folder.string()));
}

TEST_F(RelocationTest, DamagedManifestsAreErrors) {
  // Names that say no checksum, as other engines give: the bytes alone must be distrusted.
  const auto head = iceberg::ReadHead(copied_.Get(7).value().metadata_location).value();
  const auto list = iceberg::LoadManifestList(head->metadata.current()->manifest_list).value();
  const std::string bytes = iceberg::ReadNamedFile(iceberg::ToPath(list.front().location).value()).value();
  for (std::size_t cut = 0; cut < bytes.size(); cut += 7) {
    const auto entry = [](iceberg::ManifestEntry&&) -> Result<void> { return {}; };
    EXPECT_FALSE(iceberg::ReadManifest(bytes.substr(0, cut), list.front(), entry)) << cut;
  }
}

}  // namespace
}  // namespace tidemark
