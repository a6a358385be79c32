// Goal: the main job through the public API alone, on real files, SQLite and LMDB: apply, training sets,
// loading, lookups, explanations; online equals offline; and bad input is an error that names the thing, with
// nothing changed.
#include "tidemark/store.h"
#include "base/json.h"

#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <parquet/arrow/writer.h>

#include <chrono>
#include <fstream>
#include <random>

#include "store/memory_source_testing.h"
#include "store/source_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

const auto kMicros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");

std::shared_ptr<arrow::Table> TableFrom(const std::vector<TextColumn>& columns) {
  return arrow::Table::FromRecordBatches({BatchOf(columns)}).ValueOrDie();
}

void WriteParquet(const fs::path& path, const arrow::Table& table, std::int64_t row_group_rows = 2) {
  fs::create_directories(path.parent_path());
  const auto output = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  ASSERT_TRUE(parquet::arrow::WriteTable(table, arrow::default_memory_pool(), output, row_group_rows).ok());
  ASSERT_TRUE(output->Close().ok());
}

std::int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string TextOf(const arrow::Table& table, const std::string& column) {
  const auto found = table.GetColumnByName(column);
  if (found == nullptr) return "no column " + column;
  std::string text;
  for (std::int64_t row = 0; row < found->length(); ++row) {
    text += (row > 0 ? ", " : "") + found->GetScalar(row).ValueOrDie()->ToString();
  }
  return text;
}

constexpr std::string_view kDefinitions = R"({
  "entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "int64"}]},
               {"name": "city", "join_keys": [{"name": "city", "type": "string"}]}],
  "feature_views": [
    {"name": "stats", "entities": ["driver"], "ttl": "1d",
     "source": {"type": "file", "path": "data/stats.parquet", "timestamp_field": "event_timestamp",
                "created_timestamp_column": "created"}},
    {"name": "weather", "entities": ["city"], "fields": {"rain": "float64"},
     "source": {"type": "file", "path": "data/weather.csv", "timestamp_field": "at"}},
    {"name": "sales", "entities": ["city"], "fields": {"amount": "int64", "year": "int64"}, "online": false,
     "source": {"type": "file", "path": "data/sales", "timestamp_field": "at"}}],
  "feature_services": [{"name": "model", "features": ["stats:trips", "weather"]}]})";

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    WriteStats("[10, null, 30]");
    fs::create_directories(folder_.path() / "data");
    std::ofstream(folder_.path() / "data" / "weather.csv")
        << "city,at,rain\nRome,2024-05-01T10:00:00Z,0.5\n0042,2024-05-01 11:00,\nRome,2024-05-01 "
           "11:00:00+02:00,9\n";
    for (const std::string year : {"2023", "2024"}) {
      WriteParquet(folder_.path() / "data" / "sales" / ("year=" + year) / "a.parquet",
                   *TableFrom({{"city", arrow::utf8(), R"(["Rome"])"},
                               {"at", arrow::utf8(), "[\"" + year + "-01-01\"]"},
                               {"amount", arrow::int32(), "[" + year + "]"}}));
    }
    Reopen();
    Apply(std::string(kDefinitions));
  }

  void WriteStats(const std::string& trips) {
    WriteParquet(
        folder_.path() / "data" / "stats.parquet",
        *TableFrom(
            {{"driver", arrow::int64(), "[1, 2, 1]"},
             {"event_timestamp", arrow::timestamp(arrow::TimeUnit::NANO),
              "[1714557600000000000, 1714557600000000000, 1714561200000000000]"},  // 10:00, 10:00, 11:00
             {"created", arrow::utf8(),
              R"(["2024-05-01T10:00:01Z", "2024-05-01T10:00:01Z", "2024-05-01T12:00:00Z"])"},
             {"trips", arrow::int64(), trips},
             {"tags", arrow::list(arrow::utf8()), R"([["a"], null, ["b", "c"]])"}}));
  }

  void Reopen() {
    store_.reset();
    auto store = Store::Open({.path = folder_.path(), .project = "", .create = true});
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = *std::move(store);
  }

  void Apply(const std::string& definitions) {
    const auto changes = store_->Apply(definitions, {});
    ASSERT_TRUE(changes) << changes.error().ToString();
  }

  static void Export(const arrow::Table& table, ArrowArrayStream* stream) {
    auto reader =
        std::make_shared<arrow::TableBatchReader>(arrow::Table::Make(table.schema(), table.columns()));
    const auto copy = reader->ToTable().ValueOrDie();  // the reader does not own its table
    const auto batches =
        arrow::RecordBatchReader::Make({copy->CombineChunksToBatch().ValueOrDie()}).ValueOrDie();
    ASSERT_TRUE(arrow::ExportRecordBatchReader(batches, stream).ok());
  }

  Result<std::shared_ptr<arrow::Table>> Get(const arrow::Table& rows, HistoricalOptions options) {
    ArrowArrayStream in;
    Export(rows, &in);
    ArrowArrayStream out;
    TM_TRY(store_->GetHistorical({&in, {}}, options, &out));
    EXPECT_EQ(in.release, nullptr);
    const auto reader = arrow::ImportRecordBatchReader(&out).ValueOrDie();
    auto table = reader->ToTable();
    if (!table.ok()) return Fail(ErrorCode::kInternal, table.status().ToString());
    EXPECT_TRUE((*table)->ValidateFull().ok());
    return *table;
  }

  HistoricalOptions Of(std::vector<std::string> features) {
    HistoricalOptions options;
    options.features = std::move(features);
    return options;
  }

  static std::shared_ptr<arrow::Table> Entities() {
    return TableFrom({{"driver", arrow::int32(), "[1, 2, 1, 3]"},
                      {"city", arrow::utf8(), R"(["Rome", "0042", "Rome", "Oslo"])"},
                      {"event_timestamp", kMicros,
                       "[1714561200000000, 1714561200000000, 1714557600000000, 1714561200000000]"}});
  }

  Error FailsTo(const arrow::Table& rows, const HistoricalOptions& options) {
    const auto table = Get(rows, options);
    EXPECT_FALSE(table);
    return table ? Error{} : table.error();
  }

  TestFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, TrainingSetFromParquetCsvAndHiveFolders) {
  auto options = Of({"stats", "weather:rain", "sales"});
  options.include_status = true;
  const auto table = Get(*Entities(), options);
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_EQ(TextOf(**table, "trips"), "30, null, 10, null");
  EXPECT_EQ(TextOf(**table, "trips__status"), "PRESENT, NULL_VALUE, PRESENT, NOT_FOUND");
  EXPECT_EQ(TextOf(**table, "rain"), "0.5, null, 0.5, null");  // 11:00+02:00 is 09:00
  EXPECT_EQ(TextOf(**table, "rain__status"), "PRESENT, NULL_VALUE, PRESENT, NOT_FOUND");
  EXPECT_EQ(TextOf(**table, "amount"), "2024, null, 2024, null");
  EXPECT_EQ(TextOf(**table, "year"), "2024, null, 2024, null");
  EXPECT_THAT(TextOf(**table, "tags"), HasSubstr("b"));
}

