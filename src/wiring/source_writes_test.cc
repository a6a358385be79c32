// Goal: rows that are written to a view with a batch source are in its folder and online, both, once they are
// acknowledged or their log is recovered: whatever step the writer was killed at, and whatever the user does
// with the files afterwards.
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>

#include "adapters/files/file_source.h"
#include "adapters/files/source_folders.h"
#include "adapters/files/table_file.h"
#include "adapters/lmdb/lmdb_batch_ledger.h"
#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/wal/write_logs.h"
#include "engine/apply.h"
#include "engine/materialize.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/source_rows.h"
#include "model/definition_json.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "store/memory_registry_testing.h"
#include "store/memory_source_testing.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

const auto kUtcMicros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");

constexpr std::string_view kClicksView = R"({
  "entities": [{"name": "user", "join_keys": [{"name": "user_id", "type": "int64"}]}],
  "feature_views": [
    {"name": "clicks", "entities": ["user"], "fields": {"n": "int64"},
     "source": {"type": "file", "path": "clicks", "timestamp_field": "at", "field_mapping": {"N": "n"}}}]})";

/// Steps of a write, in their order.
enum class Step : std::uint8_t { kNone, kBeforeOnline, kBeforeFile, kAfterFile };

/// What happens at a step: for the writer's n-th time there.
struct Fault {
  Step step = Step::kNone;
  int at = 0;
  bool fails = false;  // an error, instead of a kill

  Result<void> Reach(Step reached) {
    if (reached != step || --at != 0) return {};
    if (fails) return Fail(ErrorCode::kIo, "the disk is gone");
    ::raise(SIGKILL);
    return {};
  }
};

class FaultyFolders final : public SourceFolders {
 public:
  FaultyFolders(std::shared_ptr<SourceFolders> folders, std::shared_ptr<Fault> fault)
      : folders_(std::move(folders)), fault_(std::move(fault)) {}
  Result<void> Check(const BatchSource& source, const arrow::Schema& rows) const override {
    return folders_->Check(source, rows);
  }
  Result<std::optional<std::int64_t>> Add(const BatchSource& source, const SourceFileName& name,
                                          arrow::RecordBatchReader& rows) const override {
    TM_TRY(fault_->Reach(Step::kBeforeFile));
    auto added = folders_->Add(source, name, rows);
    TM_TRY(fault_->Reach(Step::kAfterFile));
    return added;
  }
  Result<std::vector<std::string>> Names(const BatchSource& source) const override {
    return folders_->Names(source);
  }
  Result<void> RemoveRemains(const BatchSource& source, const std::string& name) const override {
    return folders_->RemoveRemains(source, name);
  }

 private:
  const std::shared_ptr<SourceFolders> folders_;
  const std::shared_ptr<Fault> fault_;
};

/// A writer as a process has it, over the files of a folder.
struct Writer {
  Writer(const fs::path& folder, ViewLookup view, const Fault& injected = {},
         std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>())
      : fault(std::make_shared<Fault>(injected)),
        online(OpenLmdbOnlineStore({.folder = folder / "online", .map_bytes_max = 64 << 20}).value()) {
    TableLogParts parts;
    parts.logs = OpenWriteLogs({.folder = folder / "log"});
    parts.ledger = OpenLmdbBatchLedger({.folder = folder / "batches"}).value();
    parts.online = [this]() -> Result<std::shared_ptr<OnlineStore>> {
      TM_TRY(fault->Reach(Step::kBeforeOnline));
      return online;
    };
    parts.folders = std::make_shared<FaultyFolders>(OpenSourceFolders(folder, 1), fault);
    parts.view = std::move(view);
    parts.clock = std::move(clock);
    FeatureTablesParts all;
    all.folders = parts.folders;
    all.clock = parts.clock;
    all.write_times = WriteTimes::Open(folder / "write_time").value();
    all.log = std::make_shared<TableLog>(std::move(parts));
    tables = std::make_unique<FeatureTables>(std::move(all));
  }

  std::shared_ptr<Fault> fault;
  std::shared_ptr<OnlineStore> online;
  std::unique_ptr<FeatureTables> tables;
};

class SourceWritesTest : public testing::Test {
 protected:
  SourceWritesTest() {
    const auto definitions = DefinitionsFromJson(kClicksView).value();
    EXPECT_TRUE(Apply(*registry_, "p", definitions, {}, Opener(), *clock_));
    catalog_ = Catalog::Load(*registry_, "p").value();
  }

  SourceOpener Opener() const {
    return
        [this](const BatchSource& source, const std::map<std::string, DataType>& types, const SourceNeeds&) {
          FileSourceOptions options;
          options.column_types = types;
          return OpenFileSource(source, folder_.path(), options);
        };
  }

