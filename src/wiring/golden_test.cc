// Goal: every golden case of tests/golden that a source or an online row can state is answered as it is
// written there: training sets from Parquet, from CSV and from feature tables (written row by row, out of the
// log and out of files) through the public API, also without entity rows, and lookups at each entity row's
// moment, of rows that were materialized from files and of rows that were merged one by one, into LMDB.
#include <arrow/c/bridge.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "adapters/files/file_source.h"
#include "adapters/files/table_file.h"
#include "adapters/lmdb/lmdb_online_store.h"
#include "base/json.h"
#include "engine/apply.h"
#include "engine/materialize.h"
#include "engine/online_reader.h"
#include "engine/online_rows.h"
#include "model/definition_json.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/golden_testing.h"
#include "store/memory_registry_testing.h"
#include "store/source_testing.h"
#include "tidemark/store.h"

namespace tidemark {
namespace {

using namespace pit_testing;
using namespace testing_support;
using Batch = std::shared_ptr<arrow::RecordBatch>;
namespace fs = std::filesystem;

std::vector<GoldenCase> Cases() {
  auto cases = ReadGoldenFolder(TIDEMARK_SOURCE_DIR "/tests/golden");
  EXPECT_TRUE(cases) << cases.error().ToString();
  return cases ? *std::move(cases) : std::vector<GoldenCase>();
}

/// Where the views of a case have their rows: in files of that ending, or in tables of our own if it is
/// empty.
bool IsTables(std::string_view ending) {
  return ending.empty();
}

bool HasOwnTable(const GoldenCase& one) {
  return std::ranges::any_of(one.views, &GoldenView::is_own_table);
}

/// The case's definitions, its views' rows in files of a format. Keys of two views may have one name and
/// different types, so that entities are of a view.
std::string DefinitionsOf(const GoldenCase& one, std::string_view ending) {
  Json definitions{{"entities", Json::array()}, {"feature_views", Json::array()}};
  for (const GoldenView& view : one.views) {
    Json entities = Json::array();
    for (const GoldenColumn& key : view.keys) {
      const std::string name = view.name + "_" + key.name;
      entities.push_back(name);
      definitions["entities"].push_back(
          {{"name", name}, {"join_keys", {{{"name", key.name}, {"type", key.type.ToString()}}}}});
    }
    Json fields = Json::object();
    for (const GoldenColumn& feature : view.features)
      fields[feature.name] = feature.type.ToString();
    Json rows{{"timestamp_field", "event_timestamp"}};
    if (!IsTables(ending)) {
      rows["type"] = "file";
      rows["path"] = view.name + std::string(ending);
    }
    if (view.has_created()) rows["created_timestamp_column"] = "created_timestamp";
    definitions["feature_views"].push_back({{"name", view.name},
                                            {"entities", entities},
                                            {"ttl", fmt::format("{}us", view.ttl_us)},
                                            {"fields", fields},
                                            {IsTables(ending) ? "table" : "source", rows}});
  }
  return definitions.dump();
}

void Write(const Batch& batch, const fs::path& path) {
  const auto reader = arrow::RecordBatchReader::Make({batch}).ValueOrDie();
  const auto written = WriteTableFile(*reader, path, {});
  ASSERT_TRUE(written) << written.error().ToString();
}

void WriteViews(const GoldenCase& one, const fs::path& folder, const std::string& ending) {
  for (const GoldenView& view : one.views)
    Write(view.ToBatch().value(), folder / (view.name + ending));
}

std::string OutputName(const GoldenCase::Expected& expected) {
  return expected.view + "__" + expected.feature;
}

std::vector<std::string> References(const GoldenCase& one) {
  std::vector<std::string> features;
  for (const auto& expected : one.expected)
    features.push_back(expected.view + ":" + expected.feature);
  return features;
}

/// One answer out of a table with statuses, as text.
std::string AnswerIn(const arrow::RecordBatch& answer, const std::string& column, std::int64_t row) {
  const auto values = answer.GetColumnByName(column);
  const auto statuses = answer.GetColumnByName(column + "__status");
  if (values == nullptr || statuses == nullptr) return "no column " + column;
  std::string status = statuses->GetScalar(row).ValueOrDie()->ToString();
  if (status != StatusName(Status::kPresent)) {
    EXPECT_TRUE(values->IsNull(row));
    return status;
  }
  return GoldenText(*values, row);
}

std::string ExpectedText(const GoldenAnswer& answer) {
  return answer.status == Status::kPresent ? answer.value : std::string(StatusName(answer.status));
}

// --- Training sets through the public API ---

Batch TrainingSet(const GoldenCase& one, const fs::path& folder, const EntityRows& rows,
                  std::optional<EventRange> range = {}) {
  auto store = Store::Open({.path = folder});
  EXPECT_TRUE(store) << store.error().ToString();
  HistoricalOptions options;
  options.features = References(one);
  options.full_feature_names = true;
  options.include_status = true;
  options.range = range;
  options.known_by_event = one.known_by.kind == KnownBy::Kind::kEntityRow;
  if (one.known_by.kind == KnownBy::Kind::kTime) options.known_by_us = one.known_by.time_us;
  ArrowArrayStream out;
  const auto got = (*store)->GetHistorical(rows, options, &out);
  EXPECT_TRUE(got) << one.place << ": " << got.error().ToString();
  if (!got) return nullptr;
  const auto table = arrow::ImportRecordBatchReader(&out).ValueOrDie()->ToTable();
  EXPECT_TRUE(table.ok()) << one.place << ": " << table.status().ToString();
  return table.ok() ? (*table)->CombineChunksToBatch().ValueOrDie() : nullptr;
}

void CheckTrainingSet(const GoldenCase& one, const Batch& answer) {
  ASSERT_NE(answer, nullptr);
  for (const auto& expected : one.expected) {
    ASSERT_EQ(answer->num_rows(), std::ssize(expected.answers)) << one.place;
    for (std::int64_t row = 0; row < answer->num_rows(); ++row) {
      EXPECT_EQ(AnswerIn(*answer, OutputName(expected), row),
                ExpectedText(expected.answers[static_cast<std::size_t>(row)]))
          << one.place << ", " << OutputName(expected) << ", entity row " << row;
    }
  }
}

// --- Without entity rows ---

std::vector<std::string> KeysOf(const GoldenView& view) {
  std::vector<std::string> names;
  for (const GoldenColumn& key : view.keys)
    names.push_back(key.name + " " + key.type.ToString());
  std::ranges::sort(names);
  return names;
}

/// Whether all views have the same keys.
bool CanBeRanged(const GoldenCase& one) {
  return std::ranges::all_of(one.views,
                             [&](const GoldenView& view) { return KeysOf(view) == KeysOf(one.views[0]); });
}

/// The key of an entity row, as text.
std::string KeyIn(const arrow::RecordBatch& rows, const GoldenView& view, std::int64_t row) {
  std::string key;
  for (const GoldenColumn& column : view.keys)
    key += GoldenText(*rows.GetColumnByName(column.name), row) + "|";
  return key;
}

/// Asks for all entities at the time of each entity row.
void CheckLatest(const GoldenCase& one, const fs::path& folder) {
  const Batch rows = one.EntityBatch().value();
  const auto times = TimesToMicros(*rows->GetColumnByName("event_timestamp"), "t", 0).value();
  for (std::int64_t row = 0; row < rows->num_rows(); ++row) {
    const EventRange range{std::numeric_limits<std::int64_t>::min(), times->Value(row)};
    const Batch all = TrainingSet(one, folder, {}, range);
    ASSERT_NE(all, nullptr);
    std::vector<std::int64_t> found;
    for (std::int64_t i = 0; i < all->num_rows(); ++i) {
      if (KeyIn(*all, one.views[0], i) == KeyIn(*rows, one.views[0], row)) found.push_back(i);
    }
    ASSERT_LE(found.size(), 1U) << one.place;
    for (const auto& expected : one.expected) {
      const auto& answer = expected.answers[static_cast<std::size_t>(row)];
      EXPECT_EQ(found.empty() ? "NOT_FOUND" : AnswerIn(*all, OutputName(expected), found[0]),
                ExpectedText(answer))
          << one.place << ", " << OutputName(expected) << ", entity row " << row;
    }
  }
}

class GoldenFiles : public testing::TestWithParam<std::string> {};

TEST_P(GoldenFiles, TrainingSetsAreAsWritten) {
  int run = 0;
  for (const GoldenCase& one : Cases()) {
    if (HasOwnTable(one)) continue;
    const TestFolder folder;
    WriteViews(one, folder.path(), GetParam());
    {
      auto store = Store::Open({.path = folder.path()});
      ASSERT_TRUE(store) << store.error().ToString();
      const auto applied = (*store)->Apply(DefinitionsOf(one, GetParam()), {});
      ASSERT_TRUE(applied) << one.place << ": " << applied.error().ToString();
    }
    const Batch rows = one.EntityBatch().value();
    ArrowArrayStream stream;
    ASSERT_TRUE(
        arrow::ExportRecordBatchReader(arrow::RecordBatchReader::Make({rows}).ValueOrDie(), &stream).ok());
    CheckTrainingSet(one, TrainingSet(one, folder.path(), {.stream = &stream}));
    const fs::path path = folder.path() / ("entity_rows" + GetParam());
    Write(rows, path);
    CheckTrainingSet(one, TrainingSet(one, folder.path(), {.path = path}));
    ++run;
  }
  EXPECT_GE(run, 20);  // most of the cases
}

// Goal: every entity, at the end of a range that begins before all rows, has the answer that its entity row
// has at that time; one that is not there has no row in any view, or a deletion.
TEST_P(GoldenFiles, TheLatestOfAllEntitiesIsAsWritten) {
  int run = 0;
  for (const GoldenCase& one : Cases()) {
    if (HasOwnTable(one) || !CanBeRanged(one)) continue;
    const TestFolder folder;
    WriteViews(one, folder.path(), GetParam());
    ASSERT_TRUE(Store::Open({.path = folder.path()}).value()->Apply(DefinitionsOf(one, GetParam()), {}));
    CheckLatest(one, folder.path());
    ++run;
  }
  EXPECT_GE(run, 15);
}

INSTANTIATE_TEST_SUITE_P(Formats, GoldenFiles, testing::Values(".parquet", ".csv", ".csv.gz"),
                         [](const auto& format) {
                           std::string name = format.param.substr(1);
                           std::erase(name, '.');
                           return name;
                         });

// --- Feature tables through the public API ---

/// Whether a case can be written by ingest and delete, which give created times of deletions and origins.
bool CanBeWritten(const GoldenCase& one) {
  return std::ranges::all_of(one.views, [&](const GoldenView& view) {
    const bool states_deletions = view.has_created() && view.rows.Find("is_deleted").has_value();
    const bool states_arrival = one.known_by.kind != KnownBy::Kind::kAll && !view.has_created();
    return !states_deletions && !states_arrival && !view.rows.Find("origin");
  });
}

/// The rows of a view in the order in which they were written.
std::vector<std::int64_t> InOrderOfWriting(const arrow::RecordBatch& rows) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows.num_rows()));
  std::iota(order.begin(), order.end(), 0);
  const auto times = std::dynamic_pointer_cast<arrow::Int64Array>(rows.GetColumnByName("write_time"));
  if (times != nullptr)
    std::ranges::stable_sort(order, {}, [&](std::int64_t row) { return times->Value(row); });
  return order;
}

