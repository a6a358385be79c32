// Goal: what is read from a table is what was written to it, whatever its files look like by now, and damage
// is never taken for rows.
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/initialize.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "adapters/iceberg/iceberg_testing.h"
#include "pit/columns.h"
#include "store/source_testing.h"

namespace tidemark::testing_support {
namespace {

namespace fs = std::filesystem;

using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Keeps the catalog that a store in a folder of the conformance suite needs.
struct StoreInFolder {
  explicit StoreInFolder(const fs::path& folder)
      : store(OpenIcebergStore(catalog, clock, {.root = folder / "tables"}).value()) {}
  MemoryTableCatalog catalog;
  ManualClock clock{1'700'000'000'000'000};
  std::unique_ptr<OfflineStore> store;
};

DataType Of(TypeKind kind) {
  return {.kind = kind};
}

const std::vector<TableColumn>& WideColumns() {
  static const std::vector<TableColumn> kColumns{
      {.name = "key", .type = Of(TypeKind::kInt64), .required = true},
      {.name = "event", .type = Of(TypeKind::kTimestamp), .required = true},
      {.name = "flag", .type = Of(TypeKind::kBool)},
      {.name = "small", .type = Of(TypeKind::kInt32)},
      {.name = "narrow", .type = Of(TypeKind::kFloat32)},
      {.name = "price", .type = Of(TypeKind::kFloat64)},
      {.name = "city", .type = Of(TypeKind::kString)},
      {.name = "raw", .type = Of(TypeKind::kBinary)},
      {.name = "day", .type = Of(TypeKind::kDate)},
      {.name = "amount", .type = DataType::Decimal(20, 2)},
      {.name = "cents", .type = DataType::Decimal(7, 2)},
      {.name = "tags", .type = DataType::List(Of(TypeKind::kString))},
      {.name = "place",
       .type = DataType::Struct(
           {{"x", Of(TypeKind::kFloat64)}, {"seen", DataType::List(Of(TypeKind::kTimestamp))}})},
      {.name = "counts", .type = DataType::Map(Of(TypeKind::kString), Of(TypeKind::kInt64))}};
  return kColumns;
}

/// Looks random (splitmix64).
std::uint64_t Mixed(std::uint64_t seed) {
  std::uint64_t value = seed + 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// A value of the type, or null; the same `seed` gives the same.
void AppendValue(arrow::ArrayBuilder& builder, const DataType& type, std::uint64_t seed, bool has_null) {
  const auto ok = [](const arrow::Status& status) { ASSERT_TRUE(status.ok()) << status.ToString(); };
  const std::uint64_t value = Mixed(seed);
  if (has_null && value % 7 == 0) return ok(builder.AppendNull());
  switch (type.kind) {
    case TypeKind::kBool:
      return ok(static_cast<arrow::BooleanBuilder&>(builder).Append(value % 2 == 0));
    case TypeKind::kInt32:
      return ok(static_cast<arrow::Int32Builder&>(builder).Append(static_cast<std::int32_t>(value)));
    case TypeKind::kInt64:
      return ok(static_cast<arrow::Int64Builder&>(builder).Append(static_cast<std::int64_t>(value % 999)));
    case TypeKind::kFloat32:
      return ok(static_cast<arrow::FloatBuilder&>(builder).Append(static_cast<float>(value % 1000) / 3));
    case TypeKind::kFloat64:
      return ok(static_cast<arrow::DoubleBuilder&>(builder).Append(static_cast<double>(value) / 3));
    case TypeKind::kString:
      return ok(static_cast<arrow::StringBuilder&>(builder).Append("city " + std::to_string(value % 5000)));
    case TypeKind::kBinary:
      return ok(static_cast<arrow::BinaryBuilder&>(builder).Append(std::string(value % 9, '\xff')));
    case TypeKind::kTimestamp:
      return ok(static_cast<arrow::TimestampBuilder&>(builder).Append(
          static_cast<std::int64_t>(1'700'000'000'000'000 + value % 1'000'000'000)));
    case TypeKind::kDate:
      return ok(
          static_cast<arrow::Date32Builder&>(builder).Append(static_cast<std::int32_t>(value % 9999) - 99));
    case TypeKind::kDecimal:
      return ok(static_cast<arrow::Decimal128Builder&>(builder).Append(
          arrow::Decimal128(static_cast<std::int64_t>(value % 99'999) - 50'000)));
    case TypeKind::kList: {
      auto& list = static_cast<arrow::ListBuilder&>(builder);
      ok(list.Append());
      for (std::uint64_t i = 0; i < value % 4; ++i)
        AppendValue(*list.value_builder(), type.children[0].type, value + i, true);
      return;
    }
    case TypeKind::kStruct: {
      auto& members = static_cast<arrow::StructBuilder&>(builder);
      ok(members.Append());
      for (std::size_t i = 0; i < type.children.size(); ++i)
        AppendValue(*members.field_builder(static_cast<int>(i)), type.children[i].type, value + i, true);
      return;
    }
    case TypeKind::kMap: {
      auto& map = static_cast<arrow::MapBuilder&>(builder);
      ok(map.Append());
      for (std::uint64_t i = 0; i < value % 3; ++i) {
        AppendValue(*map.key_builder(), type.children[0].type, value + i, false);
        AppendValue(*map.item_builder(), type.children[1].type, value + i, true);
      }
      return;
    }
  }
}

/// `count` rows of the columns from `first` on. Row i has key i, so that sorting by it keeps their order.
std::shared_ptr<arrow::RecordBatch> RowsOfColumns(const std::vector<TableColumn>& columns, std::int64_t first,
                                                  std::int64_t count) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto type = ToArrow(columns[c].type);
    const auto builder = arrow::MakeBuilder(type).ValueOrDie();
    for (std::int64_t row = first; row < first + count; ++row) {
      if (c == 0) {
        EXPECT_TRUE(static_cast<arrow::Int64Builder&>(*builder).Append(row).ok());
      } else {
        AppendValue(*builder, columns[c].type, static_cast<std::uint64_t>(row) * 64 + c,
                    !columns[c].required);
      }
    }
    fields.push_back(arrow::field(columns[c].name, type, !columns[c].required));
    arrays.push_back(builder->Finish().ValueOrDie());
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), count, std::move(arrays));
}

void AppendRows(OfflineTable& table, std::vector<std::shared_ptr<arrow::RecordBatch>> rows,
                const StageOptions& options = {}) {
  auto staged = table.Stage(*ReaderOf(std::move(rows)), options);
  ASSERT_TRUE(staged) << staged.error().ToString();
  const auto appended = table.Append(std::move(staged).value(), CommitAlways);
  ASSERT_TRUE(appended) << appended.error().ToString();
}

std::unique_ptr<Source> Open(const OfflineTable& table, const SnapshotChoice& choice = {},
                             const SourceOptions& options = {}) {
  const auto snapshot = table.Snapshot(choice);
  EXPECT_TRUE(snapshot) << snapshot.error().ToString();
  auto source = (*snapshot)->OpenSource(options);
  EXPECT_TRUE(source) << source.error().ToString();
  return std::move(source).value();
}

std::shared_ptr<arrow::Table> ByKey(const std::shared_ptr<arrow::Table>& rows, const std::string& key) {
  static const bool kInitialized = arrow::compute::Initialize().ok();
  EXPECT_TRUE(kInitialized);
  const auto order =
      arrow::compute::SortIndices(rows, arrow::compute::SortOptions({arrow::compute::SortKey(key)}))
          .ValueOrDie();
  return arrow::compute::Take(rows, order).ValueOrDie().table()->CombineChunks().ValueOrDie();
}

std::shared_ptr<arrow::Table> ReadAll(const Source& source) {
  return ScanAll(source, source.schema()->field_names());
}

/// All rows of a source by key, against `wanted`, child names and nested metadata included.
void ExpectRows(const Source& source, const arrow::Table& wanted) {
  const auto got = ByKey(ReadAll(source), "key");
  EXPECT_TRUE(got->schema()->Equals(*wanted.schema(), /*check_metadata=*/true))
      << got->schema()->ToString(true) << "\nbut wanted\n"
      << wanted.schema()->ToString(true);
  EXPECT_TRUE(got->Equals(*wanted.CombineChunks().ValueOrDie(), true))
      << got->num_rows() << " rows, wanted " << wanted.num_rows();
  EXPECT_TRUE(got->ValidateFull().ok()) << got->ValidateFull().ToString();
}

std::shared_ptr<arrow::Table> TableOf(const arrow::RecordBatchVector& batches) {
  return arrow::Table::FromRecordBatches(batches).ValueOrDie()->CombineChunks().ValueOrDie();
}

class SnapshotSourceTest : public testing::Test {
 protected:
  std::unique_ptr<OfflineTable> CreateWide(std::vector<PartitionField> partitions = {},
                                           std::vector<TableColumn> columns = WideColumns()) {
    auto created = here_.store->Create(1, {.database = "db", .name = "wide"},
                                       {.columns = std::move(columns),
                                        .sort_columns = {"key"},
                                        .partitions = std::move(partitions),
                                        .system = {.event_time = "event"}});
    EXPECT_TRUE(created) << created.error().ToString();
    return std::move(created).value();
  }

