// The cases of the conformance suite.
#include "store/offline_store_testing.h"

#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/initialize.h>
#include <arrow/table.h>
#include <gmock/gmock.h>

#include <optional>
#include <ostream>
#include <set>
#include <thread>

#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// The rows of a snapshot in the order of a column; null if they cannot be read, which fails the test.
std::shared_ptr<arrow::Table> ReadRows(const OfflineTable& table, const std::vector<std::string>& columns,
                                       const SnapshotChoice& choice = {}) {
  const auto snapshot = table.Snapshot(choice);
  EXPECT_TRUE(snapshot) << snapshot.error().ToString();
  const auto source = (*snapshot)->OpenSource({});
  EXPECT_TRUE(source) << source.error().ToString();
  if (!source) return nullptr;
  const auto rows = ScanAll(**source, columns);
  static const bool kInitialized = arrow::compute::Initialize().ok();
  EXPECT_TRUE(kInitialized);
  const arrow::compute::SortOptions by({arrow::compute::SortKey(columns[0])});
  const auto order = arrow::compute::SortIndices(arrow::Datum(rows), by).ValueOrDie();
  return arrow::compute::Take(rows, order).ValueOrDie().table()->CombineChunks().ValueOrDie();
}

std::string TextOf(const arrow::Table& rows, const std::string& column) {
  std::string text;
  for (std::int64_t row = 0; row < rows.num_rows(); ++row) {
    text += text.empty() ? "" : ", ";
    text += rows.GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
  }
  return text;
}

std::vector<std::string> TagsOf(const OfflineTable& table, std::int64_t id) {
  const auto snapshots = table.Snapshots().value();
  for (const SnapshotInfo& snapshot : snapshots) {
    if (snapshot.id == id) return snapshot.tags;
  }
  return {"(no such snapshot)"};
}

}  // namespace

void PrintTo(const OfflineStoreMaker& maker, std::ostream* out) {
  *out << maker.name;
}

std::string OfflineStoreName(const testing::TestParamInfo<OfflineStoreMaker>& info) {
  return info.param.name;
}

OfflineStoreConformance::OfflineStoreConformance() : place_(GetParam().make_place()), store_(Open()) {}
OfflineStoreConformance::~OfflineStoreConformance() = default;

std::unique_ptr<OfflineStore> OfflineStoreConformance::Open() {
  auto opened = place_->Open();
  EXPECT_TRUE(opened) << opened.error().ToString();
  return opened ? *std::move(opened) : nullptr;
}

std::unique_ptr<OfflineTable> OfflineStoreConformance::CreateTable(TableId id) {
  auto created = store_->Create(id, {.database = "db", .name = "t" + std::to_string(id)}, DriverLayout());
  EXPECT_TRUE(created) << created.error().ToString();
  return created ? *std::move(created) : nullptr;
}

std::shared_ptr<arrow::RecordBatchReader> ReaderOf(std::vector<std::shared_ptr<arrow::RecordBatch>> batches) {
  return arrow::RecordBatchReader::Make(std::move(batches)).ValueOrDie();
}

TableLayout DriverLayout() {
  return {.columns = {{.name = "driver", .type = {.kind = TypeKind::kInt64}, .required = true},
                      {.name = "event", .type = {.kind = TypeKind::kTimestamp}, .required = true},
                      {.name = "rating", .type = {.kind = TypeKind::kFloat64}},
                      {.name = "city", .type = {.kind = TypeKind::kString}}},
          .sort_columns = {"driver", "event"},
          .system = {.event_time = "event"}};
}

