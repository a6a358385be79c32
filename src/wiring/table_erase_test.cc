// Goal: an erasure that ends at any step, however suddenly, is seen by no read once its fence stands, and is
// completed by the next one; what other writers do at the same time brings nothing back.
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "engine/tables/erasures.h"
#include "store/online_store_testing.h"
#include "wiring/table_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
namespace fs = std::filesystem;

const std::string kErasedKey = "user-who-goes";
const std::string kErasedPlace = "where-she-was";

class TableErase : public testing::Test {
 protected:
  TableErase() {
    auto store = MakeVisitsStore(path_);
    // In two snapshots, in the log, and in the online store.
    IngestVisits(*store, {{kErasedKey, 1, kErasedPlace}, {"a", 1, "x"}});
    EXPECT_TRUE(store->Flush({}));
    IngestVisits(*store, {{"b", 2, "y"}, {kErasedKey, 2, kErasedPlace}});
    EXPECT_TRUE(store->Flush({}));
    IngestVisits(*store, {{kErasedKey, 3, kErasedPlace}, {"c", 3, "z"}});
    IngestVisits(*store, {{kErasedKey, 4, kErasedPlace}}, WriteTarget::kOnline);
  }

  static Result<std::string> Erase(Store& store) {
    ArrowArrayStream stream{};
    EXPECT_TRUE(arrow::ExportRecordBatchReader(VisitKey(kErasedKey), &stream).ok());
    return store.Erase("visits", {.stream = &stream, .path = {}}, {});
  }

  static arrow::ArrayVector KeyColumns() {
    arrow::BinaryBuilder keys;
    EXPECT_TRUE(keys.Append(kErasedKey).ok());
    return {keys.Finish().ValueOrDie()};
  }