  const CatalogView& view() const { return *catalog_->View("clicks").value(); }

  ViewLookup Lookup() const {
    return [this](std::uint32_t id) -> Result<std::shared_ptr<const CatalogView>> {
      if (id != view().id) return nullptr;
      return std::make_shared<const CatalogView>(view());
    };
  }

  std::unique_ptr<Writer> Open(const Fault& fault = {}) const {
    return std::make_unique<Writer>(folder_.path(), Lookup(), fault);
  }

  Result<IngestedRows> Write(Writer& writer, std::int64_t user, const IngestRequest& request = {}) const {
    const std::string n = std::to_string(user);
    const auto rows = BatchOf({{"user_id", arrow::int64(), "[" + n + ", " + n + "]"},
                               {"at", arrow::utf8(), R"(["2026-01-01", "2026-01-01"])"},
                               {"n", arrow::int64(), "[0, " + n + "]"}});
    return writer.tables->Ingest(view(), arrow::RecordBatchReader::Make({rows}).ValueOrDie(), request);
  }

  /// How many rows the folder has of each user.
  std::map<std::int64_t, int> InFolder() const {
    std::map<std::int64_t, int> rows;
    for (const std::string& name : Files()) {
      const auto reader = OpenTableFile(folder_.path() / "clicks" / name, 1).value();
      const auto batch = reader->ToTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie();
      const auto users = std::static_pointer_cast<arrow::Int64Array>(batch->GetColumnByName("user_id"));
      for (std::int64_t row = 0; row < users->length(); ++row)
        ++rows[users->Value(row)];
    }
    return rows;
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    if (!fs::exists(folder_.path() / "clicks")) return names;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "clicks"))
      names.push_back(entry.path().filename());
    return names;
  }

  /// Loads the folder; how many online rows that changed.
  std::int64_t LoadFolder(Writer& writer) {
    MaterializeRequest request;
    request.end_us = SystemClock().now_us();
    WriteTimes write_times;
    const auto loaded =
        Materialize(view(), request, {Opener(), {}}, *writer.online, *registry_, SystemClock(), write_times);
    EXPECT_TRUE(loaded) << loaded.error().ToString();
    return loaded ? loaded->rows_written : -1;
  }

  static constexpr std::int64_t kFirstUser = 1000;

  /// The first load of a folder writes all that it finds; later ones what has changed.
  void LoadOnce(Writer& writer) {
    ASSERT_TRUE(Write(writer, kFirstUser));
    LoadFolder(writer);
  }

  static std::size_t OnlineRows(const Writer& writer) {
    return static_cast<std::size_t>(writer.online->Stats().value().rows);
  }

  /// How many frames the logs still have.
  static int Frames(const Writer& writer) {
    int frames = 0;
    const auto snapshots = writer.tables->log().Snapshots().value();
    for (const auto& log : snapshots) {
      EXPECT_TRUE(log->Read(0, std::nullopt, [&](const LogFrame&) -> Result<void> {
        ++frames;
        return {};
      }));
    }
    return frames;
  }

  static Result<void> Trim(Writer& writer) {
    return writer.tables->log().Trim([](std::uint32_t, LogId) -> Result<std::uint64_t> {
      return std::numeric_limits<std::uint64_t>::max();  // no table has anything to flush
    });
  }

  TestFolder folder_;
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(1'700'000'000'000'000);
  std::shared_ptr<const Catalog> catalog_;
};

TEST_F(SourceWritesTest, AreInTheFolderAndOnlineAndAgree) {
  const auto writer = Open();
  LoadOnce(*writer);
  const auto written = Write(*writer, 7).value();
  EXPECT_EQ(written.rows, 2);
  EXPECT_EQ(written.online_rows, 2);
  EXPECT_THAT(InFolder(), ElementsAre(std::pair(7, 2), std::pair(kFirstUser, 2)));
  EXPECT_EQ(OnlineRows(*writer), 2U);
  EXPECT_EQ(LoadFolder(*writer), 0);  // of two equal rows the later one is online, as the file says
  const auto file = OpenTableFile(folder_.path() / "clicks" / Files()[0], 1).value();
  EXPECT_THAT(file->schema()->field_names(), ElementsAre("user_id", "at", "N"));
}

TEST_F(SourceWritesTest, OnlineOnlyRowsMakeNoFile) {
  IngestRequest request;
  request.to = WriteTo::kOnline;
  {
    const auto writer = Open();
    ASSERT_TRUE(Write(*writer, 7, request));
    EXPECT_EQ(OnlineRows(*writer), 1U);
  }
  const auto reopened = Open();
  ASSERT_TRUE(reopened->tables->log().Recover());
  EXPECT_THAT(Files(), IsEmpty());
}