/// Writes one row by the public API.
void WriteRow(Store& store, const GoldenView& view, const arrow::RecordBatch& rows, std::int64_t row) {
  Batch one = rows.Slice(row, 1);
  const auto deleted = std::dynamic_pointer_cast<arrow::BooleanArray>(one->GetColumnByName("is_deleted"));
  const bool is_deleted = deleted != nullptr && deleted->Value(0);
  for (const char* column : {"write_time", "is_deleted"}) {
    const int at = one->schema()->GetFieldIndex(column);
    if (at >= 0) one = one->RemoveColumn(at).ValueOrDie();
  }
  ArrowArrayStream stream;
  ASSERT_TRUE(
      arrow::ExportRecordBatchReader(arrow::RecordBatchReader::Make({one}).ValueOrDie(), &stream).ok());
  IngestOptions options;
  options.to = WriteTarget::kOffline;
  const auto written = is_deleted
                           ? store.Delete(view.name, {.stream = &stream, .path = {}}, {}, options)
                           : store.Ingest(view.name, {.stream = &stream, .path = {}}, options, nullptr);
  ASSERT_TRUE(written) << view.name << ": " << written.error().ToString();
}

/// How many rows are written between two flushes; 0: none is flushed.
class GoldenTables : public testing::TestWithParam<int> {};

