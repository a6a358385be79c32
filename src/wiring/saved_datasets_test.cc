// Goal: a saved dataset made again is the same file to the byte, whatever was written, deleted, compacted,
// expired and defined since; after an erasure of its rows it is refused by the erasure's name, and nothing of
// them is left.
#include <arrow/c/bridge.h>
#include <arrow/table.h>
#include <gmock/gmock.h>

#include <fstream>
#include <limits>
#include <map>
#include <random>

#include "adapters/files/dataset_folder.h"
#include "base/json.h"
#include "engine/datasets/dataset_register.h"
#include "store/online_store_testing.h"
#include "wiring/table_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

const std::string kGoes = "user-who-goes";
const std::string kGoesTo = "where-she-was";

std::string BytesOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class SavedDatasetsTest : public testing::Test {
 protected:
  SavedDatasetsTest() {
    IngestVisits(*store_, {{"a", 1, "x"}, {"b", 2, "y"}});
    EXPECT_TRUE(store_->Flush({}));
    IngestVisits(*store_, {{"a", 3, "z"}, {kGoes, 4, kGoesTo}});  // in the log
  }

  Result<std::string> Save(const std::string& name, const std::vector<Visit>& entities,
                           const SaveDatasetOptions& options = {}) {
    ArrowArrayStream stream{};
    EXPECT_TRUE(arrow::ExportRecordBatchReader(VisitRows(entities), &stream).ok());
    HistoricalOptions what;
    what.features = {"visits"};
    what.full_feature_names = true;
    what.include_status = true;
    return store_->SaveDataset(name, {.stream = &stream, .path = {}}, what, options);
  }

  Json Described(const std::string& name) { return Json::parse(store_->SavedDataset(name).value()); }

  std::string RebuiltBytes(const std::string& name) {
    const fs::path out = path_.parent_path() / "again.parquet";
    const auto rebuilt = store_->RebuildDataset(name, out, {});
    EXPECT_TRUE(rebuilt) << rebuilt.error().ToString();
    return rebuilt ? BytesOf(out) : std::string();
  }

  Json Erase(const std::string& user) {
    ArrowArrayStream stream{};
    EXPECT_TRUE(arrow::ExportRecordBatchReader(VisitKey(user), &stream).ok());
    return Json::parse(store_->Erase("visits", {.stream = &stream, .path = {}}, {}).value());
  }

  std::vector<std::string> Tags() {
    std::vector<std::string> tags;
    const Json snapshots = Json::parse(store_->Snapshots("visits").value());
    for (const Json& snapshot : snapshots) {
      for (const Json& tag : snapshot["tags"])
        tags.push_back(tag.get<std::string>());
    }
    return tags;
  }

  void Expire() {
    EXPECT_TRUE(
        store_->ExpireSnapshots({}, {.older_than_us = std::numeric_limits<std::int64_t>::max(), .keep = 1}));
  }

  TemporaryFolder folder_;
  const fs::path path_ = fs::path(folder_.path()) / "store";
  std::unique_ptr<Store> store_ = MakeVisitsStore(path_);
  const std::vector<Visit> entities_{{"a", 0, ""}, {"b", 0, ""}, {"a", 0, ""}, {"nobody", 0, ""}};
};

TEST_F(SavedDatasetsTest, IsTheSameToTheByteAfterAllThatMoves) {
  const auto saved = Save("training", entities_);
  ASSERT_TRUE(saved) << saved.error().ToString();
  const Json told = Json::parse(*saved);
  const std::string bytes = BytesOf(told["path"].get<std::string>());
  ASSERT_EQ(std::ssize(bytes), told["bytes"].get<std::int64_t>());
  EXPECT_EQ(told["rows"], 4);
  EXPECT_EQ(told["state"], "ready");
  ASSERT_EQ(Tags().size(), 1U);
  EXPECT_THAT(Tags()[0], HasSubstr("dataset-training-"));
  EXPECT_EQ(RebuiltBytes("training"), bytes);
  IngestVisits(*store_, {{"a", 10, "late"}, {"b", 11, "late"}, {"nobody", 12, "late"}});
  ArrowArrayStream keys{};
  ASSERT_TRUE(arrow::ExportRecordBatchReader(VisitRows({{"b", 0, ""}}), &keys).ok());
  ASSERT_TRUE(store_->Delete("visits", {.stream = &keys, .path = {}}, std::nullopt, {}));
  ASSERT_TRUE(store_->Flush({}));
  EXPECT_EQ(RebuiltBytes("training"), bytes);
  ASSERT_TRUE(store_->Compact({}, {}));
  Expire();
  EXPECT_EQ(RebuiltBytes("training"), bytes);
  const auto applied = store_->Apply(R"({"feature_views": [{"name": "visits", "entities": ["user"],
    "ttl": "1s", "fields": {"n": "int64", "place": "string", "more": "string"}}]})",
                                     {});
  ASSERT_TRUE(applied) << applied.error().ToString();
  ASSERT_FALSE(applied->empty());
  EXPECT_EQ(RebuiltBytes("training"), bytes);
  store_ = Store::Open({.path = path_}).value();
  EXPECT_EQ(RebuiltBytes("training"), bytes);
}