// Goal: a writer killed at any step has its acknowledged rows, and the ones on their way, in both, once.
TEST_F(SourceWritesTest, SurviveAKillAtEveryStep) {
  constexpr int kWrites = 4;
  LoadOnce(*Open());
  std::map<std::int64_t, int> expected{{kFirstUser, 2}};
  std::int64_t user = 0;
  for (const Step step : {Step::kBeforeOnline, Step::kBeforeFile, Step::kAfterFile}) {
    for (int at = 1; at <= kWrites; ++at) {
      const std::int64_t first = user;
      int acknowledged[2];
      ASSERT_EQ(::pipe(acknowledged), 0);
      const pid_t child = ::fork();
      if (child == 0) {
        const auto writer = Open({.step = step, .at = at});
        for (int i = 0; i < kWrites; ++i) {
          const char done = Write(*writer, first + i) ? 'y' : 'n';
          if (::write(acknowledged[1], &done, 1) != 1) ::_exit(2);
        }
        ::_exit(3);  // not killed
      }
      ::close(acknowledged[1]);
      std::string acks;
      for (char ack = 0; ::read(acknowledged[0], &ack, 1) == 1;)
        acks += ack;
      ::close(acknowledged[0]);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
      ASSERT_EQ(acks, std::string(static_cast<std::size_t>(at - 1), 'y'));
      for (int i = 0; i < at; ++i)  // that on its way was in the log already
        expected[user++] = 2;
      for (int again = 0; again < 2; ++again) {
        const auto writer = Open();
        ASSERT_TRUE(writer->tables->log().Recover());
        EXPECT_EQ(InFolder(), expected);
        EXPECT_EQ(OnlineRows(*writer), expected.size());
        EXPECT_EQ(LoadFolder(*writer), 0);
      }
    }
  }
  const auto writer = Open();
  ASSERT_TRUE(writer->tables->log().Recover());
  ASSERT_TRUE(Trim(*writer));
  EXPECT_EQ(Frames(*writer), 0);
}

// Goal: what is left of a half-written file goes when its frame is written again.
TEST_F(SourceWritesTest, RemainsOfAKilledWriterGo) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto writer = Open({.step = Step::kBeforeFile, .at = 1});
    static_cast<void>(Write(*writer, 1));
    ::_exit(3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  std::string name;
  const auto logs = OpenWriteLogs({.folder = folder_.path() / "log"})->Snapshots().value();
  for (const auto& log : logs) {
    ASSERT_TRUE(log->Read(0, std::nullopt, [&](const LogFrame& frame) -> Result<void> {
      name = FileNameOf(frame.record.write_time_us, {log->id(), frame.lsn}) + ".parquet";
      return {};
    }));
  }
  fs::create_directories(folder_.path() / "clicks");
  const auto rows = BatchOf({{"user_id", arrow::int64(), "[1]"}});
  ASSERT_TRUE(WriteTableFile(*arrow::RecordBatchReader::Make({rows}).ValueOrDie(),
                             folder_.path() / "clicks" / "theirs.parquet", {}));
  fs::rename(folder_.path() / "clicks" / "theirs.parquet",
             folder_.path() / "clicks" / ("." + name + ".99-0.tmp"));
  const auto writer = Open();
  ASSERT_TRUE(writer->tables->log().Recover());
  EXPECT_THAT(Files(), ElementsAre(name));
}

// Goal: a file that cannot be written is no lost write: it is told, kept in the log, and written later.
TEST_F(SourceWritesTest, AFileThatFailsIsWrittenLater) {
  const auto writer = Open({.step = Step::kBeforeFile, .at = 2, .fails = true});
  ASSERT_TRUE(Write(*writer, 1));
  const auto failed = Write(*writer, 2);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnknownFate);
  EXPECT_THAT(failed.error().message, HasSubstr("the disk is gone"));
  ASSERT_TRUE(Write(*writer, 3));
  EXPECT_THAT(Files(), SizeIs(2));
  ASSERT_TRUE(Trim(*writer));
  EXPECT_GE(Frames(*writer), 2);  // from the one without a file on
  ASSERT_TRUE(writer->tables->log().Recover());
  EXPECT_THAT(InFolder(), ElementsAre(std::pair(1, 2), std::pair(2, 2), std::pair(3, 2)));
  ASSERT_TRUE(Trim(*writer));
  EXPECT_EQ(Frames(*writer), 0);
}