TEST_P(GoldenTables, TrainingSetsAreAsWritten) {
  int run = 0;
  int own_tables = 0;
  for (const GoldenCase& one : Cases()) {
    if (!CanBeWritten(one)) continue;
    const TestFolder folder;
    auto store = Store::Open({.path = folder.path()}).value();
    const auto applied = store->Apply(DefinitionsOf(one, ""), {});
    ASSERT_TRUE(applied) << one.place << ": " << applied.error().ToString();
    int count = 0;
    for (const GoldenView& view : one.views) {
      const Batch rows = view.ToBatch().value();
      for (const std::int64_t row : InOrderOfWriting(*rows)) {
        WriteRow(*store, view, *rows, row);
        if (GetParam() != 0 && ++count % GetParam() == 0) {
          ASSERT_TRUE(store->Flush({}));
        }
      }
    }
    ArrowArrayStream stream;
    const Batch rows = one.EntityBatch().value();
    ASSERT_TRUE(
        arrow::ExportRecordBatchReader(arrow::RecordBatchReader::Make({rows}).ValueOrDie(), &stream).ok());
    CheckTrainingSet(one, TrainingSet(one, folder.path(), {.stream = &stream}));
    if (CanBeRanged(one)) CheckLatest(one, folder.path());
    ++run;
    own_tables += HasOwnTable(one) ? 1 : 0;
  }
  EXPECT_GE(run, 25);
  EXPECT_GE(own_tables, 4);  // deletions and expiry among them
}