TEST_F(SavedDatasetsTest, IsReadAsItWasSavedOrNotAtAll) {
  const fs::path out = path_.parent_path() / "training.parquet";
  SaveDatasetOptions options{.storage = out, .tags = {{"team", "rides"}}};
  ASSERT_TRUE(Save("training", entities_, options));
  EXPECT_EQ(Described("training")["tags"]["team"], "rides");
  const auto again = Save("training", entities_, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  const auto elsewhere = Save("other", entities_, options);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(Tags().size(), 1U) << "what failed leaves no tag";
  const std::string bytes = BytesOf(out);
  ArrowArrayStream rows{};
  ASSERT_TRUE(store_->ReadSavedDataset("training", {}, &rows));
  EXPECT_EQ(arrow::ImportRecordBatchReader(&rows).ValueOrDie()->ToTable().ValueOrDie()->num_rows(), 4);
  std::ofstream(out) << "something else";
  const auto damaged = store_->ReadSavedDataset("training", {}, &rows);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorruption);
  ASSERT_TRUE(store_->RebuildDataset("training", {}, {}));
  EXPECT_EQ(BytesOf(out), bytes);
  options.allow_overwrite = true;
  IngestVisits(*store_, {{"a", 9, "new"}});
  ASSERT_TRUE(Save("training", {{"a", 0, ""}}, options));
  EXPECT_NE(BytesOf(out), bytes);
  EXPECT_EQ(Tags().size(), 1U) << "the former one's is gone";
  ASSERT_TRUE(store_->DeleteSavedDataset("training"));
  EXPECT_THAT(Tags(), IsEmpty());
  EXPECT_TRUE(fs::exists(out)) << "what lies elsewhere stays";
  const auto gone = store_->SavedDataset("training");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
}

TEST_F(SavedDatasetsTest, AnErasureOfItsRowsIsNamed) {
  ASSERT_TRUE(Save("with", {{kGoes, 0, ""}, {"a", 0, ""}, {kGoes, 0, ""}}));
  ASSERT_TRUE(Save("without", entities_));
  const Json receipt = Erase(kGoes);
  EXPECT_EQ(receipt["state"], "done") << receipt.dump(1);
  EXPECT_THAT(receipt["datasets"].get<std::vector<std::string>>(), ElementsAre("with", "without"));
  for (const std::string name : {"with", "without"}) {
    const auto rebuilt = store_->RebuildDataset(name, {}, {});
    ASSERT_FALSE(rebuilt);
    EXPECT_EQ(rebuilt.error().code, ErrorCode::kInvalidData);
    EXPECT_THAT(rebuilt.error().ToString(), HasSubstr(receipt["id"].get<std::string>()));
  }
  ArrowArrayStream rows{};
  const auto removed = store_->ReadSavedDataset("with", {}, &rows);
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().ToString(), HasSubstr(receipt["id"].get<std::string>()));
  ASSERT_TRUE(store_->ReadSavedDataset("without", {}, &rows)) << "it has no row of that key";
  rows.release(&rows);
  EXPECT_THAT(Tags(), IsEmpty());
  EXPECT_THAT(FilesWith(path_, kGoes), IsEmpty());
  EXPECT_THAT(FilesWith(path_, kGoesTo), IsEmpty());
}

TEST_F(SavedDatasetsTest, AnErasureOfOthersRowsIsNoMatter) {
  const auto saved = Save("training", entities_);
  ASSERT_TRUE(saved);
  IngestVisits(*store_, {{"later", 1, "there"}});
  const Json receipt = Erase("later");
  EXPECT_EQ(receipt["state"], "done");
  EXPECT_THAT(receipt["datasets"].get<std::vector<std::string>>(), IsEmpty());
  EXPECT_EQ(RebuiltBytes("training"), BytesOf(Described("training")["path"].get<std::string>()));
}

