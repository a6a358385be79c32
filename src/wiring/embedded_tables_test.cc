// Goal: what feature tables promise about time and failure, with the real log, ledger and files, and a clock
// and an online store that the test sets: repeated batches, rows that are not due, clocks that go back, an
// online store that fails, flushes that race.
#include "wiring/embedded_tables.h"

#include <arrow/array.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <numeric>
#include <optional>
#include <thread>

#include "adapters/sqlite/sqlite_registry.h"
#include "base/result.h"
#include "engine/apply.h"
#include "engine/engine_testing.h"
#include "engine/tables/read_rows.h"
#include "engine/tables/rewrite_turns.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kHourUs = 3'600 * kSecondUs;
constexpr std::int64_t kEventUs = 1'000 * kSecondUs;

class EmbeddedTablesTest : public testing::Test {
 protected:
  EmbeddedTablesTest() {
    scene_.Apply(R"({
        "entities": [{"name": "user", "join_keys": [{"name": "user", "type": "int64"}]}],
        "feature_views": [{"name": "clicks", "entities": ["user"], "fields": {"n": "int64"}},
                          {"name": "visits", "entities": ["user"], "fields": {"n": "int64"}}]})");
    catalog_ = scene_.catalog();
    const auto config = ParseConfig("", folder_.path()).value();
    std::filesystem::create_directories(config.registry_path.parent_path());
    EXPECT_TRUE(OpenSqliteRegistry({.path = config.registry_path.string()}))
        << "the catalog lies in its file";
    tables_ = Opened();
  }

  /// The same store as another process would open it; with the same clock.
  std::shared_ptr<EmbeddedTables> Opened() {
    EmbeddedTablesParts parts;
    parts.folder = folder_.path() / kOwnFolder;
    parts.config = ParseConfig("", folder_.path()).value();
    parts.registry = scene_.shared_registry();
    parts.clock = scene_.shared_clock();
    parts.online = [this]() -> Result<std::shared_ptr<OnlineStore>> { return scene_.shared_online(); };
    parts.write_times = [this] { return Result<std::shared_ptr<WriteTimes>>(write_times_); };
    return std::make_shared<EmbeddedTables>(std::move(parts));
  }

  const CatalogView& view(const std::string& name = "clicks") const { return *catalog_->View(name).value(); }
  std::int64_t now_us() { return scene_.clock().now_us(); }
  void SetClock(std::int64_t us) { scene_.clock().set_us(us); }

  /// Rows of users at a time, each with the value `n`.
  static std::shared_ptr<arrow::RecordBatchReader> Rows(const std::vector<std::int64_t>& users,
                                                        std::int64_t event_us, std::int64_t n) {
    arrow::Int64Builder user;
    arrow::TimestampBuilder time(kMicros, arrow::default_memory_pool());
    arrow::Int64Builder value;
    for (const std::int64_t each : users) {
      EXPECT_TRUE(user.Append(each).ok() && time.Append(event_us).ok() && value.Append(n).ok());
    }
    const auto schema =
        arrow::schema({arrow::field("user", arrow::int64()), arrow::field("event_timestamp", kMicros),
                       arrow::field("n", arrow::int64())});
    const auto batch = arrow::RecordBatch::Make(
        schema, std::ssize(users),
        {user.Finish().ValueOrDie(), time.Finish().ValueOrDie(), value.Finish().ValueOrDie()});
    return arrow::RecordBatchReader::Make({batch}).ValueOrDie();
  }

  /// The same for what must succeed.
  IngestedRows Written(const std::vector<std::int64_t>& users, std::int64_t event_us, std::int64_t n,
                       const IngestRequest& request = {}) {
    auto rows = Ingest(users, event_us, n, request);
    EXPECT_TRUE(rows) << rows.error().ToString();
    return rows ? *std::move(rows) : IngestedRows{};
  }

  Result<IngestedRows> Ingest(const std::vector<std::int64_t>& users, std::int64_t event_us, std::int64_t n,
                              IngestRequest request = {}) {
    return tables_->Open().value()->Ingest(view(), Rows(users, event_us, n), request);
  }

  /// The values `n` of all rows of the table, in the order of the rule.
  std::string Values(const std::string& at_least = {}, const std::string& name = "clicks") {
    const SourceOpeners openers{{},
                                tables_->Opener({.as_of_us = {}, .snapshot_id = {}, .at_least = at_least})};
    const auto rows = ReadRows(view(name), openers, {});
    if (!rows) return rows.error().ToString();
    return TextOf(*(*rows)->ToTable().ValueOrDie(), "n");
  }

  /// Writes one row to each of some tables as one.
  Result<std::vector<IngestedRows>> IngestTogether(const std::vector<std::string>& names, std::int64_t n,
                                                   const std::string& batch_key = {}) {
    const auto tables = tables_->Open().value();
    RowsTogether together(*tables);
    IngestRequest request;
    request.batch_key = batch_key;
    for (const std::string& name : names) {
      TM_ASSIGN(const bool is_taken, together.Add(view(name), Rows({1}, kEventUs + n, n), request));
      EXPECT_TRUE(is_taken);
    }
    return together.Write();
  }

  std::string Online(std::int64_t user, const std::string& name = "clicks") {
    arrow::Int64Builder key;
    EXPECT_TRUE(key.Append(user).ok());
    const auto answer = scene_.Online({name + ":n"}, {key.Finish().ValueOrDie()});
    EXPECT_TRUE(answer) << answer.error().ToString();
    return answer ? TextOf(**answer, "n") : "";
  }

  TestFolder folder_;
  Scene scene_;
  std::shared_ptr<WriteTimes> write_times_ = std::make_shared<WriteTimes>();
  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<EmbeddedTables> tables_;
};