INSTANTIATE_TEST_SUITE_P(Flushes, GoldenTables, testing::Values(0, 1, 3));

// --- Lookups at a fixed time ---

/// A case applied to a registry, beside an online store in a folder, under a clock that is set.
class OnlineCase {
 public:
  OnlineCase(const GoldenCase& one, const fs::path& folder) : one_(one), folder_(folder) {
    WriteViews(one, folder, ".parquet");
    const auto definitions = DefinitionsFromJson(DefinitionsOf(one, ".parquet"));
    EXPECT_TRUE(definitions) << definitions.error().ToString();
    const auto applied = Apply(*registry_, "golden", *definitions, {}, Opener(), *clock_);
    EXPECT_TRUE(applied) << one.place << ": " << applied.error().ToString();
    catalog_ = Catalog::Load(*registry_, "golden").value();
    online_ = OpenLmdbOnlineStore({.folder = folder / "online", .map_bytes_max = 64 << 20}).value();
  }

  /// Loads what is due at a moment from the files.
  void Materialize(std::int64_t t_us) {
    clock_->set_us(t_us);
    for (const GoldenView& view : one_.views) {
      MaterializeRequest request;
      request.end_us = t_us;
      const auto loaded = tidemark::Materialize(View(view), request, {.file = Opener(), .table = {}},
                                                *online_, *registry_, *clock_, write_times_);
      ASSERT_TRUE(loaded) << one_.place << ": " << loaded.error().ToString();
    }
  }