// Goal: a folder that cannot be written to is its view's trouble alone: the log is recovered, what is lacking
// is told and kept, and written when the folder is mended.
TEST_F(SourceWritesTest, AFolderThatFailsStopsNobodyElse) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto writer = Open({.step = Step::kBeforeFile, .at = 1});
    static_cast<void>(Write(*writer, 1));
    ::_exit(3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto clock = std::make_shared<ManualClock>(SystemClock().now_us());
  Writer writer(folder_.path(), Lookup(), {.step = Step::kBeforeFile, .at = 1, .fails = true}, clock);
  ASSERT_TRUE(writer.tables->log().Recover());
  const auto told = writer.tables->log().FolderError();
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error().ToString(), AllOf(HasSubstr("clicks"), HasSubstr("the disk is gone")));
  EXPECT_EQ(OnlineRows(writer), 1U);
  ASSERT_TRUE(Trim(writer));
  EXPECT_EQ(Frames(writer), 1);
  ASSERT_TRUE(writer.tables->log().Recover());
  EXPECT_THAT(Files(), IsEmpty()) << "it is not tried at every turn";
  clock->set_us(clock->now_us() + 1'000'000);
  ASSERT_TRUE(writer.tables->log().Recover());
  EXPECT_THAT(InFolder(), ElementsAre(std::pair(1, 2)));
  EXPECT_TRUE(writer.tables->log().FolderError());
  ASSERT_TRUE(Trim(writer));
  EXPECT_EQ(Frames(writer), 0);
}

// Goal: the files are the user's: one that he has moved does not come back when the log is recovered.
TEST_F(SourceWritesTest, WhatTheUserDoesWithTheFilesIsNotUndone) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto writer = Open();
    ::_exit(Write(*writer, 1) && Write(*writer, 2) ? 0 : 1);  // the log stays
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_THAT(Files(), SizeIs(2));
  fs::remove_all(folder_.path() / "clicks");
  const auto writer = Open();
  ASSERT_TRUE(writer->tables->log().Recover());
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(SourceWritesTest, ABatchIsWrittenOnceHoweverSmallOrLarge) {
  IngestRequest request;
  request.batch_key = "monday";
  {
    const auto writer = Open();
    EXPECT_FALSE(Write(*writer, 1, request)->repeated);
    EXPECT_TRUE(Write(*writer, 1, request)->repeated);
  }
  EXPECT_TRUE(Write(*Open(), 1, request)->repeated);
  EXPECT_THAT(Files(), SizeIs(1));
  // Too many rows for the log.
  arrow::Int64Builder users;
  for (std::int64_t i = 0; i < 60'000; ++i)
    ASSERT_TRUE(users.Append(i).ok());
  const auto column = users.Finish().ValueOrDie();
  const auto at =
      arrow::MakeArrayFromScalar(arrow::TimestampScalar(1'767'225'600'000'000, kUtcMicros), 60'000);
  const auto rows = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("user_id", arrow::int64()), arrow::field("at", kUtcMicros),
                     arrow::field("n", arrow::int64())}),
      60'000, {column, at.ValueOrDie(), column});
  request.batch_key = "tuesday";
  const auto write = [&](Writer& writer) {
    return writer.tables->Ingest(view(), arrow::RecordBatchReader::Make({rows}).ValueOrDie(), request)
        .value();
  };
  const auto first = write(*Open());
  EXPECT_TRUE(first.to_files && !first.repeated);
  EXPECT_EQ(first.rows, 60'000);
  EXPECT_TRUE(write(*Open()).repeated);
  fs::remove_all(folder_.path() / "batches");  // of a writer that died before it could tell the ledger
  EXPECT_TRUE(write(*Open()).repeated);
  EXPECT_THAT(Files(), SizeIs(2));
  // Other rows under its key are noticed all the same, and again by what the ledger then says.
  for (int i = 0; i < 2; ++i) {
    if (i == 0) fs::remove_all(folder_.path() / "batches");
    const auto other = Open()->tables->Ingest(
        view(), arrow::RecordBatchReader::Make({rows->Slice(0, 59'999)}).ValueOrDie(), request);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::kAlreadyExists);
    if (i == 0) {
      EXPECT_TRUE(write(*Open()).repeated);
    }
  }
  EXPECT_THAT(Files(), SizeIs(2));
}

TEST_F(SourceWritesTest, WhereNoFileCanBeAddedNothingIsWritten) {
  fs::create_directories(folder_.path());
  const auto rows = BatchOf({{"user_id", arrow::int64(), "[1]"}});
  ASSERT_TRUE(WriteTableFile(*arrow::RecordBatchReader::Make({rows}).ValueOrDie(),
                             folder_.path() / "one.parquet", {}));
  fs::rename(folder_.path() / "one.parquet", folder_.path() / "clicks");
  const auto writer = Open();
  const auto refused = Write(*writer, 1);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().ToString(), HasSubstr("make it a folder"));
  EXPECT_EQ(OnlineRows(*writer), 0U);
  EXPECT_EQ(Frames(*writer), 0);
}

}  // namespace
}  // namespace tidemark