TEST_F(EmbeddedTablesTest, ABatchIsRememberedForADay) {
  IngestRequest request;
  request.batch_key = "a";
  const std::int64_t event_us = now_us();
  EXPECT_FALSE(Written({1}, event_us, 1, request).repeated);
  SetClock(now_us() + 23 * kHourUs);
  EXPECT_TRUE(Written({1}, event_us, 1, request).repeated);
  ASSERT_TRUE(tables_->Flush({&view()}));
  EXPECT_TRUE(Written({1}, event_us, 1, request).repeated);
  SetClock(now_us() + 2 * kHourUs);
  EXPECT_FALSE(Written({1}, event_us, 1, request).repeated);
  EXPECT_EQ(Values(), "1, 1");
}

// Goal: a key stands for one batch: other rows under it are an error that changes nothing, wherever the first
// ones are by then, and whoever remembers them.
TEST_F(EmbeddedTablesTest, AKeyIsNotUsedForOtherRows) {
  IngestRequest request;
  request.batch_key = "monday";
  const std::int64_t event_us = now_us();
  EXPECT_FALSE(Written({1, 2}, event_us, 1, request).repeated);
  const auto refuses_others = [&] {
    struct Others {
      std::vector<std::int64_t> users;
      std::int64_t at_us;
      std::int64_t n;
    };
    for (const Others& others : std::vector<Others>{{{1, 2}, event_us, 2},
                                                    {{1, 3}, event_us, 1},
                                                    {{1}, event_us, 1},
                                                    {{1, 2, 2}, event_us, 1},
                                                    {{1, 2}, event_us + 1, 1}}) {
      const auto refused = Ingest(others.users, others.at_us, others.n, request);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
      EXPECT_THAT(refused.error().ToString(), testing::HasSubstr("the idempotency key 'monday'"));
    }
    EXPECT_TRUE(Written({2, 1}, event_us, 1, request).repeated);  // the order of rows says nothing
    EXPECT_EQ(Values(), "1, 1");
  };
  refuses_others();
  SetClock(now_us() + kHourUs);
  refuses_others();
  ASSERT_TRUE(tables_->Flush({&view()}));
  refuses_others();
  std::vector<std::int64_t> many(60'000);
  std::iota(many.begin(), many.end(), 0);
  const auto large = Ingest(many, event_us, 1, request);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::kAlreadyExists);
  refuses_others();
}