TEST_F(StoreTest, ByServiceAndBySelection) {
  HistoricalOptions service;
  service.service = "model";
  service.full_feature_names = true;
  const auto by_service = Get(*Entities(), service);
  ASSERT_TRUE(by_service) << by_service.error().ToString();
  EXPECT_THAT((*by_service)->schema()->field_names(),
              ElementsAre("driver", "city", "event_timestamp", "stats__trips", "weather__rain"));
  HistoricalOptions selection;
  selection.selection =
      R"([{"view": "stats", "features": ["trips"], "join_key_map": {"driver": "other"}, "alias": "o"}])";
  const auto rows = (*Entities()->RenameColumns({"other", "city", "event_timestamp"}));
  const auto by_selection = Get(*rows, selection);
  ASSERT_TRUE(by_selection) << by_selection.error().ToString();
  EXPECT_EQ(TextOf(**by_selection, "trips"), "30, null, 10, null");
}

TEST_F(StoreTest, EntityRowsFromFilesAndResultsToFiles) {
  WriteParquet(folder_.path() / "rows.parquet", *Entities());
  std::ofstream(folder_.path() / "rows.csv") << "driver,city,event_timestamp\n1,Rome,2024-05-01T11:00:00Z\n"
                                                "2,0042,2024-05-01 11:00:00\n1,Rome,2024-05-01T10:00:00Z\n"
                                                "3,Oslo,2024-05-01T11:00:00Z\n";
  for (const std::string from : {"rows.parquet", "rows.csv"}) {
    for (const std::string to : {"set.parquet", "set.csv"}) {
      HistoricalOptions options;
      options.service = "model";
      const auto report =
          store_->WriteHistorical({nullptr, folder_.path() / from}, options, folder_.path() / to);
      ASSERT_TRUE(report) << from << ": " << report.error().ToString();
      EXPECT_EQ(report->rows, 4);
      ArrowArrayStream out;
      // Read back through the store itself: a training set can be entity rows.
      ASSERT_TRUE(store_->GetHistorical({nullptr, folder_.path() / to}, Of({"sales:amount"}), &out));
      const auto table = arrow::ImportRecordBatchReader(&out).ValueOrDie()->ToTable().ValueOrDie();
      EXPECT_EQ(TextOf(*table, "trips"), "30, null, 10, null") << from << to;
      EXPECT_EQ(TextOf(*table, "amount"), "2024, null, 2024, null");
    }
  }
}