std::shared_ptr<arrow::RecordBatch> DriverRows(std::int64_t first, std::int64_t count) {
  arrow::Int64Builder driver;
  arrow::TimestampBuilder event(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  arrow::DoubleBuilder rating;
  arrow::StringBuilder city;
  for (std::int64_t i = first; i < first + count; ++i) {
    EXPECT_TRUE(driver.Append(i).ok());
    EXPECT_TRUE(event.Append(1'700'000'000'000'000 + i * 1'000'000).ok());
    EXPECT_TRUE((i % 3 == 0 ? rating.AppendNull() : rating.Append(static_cast<double>(i) / 7)).ok());
    EXPECT_TRUE((i % 5 == 0 ? city.AppendNull() : city.Append("city " + std::to_string(i % 11))).ok());
  }
  const auto schema =
      arrow::schema({arrow::field("driver", arrow::int64()), arrow::field("event", event.type()),
                     arrow::field("rating", arrow::float64()), arrow::field("city", arrow::utf8())});
  return arrow::RecordBatch::Make(schema, count,
                                  {driver.Finish().ValueOrDie(), event.Finish().ValueOrDie(),
                                   rating.Finish().ValueOrDie(), city.Finish().ValueOrDie()});
}

std::unique_ptr<StagedRows> StageRows(OfflineTable& table, std::int64_t first, std::int64_t count) {
  const auto reader = ReaderOf({DriverRows(first, count)});
  auto staged = table.Stage(*reader, {});
  EXPECT_TRUE(staged) << staged.error().ToString();
  return staged ? *std::move(staged) : nullptr;
}

CommitOutcome AppendRows(OfflineTable& table, std::int64_t first, std::int64_t count,
                         const CommitRule& rule) {
  auto appended = table.Append(StageRows(table, first, count), rule);
  EXPECT_TRUE(appended) << appended.error().ToString();
  return appended ? *appended : CommitOutcome{};
}

Result<CommitOutcome> RewriteRows(OfflineTable& table, std::vector<std::string> inputs, std::int64_t first,
                                  std::int64_t count) {
  RewriteOptions options;
  options.inputs = std::move(inputs);
  return table.Rewrite(options, StageRows(table, first, count), CommitAlways);
}

std::vector<DataFileInfo> FilesOf(const OfflineTable& table, const SnapshotChoice& choice) {
  const auto snapshot = table.Snapshot(choice);
  EXPECT_TRUE(snapshot) << snapshot.error().ToString();
  auto files = snapshot ? (*snapshot)->Files() : std::vector<DataFileInfo>();
  EXPECT_TRUE(files) << files.error().ToString();
  return files ? *std::move(files) : std::vector<DataFileInfo>();
}

std::int64_t RowsOf(const OfflineTable& table, const SnapshotChoice& choice) {
  std::int64_t rows = 0;
  for (const DataFileInfo& file : FilesOf(table, choice))
    rows += file.rows;
  return rows;
}

// --- Tables ---

// Goal: a table is known by its id, everywhere; ids and names are taken once.
TEST_P(OfflineStoreConformance, TablesAreCreatedOpenedListedRenamedAndDropped) {
  EXPECT_THAT(store_->List().value(), IsEmpty());
  EXPECT_EQ(store_->Open(1).error().code, ErrorCode::kNotFound);
  const auto table = CreateTable(1);
  CreateTable(2);
  EXPECT_EQ(table->id(), 1U);
  EXPECT_EQ(table->Layout()->sort_columns, DriverLayout().sort_columns);
  const auto create = [&](TableId id, const std::string& name) {
    const auto created = store_->Create(id, {.database = "db", .name = name}, DriverLayout());
    return created ? std::nullopt : std::optional(created.error().code);
  };
  EXPECT_EQ(create(1, "another"), ErrorCode::kAlreadyExists);
  EXPECT_EQ(create(3, "t2"), ErrorCode::kAlreadyExists);
  AppendRows(*table, 0, 10);
  const auto other = Open();
  ASSERT_TRUE(other->Rename(1, {.database = "db", .name = "renamed"}));
  EXPECT_EQ(other->Rename(1, {.database = "db", .name = "t2"}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(other->Rename(9, {.database = "db", .name = "nobody"}).error().code, ErrorCode::kNotFound);
  std::set<std::string> names;
  const auto listed = store_->List().value();
  for (const CatalogEntry& entry : listed)
    names.insert(entry.name.name);
  EXPECT_THAT(names, ElementsAre("renamed", "t2"));
  EXPECT_EQ(RowsOf(*other->Open(1).value()), 10);
  EXPECT_EQ(create(3, "t1"), std::nullopt);  // the name is free again
  ASSERT_TRUE(store_->Drop(1));
  ASSERT_TRUE(store_->Drop(1));
  EXPECT_EQ(other->Open(1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(place_->data_files(), 0);
}

// Goal: no name can be anything but a name.
TEST_P(OfflineStoreConformance, NamesThatAreNoneAreRefused) {
  for (const std::string name : {"", "a/b", "..", "a b", "a'b"}) {
    EXPECT_FALSE(store_->Create(1, {.database = "db", .name = name}, DriverLayout())) << name;
    EXPECT_FALSE(store_->Create(1, {.database = name, .name = "t"}, DriverLayout())) << name;
  }
  EXPECT_THAT(store_->List().value(), IsEmpty());
}

// --- Commits ---

TEST_P(OfflineStoreConformance, AnEmptyTableHasNoSnapshot) {
  const auto table = CreateTable();
  EXPECT_THAT(table->Snapshots().value(), IsEmpty());
  const auto snapshot = table->Snapshot({}).value();
  EXPECT_EQ(snapshot->id(), 0);
  EXPECT_THAT(snapshot->Files().value(), IsEmpty());
  EXPECT_EQ(snapshot->system_columns().event_time, "event");
}

TEST_P(OfflineStoreConformance, AppendsAddUp) {
  const auto table = CreateTable();
  const auto first = AppendRows(*table, 0, 100);
  place_->clock().set_us(place_->clock().now_us() + 5'000'000);
  const auto second = AppendRows(*table, 100, 50);
  EXPECT_TRUE(first.committed && second.committed);
  EXPECT_EQ(RowsOf(*table), 150);
  EXPECT_EQ(RowsOf(*table, {.id = first.snapshot_id}), 100);
  EXPECT_EQ(RowsOf(*table, {.as_of_us = place_->clock().now_us() - 1}), 100);
  EXPECT_EQ(RowsOf(*Open()->Open(1).value()), 150);
  const auto snapshots = table->Snapshots().value();
  ASSERT_THAT(snapshots, SizeIs(2));
  EXPECT_EQ(snapshots[1].parent_id, first.snapshot_id);
  EXPECT_EQ(snapshots[1].rows, 150);
  EXPECT_EQ(snapshots[1].operation, "append");
  EXPECT_EQ(table->Snapshot({.id = 12345}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(table->Snapshot({.as_of_us = 0}).error().code, ErrorCode::kNotFound);
}

// Goal: rows come out as they went in, of each state of the table, whatever order they came in.
TEST_P(OfflineStoreConformance, RowsAreReadBackAsTheyWere) {
  const auto table = CreateTable();
  const auto late = DriverRows(50, 50);
  auto staged = table->Stage(*ReaderOf({late, DriverRows(0, 50)}), {});
  ASSERT_TRUE(staged) << staged.error().ToString();
  EXPECT_EQ((*staged)->rows(), 100);
  EXPECT_GT((*staged)->bytes(), 0);
  const auto first = table->Append(*std::move(staged), CommitAlways);
  ASSERT_TRUE(first) << first.error().ToString();
  AppendRows(*table, 100, 20);
  const std::vector<std::string> columns{"driver", "event", "rating", "city"};
  const auto wanted = arrow::Table::FromRecordBatches({DriverRows(0, 120)}).ValueOrDie();
  const auto all = ReadRows(*table, columns);
  const auto before = ReadRows(*table, columns, {.id = first->snapshot_id});
  for (const std::string& column : columns) {
    const auto values = wanted->GetColumnByName(column);
    EXPECT_TRUE(all->GetColumnByName(column)->Equals(values)) << column;
    EXPECT_TRUE(before->GetColumnByName(column)->Equals(values->Slice(0, 100))) << column;
  }
}

TEST_P(OfflineStoreConformance, FilesStateBounds) {
  const auto table = CreateTable();
  AppendRows(*table, 3, 4);
  const auto files = FilesOf(*table);
  ASSERT_THAT(files, SizeIs(1));
  std::set<std::string> with_range;
  for (const ColumnRange& range : files[0].ranges) {
    with_range.insert(range.column);
    if (range.column != "driver") continue;
    EXPECT_EQ(std::get<std::int64_t>(range.low), 3);
    EXPECT_EQ(std::get<std::int64_t>(range.high), 6);
  }
  EXPECT_TRUE(with_range.contains("driver") && with_range.contains("event"));
  int asked = 0;
  SourceOptions none;
  none.filter = [&](const DataFileInfo&) { return ++asked < 0; };
  EXPECT_THAT(table->Snapshot({}).value()->OpenSource(none).value()->Fragments({}).value(), IsEmpty());
  EXPECT_EQ(asked, 1);
}

TEST_P(OfflineStoreConformance, StagedRowsThatAreDroppedLeaveNothing) {
  const auto table = CreateTable();
  AppendRows(*table, 0, 10);
  const std::int64_t before = place_->data_files();
  StageRows(*table, 10, 10).reset();
  EXPECT_EQ(place_->data_files(), before);
  EXPECT_EQ(RowsOf(*table), 10);
}

// Goal: rows of a log are flushed exactly once, as the property that says how far it is flushed decides.
TEST_P(OfflineStoreConformance, ARuleDecidesWithThePropertiesOfTheHead) {
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
  const auto lost = AppendRows(*table, 0, 10, flush("0", "10"));
  EXPECT_FALSE(lost.committed);
  EXPECT_EQ(lost.snapshot_id, table->Snapshot({}).value()->id());
  EXPECT_EQ(RowsOf(*table), 10);
  EXPECT_EQ(place_->data_files(), 1);
  const auto wrong = table->Append(StageRows(*table, 10, 5), flush("15", "20"));
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(place_->data_files(), 1);
  EXPECT_EQ(Open()->Open(1).value()->Snapshot({}).value()->properties().at("flushed.7"), "10");
}

TEST_P(OfflineStoreConformance, PropertiesAloneMakeNoSnapshot) {
  const auto table = CreateTable();
  AppendRows(*table, 0, 10);
  const auto set = [&](std::optional<std::string> value) {
    return table->Append(nullptr, [&](const TableHead&) -> Result<CommitDecision> {
      return CommitDecision{.properties = {{"mine", value}}};
    });
  };
  ASSERT_TRUE(set("1"));
  EXPECT_EQ(table->Snapshot({}).value()->properties().at("mine"), "1");
  ASSERT_TRUE(set(std::nullopt));
  EXPECT_FALSE(table->Snapshot({}).value()->properties().contains("mine"));
  EXPECT_THAT(table->Snapshots().value(), SizeIs(1));
}

// Goal: many threads and instances commit to one table, and every row is there once.
TEST_P(OfflineStoreConformance, ManyWritersLoseNothing) {
  CreateTable();
  constexpr int kWriters = 4;
  constexpr int kCommits = 15;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      const auto own = w % 2 == 0 ? nullptr : Open();
      const auto table = (own == nullptr ? *store_ : *own).Open(1).value();
      for (int c = 0; c < kCommits; ++c)
        EXPECT_TRUE(AppendRows(*table, (w * kCommits + c) * 10, 10).committed);
    });
  }
  for (std::thread& writer : writers)
    writer.join();
  const auto table = store_->Open(1).value();
  EXPECT_EQ(RowsOf(*table), kWriters * kCommits * 10);
  EXPECT_THAT(table->Snapshots().value(), SizeIs(kWriters * kCommits));
  const auto drivers = ReadRows(*table, {"driver"});
  EXPECT_TRUE(drivers->GetColumnByName("driver")->Equals(
      arrow::ChunkedArray(DriverRows(0, kWriters * kCommits * 10)->GetColumnByName("driver"))));
}

TEST_P(OfflineStoreConformance, RewriteReplacesFilesWhileTheyAreLive) {
  const auto table = CreateTable();
  for (int i = 0; i < 3; ++i)
    AppendRows(*table, i * 10, 10);
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
  const std::int64_t files = place_->data_files();
  EXPECT_FALSE(RewriteRows(*table, inputs, 0, 20).value().committed);  // its inputs are gone
  EXPECT_EQ(place_->data_files(), files);
  EXPECT_EQ(RowsOf(*table), 30);
  const auto emptied = table->Rewrite({.inputs = {FilesOf(*table)[0].path}}, nullptr, CommitAlways);
  ASSERT_TRUE(emptied) << emptied.error().ToString();
  EXPECT_LT(RowsOf(*table), 30);
}

// --- Snapshots ---

TEST_P(OfflineStoreConformance, TagsNameSnapshots) {
  const auto table = CreateTable();
  const auto first = AppendRows(*table, 0, 10).snapshot_id;
  const auto second = AppendRows(*table, 10, 10).snapshot_id;
  ASSERT_TRUE(table->Tag("training", first));
  ASSERT_TRUE(table->Tag("training", first));  // it is that one's already
  EXPECT_EQ(table->Tag("training", second).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(table->Tag("nothing", 12345).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(RowsOf(*table, {.tag = "training"}), 10);
  EXPECT_THAT(TagsOf(*Open()->Open(1).value(), first), ElementsAre("training"));
  ASSERT_TRUE(table->Untag("training"));
  EXPECT_EQ(table->Snapshot({.tag = "training"}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(table->Untag("training").error().code, ErrorCode::kNotFound);
}

TEST_P(OfflineStoreConformance, ExpiryKeepsWhatIsTaggedLeasedAndNew) {
  const auto table = CreateTable();
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(AppendRows(*table, i * 10, 10).snapshot_id);
    // Each rewrite leaves a file that only older snapshots have.
    ids.push_back(RewriteRows(*table, {FilesOf(*table)[0].path}, i * 10, 10).value().snapshot_id);
  }
  ASSERT_TRUE(table->Tag("training", ids[2]));
  auto reader = table->Snapshot({.id = ids[4]}).value();
  const ExpireOptions options{.older_than_us = place_->clock().now_us() + 1, .keep = 2};
  const auto report = Open()->Open(1).value()->ExpireSnapshots(options).value();
  EXPECT_EQ(report.leased, 1);
  EXPECT_EQ(report.snapshots, 8);
  EXPECT_GT(report.files, 8);
  std::vector<std::int64_t> left;
  const auto snapshots = table->Snapshots().value();
  for (const SnapshotInfo& snapshot : snapshots)
    left.push_back(snapshot.id);
  EXPECT_THAT(left, ElementsAre(ids[2], ids[4], ids[10], ids[11]));
  EXPECT_EQ(ReadRows(*table, {"driver"}, {.tag = "training"})->num_rows(), 20);
  const auto source = reader->OpenSource({}).value();
  reader.reset();  // the source alone keeps what it reads
  EXPECT_EQ(table->ExpireSnapshots(options)->leased, 1);
  EXPECT_EQ(ScanAll(*source, {"driver"})->num_rows(), 30);
  EXPECT_EQ(RowsOf(*table), 60);
  EXPECT_EQ(table->Snapshot({.id = ids[0]}).error().code, ErrorCode::kNotFound);
}

TEST_P(OfflineStoreConformance, SnapshotsThatAreNotOldStay) {
  const auto table = CreateTable();
  AppendRows(*table, 0, 10);
  const std::int64_t between = place_->clock().now_us() + 1'000'000;
  place_->clock().set_us(between + 1'000'000);
  AppendRows(*table, 10, 10);
  AppendRows(*table, 20, 10);
  EXPECT_EQ(table->ExpireSnapshots({.older_than_us = between, .keep = 1})->snapshots, 1);
  EXPECT_THAT(table->Snapshots().value(), SizeIs(2));
  EXPECT_EQ(RowsOf(*table), 30);
}

TEST_P(OfflineStoreConformance, OrphansGoAndNothingElse) {
  const auto table = CreateTable();
  AppendRows(*table, 0, 10);
  const std::int64_t files = place_->data_files();
  const std::int64_t orphans = place_->LeaveOrphans(*table);
  ASSERT_GT(orphans, 0);
  EXPECT_EQ(table->RemoveOrphans(0).value().files, 0);
  const std::int64_t later_us = SystemClock().now_us() + 10'000'000;
  EXPECT_EQ(table->RemoveOrphans(later_us).value().files, orphans);
  EXPECT_EQ(place_->data_files(), files);
  EXPECT_EQ(ReadRows(*table, {"driver"})->num_rows(), 10);
}

// --- Columns ---

TEST_P(OfflineStoreConformance, ColumnsEvolve) {
  const auto table = CreateTable();
  const auto old = AppendRows(*table, 0, 10);
  const std::vector<ColumnChange> changes{
      {.kind = ColumnChange::Kind::kAdd, .column = "trips", .type = {.kind = TypeKind::kInt32}},
      {.kind = ColumnChange::Kind::kRename, .column = "event", .new_name = "event_time"}};
  ASSERT_TRUE(table->Evolve(changes));
  const auto names = std::vector<std::string>{"driver", "event_time", "rating", "city"};
  const auto renamed = [&](std::int64_t first) {
    return DriverRows(first, 5)->RenameColumns(names).ValueOrDie();
  };
  const auto append = [&](const std::shared_ptr<arrow::RecordBatch>& rows) {
    auto staged = table->Stage(*ReaderOf({rows}), {});
    ASSERT_TRUE(staged) << staged.error().ToString();
    ASSERT_TRUE(table->Append(std::move(staged).value(), CommitAlways));
  };
  arrow::Int32Builder trips;
  ASSERT_TRUE(trips.AppendValues({1, 2, 3, 4, 2147483647}).ok());
  append(renamed(10)
             ->AddColumn(4, arrow::field("trips", arrow::int32()), trips.Finish().ValueOrDie())
             .ValueOrDie());
  const std::vector<ColumnChange> widen{
      {.kind = ColumnChange::Kind::kWiden, .column = "trips", .type = {.kind = TypeKind::kInt64}}};
  ASSERT_TRUE(table->Evolve(widen));
  const auto layout = table->Layout().value();
  ASSERT_THAT(layout.columns, SizeIs(5));
  EXPECT_EQ(layout.columns[1].name, "event_time");
  EXPECT_EQ(layout.columns[4].type.kind, TypeKind::kInt64);
  EXPECT_EQ(layout.system.event_time, "event_time");
  EXPECT_THAT(layout.sort_columns, ElementsAre("driver", "event_time"));
  append(renamed(15));
  const auto rows = ReadRows(*Open()->Open(1).value(), {"driver", "event_time", "trips"});
  EXPECT_EQ(rows->num_rows(), 20);
  EXPECT_EQ(rows->GetColumnByName("trips")->type()->ToString(), "int64");
  EXPECT_EQ(TextOf(*rows->Slice(8, 8), "trips"), "null, null, 1, 2, 3, 4, 2147483647, null");
  EXPECT_EQ(rows->GetColumnByName("event_time")->null_count(), 0);
  EXPECT_EQ(table->Snapshot({.id = old.snapshot_id}).value()->columns()[1].name, "event");
}

TEST_P(OfflineStoreConformance, OtherChangesOfColumnsAreRefused) {
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
  EXPECT_EQ(table->Layout()->columns.size(), 4U);
}

TEST_P(OfflineStoreConformance, RowsThatDoNotFitAreRefusedAndLeaveNothing) {
  const auto table = CreateTable();
  const auto rows = DriverRows(0, 10);
  const auto stage = [&](std::vector<std::shared_ptr<arrow::RecordBatch>> batches) {
    return table->Stage(*ReaderOf(std::move(batches)), {}).error();
  };
  EXPECT_EQ(stage({rows->RemoveColumn(0).ValueOrDie()}).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(stage({rows->RenameColumns({"driver", "event", "rating", "town"}).ValueOrDie()}).code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(stage({rows->RenameColumns({"driver", "event", "city", "rating"}).ValueOrDie()}).code,
            ErrorCode::kTypeMismatch);
  const auto nulls =
      rows->SetColumn(0, rows->schema()->field(0), arrow::MakeArrayOfNull(arrow::int64(), 10).ValueOrDie())
          .ValueOrDie();
  const Error refused = stage({rows, nulls});
  EXPECT_EQ(refused.code, ErrorCode::kInvalidData);
  EXPECT_THAT(refused.message, HasSubstr("'driver', row 10"));
  EXPECT_EQ(place_->data_files(), 0);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OfflineStoreConformance);

}  // namespace tidemark::testing_support