  TestFolder folder_;
  StoreInFolder here_{folder_.path()};
};

TEST_F(SnapshotSourceTest, AnEmptyTableHasNoRows) {
  const auto source = Open(*CreateWide());
  EXPECT_THAT(source->files(), IsEmpty());
  EXPECT_THAT(source->Fragments({"key"}).value(), IsEmpty());
  EXPECT_EQ(source->schema()->num_fields(), std::ssize(WideColumns()));
  EXPECT_EQ(source->system_columns().event_time, "event");
}

// Goal: every type survives, in several files, commits and partitions.
TEST_F(SnapshotSourceTest, RowsOfAllTypesComeBack) {
  const auto table =
      CreateWide({{.column = "key", .transform = PartitionField::Transform::kBucket, .buckets = 3},
                  {.column = "event", .transform = PartitionField::Transform::kDay}});
  const arrow::RecordBatchVector rows{RowsOfColumns(WideColumns(), 0, 3'000),
                                      RowsOfColumns(WideColumns(), 3'000, 500)};
  AppendRows(*table, {rows[0]});
  AppendRows(*table, {rows[1]});
  const auto source = Open(*table);
  EXPECT_GE(source->files().size(), 6U);
  EXPECT_TRUE(std::ranges::is_sorted(source->files(), {}, &SourceFile::path));
  ExpectRows(*source, *TableOf(rows));
}

// Goal: files from before a change of columns are read as what the columns are now, and an old snapshot as
// what they were then.
TEST_F(SnapshotSourceTest, ChangedColumnsAreReadAsTheyAreNow) {
  const auto table = CreateWide();
  const auto before = RowsOfColumns(WideColumns(), 0, 300);
  AppendRows(*table, {before});
  const std::int64_t old = table->Snapshot({}).value()->id();
  using Kind = ColumnChange::Kind;
  const std::vector<ColumnChange> changes{
      {.kind = Kind::kAdd, .column = "trips", .type = Of(TypeKind::kInt32)},
      {.kind = Kind::kAdd, .column = "words", .type = DataType::List(Of(TypeKind::kString))},
      {.kind = Kind::kWiden, .column = "small", .type = Of(TypeKind::kInt64)},
      {.kind = Kind::kWiden, .column = "narrow", .type = Of(TypeKind::kFloat64)},
      {.kind = Kind::kRename, .column = "tags", .new_name = "labels"},
      {.kind = Kind::kRename, .column = "event", .new_name = "event_time"}};
  ASSERT_TRUE(table->Evolve(changes));
  // Another column takes the name that one had.
  const ColumnChange again{.kind = Kind::kAdd, .column = "tags", .type = Of(TypeKind::kString)};
  ASSERT_TRUE(table->Evolve(std::span(&again, 1)));
  const auto columns = table->Layout()->columns;
  const auto after = RowsOfColumns(columns, 300, 200);
  AppendRows(*table, {after});

  arrow::ArrayVector arrays;
  for (const TableColumn& column : columns) {
    const std::string name = column.name == "labels"       ? "tags"
                             : column.name == "event_time" ? "event"
                             : column.name == "tags"       ? ""
                                                           : column.name;
    const auto stored = before->GetColumnByName(name);
    arrays.push_back(stored == nullptr ? arrow::MakeArrayOfNull(ToArrow(column.type), 300).ValueOrDie()
                                       : CastColumn(stored, column.type, column.name, 0).value());
  }
  const auto source = Open(*table);
  ExpectRows(*source, *TableOf({arrow::RecordBatch::Make(after->schema(), 300, arrays), after}));
  EXPECT_EQ(source->system_columns().event_time, "event_time");
  ExpectRows(*Open(*table, {.id = old}), *TableOf({before}));
  const auto old_as_now = Open(*table, {.id = old}, {.columns_of_now = true});
  ExpectRows(*old_as_now, *TableOf({arrow::RecordBatch::Make(after->schema(), 300, arrays)}));
  EXPECT_EQ(old_as_now->system_columns().event_time, "event_time");
  // Ranges are those of the column, not of the one that had its name.
  const auto fragments = source->Fragments({"tags", "small"}).value();
  for (const Fragment& fragment : fragments) {
    for (const ColumnRange& range : fragment.ranges)
      EXPECT_THAT(range.column, AnyOf(Eq("small"), Eq("tags")));
  }
}

// Goal: a file that the filter turns away is not even opened.
TEST_F(SnapshotSourceTest, FilteredFilesAreNotOpened) {
  const auto table = CreateWide();
  AppendRows(*table, {RowsOfColumns(WideColumns(), 0, 10)});
  AppendRows(*table, {RowsOfColumns(WideColumns(), 100, 10)});
  const auto below = [](const DataFileInfo& file) {
    return std::get<std::int64_t>(file.ranges[0].low) < 100;
  };
  const auto files = table->Snapshot({}).value()->Files().value();
  for (const DataFileInfo& file : files) {
    if (!below(file)) fs::remove(file.path);
  }
  const auto source = Open(*table, {}, {.filter = below});
  ExpectRows(*source, *TableOf({RowsOfColumns(WideColumns(), 0, 10)}));
  const auto all = table->Snapshot({}).value()->OpenSource({});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(all.error().ToString(), HasSubstr("missing"));
  EXPECT_THAT(all.error().ToString(), HasSubstr(".parquet"));
}

// Goal: what a source reads stays as long as the source does, whatever is expired meanwhile.
TEST_F(SnapshotSourceTest, ASourceKeepsItsFiles) {
  const auto table = CreateWide();
  const auto rows = RowsOfColumns(WideColumns(), 0, 50);
  AppendRows(*table, {rows});
  auto source = Open(*table);  // the snapshot itself is gone by now
  const std::string path = source->files().front().path;
  auto staged = table->Stage(*ReaderOf({rows}), {});
  ASSERT_TRUE(table->Rewrite({.inputs = {path}}, std::move(staged).value(), CommitAlways).value().committed);
  const ExpireOptions expire{.older_than_us = here_.clock.now_us() + 1};
  EXPECT_EQ(table->ExpireSnapshots(expire)->leased, 1);
  ExpectRows(*source, *TableOf({rows}));
  source.reset();
  EXPECT_EQ(table->ExpireSnapshots(expire)->snapshots, 1);
  EXPECT_FALSE(fs::exists(path));
  ExpectRows(*Open(*table), *TableOf({rows}));
}

std::string BytesOf(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteBytes(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Opens the table's newest snapshot and reads all of it.
Result<std::shared_ptr<arrow::Table>> TryRead(const OfflineTable& table) {
  TM_ASSIGN(const auto snapshot, table.Snapshot({}));
  TM_ASSIGN(const auto source, snapshot->OpenSource({.threads = 1}));
  TM_ASSIGN(const auto fragments, source->Fragments({"key", "city"}));
  arrow::RecordBatchVector batches;
  for (const Fragment& fragment : fragments) {
    TM_TRY(source->Scan(fragment, source->schema()->field_names(),
                        [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
                          batches.push_back(batch.Slice(0));
                          return {};
                        }));
    // By rows too, which skips pages.
    const std::vector<std::int64_t> first{0};
    TM_ASSIGN(batches.emplace_back(), source->Take(fragment, source->schema()->field_names(), first));
  }
  return arrow::Table::FromRecordBatches(batches).ValueOrDie();
}

// Goal: whichever byte of a data file is flipped, reading says which file is damaged, or gives the same rows.
TEST_F(SnapshotSourceTest, AFlippedByteIsNeverOtherRows) {
  // Flat and nested columns are read in different ways.
  const std::vector<TableColumn> columns{WideColumns()[0], WideColumns()[1], WideColumns()[6],
                                         WideColumns()[11]};
  const auto table = CreateWide({}, columns);
  AppendRows(*table, {RowsOfColumns(columns, 0, 20)});
  const fs::path path = table->Snapshot({}).value()->Files().value().front().path;
  const std::string bytes = BytesOf(path);
  const auto wanted = TryRead(*table).value();
  std::size_t same = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    WriteBytes(path, damaged);
    const auto read = TryRead(*table);
    if (read) {
      ++same;
      ASSERT_TRUE((*read)->Equals(*wanted)) << "byte " << at;
      continue;
    }
    ASSERT_EQ(read.error().code, ErrorCode::kCorruption) << at << ": " << read.error().ToString();
    ASSERT_THAT(read.error().ToString(), HasSubstr(path.filename().string())) << at;
  }
  EXPECT_EQ(same, 0U) << "the whole file lies in one block and the footer, so every byte is checked";
}

// Goal: a file that is cut short or longer is damage at whatever length, never fewer rows.
TEST_F(SnapshotSourceTest, AFileOfAnotherLengthIsDamaged) {
  const auto table = CreateWide();
  AppendRows(*table, {RowsOfColumns(WideColumns(), 0, 20)});
  const fs::path path = table->Snapshot({}).value()->Files().value().front().path;
  const std::string bytes = BytesOf(path);
  for (std::size_t length = 0; length < bytes.size(); length += 97) {
    WriteBytes(path, bytes.substr(0, length));
    EXPECT_EQ(TryRead(*table).error().code, ErrorCode::kCorruption) << length;
  }
  WriteBytes(path, bytes + "x");
  EXPECT_EQ(TryRead(*table).error().code, ErrorCode::kCorruption);
}

// Goal: columns of which the footer states one value for all rows are those values, in scans and in picks, as
// large as a row group and in the next one, where the value is another.
TEST_F(SnapshotSourceTest, ColumnsOfOneValueAreReadWithoutTheirPages) {
  const std::vector<TableColumn> columns{WideColumns()[0], WideColumns()[1], WideColumns()[2],
                                         WideColumns()[3], WideColumns()[4], WideColumns()[8]};
  const auto table = CreateWide({}, columns);
  const auto varied = RowsOfColumns(columns, 0, 1000);
  arrow::RecordBatchVector commits;
  for (std::int64_t from : {500, 501}) {  // one row of each, repeated: null or a value
    arrow::ArrayVector arrays{varied->column(0)};
    for (int c = 1; c < varied->num_columns(); ++c) {
      const auto one = varied->column(c)->GetScalar(from).ValueOrDie();
      arrays.push_back(arrow::MakeArrayFromScalar(*one, varied->num_rows()).ValueOrDie());
    }
    commits.push_back(arrow::RecordBatch::Make(varied->schema(), varied->num_rows(), arrays));
    AppendRows(*table, {commits.back()});
  }
  const auto source = Open(*table);
  const std::vector<std::string> names = source->schema()->field_names();
  std::vector<std::string> found;
  const auto fragments = source->Fragments({}).value();
  for (const Fragment& fragment : fragments) {
    arrow::RecordBatchVector batches;
    ASSERT_TRUE(source->Scan(fragment, names, [&](const arrow::RecordBatch& batch, std::int64_t) {
      batches.push_back(batch.Slice(0));
      return Result<void>();
    }));
    const auto scanned = TableOf(batches);
    const std::vector<std::int64_t> some{0, 3, 999};
    const auto taken = source->Take(fragment, names, some);
    ASSERT_TRUE(taken) << taken.error().ToString();
    for (std::size_t i = 0; i < some.size(); ++i) {
      const auto row = scanned->Slice(some[i], 1)->CombineChunksToBatch().ValueOrDie();
      EXPECT_TRUE((*taken)->Slice(static_cast<std::int64_t>(i), 1)->Equals(*row));
    }
    const auto whole = scanned->CombineChunksToBatch().ValueOrDie();
    EXPECT_TRUE(whole->Equals(*commits[0]) || whole->Equals(*commits[1])) << whole->Slice(0, 2)->ToString();
    found.push_back(whole->column(3)->Slice(0, 1)->ToString());
  }
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_NE(found[0], found[1]);
}

// Goal: damage in one of many blocks is found when, and only when, what it holds is read.
TEST_F(SnapshotSourceTest, DamagedBlocksAreFoundWhenTheyAreRead) {
  const auto table = CreateWide();
  const auto rows = RowsOfColumns(WideColumns(), 0, 20'000);
  AppendRows(*table, {rows});
  const fs::path path = table->Snapshot({}).value()->Files().value().front().path;
  std::string bytes = BytesOf(path);
  ASSERT_GT(bytes.size(), 10U * 32 * 1024);
  const auto source = Open(*table);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  WriteBytes(path, bytes);
  const auto fragment = source->Fragments({})->front();
  const auto none = [](const arrow::RecordBatch&, std::int64_t) -> Result<void> { return {}; };
  EXPECT_TRUE(source->Scan(fragment, {"key"}, none));
  const auto read = source->Scan(fragment, source->schema()->field_names(), none);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(read.error().ToString(), HasSubstr("checksum"));
  EXPECT_THAT(read.error().ToString(), HasSubstr(path.string()));
}

/// A table whose rows in the order of location are found by reading its files in the order of their paths.
SourceSample SampleOf(const fs::path& folder, const TableLayout& layout,
                      const std::vector<arrow::RecordBatchVector>& commits) {
  // The source reads data files only: neither store nor catalog need outlive this.
  StoreInFolder here(folder);
  const auto table = here.store->Create(1, {.database = "db", .name = "t"}, layout).value();
  for (const arrow::RecordBatchVector& commit : commits)
    AppendRows(*table, commit, {.file_bytes = 1});
  arrow::RecordBatchVector all;
  for (const auto& commit : commits)
    all.insert(all.end(), commit.begin(), commit.end());
  const auto rows = TableOf(all);
  auto source = Open(*table);
  // Which rows a file has, its keys say; they are those that were written.
  const auto keys = ScanAll(*source, {"key"})->column(0)->chunk(0);
  const auto sorted = ByKey(rows, "key");
  EXPECT_EQ(keys->length(), rows->num_rows());
  const auto in_order = arrow::compute::Take(sorted, keys).ValueOrDie().table()->CombineChunks().ValueOrDie();
  return {std::move(source), in_order};
}

SourceSample ManyCommits(const fs::path& folder) {
  std::vector<arrow::RecordBatchVector> commits;
  for (std::int64_t i = 0; i < 5; ++i)
    commits.push_back({RowsOfColumns(WideColumns(), i * 700, 700)});
  return SampleOf(folder, {.columns = WideColumns(), .sort_columns = {"key"}}, commits);
}

SourceSample Partitions(const fs::path& folder) {
  return SampleOf(
      folder,
      {.columns = WideColumns(),
       .sort_columns = {"key"},
       .partitions = {{.column = "key", .transform = PartitionField::Transform::kBucket, .buckets = 4}}},
      {{RowsOfColumns(WideColumns(), 0, 2'000)}, {RowsOfColumns(WideColumns(), 2'000, 100)}});
}

SourceSample SeveralRowGroups(const fs::path& folder) {
  const std::vector<TableColumn> columns(WideColumns().begin(), WideColumns().begin() + 7);
  // A row group has 2^18 rows.
  arrow::RecordBatchVector rows;
  for (std::int64_t first = 0; first < 300'000; first += 50'000)
    rows.push_back(RowsOfColumns(columns, first, 50'000));
  StoreInFolder here(folder);
  const auto table =
      here.store->Create(1, {.database = "db", .name = "t"}, {.columns = columns, .sort_columns = {"key"}})
          .value();
  AppendRows(*table, rows);
  auto source = Open(*table);
  EXPECT_THAT(source->files(), SizeIs(1));
  EXPECT_THAT(source->Fragments({}).value(), SizeIs(2));
  return {std::move(source), TableOf(rows)};
}

INSTANTIATE_TEST_SUITE_P(Iceberg, SourceConformance,
                         testing::Values(SourceUnderTest{"ManyCommits", ManyCommits},
                                         SourceUnderTest{"Partitions", Partitions},
                                         SourceUnderTest{"SeveralRowGroups", SeveralRowGroups}),
                         SourceName);

}  // namespace
}  // namespace tidemark::testing_support