TEST_F(StoreTest, AStreamOutlivesTheStore) {
  ArrowArrayStream in;
  Export(*Entities(), &in);
  ArrowArrayStream out;
  ASSERT_TRUE(store_->GetHistorical({&in, {}}, Of({"stats:trips"}), &out));
  store_.reset();
  const auto table = arrow::ImportRecordBatchReader(&out).ValueOrDie()->ToTable().ValueOrDie();
  EXPECT_EQ(TextOf(*table, "trips"), "30, null, 10, null");
}

TEST_F(StoreTest, LoadsAndLooksUp) {
  // ttl is a day and the rows are old: online they are out of date now.
  const auto loaded = store_->Materialize({.views = {}, .start_us = {}, .end_us = NowUs(), .work = {}});
  ASSERT_TRUE(loaded) << loaded.error().ToString();
  ASSERT_EQ(loaded->views.size(), 2U);  // sales is not online
  EXPECT_EQ(loaded->views[0].rows_written + loaded->views[1].rows_written, 4);
  Reopen();  // what is loaded lasts
  const auto again = store_->Materialize({.views = {"stats"}, .start_us = {}, .end_us = NowUs(), .work = {}});
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->views[0].rows_read, 0);

  OnlineOptions options;
  options.service = "model";
  const auto reader = store_->PrepareOnline(options);
  ASSERT_TRUE(reader) << reader.error().ToString();
  ASSERT_EQ((*reader)->keys().size(), 2U);
  EXPECT_EQ((*reader)->keys()[1].name, "city");
  const std::vector<std::int64_t> drivers{1, 9, 2};
  const std::vector<std::string_view> cities{"Rome", "0042", "Oslo"};
  OnlineResult result;
  const std::vector<KeyColumn> keys{std::span(drivers), std::span(cities)};
  ASSERT_TRUE((*reader)->Read(keys, 3, result));
  EXPECT_EQ(result.status(0, 0), Status::kOutsideMaxAge);
  EXPECT_EQ(result.event_time_us(0, 0), 1714561200000000);
  EXPECT_EQ(result.status(0, 1), Status::kNotFound);
  EXPECT_EQ(result.status(1, 0), Status::kPresent);
  EXPECT_EQ(result.Fixed<double>(1)[0], 0.5);
  EXPECT_EQ(result.status(1, 1), Status::kNullValue);
  EXPECT_EQ(result.status(1, 2), Status::kNotFound);

  const Json described = Json::parse(store_->Describe(ObjectType::kFeatureView, "stats").value());
  EXPECT_EQ(described["online"]["newest_event_timestamp"], "2024-05-01T11:00:00Z");
  EXPECT_EQ(described["online"]["rows_written"], 0);
  EXPECT_EQ(described["online"]["files"].size(), 1U);
  EXPECT_TRUE(Json::parse(store_->Describe(ObjectType::kFeatureView, "sales").value())["online"].is_null());
  EXPECT_EQ(Json::parse(store_->OnlineStats().value())["rows"], 4);
  const Json stats = Json::parse(store_->Stats().value());
  EXPECT_EQ(stats["rows_written"], 0);
  EXPECT_EQ(stats["online"]["rows"], 4);
  EXPECT_TRUE(stats["tables"].empty());
  ASSERT_EQ(stats["loads"].size(), 2U);
  EXPECT_EQ(stats["loads"][0]["view"], "stats");
  EXPECT_EQ(stats["loads"][0]["newest_event_us"], 1714561200000000);
  ASSERT_TRUE(store_->Teardown({}));
  EXPECT_EQ(Json::parse(store_->OnlineStats().value())["rows"], 0);
  EXPECT_EQ(store_->List(ObjectType::kFeatureView).value(), "[]");
  EXPECT_TRUE((*reader)->IsCurrent(0).has_value());
  EXPECT_FALSE(*(*reader)->IsCurrent(0));
}

