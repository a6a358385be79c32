// Goal: SQL and snapshots over real files and logs see what every other read sees, in every process, also
// while rows are being erased; and dumps that hold erased rows go, wherever the eraser was killed.
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/files/dump_folder.h"
#include "base/json.h"
#include "store/online_store_testing.h"
#include "wiring/table_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

const std::string kKey = "user-who-goes";
const std::string kPlace = "where-she-was";

constexpr std::string_view kLatest = R"(SELECT user, n FROM (
  SELECT *, row_number() OVER (PARTITION BY USER ORDER BY EVENT_TIMESTAMP desc,
    Api_Invocation_Time desc, write_time desc) AS row_num
  FROM "feature_store"."VISITS") WHERE row_num = 1 and NOT is_deleted;)";

class StoreSqlTest : public testing::Test {
 protected:
  StoreSqlTest() : store_(MakeVisitsStore(path_)) {
    // In two snapshots, and in the log; rows of one call are an hour apart.
    IngestVisits(*store_, {{kKey, 1, kPlace}, {"a", 1, "x"}});
    EXPECT_TRUE(store_->Flush({}));
    IngestVisits(*store_, {{"b", 2, "y"}, {kKey, 2, kPlace}});
    EXPECT_TRUE(store_->Flush({}));
    IngestVisits(*store_, {{kKey, 3, kPlace}, {"c", 3, "z"}, {"a", 4, "x"}});
  }

  /// "user n" of all rows of a result, sorted.
  static std::vector<std::string> Lines(ArrowArrayStream* stream) {
    const auto table = arrow::ImportRecordBatchReader(stream).ValueOrDie()->ToTable().ValueOrDie();
    std::vector<std::string> lines;
    for (std::int64_t row = 0; row < table->num_rows(); ++row) {
      std::string line;
      for (const auto& column : table->columns())
        line += (line.empty() ? "" : " ") + column->GetScalar(row).ValueOrDie()->ToString();
      lines.push_back(std::move(line));
    }
    std::ranges::sort(lines);
    return lines;
  }

  static std::vector<std::string> Ask(Store& store, std::string_view query,
                                      const SqlQueryOptions& options = {}) {
    ArrowArrayStream stream{};
    const auto asked = store.Sql(query, options, &stream);
    EXPECT_TRUE(asked) << asked.error().ToString();
    return asked ? Lines(&stream) : std::vector<std::string>{};
  }

  static std::string ErrorOf(Store& store, std::string_view query) {
    ArrowArrayStream stream{};
    const auto asked = store.Sql(query, {}, &stream);
    if (!asked) return asked.error().ToString();
    ArrowArray batch{};
    const int failed = stream.get_next(&stream, &batch);
    const std::string text = failed == 0 ? "" : StreamError(&stream, failed).ToString();
    if (batch.release != nullptr) batch.release(&batch);
    stream.release(&stream);
    return text;
  }

  static std::vector<std::string> Latest(Store& store, const LatestRowsOptions& options = {}) {
    ArrowArrayStream stream{};
    const auto asked = store.LatestRows("visits", options, &stream);
    EXPECT_TRUE(asked) << asked.error().ToString();
    std::vector<std::string> users;
    for (const std::string& line : Lines(&stream))
      users.push_back(line.substr(0, line.find(' ')));
    return users;
  }

  static Result<std::string> Erase(Store& store) {
    ArrowArrayStream stream{};
    EXPECT_TRUE(arrow::ExportRecordBatchReader(VisitKey(kKey), &stream).ok());
    return store.Erase("visits", {.stream = &stream, .path = {}}, {});
  }