// Goal: rows that a key brought to one store are not taken for written in the other, whoever remembers them.
TEST_F(EmbeddedTablesTest, AKeyIsNotUsedForOtherStores) {
  const auto to = [](WriteTo stores) {
    IngestRequest request;
    request.batch_key = "monday";
    request.to = stores;
    return request;
  };
  const std::int64_t event_us = now_us();
  EXPECT_FALSE(Written({1}, event_us, 1, to(WriteTo::kOnline)).repeated);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(Written({1}, event_us, 1, to(WriteTo::kOnline)).repeated);
    for (const WriteTo other : {WriteTo::kOffline, WriteTo::kBoth}) {
      const auto refused = Ingest({1}, event_us, 1, to(other));
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
      EXPECT_THAT(refused.error().ToString(), HasSubstr("for other stores (`to`)"));
    }
    tables_ = Opened();
  }
  EXPECT_EQ(Values(), "");
}

// Goal: who applies definitions while another process drops a table does not fail for it, as the table is
// nothing of his; an error that is of the present definitions is told.
TEST_F(EmbeddedTablesTest, ATableThatIsDroppedMeanwhileIsNotFollowed) {
  const auto before = scene_.catalog();
  int loads = 0;
  const auto load = [&]() -> Result<std::shared_ptr<const Catalog>> {
    return loads++ == 0 ? before : scene_.catalog();
  };
  ASSERT_TRUE(tables_->Follow(load));
  EXPECT_EQ(loads, 1);
  const auto other = Opened();
  ASSERT_TRUE(other->Drop({view().id}, false));
  const auto gone = tables_->Follow(load);
  ASSERT_FALSE(gone) << "the definitions are as they were";
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  const auto changing = [&]() -> Result<std::shared_ptr<const Catalog>> {
    scene_.Apply(R"({"entities": [{"name": "e)" + std::to_string(++loads) + R"(",)" +
                 R"("join_keys": [{"name": "k", "type": "int64"}]}]})");
    return scene_.catalog();
  };
  EXPECT_EQ(tables_->Follow(changing).error().code, ErrorCode::kBusy);
  loads = 0;
  const PlanOptions drop{.remove = {{ObjectKind::kFeatureView, "clicks"}}};
  ASSERT_TRUE(tidemark::Apply(scene_.registry(), "demo", {}, drop, scene_.opener(), scene_.clock()));
  EXPECT_TRUE(tables_->Follow(load));
  EXPECT_EQ(loads, 2);
}

// Goal: processes that see a view's new field at a time all find its column made, whoever makes it.
TEST_F(EmbeddedTablesTest, SeveralMayBringATableToItsViewAtATime) {
  const auto load = [&]() -> Result<std::shared_ptr<const Catalog>> { return scene_.catalog(); };
  ASSERT_TRUE(tables_->Follow(load));
  std::array<std::shared_ptr<EmbeddedTables>, 3> others;
  std::ranges::generate(others, [&] { return Opened(); });
  std::string fields = R"("n": "int64")";
  for (int round = 0; round < 10; ++round) {
    fields += fmt::format(R"(, "more{}": "int64")", round);
    scene_.Apply(R"({"feature_views": [{"name": "clicks", "entities": ["user"], "fields": {)" + fields +
                 "}}]}");
    std::array<std::string, others.size()> told;
    std::barrier all(std::ssize(others));
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < others.size(); ++i) {
      threads.emplace_back([&, i] {
        all.arrive_and_wait();
        if (const auto followed = others[i]->Follow(load); !followed) told[i] = followed.error().ToString();
      });
    }
    threads.clear();
    EXPECT_THAT(told, testing::Each(""));
  }
}