  /// Merges, one by one, the rows that have happened by a moment; the last first if `backwards`.
  void Merge(std::int64_t t_us, bool backwards) {
    clock_->set_us(t_us);
    for (const GoldenView& view : one_.views) {
      const Batch rows = view.ToBatch().value();
      for (std::int64_t i = 0; i < rows->num_rows(); ++i)
        MergeRow(view, *rows, backwards ? rows->num_rows() - 1 - i : i, t_us);
    }
  }

  /// The answers to all entity rows at the clock's time.
  Batch LookUp() {
    const auto wanted = SelectionsFromRefs(References(one_)).value();
    const auto reader = MakeOnlineReader(
        {catalog_, Resolve(*catalog_, wanted, true).value(), "golden", online_, registry_, clock_});
    EXPECT_TRUE(reader) << one_.place << ": " << reader.error().ToString();
    const Batch rows = one_.EntityBatch().value();
    std::vector<KeyColumn> keys;
    std::map<std::string, KeyValues> values;
    for (const ColumnInfo& key : (*reader)->keys())
      keys.push_back(values[key.name].Set(*rows->GetColumnByName(key.name), key));
    OnlineResult result;
    const auto read = (*reader)->Read(keys, static_cast<std::size_t>(rows->num_rows()), result);
    EXPECT_TRUE(read) << one_.place << ": " << read.error().ToString();
    ArrowSchema schema;
    ArrowArray array;
    EXPECT_TRUE(result.ToArrow(true, false, &schema, &array));
    return arrow::ImportRecordBatch(&array, &schema).ValueOrDie();
  }

 private:
  /// Holds what a KeyColumn points to.
  struct KeyValues {
    std::shared_ptr<arrow::Array> array;
    std::vector<std::string_view> texts;
    std::unique_ptr<bool[]> bools;

    KeyColumn Set(const arrow::Array& column, const ColumnInfo& key) {
      array = CanonicalKey(arrow::MakeArray(column.data()), DataType::Parse(key.type).value(), key.name, 0)
                  .value();
      const auto rows = static_cast<std::size_t>(array->length());
      if (const auto* integers = dynamic_cast<const arrow::Int64Array*>(array.get()))
        return std::span<const std::int64_t>(integers->raw_values(), rows);
      if (const auto* truths = dynamic_cast<const arrow::BooleanArray*>(array.get())) {
        bools = std::make_unique<bool[]>(rows);
        for (std::size_t i = 0; i < rows; ++i)
          bools[i] = truths->Value(static_cast<std::int64_t>(i));
        return std::span<const bool>(bools.get(), rows);
      }
      for (std::size_t i = 0; i < rows; ++i)
        texts.push_back(
            dynamic_cast<const arrow::BinaryArray&>(*array).GetView(static_cast<std::int64_t>(i)));
      return std::span<const std::string_view>(texts);
    }
  };

  SourceOpener Opener() const {
    return
        [this](const BatchSource& source, const std::map<std::string, DataType>& types, const SourceNeeds&) {
          FileSourceOptions options;
          options.column_types = types;
          return OpenFileSource(source, folder_, options);
        };
  }

  const CatalogView& View(const GoldenView& view) const { return *catalog_->View(view.name).value(); }

  static std::int64_t Int64At(const arrow::RecordBatch& rows, const std::string& column, std::int64_t row,
                              std::int64_t otherwise) {
    const auto values = rows.GetColumnByName(column);
    if (values == nullptr || values->IsNull(row)) return otherwise;
    return static_cast<const arrow::NumericArray<arrow::Int64Type>&>(
               *values->View(arrow::int64()).ValueOrDie())
        .Value(row);
  }