TEST_F(StoreTest, WritesOnlineDirectly) {
  const auto write = [&](const std::vector<TextColumn>& columns) {
    ArrowArrayStream rows;
    Export(*TableFrom(columns), &rows);
    auto report = store_->WriteToOnlineStore("stats", &rows);
    EXPECT_EQ(rows.release, nullptr);
    return report;
  };
  const std::string now = std::to_string(NowUs());
  const auto report = write({{"driver", arrow::int64(), "[7, 7, 8]"},
                             {"event_timestamp", kMicros, "[" + now + ", " + now + ", 0]"},
                             {"trips", arrow::int64(), "[1, 2, 3]"},
                             {"tags", arrow::list(arrow::utf8()), R"([null, ["x"], []])"}});
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->written, 3);
  const auto reader = store_->PrepareOnline({.features = {"stats"}, .service = "", .selection = ""});
  ASSERT_TRUE(reader) << reader.error().ToString();
  const std::vector<std::int64_t> drivers{7, 8};
  const std::vector<KeyColumn> keys{std::span(drivers)};
  OnlineResult result;
  ASSERT_TRUE((*reader)->Read(keys, 2, result));
  EXPECT_EQ(result.Fixed<std::int64_t>(0)[0], 2);
  EXPECT_EQ(result.status(0, 1), Status::kOutsideMaxAge);
  ArrowSchema schema;
  ArrowArray array;
  ASSERT_TRUE(result.ToArrow(true, true, &schema, &array));
  const auto batch = arrow::ImportRecordBatch(&array, &schema).ValueOrDie();
  EXPECT_TRUE(batch->ValidateFull().ok());
  EXPECT_THAT(batch->schema()->field_names(), ElementsAre("trips", "trips__status", "trips__event_timestamp",
                                                          "tags", "tags__status", "tags__event_timestamp"));

  const auto refused = [&](const std::vector<TextColumn>& columns, ErrorCode code) {
    const auto bad = write(columns);
    EXPECT_FALSE(bad);
    if (bad) return std::string();
    EXPECT_EQ(bad.error().code, code) << bad.error().ToString();
    return bad.error().ToString();
  };
  const TextColumn driver{"driver", arrow::int64(), "[7, 8]"};
  const TextColumn time{"event_timestamp", kMicros, "[" + now + ", " + now + "]"};
  const TextColumn trips{"trips", arrow::int64(), "[9, 9]"};
  const TextColumn tags{"tags", arrow::list(arrow::utf8()), "[[], []]"};
  EXPECT_THAT(refused({driver, time, trips}, ErrorCode::kNotFound),
              AllOf(HasSubstr("'tags'"), HasSubstr("stats")));
  EXPECT_THAT(refused({{"driver", arrow::int64(), "[7, null]"}, time, trips, tags}, ErrorCode::kInvalidData),
              AllOf(HasSubstr("'driver'"), HasSubstr("row 1")));
  EXPECT_THAT(
      refused({driver, time, {"trips", arrow::float64(), "[9, 9.5]"}, tags}, ErrorCode::kTypeMismatch),
      AllOf(HasSubstr("'trips'"), HasSubstr("row 1"), HasSubstr("9.5")));
  const std::string ahead = std::to_string(NowUs() + 3'600'000'000);
  EXPECT_THAT(refused({driver, {"event_timestamp", kMicros, "[" + now + ", " + ahead + "]"}, trips, tags},
                      ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("row 1"), HasSubstr("10 minutes")));
  ASSERT_TRUE((*reader)->Read(keys, 2, result));
  EXPECT_EQ(result.Fixed<std::int64_t>(0)[0], 2);  // nothing of those was written
}

TEST_F(StoreTest, AWriteOfManyKeysKeepsItsOrder) {
  std::string drivers = "[";
  std::string times = "[";
  std::string trips = "[";
  const std::string now = std::to_string(NowUs());
  for (int i = 0; i < 1000; ++i) {
    const std::string comma = i > 0 ? ", " : "";
    drivers += comma + std::to_string(i % 10);
    times += comma + now;
    trips += comma + std::to_string(i);
  }
  for (const std::string last : {", 5", ", 6"}) {
    ArrowArrayStream rows;
    Export(*TableFrom({{"driver", arrow::int64(), drivers + ", 0]"},
                       {"event_timestamp", kMicros, times + ", " + now + "]"},
                       {"trips", arrow::int64(), trips + last + "]"},
                       {"tags", arrow::null(),
                        "[" + std::string("null") +
                            [] {
                              std::string more;
                              for (int i = 0; i < 1000; ++i)
                                more += ", null";
                              return more;
                            }() +
                            "]"}}),
           &rows);
    const auto report = store_->WriteToOnlineStore("stats", &rows);
    ASSERT_TRUE(report) << report.error().ToString();
    const auto reader = store_->PrepareOnline({.features = {"stats:trips"}, .service = "", .selection = ""});
    ASSERT_TRUE(reader);
    const std::vector<std::int64_t> keys{0, 3};
    const std::vector<KeyColumn> columns{std::span(keys)};
    OnlineResult result;
    ASSERT_TRUE((*reader)->Read(columns, 2, result));
    EXPECT_EQ(std::to_string(result.Fixed<std::int64_t>(0)[0]), last.substr(2));
    EXPECT_EQ(result.Fixed<std::int64_t>(0)[1], 993);
  }
}