// What a writer left in its log says what its batch was.
TEST_F(EmbeddedTablesTest, AKeyOfAWriterThatDiedIsNotUsedForOtherRows) {
  IngestRequest request;
  request.batch_key = "monday";
  const std::int64_t event_us = now_us();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto rows = Rows({1, 2}, event_us, 1);
    ::_exit(Opened()->Open().value()->Ingest(view(), rows, request) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  std::filesystem::remove_all(folder_.path() / kOwnFolder / "batches");
  tables_ = Opened();
  const auto refused = Ingest({1, 2}, event_us, 2, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(Written({1, 2}, event_us, 1, request).repeated);
}

TEST_F(EmbeddedTablesTest, AKeyOfRowsThatWentStraightToFilesIsNotUsedForOthers) {
  std::vector<std::int64_t> many(60'000);
  std::iota(many.begin(), many.end(), 0);
  IngestRequest request;
  request.batch_key = "a";
  request.to = WriteTo::kOffline;
  const std::int64_t event_us = now_us();
  EXPECT_FALSE(Written(many, event_us, 1, request).repeated);
  const auto refuses_others = [&] {
    EXPECT_EQ(Ingest(many, event_us, 2, request).error().code, ErrorCode::kAlreadyExists);
    EXPECT_TRUE(Written(many, event_us, 1, request).repeated);
  };
  refuses_others();
  EXPECT_EQ(Ingest({1}, event_us, 1, request).error().code, ErrorCode::kAlreadyExists);
  // The table's own mark says it too, where nobody has told the ledger.
  std::filesystem::remove_all(folder_.path() / kOwnFolder / "batches");
  tables_ = Opened();
  refuses_others();
}

// A time that stands for one that was not given is the clock's, and differs when the batch is sent again.
TEST_F(EmbeddedTablesTest, ADeletionThatIsSentAgainIsTheSameOne) {
  ASSERT_TRUE(Ingest({1, 2}, now_us(), 1));
  const auto deletes = [&](std::int64_t user) {
    const auto rows = Rows({user}, 0, 0)->ToTable().ValueOrDie()->SelectColumns({0}).ValueOrDie();
    IngestRequest request;
    request.batch_key = "gone";
    request.is_deletion = true;
    return tables_->Open().value()->Ingest(view(), std::make_shared<arrow::TableBatchReader>(rows), request);
  };
  EXPECT_FALSE(deletes(1).value().repeated);
  SetClock(now_us() + kHourUs);
  EXPECT_TRUE(deletes(1).value().repeated);
  EXPECT_EQ(deletes(2).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(EmbeddedTablesTest, ABatchThatWentStraightToFilesIsRememberedForADay) {
  std::vector<std::int64_t> many(60'000);
  for (std::size_t i = 0; i < many.size(); ++i)
    many[i] = static_cast<std::int64_t>(i);
  IngestRequest request;
  request.batch_key = "a";
  request.to = WriteTo::kOffline;
  const std::int64_t event_us = now_us();
  EXPECT_FALSE(Written(many, event_us, 1, request).repeated);
  EXPECT_TRUE(Written(many, event_us, 1, request).repeated);
  SetClock(now_us() + 25 * kHourUs);
  ASSERT_TRUE(Ingest({1}, event_us, 2));
  ASSERT_TRUE(tables_->Flush({&view()}));  // a commit forgets marks that are a day old
  EXPECT_FALSE(Written(many, event_us, 1, request).repeated);
}

TEST_F(EmbeddedTablesTest, RowsThatAreNotDueComeOnlineByMaterializeWhenTheyAre) {
  const IngestedRows written = Written({1}, now_us() + kHourUs, 5);
  EXPECT_EQ(written.ahead, 1);
  EXPECT_EQ(written.online_rows, 0);
  EXPECT_EQ(Online(1), "null");
  const auto load = [&] {
    const SourceOpeners openers{{}, tables_->Opener({})};
    MaterializeRequest request;
    request.end_us = now_us();
    return Materialize(view(), request, openers, scene_.online(), scene_.registry(), scene_.clock(),
                       *write_times_);
  };
  ASSERT_TRUE(load());
  EXPECT_EQ(Online(1), "null");
  SetClock(now_us() + kHourUs);
  ASSERT_TRUE(load());
  EXPECT_EQ(Online(1), "5");
}

TEST_F(EmbeddedTablesTest, TheLaterWriteWinsAlsoWhenTheClockWasSetBack) {
  const std::int64_t event_us = now_us() - kHourUs;
  ASSERT_TRUE(Ingest({1}, event_us, 1));
  SetClock(now_us() - kSecondUs);
  ASSERT_TRUE(Ingest({1}, event_us, 2));
  // Arrival decides between requests, and it says what the clock said.
  EXPECT_EQ(Values(), "2, 1");
  EXPECT_EQ(Online(1), "1");
  SetClock(now_us() + kSecondUs);
  ASSERT_TRUE(Ingest({1}, event_us, 3));  // at the first one's arrival: the moment of writing decides
  EXPECT_EQ(Values(), "2, 1, 3");
  EXPECT_EQ(Online(1), "3");
}

// A write that is in the log but not in the online store is not acknowledged, and comes there by the next
// look.
TEST_F(EmbeddedTablesTest, AnOnlineStoreThatFailsIsCaughtUpFromTheLog) {
  ASSERT_TRUE(Ingest({1}, now_us(), 1));
  scene_.online().FailMergeAfter(0);
  const auto failed = Ingest({1}, now_us() + 1, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnknownFate);
  EXPECT_EQ(Online(1), "1");
  ASSERT_FALSE(tables_->Flush({&view()})) << "what is not online must not leave the log";
  scene_.online().FailMergeAfter(-1);
  EXPECT_EQ(Values(), "1, 2");
  EXPECT_EQ(Online(1), "2");
  ASSERT_TRUE(tables_->Flush({&view()}));
  EXPECT_EQ(Values(), "1, 2");
}

// The rows of one write to two tables come online together, or with the next look.
TEST_F(EmbeddedTablesTest, RowsTogetherAreInAllTablesOrInNone) {
  const auto first = IngestTogether({"clicks", "visits"}, 1);
  ASSERT_TRUE(first) << first.error().ToString();
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(Values((*first)[0].token), "1");
  EXPECT_EQ(Values((*first)[1].token, "visits"), "1");
  EXPECT_EQ((*first)[1].online_rows, 1);
  scene_.online().FailMergeAfter(0);
  EXPECT_EQ(IngestTogether({"clicks", "visits"}, 2).error().code, ErrorCode::kUnknownFate);
  EXPECT_EQ(Online(1), "1");
  EXPECT_EQ(Online(1, "visits"), "1");
  scene_.online().FailMergeAfter(-1);
  for (const char* const name : {"clicks", "visits"}) {
    EXPECT_EQ(Values({}, name), "1, 2");
    EXPECT_EQ(Online(1, name), "2");
  }
}

TEST_F(EmbeddedTablesTest, RowsTogetherGoOnceToEachTable) {
  IngestRequest keyed;
  keyed.batch_key = "a";
  ASSERT_TRUE(tables_->Open().value()->Ingest(view(), Rows({1}, kEventUs + 1, 1), keyed));
  const auto others = IngestTogether({"visits", "clicks"}, 2, "a");
  ASSERT_FALSE(others) << "one of the tables knows other rows under this key";
  EXPECT_EQ(others.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(Values({}, "visits"), "");
  for (const bool again : {false, true}) {
    const auto written = IngestTogether({"visits", "clicks"}, 1, "a");
    ASSERT_TRUE(written) << written.error().ToString();
    EXPECT_EQ((*written)[0].repeated, again);
    EXPECT_EQ((*written)[0].rows, again ? 0 : 1);
    EXPECT_TRUE((*written)[1].repeated);
    EXPECT_EQ(Values((*written)[0].token, "visits"), "1");
    EXPECT_EQ(Values((*written)[1].token), "1");
    tables_.reset();  // the next one finds the batch in the log
    tables_ = Opened();
  }
}

TEST_F(EmbeddedTablesTest, BatchesThatRaceForTablesGoOnceToEach) {
  constexpr int kRounds = 25;
  const auto race = [&](const std::vector<std::string>& names) {
    for (int i = 1; i <= kRounds; ++i)
      EXPECT_TRUE(IngestTogether(names, i, std::to_string(i)));
  };
  {
    const std::jthread one(race, std::vector<std::string>{"clicks", "visits"});
    const std::jthread other(race, std::vector<std::string>{"visits", "clicks"});
    const std::jthread third(race, std::vector<std::string>{"visits"});
  }
  std::string expected = "1";
  for (int i = 2; i <= kRounds; ++i)
    expected += ", " + std::to_string(i);
  EXPECT_EQ(Values(), expected);
  EXPECT_EQ(Values({}, "visits"), expected);
}

TEST_F(EmbeddedTablesTest, WhatIsNoFrameIsWrittenOtherwise) {
  const auto tables = tables_->Open().value();
  RowsTogether together(*tables);
  EXPECT_FALSE(together.Add(view(), Rows({}, kEventUs, 1), {}).value());
  EXPECT_FALSE(together.Add(view(), Rows(std::vector<std::int64_t>(50'001, 1), kEventUs, 1), {}).value());
  IngestRequest checking;
  checking.dry_run = true;
  EXPECT_FALSE(together.Add(view(), Rows({1}, kEventUs, 1), checking).value());
  EXPECT_TRUE(together.Write().value().empty());
  EXPECT_EQ(Values(), "");
}

// What nobody was told is written may be there or not; what was is read on.
TEST_F(EmbeddedTablesTest, ADiskThatIsFullStopsNoReads) {
  ASSERT_TRUE(Ingest({1}, now_us(), 1));
  scene_.online().FailMergeAfter(0);
  ASSERT_FALSE(Ingest({1}, now_us() + 1, 2));
  ASSERT_TRUE(tables_->Repair());
  EXPECT_EQ(Online(1), "1");
  EXPECT_EQ(Values(), "1, 2") << "rows of the log are in the table";
  ASSERT_FALSE(tables_->Flush({&view()})) << "what is not online must not leave the log";
  scene_.online().FailMergeAfter(-1);
  SetClock(now_us() + 2 * kSecondUs);
  ASSERT_TRUE(tables_->Repair());
  EXPECT_EQ(Online(1), "2");
}

// Of a process that is gone nobody knows what it acknowledged before its machine stopped.
TEST_F(EmbeddedTablesTest, ADiskThatIsFullStopsReadsOfWhatAnotherLeft) {
  scene_.online().FailMergeAfter(0);
  ASSERT_FALSE(Ingest({1}, now_us(), 7));
  tables_.reset();
  tables_ = Opened();
  const auto repaired = tables_->Repair();
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error().code, ErrorCode::kOutOfSpace);
  scene_.online().FailMergeAfter(-1);
  ASSERT_TRUE(tables_->Repair());
  EXPECT_EQ(Online(1), "7");
}

TEST_F(EmbeddedTablesTest, ALogWhoseOwnerIsGoneReachesTheOnlineStoreByWhoeverOpensNext) {
  scene_.online().FailMergeAfter(0);
  ASSERT_FALSE(Ingest({1, 2}, now_us(), 7));
  tables_.reset();
  scene_.online().FailMergeAfter(-1);
  tables_ = Opened();
  EXPECT_EQ(Values(), "7, 7");
  EXPECT_EQ(Online(2), "7");
  ASSERT_TRUE(tables_->Flush({&view()}));
  tables_ = Opened();
  EXPECT_EQ(Values(), "7, 7");
}

TEST_F(EmbeddedTablesTest, FlushesThatRaceBringEveryRowOnce) {
  constexpr int kRounds = 10;
  const auto second = Opened();
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(Ingest({1}, now_us() + round, round));
    std::atomic<int> failed = 0;
    std::atomic<std::int64_t> rows = 0;
    {
      std::vector<std::jthread> threads;
      for (const auto& tables : {tables_, second}) {
        threads.emplace_back([&, tables] {
          const auto report = tables->Flush({&view()});
          if (!report) ++failed;
          if (report && !report->tables.empty()) rows += report->tables[0].rows;
        });
      }
    }
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(rows, 1);
  }
  EXPECT_EQ(Values(), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
}

// Goal: of those who compact a table in one process, however they opened it, one does the work, with all that
// came while it waited for memory; the others find nothing left, or wait no longer when they are to stop.
TEST_F(EmbeddedTablesTest, CompactionsTakeTurns) {
  const auto write = [&](std::int64_t n) {
    Written({1}, now_us() + n, n);
    ASSERT_TRUE(tables_->Flush({&view()}));
  };
  write(1);
  write(2);
  RewriteTurns& turns = RewriteTurns::OfProcess();
  auto memory = std::optional(turns.TakeMemory({}).value());
  const std::string table = fmt::format("{}/{}", tables_->Open().value()->parts().place, view().id);
  const auto await = [&](const std::string& name, std::size_t count) {
    while (turns.Count(name) != count)
      std::this_thread::yield();
  };
  std::array<Result<CompactedTable>, 3> made{};
  std::stop_source stop;
  {
    const auto compact = [&](const auto& tables, std::size_t i, const std::stop_token& token) {
      made.at(i) = tables->Open().value()->Compact(view(), token);
    };
    const std::jthread first([&] { compact(tables_, 0, {}); });
    await("", 2);
    const std::jthread stopped([&] { compact(tables_, 1, stop.get_token()); });
    await(table, 2);
    const std::jthread second([&, own = Opened()] { compact(own, 2, {}); });
    await(table, 3);
    write(3);
    stop.request_stop();
    await(table, 2);
    memory.reset();
  }
  ASSERT_TRUE(made[0]) << made[0].error().ToString();
  EXPECT_EQ(made[0]->files_before, 3);
  EXPECT_EQ(made[0]->files_after, 1);
  ASSERT_FALSE(made[1]);
  EXPECT_EQ(made[1].error().code, ErrorCode::kCancelled);
  ASSERT_TRUE(made[2]) << made[2].error().ToString();
  EXPECT_EQ(made[2]->files_before, 0);
  EXPECT_EQ(Values(), "1, 2, 3");
}

TEST_F(EmbeddedTablesTest, TokensSayWhetherAWriteIsSeen) {
  const std::string token = Written({1}, now_us(), 1).token;
  EXPECT_EQ(Values(token), "1");
  ASSERT_TRUE(tables_->Flush({&view()}));
  EXPECT_EQ(Values(token), "1");
  EXPECT_THAT(Values("log:00000000000000ff:1"), HasSubstr("is not seen here"));
  EXPECT_THAT(Values("snapshot:5:" + std::to_string(now_us() + kHourUs)), HasSubstr("is not seen here"));
  for (const char* const no_token : {"log", "log:x:1", "log:00000000000000ff:", "snapshot:1:2:3", "tail:1:2"})
    EXPECT_THAT(Values(no_token), HasSubstr("is no token of a write")) << no_token;
}

}  // namespace
}  // namespace tidemark