  void MergeRow(const GoldenView& view, const arrow::RecordBatch& rows, std::int64_t row, std::int64_t t_us) {
    PackedHeader header;
    header.order = {EventTime{Int64At(rows, "event_timestamp", row, 0)},
                    CreatedTime{Int64At(rows, "created_timestamp", row, 0)},
                    Int64At(rows, "write_time", row, row),
                    static_cast<std::uint32_t>(Int64At(rows, "origin", row, 0))};
    if (header.order.event.us > t_us) return;
    header.expires_at_us = Int64At(rows, "expires_at", row, kNeverExpires);
    if (const auto deleted = rows.GetColumnByName("is_deleted"); deleted != nullptr)
      header.is_deleted = static_cast<const arrow::BooleanArray&>(*deleted).Value(row);
    const CatalogView& known = View(view);
    arrow::ArrayVector keys;
    for (const JoinKey& key : known.join_keys)
      keys.push_back(CanonicalKey(rows.GetColumnByName(key.name), *key.type, key.name, 0).value());
    arrow::ArrayVector features;
    for (const Field& field : known.definition.fields)
      features.push_back(CastColumn(rows.GetColumnByName(field.name), field.type, field.name, 0).value());
    const PackedLayout layout = CurrentLayout(known);
    OnlineBatch batch(layout, known.id, keys, features);
    ASSERT_TRUE(batch.Add(row, header));
    const auto merged = batch.packed().Merge(*online_, {.durable = false});
    ASSERT_TRUE(merged) << merged.error().ToString();
  }

  const GoldenCase& one_;
  const fs::path folder_;
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(0);
  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<OnlineStore> online_;
  WriteTimes write_times_;
};

/// Goes through the entity rows' moments, the earliest first, and looks up what is expected at each.
template <typename Advance>
void CheckLookups(const GoldenCase& one, OnlineCase& online, const Advance& advance) {
  const auto times =
      TimesToMicros(*one.EntityBatch().value()->GetColumnByName("event_timestamp"), "t", 0).value();
  std::set<std::int64_t> moments;
  for (std::int64_t row = 0; row < times->length(); ++row)
    moments.insert(times->Value(row));
  for (const std::int64_t t_us : moments) {
    advance(t_us);
    const Batch answer = online.LookUp();
    for (const auto& expected : one.expected) {
      for (std::int64_t row = 0; row < times->length(); ++row) {
        if (times->Value(row) != t_us) continue;
        EXPECT_EQ(AnswerIn(*answer, OutputName(expected), row),
                  ExpectedText(expected.answers[static_cast<std::size_t>(row)]))
            << one.place << ", " << OutputName(expected) << ", entity row " << row << ", at "
            << FormatTimestampUs(t_us);
      }
    }
  }
}

TEST(GoldenOnline, MaterializedRowsAnswerAsWritten) {
  int run = 0;
  for (const GoldenCase& one : Cases()) {
    if (HasOwnTable(one) || one.known_by.kind != KnownBy::Kind::kAll) continue;
    const TestFolder folder;
    OnlineCase online(one, folder.path());
    CheckLookups(one, online, [&](std::int64_t t_us) { online.Materialize(t_us); });
    ++run;
  }
  EXPECT_GE(run, 15);
}

TEST(GoldenOnline, MergedRowsAnswerAsWritten) {
  int run = 0;
  int own_tables = 0;
  for (const GoldenCase& one : Cases()) {
    if (one.known_by.kind != KnownBy::Kind::kAll) continue;
    for (const bool backwards : {false, true}) {
      const TestFolder folder;
      OnlineCase online(one, folder.path());
      CheckLookups(one, online, [&](std::int64_t t_us) { online.Merge(t_us, backwards); });
    }
    ++run;
    own_tables += HasOwnTable(one) ? 1 : 0;
  }
  EXPECT_GE(run, 20);
  EXPECT_GE(own_tables, 4);  // deletions and expiry among them
}

}  // namespace
}  // namespace tidemark