// Goal: work that reads files hears a stop, and an apply or teardown that was stopped changed nothing.
TEST_F(StoreTest, StopsWhenItIsAskedTo) {
  std::stop_source stop;
  stop.request_stop();
  const WorkOptions work{.stop = stop.get_token(), .progress = {}};
  const auto code = [](const auto& result) { return result ? ErrorCode::kInternal : result.error().code; };
  std::string changed(kDefinitions);
  const ApplyOptions options{.remove_missing = false, .remove = {}, .work = work};
  const std::string views = store_->List(ObjectType::kFeatureView).value();
  changed.replace(changed.find("\"stats\""), 7, "\"facts\"");
  EXPECT_EQ(code(store_->Plan(changed, options)), ErrorCode::kCancelled);
  EXPECT_EQ(code(store_->Apply(changed, options)), ErrorCode::kCancelled);
  EXPECT_EQ(code(store_->Teardown(work)), ErrorCode::kCancelled);
  EXPECT_EQ(store_->List(ObjectType::kFeatureView).value(), views);
  EXPECT_EQ(code(store_->Explain("stats:trips", R"({"driver": 1})", {.t_us = {}, .work = work})),
            ErrorCode::kCancelled);
}

TEST_F(StoreTest, Explains) {
  ASSERT_TRUE(store_->Materialize({.views = {}, .start_us = {}, .end_us = NowUs(), .work = {}}));
  const auto explain = [&](const std::string& feature, const std::string& key, std::int64_t t_us) {
    const auto text = store_->Explain(feature, key, {.t_us = t_us});
    EXPECT_TRUE(text) << text.error().ToString();
    return text ? Json::parse(*text) : Json();
  };
  const std::int64_t noon = 1714564800000000;
  Json json = explain("stats:trips", R"({"driver": 1})", noon);
  EXPECT_EQ(json["status"], "PRESENT");
  EXPECT_EQ(json["value"], 30);
  EXPECT_EQ(json["row"]["row"], 2);
  EXPECT_EQ(json["row"]["event_timestamp"], "2024-05-01T11:00:00Z");
  EXPECT_EQ(json["row"]["created_timestamp"], "2024-05-01T12:00:00Z");
  EXPECT_THAT(json["row"]["file"].text(), HasSubstr("stats.parquet"));
  EXPECT_EQ(json["row"]["age"], "1h");
  EXPECT_EQ(json["rows_of_key"], 2);
  EXPECT_EQ(json["rows_up_to_then"], 2);
  EXPECT_EQ(json["ttl"], "1d");
  EXPECT_EQ(json["online"]["status"], "OUTSIDE_MAX_AGE");
  EXPECT_EQ(explain("stats:trips", R"({"driver": 1})", noon - 3'600'000'001)["value"], 10);
  EXPECT_EQ(explain("stats:trips", R"({"driver": 2})", noon)["status"], "NULL_VALUE");
  EXPECT_EQ(explain("stats:tags", R"({"driver": 1})", noon)["value"], Json::parse(R"(["b", "c"])"));
  json = explain("stats:trips", R"({"driver": 1})", noon + 86'400'000'000);
  EXPECT_EQ(json["status"], "OUTSIDE_MAX_AGE");
  EXPECT_THAT(json["decision"].text(), HasSubstr("ttl 1d"));
  json = explain("stats:trips", R"({"driver": 1})", 0);
  EXPECT_THAT(json["decision"].text(), HasSubstr("later"));
  EXPECT_TRUE(json["row"].is_null());
  EXPECT_THAT(explain("stats:trips", R"({"driver": 5})", noon)["decision"].text(), HasSubstr("no row"));
  json = explain("weather:rain", R"({"city": "Rome"})", noon);
  EXPECT_EQ(json["value"], 0.5);
  EXPECT_EQ(json["row"]["row"], 2) << "of a CSV file, whose header is row 1";
  EXPECT_EQ(json["online"]["value"], 0.5);
  EXPECT_TRUE(explain("sales:amount", R"({"city": "Rome"})", noon)["online"].is_null());

  const auto refused = [&](const std::string& feature, const std::string& key) {
    const auto text = store_->Explain(feature, key, {});
    EXPECT_FALSE(text) << key;
    return text ? std::string() : text.error().ToString();
  };
  EXPECT_THAT(refused("stats:trip", R"({"driver": 1})"), HasSubstr("did you mean 'trips'"));
  EXPECT_THAT(refused("stats", R"({"driver": 1})"), HasSubstr("view:feature"));
  EXPECT_THAT(refused("stats:trips", R"({"driver": "1"})"), HasSubstr("driver"));
  EXPECT_THAT(refused("stats:trips", R"({"driver": 1.5})"), HasSubstr("1.5"));
  EXPECT_THAT(refused("stats:trips", R"({"driver": 9223372036854775808})"), HasSubstr("9223372036854775808"));
  EXPECT_THAT(refused("stats:trips", R"({"driver": null})"), HasSubstr("driver"));
  EXPECT_THAT(refused("stats:trips", R"({"drver": 1})"), HasSubstr("did you mean 'driver'"));
  EXPECT_THAT(refused("stats:trips", "{}"), HasSubstr("'driver'"));
  EXPECT_THAT(refused("stats:trips", "{"), HasSubstr("JSON"));
  EXPECT_THAT(refused("stats:trips", "\xFF{"), HasSubstr("JSON"));
  EXPECT_THAT(
      refused("stats:trips", R"({"driver": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}"),
      HasSubstr("driver"));
}

TEST_F(StoreTest, NamesWhatIsAskedForInVain) {
  const auto message = [&](const HistoricalOptions& options, ErrorCode code) {
    const Error error = FailsTo(*Entities(), options);
    EXPECT_EQ(error.code, code) << error.ToString();
    return error.ToString();
  };
  EXPECT_THAT(message(Of({"stat:trips"}), ErrorCode::kNotFound), HasSubstr("did you mean 'stats'"));
  EXPECT_THAT(message(Of({"stats:tripz"}), ErrorCode::kNotFound), HasSubstr("did you mean 'trips'"));
  EXPECT_THAT(message(Of({"stats:"}), ErrorCode::kInvalidArgument), HasSubstr("stats:"));
  EXPECT_THAT(message(Of({"a:b:c"}), ErrorCode::kInvalidArgument), HasSubstr("a:b:c"));
  message(Of({}), ErrorCode::kInvalidArgument);
  EXPECT_THAT(message(Of({"stats:trips", "stats:trips"}), ErrorCode::kInvalidArgument),
              HasSubstr("'stats:trips'"));
  HistoricalOptions both = Of({"stats:trips"});
  both.service = "model";
  message(both, ErrorCode::kInvalidArgument);
  HistoricalOptions service;
  service.service = "modell";
  EXPECT_THAT(message(service, ErrorCode::kNotFound), HasSubstr("did you mean 'model'"));
  HistoricalOptions selection;
  for (const std::string text : {"[", "{}", "[1]", R"([{"view": "stats", "join_key_map": {"x": "y"}}])",
                                 R"([{"view": "stats", "alias": "../x"}])", R"([{"vew": "stats"}])"}) {
    selection.selection = text;
    message(selection, ErrorCode::kInvalidArgument);
  }
  HistoricalOptions known = Of({"stats:trips"});
  known.known_by_us = 5;
  known.known_by_event = true;
  message(known, ErrorCode::kInvalidArgument);
  HistoricalOptions column = Of({"stats:trips"});
  column.event_timestamp_column = "when";
  EXPECT_THAT(message(column, ErrorCode::kNotFound), HasSubstr("'when'"));
  ArrowArrayStream out;
  EXPECT_EQ(store_->GetHistorical({}, Of({"stats"}), &out).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->GetHistorical({nullptr, folder_.path() / "no.parquet"}, Of({"stats"}), &out).error().code,
            ErrorCode::kNotFound);
}

TEST_F(StoreTest, DamagedSourcesAreNamed) {
  const fs::path path = folder_.path() / "data" / "stats.parquet";
  const auto size = fs::file_size(path);
  fs::resize_file(path, size / 2);
  Error error = FailsTo(*Entities(), Of({"stats:trips"}));
  EXPECT_EQ(error.code, ErrorCode::kCorruption);
  EXPECT_THAT(error.ToString(), AllOf(HasSubstr("view stats"), HasSubstr("stats.parquet")));
  const auto loaded =
      store_->Materialize({.views = {"stats"}, .start_us = {}, .end_us = NowUs(), .work = {}});
  EXPECT_FALSE(loaded);
  fs::remove(path);
  EXPECT_EQ(FailsTo(*Entities(), Of({"stats:trips"})).code, ErrorCode::kNotFound);
  std::ofstream(folder_.path() / "data" / "weather.csv")
      << "city,at,rain\nRome,2024-05-01,1\nOslo,2024-05-01\n";
  error = FailsTo(*Entities(), Of({"weather"}));
  EXPECT_EQ(error.code, ErrorCode::kInvalidData);
  EXPECT_THAT(error.ToString(), AllOf(HasSubstr("view weather"), HasSubstr("weather.csv")));
  std::ofstream(folder_.path() / "data" / "weather.csv") << "city,at,rain\nRome,2024-05-01,1\nOslo,May,2\n";
  error = FailsTo(*Entities(), Of({"weather"}));
  EXPECT_EQ(error.code, ErrorCode::kInvalidData);
  EXPECT_THAT(error.ToString(), AllOf(HasSubstr("'at'"), HasSubstr("row 3"), HasSubstr("May")));
}

TEST_F(StoreTest, WhatIsRefusedChangesNothing) {
  const std::string before = store_->List(ObjectType::kFeatureView).value();
  for (const std::string& definitions :
       {std::string("{"), std::string(R"({"feature_views": [{"name": "../x"}]})"),
        std::string(R"({"entities": [{"name": "new"}], "feature_views": [{"name": "v", "entities": ["nobody"],
                      "fields": {"a": "int64"}}]})"),
        std::string(R"({"project": "other"})"), std::string("\xFF"), std::string("- [}")}) {
    EXPECT_FALSE(store_->Apply(definitions, {})) << definitions;
    EXPECT_FALSE(store_->Plan(definitions, {})) << definitions;
  }
  EXPECT_EQ(store_->List(ObjectType::kFeatureView).value(), before);
  EXPECT_FALSE(store_->List(ObjectType::kEntity).value().contains("new"));
  EXPECT_EQ(store_->Materialize({.views = {"nobody"}, .start_us = {}, .end_us = 0, .work = {}}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(store_->Materialize({.views = {"sales"}, .start_us = {}, .end_us = 0, .work = {}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->Materialize({.views = {"stats"}, .start_us = 2, .end_us = 1, .work = {}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->Describe(ObjectType::kEntity, "drivr").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->PrepareOnline({.features = {"sales"}, .service = "", .selection = ""}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(StoreTest, ProgressAndInterrupts) {
  std::vector<std::string> seen;
  HistoricalOptions options = Of({"stats", "weather"});
  options.work.progress = [&](const Progress& progress) { seen.emplace_back(progress.what); };
  ASSERT_TRUE(Get(*Entities(), options));
  EXPECT_THAT(seen, testing::IsSupersetOf({"reading stats", "reading weather"}));
  std::stop_source stop;
  stop.request_stop();
  options.work.stop = stop.get_token();
  EXPECT_EQ(FailsTo(*Entities(), options).code, ErrorCode::kCancelled);
  MaterializeOptions load{.views = {}, .start_us = {}, .end_us = NowUs(), .work = {}};
  load.work.stop = stop.get_token();
  EXPECT_EQ(store_->Materialize(load).error().code, ErrorCode::kCancelled);
}

TEST(StoreOpen, SaysWhyItCannot) {
  const TestFolder folder;
  const auto code = [&](const StoreOptions& options) {
    const auto store = Store::Open(options);
    EXPECT_FALSE(store);
    return store ? ErrorCode::kInternal : store.error().code;
  };
  EXPECT_EQ(code({.path = folder.path() / "none", .project = "", .create = false}), ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(folder.path() / "none"));
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_EQ(code({.path = folder.path() / "file", .project = "", .create = true}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.path = folder.path(), .project = "a b", .create = true}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.path = "", .project = "", .create = true}), ErrorCode::kInvalidArgument);
  std::ofstream(folder.path() / "tidemark.yaml") << "threds: 2\n";
  EXPECT_EQ(code({.path = folder.path(), .project = "", .create = true}), ErrorCode::kInvalidArgument);
  std::ofstream(folder.path() / "tidemark.yaml") << "threads: 2\n";
  fs::create_directories(folder.path() / ".tidemark");
  std::ofstream(folder.path() / ".tidemark" / "registry.db") << std::string(5000, 'x');
  EXPECT_EQ(code({.path = folder.path(), .project = "", .create = true}), ErrorCode::kCorruption);
}

/// 30,000 rows of some 12,000 keys, a few of them too long to be stored whole.
void WriteRandomFile(const fs::path& path, std::mt19937_64& random) {
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  arrow::StringBuilder keys;
  arrow::Int64Builder values;
  arrow::TimestampBuilder times(kMicros, arrow::default_memory_pool());
  for (int i = 0; i < 30'000; ++i) {
    const std::string key =
        "key " + std::to_string(below(12'000)) + std::string(below(50) == 0 ? 450 : 0, 'k');
    ASSERT_TRUE(keys.Append(key).ok());
    ASSERT_TRUE(times.Append(NowUs() - below(200) * 60'000'000).ok());
    ASSERT_TRUE((below(7) == 0 ? values.AppendNull() : values.Append(below(1'000'000'000))).ok());
  }
  WriteParquet(path,
               *arrow::Table::Make(
                   arrow::schema({arrow::field("key", arrow::utf8()), arrow::field("at", kMicros),
                                  arrow::field("value", arrow::int64())}),
                   {keys.Finish().ValueOrDie(), times.Finish().ValueOrDie(), values.Finish().ValueOrDie()}),
               7'000);
}

/// The training set of view v for `texts` at one moment, in one batch.
std::shared_ptr<arrow::RecordBatch> OfflineAt(Store& store, const std::vector<std::string>& texts,
                                              std::int64_t at_us) {
  arrow::StringBuilder keys;
  arrow::TimestampBuilder times(kMicros, arrow::default_memory_pool());
  for (const std::string& text : texts)
    EXPECT_TRUE(keys.Append(text).ok() && times.Append(at_us).ok());
  const auto rows = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("key", arrow::utf8()), arrow::field("event_timestamp", kMicros)}),
      std::ssize(texts), {keys.Finish().ValueOrDie(), times.Finish().ValueOrDie()});
  ArrowArrayStream in;
  EXPECT_TRUE(arrow::ExportRecordBatchReader(arrow::RecordBatchReader::Make({rows}).ValueOrDie(), &in).ok());
  ArrowArrayStream out;
  HistoricalOptions options;
  options.features = {"v"};
  options.include_status = true;
  const auto got = store.GetHistorical({&in, {}}, options, &out);
  if (!got) {
    ADD_FAILURE() << got.error().ToString();
    return nullptr;
  }
  const auto table = arrow::ImportRecordBatchReader(&out).ValueOrDie()->ToTable().ValueOrDie();
  return table->CombineChunksToBatch().ValueOrDie();
}

void ExpectBothSidesAgree(Store& store) {
  std::vector<std::string> texts;
  for (int i = 0; i < 12'500; ++i)
    texts.push_back("key " + std::to_string(i) + std::string(i % 3 == 0 ? 450 : 0, 'k'));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto reader = store.PrepareOnline({.features = {"v"}, .service = "", .selection = ""});
  ASSERT_TRUE(reader) << reader.error().ToString();
  OnlineResult result;
  const std::vector<KeyColumn> keys{std::span(views)};
  const std::int64_t before_us = NowUs();
  ASSERT_TRUE((*reader)->Read(keys, views.size(), result));
  const auto offline = OfflineAt(store, texts, before_us);
  ASSERT_NE(offline, nullptr);
  const auto& values = static_cast<const arrow::Int64Array&>(*offline->GetColumnByName("value"));
  const auto& statuses = static_cast<const arrow::StringArray&>(*offline->GetColumnByName("value__status"));
  int present = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    // A row that goes out of date between the two moments is the only difference there may be.
    if (statuses.GetView(row) != StatusName(result.status(0, i))) {
      ASSERT_EQ(result.status(0, i), Status::kOutsideMaxAge) << texts[i];
      continue;
    }
    if (result.status(0, i) != Status::kPresent) continue;
    ++present;
    ASSERT_EQ(values.Value(row), result.Fixed<std::int64_t>(0)[i]) << texts[i];
  }
  EXPECT_GT(present, 1000);
}

TEST(StoreRandom, OnlineEqualsOfflineThroughFiles) {
  std::mt19937_64 random(11);  // NOLINT(cert-msc51-cpp): the same cases each time
  for (int round = 0; round < 4; ++round) {
    const TestFolder folder;
    std::ofstream(folder.path() / "tidemark.yaml")
        << (round % 2 == 0 ? "memory_limit: 16MiB\n" : "threads: 2\n");
    WriteRandomFile(folder.path() / "data" / "b.parquet", random);
    const auto store = Store::Open({.path = folder.path(), .project = "", .create = true});
    ASSERT_TRUE(store) << store.error().ToString();
    const auto applied = (*store)->Apply(
        R"({"entities": [{"name": "key", "join_keys": [{"name": "key", "type": "string"}]}],
            "feature_views": [{"name": "v", "entities": ["key"], "ttl": "2h",
                               "source": {"type": "file", "path": "data", "timestamp_field": "at"}}]})",
        {});
    ASSERT_TRUE(applied) << applied.error().ToString();
    for (const std::string name : {"", "c.parquet", "a.parquet"}) {
      if (!name.empty()) WriteRandomFile(folder.path() / "data" / name, random);
      const auto loaded = (*store)->Materialize({.views = {}, .start_us = {}, .end_us = NowUs(), .work = {}});
      ASSERT_TRUE(loaded) << loaded.error().ToString();
    }
    ExpectBothSidesAgree(**store);
  }
}

}  // namespace
}  // namespace tidemark