  /// Erases in a child process that is killed at the step; true if it came so far.
  bool EraseUntil(std::string_view last) const {
    const pid_t child = ::fork();
    if (child == 0) {
      EmbeddedTablesParts parts = PartsIn(path_, std::make_shared<SystemClock>());
      parts.dumps = OpenDumpFolder(path_ / "dumps", 1);
      parts.at_erase_step = [last](std::string_view step) {
        if (step == last) ::kill(::getpid(), SIGKILL);
      };
      const auto view = VisitsView(*parts.registry);
      arrow::BinaryBuilder keys;
      if (!keys.Append(kKey).ok()) ::_exit(2);
      EmbeddedTables tables(std::move(parts));
      const auto erased = tables.Open().value()->Erase(*view, {keys.Finish().ValueOrDie()}, {});
      ::_exit(erased ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  TemporaryFolder folder_;
  const fs::path path_ = fs::path(folder_.path()) / "store";
  std::unique_ptr<Store> store_;
};

TEST_F(StoreSqlTest, SeesFilesAndLog) {
  EXPECT_THAT(Ask(*store_, "SELECT user, n FROM visits"), testing::SizeIs(7));
  EXPECT_THAT(Ask(*store_, kLatest), ElementsAre("a 4", "b 2", "c 3", kKey + " 2"));
  EXPECT_THAT(Latest(*store_), ElementsAre("a", "b", "c", kKey));
  EXPECT_THAT(Ask(*store_, "SELECT count(*) FROM (DESCRIBE visits)"), ElementsAre("8"));
}

TEST_F(StoreSqlTest, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf(*store_, "SELECT * FROM visit"), HasSubstr("did you mean 'visits'"));
  EXPECT_THAT(ErrorOf(*store_, "SELECT usr FROM visits"), HasSubstr("user"));
  EXPECT_NE(ErrorOf(*store_, "SELECT origin FROM visits"), "");
  EXPECT_NE(ErrorOf(*store_, "DROP TABLE visits"), "");
  EXPECT_NE(ErrorOf(*store_, "SELECT * FROM read_text('/etc/passwd')"), "");
  EXPECT_THAT(Ask(*store_, "SELECT 1"), ElementsAre("1"));
}

TEST_F(StoreSqlTest, NoQuerySeesWhatIsBeingErasedAtWhateverStep) {
  for (const char* step : {"fence", "online", "flushed", "swept", "expired", "scrubbed", "dumps"}) {
    SCOPED_TRACE(step);
    IngestVisits(*store_, {{kKey, 5, kPlace}});
    EXPECT_TRUE(store_->Flush({}));
    IngestVisits(*store_, {{kKey, 6, kPlace}});
    const auto dump = store_->Dump("SELECT user AS who FROM visits", {});
    ASSERT_TRUE(dump) << dump.error().ToString();
    ASSERT_TRUE(EraseUntil(step));
    EXPECT_THAT(Ask(*store_, kLatest), ElementsAre("a 4", "b 2", "c 3"));
    EXPECT_THAT(Latest(*store_), ElementsAre("a", "b", "c"));
    EXPECT_TRUE(store_->Flush({}));  // completes it
    EXPECT_THAT(Ask(*store_, kLatest), ElementsAre("a 4", "b 2", "c 3"));
    EXPECT_FALSE(fs::exists(dump->path));
    const Json receipts = Json::parse(store_->Erasures({}).value());
    EXPECT_EQ(receipts.back().at("state"), "done");
  }
}

TEST_F(StoreSqlTest, ADumpThatIsBeingWrittenKeepsTheReceiptPending) {
  const auto dumps = OpenDumpFolder(path_ / "dumps", 1);
  const auto view = VisitsView(*PartsIn(path_, std::make_shared<SystemClock>()).registry);
  auto unfinished =
      dumps->Begin({.id = {}, .sql = "select 1", .begun_us = 1, .tables = {}, .feature_tables = {view->id}})
          .value();
  const Json receipt = Json::parse(Erase(*store_).value());
  EXPECT_EQ(receipt.at("state"), "pending");
  EXPECT_THAT(receipt.at("pending").get<std::vector<std::string>>(), Contains(HasSubstr("dump")));
  unfinished.reset();
  EXPECT_TRUE(store_->Flush({}));
  EXPECT_EQ(Json::parse(store_->Erasures({}).value()).back().at("state"), "done");
}

TEST_F(StoreSqlTest, ErasedRowsOfDumpsAreNowhereOnTheDisk) {
  const auto with = store_->Dump("SELECT * FROM visits", {});
  const auto without = store_->Dump("SELECT user, place FROM visits WHERE user < 'm'", {});
  ASSERT_TRUE(with && without);
  EXPECT_THAT(FilesWith(path_, kPlace), Contains(with->path.string()));
  const Json receipt = Json::parse(Erase(*store_).value());
  EXPECT_THAT(receipt.at("dumps_removed").get<std::vector<std::string>>(), ElementsAre(with->id));
  EXPECT_EQ(receipt.at("state"), "done");
  EXPECT_THAT(FilesWith(path_, kPlace), testing::IsEmpty());
  EXPECT_TRUE(fs::exists(without->path));
}

TEST_F(StoreSqlTest, AnotherProcessSeesTheSame) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = Store::Open({.path = path_});
    ArrowArrayStream stream{};
    const bool asked = store && (*store)->Sql(kLatest, {}, &stream).has_value();
    ::_exit(asked && Lines(&stream).size() == 4 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace tidemark::testing_support