  /// Erases in a child process that is killed at the step; true if it came so far.
  bool EraseUntil(std::string_view last) const {
    const pid_t child = ::fork();
    if (child == 0) {
      EmbeddedTablesParts parts = PartsIn(path_, std::make_shared<SystemClock>());
      parts.at_erase_step = [last](std::string_view step) {
        if (step == last) ::kill(::getpid(), SIGKILL);
      };
      const auto view = VisitsView(*parts.registry);
      EmbeddedTables tables(std::move(parts));
      const auto erased = tables.Open().value()->Erase(*view, KeyColumns(), {});
      ::_exit(erased ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  TemporaryFolder folder_;
  const fs::path path_ = fs::path(folder_.path()) / "store";
};

TEST_F(TableErase, TheDataIsWhereItIsSaidToBe) {
  EXPECT_GE(FilesWith(path_, kErasedKey).size(), 4U);
  const auto store = Store::Open({.path = path_}).value();
  EXPECT_THAT(VisitsOf(*store), Contains(kErasedKey + " 3"));
}

class KilledErase : public TableErase, public testing::WithParamInterface<std::string> {};

TEST_P(KilledErase, IsCompletedByTheNext) {
  ASSERT_TRUE(EraseUntil(GetParam())) << "the erasure did not come to this step";
  const auto store = Store::Open({.path = path_}).value();
  if (GetParam() != "receipt") {
    EXPECT_THAT(VisitsOf(*store), ElementsAre("a 1", "b 2", "c 3"));
  }
  const Json receipt = Json::parse(Erase(*store).value());
  EXPECT_EQ(receipt["state"], "done") << receipt.dump(1);
  EXPECT_THAT(VisitsOf(*store), ElementsAre("a 1", "b 2", "c 3"));
  EXPECT_THAT(FilesWith(path_, kErasedKey), IsEmpty());
  EXPECT_THAT(FilesWith(path_, kErasedPlace), IsEmpty());
  for (const Json& each : Json::parse(store->Erasures({}).value()))
    EXPECT_EQ(each["state"], "done");
}

TEST_P(KilledErase, LeavesNothingForLookups) {
  ASSERT_TRUE(EraseUntil(GetParam()));
  const auto store = Store::Open({.path = path_}).value();
  const auto reader = store->PrepareOnline({.features = {"visits:place"}}).value();
  const std::string_view key = kErasedKey;
  OnlineResult result;
  ASSERT_TRUE(reader->Read({std::vector<KeyColumn>{std::span(&key, 1)}}, 1, result));
  EXPECT_EQ(result.status(0, 0), Status::kNotFound);
  EXPECT_THAT(VisitsOf(*store), ElementsAre("a 1", "b 2", "c 3"));
}

TEST_P(KilledErase, IsCompletedByAFlushWithoutTheKey) {
  ASSERT_TRUE(EraseUntil(GetParam()));
  const auto store = Store::Open({.path = path_}).value();
  ASSERT_TRUE(store->Flush({}));
  EXPECT_THAT(VisitsOf(*store), ElementsAre("a 1", "b 2", "c 3"));
  EXPECT_THAT(FilesWith(path_, kErasedKey), IsEmpty());
  EXPECT_THAT(FilesWith(path_, kErasedPlace), IsEmpty());
  const Json receipts = Json::parse(store->Erasures({}).value());
  ASSERT_EQ(receipts.size(), 1U);
  EXPECT_EQ(receipts[0]["state"], "done");
}

INSTANTIATE_TEST_SUITE_P(Steps, KilledErase,
                         testing::Values("receipt", "fence", "online", "flushed", "swept", "datasets",
                                         "expired", "scrubbed", "done"),
                         [](const auto& step) { return step.param; });

TEST_F(TableErase, ACompactionThatReadBeforeGivesUp) {
  const EmbeddedTablesParts parts = PartsIn(path_, std::make_shared<SystemClock>());
  const auto view = VisitsView(*parts.registry);
  EmbeddedTables compacting(parts);
  const auto tables = compacting.Open().value();
  const auto table = tables->offline().Open(view->id).value();
  const auto snapshot = table->Snapshot({}).value();
  const auto files = snapshot->Files().value();
  ASSERT_EQ(files.size(), 2U);
  const auto store = Store::Open({.path = path_}).value();
  // The fence comes between reading and commit.
  auto staged = [&] {
    const auto source = snapshot->OpenSource({}).value();
    arrow::RecordBatchVector batches;
    const auto fragments = source->Fragments({}).value();
    for (const Fragment& fragment : fragments) {
      EXPECT_TRUE(source->Scan(fragment, source->schema()->field_names(),
                               [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
                                 batches.push_back(arrow::RecordBatch::Make(
                                     source->schema(), batch.num_rows(), batch.columns()));
                                 return {};
                               }));
    }
    const auto reader = arrow::RecordBatchReader::Make(batches).ValueOrDie();
    return table->Stage(*reader, {}).value();
  }();
  const TableProperties before = snapshot->properties();
  ASSERT_TRUE(Erase(*store));
  const auto outcome = table->Rewrite(
      {.inputs = {files[0].path, files[1].path}}, std::move(staged),
      [&](const TableHead& head) -> Result<CommitDecision> {
        return CommitDecision{.commit = HasNoNewFence(before, head.properties), .properties = {}};
      });
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->committed);
  EXPECT_TRUE(store->Compact({}, {}));
  EXPECT_THAT(VisitsOf(*store), ElementsAre("a 1", "b 2", "c 3"));
}

TEST_F(TableErase, ATagThatKeepsTheRowsIsNamed) {
  const EmbeddedTablesParts parts = PartsIn(path_, std::make_shared<SystemClock>());
  const auto view = VisitsView(*parts.registry);
  EmbeddedTables own(parts);
  const auto table = own.Open().value()->offline().Open(view->id).value();
  ASSERT_TRUE(table->Tag("audit", table->Snapshots().value().front().id));
  const auto store = Store::Open({.path = path_}).value();
  const Json receipt = Json::parse(Erase(*store).value());
  EXPECT_EQ(receipt["state"], "pending");
  ASSERT_EQ(receipt["pending"].size(), 1U);
  EXPECT_THAT(receipt["pending"][0].get<std::string>(), testing::HasSubstr("tag 'audit'"));
  ASSERT_TRUE(table->Untag("audit"));
  ASSERT_TRUE(store->Flush({}));
  EXPECT_EQ(Json::parse(store->Erasures({}).value())[0]["state"], "done");
  EXPECT_THAT(FilesWith(path_, kErasedKey), IsEmpty());
}

TEST_F(TableErase, AFenceIsForgottenWhenNothingCanComeBehindIt) {
  {
    const auto store = Store::Open({.path = path_}).value();
    ASSERT_TRUE(Erase(*store));
  }
  const auto clock = std::make_shared<ManualClock>(SystemClock().now_us());
  const EmbeddedTablesParts parts = PartsIn(path_, clock);
  const auto view = VisitsView(*parts.registry);
  EmbeddedTables own(parts);
  const auto tables = own.Open().value();
  const auto fences = [&] {
    const auto snapshot = tables->offline().Open(view->id).value()->Snapshot({}).value();
    return FencesOf(snapshot->properties()).value().size();
  };
  ASSERT_TRUE(tables->ForgetErasures());
  EXPECT_EQ(fences(), 1U) << "it is younger than a day";
  clock->set_us(clock->now_us() + std::int64_t{25} * 3600 * 1'000'000);
  ASSERT_TRUE(tables->ForgetErasures());
  EXPECT_EQ(fences(), 0U);
  const auto store = Store::Open({.path = path_}).value();
  EXPECT_THAT(VisitsOf(*store), ElementsAre("a 1", "b 2", "c 3"));
}

}  // namespace
}  // namespace tidemark::testing_support