TEST_F(SavedDatasetsTest, WhatAKilledMakerLeftIsRemoved) {
  const auto parts = PartsIn(path_, std::make_shared<SystemClock>());
  const DatasetRegister datasets(parts.registry, parts.clock, "default");
  const auto view = VisitsView(*parts.registry);
  EmbeddedTables tables(parts);
  SavedDataset left;
  left.id = NewDatasetId();
  left.name = "left";
  left.tables.push_back({.view = "visits", .view_id = view->id});
  ASSERT_TRUE(datasets.Begin(left));
  ASSERT_TRUE(tables.Open().value()->Pin(*view, left.tag(), std::nullopt));
  EXPECT_EQ(Tags().size(), 1U);
  EXPECT_EQ(store_->SavedDatasets().value(), "[]");
  ASSERT_TRUE(Save("training", entities_));
  EXPECT_EQ(Tags().size(), 1U);
  EXPECT_EQ(datasets.All().value().size(), 1U);
}

TEST_F(SavedDatasetsTest, ThatIsBeingMadeGivesWayToAnErasure) {
  const auto parts = PartsIn(path_, std::make_shared<SystemClock>());
  const DatasetRegister datasets(parts.registry, parts.clock, "default");
  const auto view = VisitsView(*parts.registry);
  EmbeddedTables tables(parts);
  SavedDataset made;
  made.id = NewDatasetId();
  made.name = "made";
  made.tables.push_back({.view = "visits", .view_id = view->id});
  const auto files = OpenDatasetFolder(path_ / "datasets", 1);
  const auto claim = files->Claim(made.id).value();
  const auto begun = datasets.Begin(made).value();
  ASSERT_TRUE(tables.Open().value()->Pin(*view, made.tag(), std::nullopt));
  const Json receipt = Erase(kGoes);
  EXPECT_EQ(receipt["state"], "done") << receipt.dump(1);
  const auto settled = datasets.Settle(begun, made, false);
  ASSERT_FALSE(settled);
  EXPECT_THAT(settled.error().message, HasSubstr(receipt["id"].get<std::string>()));
}

TEST_F(SavedDatasetsTest, TearingDownLeavesNothing) {
  ASSERT_TRUE(Save("training", entities_));
  ASSERT_TRUE(store_->Teardown({}));
  EXPECT_EQ(store_->SavedDatasets().value(), "[]");
  EXPECT_TRUE(fs::is_empty(path_ / "datasets"));
}

TEST_F(SavedDatasetsTest, WhateverIsDoneBetween) {
  std::mt19937 random(20260501);
  const auto any = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  const auto user = [&] { return std::string(1, static_cast<char>('a' + any(5))); };
  std::map<std::string, std::string> bytes;
  for (int step = 0; step < 120; ++step) {
    switch (any(7)) {
      case 0:
      case 1: {
        std::vector<Visit> visits;
        for (int i = any(4); i >= 0; --i)
          visits.push_back({user(), step, "place " + std::to_string(any(9))});
        IngestVisits(*store_, visits);
        break;
      }
      case 2: {
        ArrowArrayStream keys{};
        ASSERT_TRUE(arrow::ExportRecordBatchReader(VisitRows({{user(), 0, ""}}), &keys).ok());
        ASSERT_TRUE(store_->Delete("visits", {.stream = &keys, .path = {}}, std::nullopt, {}));
        break;
      }
      case 3:
        ASSERT_TRUE(store_->Compact({}, {}));
        break;
      case 4:
        Expire();
        break;
      case 5: {
        const std::string name = "d" + std::to_string(step);
        const auto saved = Save(name, {{user(), 0, ""}, {user(), 0, ""}, {user(), 0, ""}});
        ASSERT_TRUE(saved) << saved.error().ToString();
        bytes[name] = BytesOf(Json::parse(*saved)["path"].get<std::string>());
        break;
      }
      default:
        if (bytes.size() > 4) {
          ASSERT_TRUE(store_->DeleteSavedDataset(bytes.begin()->first));
          bytes.erase(bytes.begin());
        }
        for (const auto& [name, expected] : bytes)
          ASSERT_EQ(RebuiltBytes(name), expected) << name << " at step " << step;
    }
  }
  EXPECT_EQ(Tags().size(), bytes.size());
}

}  // namespace
}  // namespace tidemark::testing_support
