// Goal: a training set has the rows that came in, in their order, with the values that the rule gives,
// whatever the blocks, fragments, types and nulls; and what is wrong is named.
#include "engine/historical.h"
#include "base/json.h"

#include <arrow/compute/cast.h>
#include <gmock/gmock.h>

#include <random>

#include "engine/engine_testing.h"
#include "engine/json_value.h"
#include "engine/row_values.h"
#include "engine/selection.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/golden_testing.h"
#include "pit/naive_testing.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kDefinitions = R"({
  "entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "int64"}]},
               {"name": "city", "join_keys": [{"name": "city", "type": "string"}]}],
  "feature_views": [
    {"name": "stats", "entities": ["driver"], "ttl": "10s", "fields": {"trips": "int64", "name": "string"},
     "source": {"type": "file", "path": "stats", "timestamp_field": "event_timestamp",
                "created_timestamp_column": "created"}},
    {"name": "weather", "entities": ["city"], "fields": {"rain": "float32"},
     "source": {"type": "file", "path": "weather", "timestamp_field": "event_timestamp"}},
    {"name": "pair", "entities": ["driver", "city"], "fields": {"score": "float64"},
     "source": {"type": "file", "path": "pair", "timestamp_field": "event_timestamp"}},
    {"name": "world", "entities": [], "fields": {"rate": "int32"},
     "source": {"type": "file", "path": "world", "timestamp_field": "event_timestamp"}}]})";

std::string At(std::int64_t second) {
  return '"' + FormatTimestampUs(AtSecond(second)).substr(0, 19) + '"';
}
std::string Times(const std::vector<std::int64_t>& seconds) {
  std::string text = "[";
  for (const std::int64_t second : seconds)
    text += (text.size() > 1 ? ", " : "") + At(second);
  return text + "]";
}

const auto kInt64 = arrow::int64();
const auto kNaive = arrow::timestamp(arrow::TimeUnit::MICRO);

class HistoricalTest : public testing::Test {
 protected:
  HistoricalTest() {
    scene_.source("stats") = {{"a",
                               BatchOf({{"driver", kInt64, "[1, 1, 2, 1]"},
                                        {"event_timestamp", kNaive, Times({0, 5, 0, 5})},
                                        {"created", kNaive, Times({1, 7, 1, 6})},
                                        {"trips", kInt64, "[10, 11, null, 99]"},
                                        {"name", arrow::utf8(), R"(["x", "y", "z", "late"])"}}),
                               2, 1}};
    scene_.source("weather") = {{"a",
                                 BatchOf({{"city", arrow::large_utf8(), R"(["Rome", "Oslo"])"},
                                          {"event_timestamp", arrow::date32(), "[19844, 19844]"},
                                          {"rain", arrow::float32(), "[0.5, 1.5]"}}),
                                 0, 1}};
    scene_.source("pair") = {{"a",
                              BatchOf({{"driver", arrow::int32(), "[1, 1, 2]"},
                                       {"city", arrow::utf8(), R"(["Rome", "Oslo", "Rome"])"},
                                       {"event_timestamp", kNaive, Times({0, 0, 0})},
                                       {"score", arrow::float64(), "[0.25, 0.5, null]"}}),
                              0, 1}};
    scene_.source("world") = {
        {"a", BatchOf({{"event_timestamp", kNaive, Times({0, 4})}, {"rate", arrow::int32(), "[3, 4]"}}), 1,
         1}};
    scene_.Apply(std::string(kDefinitions));
  }

  std::shared_ptr<arrow::Table> Entities(const std::string& drivers,
                                         const std::vector<std::int64_t>& seconds) {
    return TableOf({{"driver", kInt64, drivers}, {"event_timestamp", kNaive, Times(seconds)}});
  }

  std::shared_ptr<arrow::Table> Get(const std::shared_ptr<arrow::Table>& rows,
                                    const std::vector<std::string>& features,
                                    const std::function<void(HistoricalRequest&)>& adjust = {}) {
    auto table = scene_.Historical(rows, features, adjust);
    EXPECT_TRUE(table) << table.error().ToString();
    return table ? *table : TableOf({});
  }

  Error Fails(const std::shared_ptr<arrow::Table>& rows, const std::vector<std::string>& features,
              const std::function<void(HistoricalRequest&)>& adjust = {}) {
    const auto table = scene_.Historical(rows, features, adjust);
    EXPECT_FALSE(table);
    return table ? Error{} : table.error();
  }

  Scene scene_;
};

TEST_F(HistoricalTest, KeepsRowsOrderColumnsAndDuplicates) {
  const auto rows =
      TableOf({{"label", arrow::dictionary(arrow::int8(), arrow::utf8()), R"(["p", null, "p", "q", "r"])"},
               {"driver", arrow::int16(), "[2, 1, 1, 3, 1]"},
               {"when", arrow::timestamp(arrow::TimeUnit::SECOND, "Europe/Rome"),
                "[1714564801, 1714564806, 1714564806, 1714564801, 1714564799]"}});
  const auto table = Get(rows, {"stats:trips"});
  EXPECT_THAT(table->schema()->field_names(), ElementsAre("label", "driver", "when", "trips"));
  for (const std::string column : {"label", "driver", "when"}) {
    EXPECT_TRUE(table->GetColumnByName(column)->Equals(rows->GetColumnByName(column))) << column;
  }
  EXPECT_EQ(TextOf(*table, "trips"), "null, 11, 11, null, null");
  EXPECT_EQ(table->GetColumnByName("trips")->type()->ToString(), "int64");
}

TEST_F(HistoricalTest, SaysTheStatusOfEveryValue) {
  const auto table = Get(Entities("[2, 1, 3, 1, 1]", {1, 5, 1, 15, 16}), {"stats"},
                         [](HistoricalRequest& request) { request.include_status = true; });
  EXPECT_THAT(table->schema()->field_names(),
              ElementsAre("driver", "event_timestamp", "trips", "trips__status", "name", "name__status"));
  EXPECT_EQ(
      TextOf(*table, "trips__status"),
      R"("NULL_VALUE", "PRESENT", "NOT_FOUND", "PRESENT", "OUTSIDE_MAX_AGE")");  // the boundary is fresh
  EXPECT_EQ(TextOf(*table, "trips"), "null, 11, null, 11, null");
  EXPECT_EQ(TextOf(*table, "name"), R"("z", "y", null, "y", null)");
}

TEST_F(HistoricalTest, KnownBy) {
  const auto rows = Entities("[1, 1, 1]", {5, 6, 7});
  EXPECT_EQ(TextOf(*Get(rows, {"stats:trips"},
                        [](auto& request) { request.known_by = {KnownBy::Kind::kEntityRow, 0}; }),
                   "trips"),
            "10, 99, 11");
  EXPECT_EQ(TextOf(*Get(rows, {"stats:trips"},
                        [](auto& request) { request.known_by = {KnownBy::Kind::kTime, AtSecond(6)}; }),
                   "trips"),
            "99, 99, 99");
  const Error error =
      Fails(rows, {"world"}, [](auto& request) { request.known_by = {KnownBy::Kind::kEntityRow, 0}; });
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.ToString(), HasSubstr("'world'"));
}

TEST_F(HistoricalTest, SeveralViewsSeveralKeysAndNone) {
  const auto rows = TableOf({{"city", arrow::utf8(), R"(["Rome", "Oslo", "Rome", "Bonn"])"},
                             {"driver", kInt64, "[1, 1, 2, 1]"},
                             {"event_timestamp", kNaive, Times({0, 4, 5, 5})}});
  const auto table = Get(rows, {"pair", "world:rate", "weather", "stats:trips"});
  EXPECT_EQ(TextOf(*table, "score"), "0.25, 0.5, null, null");
  EXPECT_EQ(TextOf(*table, "rate"), "3, 4, 4, 4");
  EXPECT_EQ(TextOf(*table, "rain"), "0.5, 1.5, 0.5, null");
  EXPECT_EQ(TextOf(*table, "trips"), "10, 10, null, 11");
}

TEST_F(HistoricalTest, OneViewTwiceUnderAliases) {
  const auto rows = TableOf({{"from", kInt64, "[1, 2, 3]"},
                             {"to", arrow::uint8(), "[2, 1, 1]"},
                             {"event_timestamp", kNaive, Times({5, 5, 5})}});
  const auto known = scene_.catalog();
  const auto table = Get(rows, {"stats:name"}, [&](HistoricalRequest& request) {
    request.selection = Resolve(*known,
                                {{"stats", {"name"}, {{"driver", "from"}}, "origin"},
                                 {"stats", {"name", "trips"}, {{"driver", "to"}}, "destination"},
                                 {"stats", {"trips"}, {{"driver", "from"}}, "origin"}},
                                true)
                            .value();
    EXPECT_EQ(request.selection.views.size(), 2U);
  });
  EXPECT_EQ(TextOf(*table, "origin__name"), R"("y", "z", null)");
  EXPECT_EQ(TextOf(*table, "destination__name"), R"("z", "y", "y")");
  EXPECT_EQ(TextOf(*table, "destination__trips"), "null, 11, 11");
  EXPECT_EQ(TextOf(*table, "origin__trips"), "11, null, null");
}

TEST_F(HistoricalTest, NoEntityRowsGiveTheColumns) {
  const auto table =
      Get(Entities("[]", {}), {"stats", "world"}, [](auto& request) { request.include_status = true; });
  EXPECT_EQ(table->num_rows(), 0);
  EXPECT_EQ(table->num_columns(), 8);
}

TEST_F(HistoricalTest, AnEmptySourceGivesNulls) {
  for (const std::int64_t fragment_rows : {0, 3}) {
    auto& file = scene_.source("stats")[0];
    file.rows = file.rows->Slice(0, 0);
    file.fragment_rows = fragment_rows;
    const auto table =
        Get(Entities("[1, 2]", {5, 5}), {"stats"}, [](auto& request) { request.include_status = true; });
    EXPECT_EQ(TextOf(*table, "trips"), "null, null");
    EXPECT_EQ(TextOf(*table, "name__status"), R"("NOT_FOUND", "NOT_FOUND")");
  }
}

TEST_F(HistoricalTest, NamesWhatIsWrongWithEntityRows) {
  const auto message = [&](const std::shared_ptr<arrow::Table>& rows, ErrorCode code) {
    const Error error = Fails(rows, {"stats:trips"});
    EXPECT_EQ(error.code, code) << error.ToString();
    return error.ToString();
  };
  EXPECT_THAT(message(TableOf({{"drivr", kInt64, "[1]"}, {"event_timestamp", kNaive, Times({1})}}),
                      ErrorCode::kNotFound),
              testing::AllOf(HasSubstr("'driver'"), HasSubstr("did you mean 'drivr'")));
  EXPECT_THAT(message(TableOf({{"driver", kInt64, "[1]"}}), ErrorCode::kInvalidArgument),
              HasSubstr("event timestamp"));
  EXPECT_THAT(message(TableOf({{"driver", kInt64, "[1]"}, {"a", kNaive, "[0]"}, {"b", kNaive, "[0]"}}),
                      ErrorCode::kInvalidArgument),
              HasSubstr("a, b"));
  EXPECT_THAT(
      message(Entities("[1, 2, 3, 4, 5, 6, 7, null]", {1, 1, 1, 1, 1, 1, 1, 1}), ErrorCode::kInvalidData),
      testing::AllOf(HasSubstr("'driver'"), HasSubstr("row 7")));
  EXPECT_THAT(
      message(TableOf({{"driver", arrow::float64(), "[1.0]"}, {"event_timestamp", kNaive, Times({1})}}),
              ErrorCode::kTypeMismatch),
      HasSubstr("double"));
  EXPECT_THAT(message(TableOf({{"driver", kInt64, "[1, 1]"},
                               {"event_timestamp", arrow::utf8(), R"(["2024-05-01", "yesterday"])"}}),
                      ErrorCode::kInvalidData),
              testing::AllOf(HasSubstr("'event_timestamp'"), HasSubstr("row 1"), HasSubstr("yesterday")));
  EXPECT_THAT(
      message(TableOf({{"driver", kInt64, "[1]"}, {"driver", kInt64, "[1]"}, {"t", kNaive, Times({1})}}),
              ErrorCode::kInvalidArgument),
      HasSubstr("several columns 'driver'"));
  EXPECT_THAT(
      message(TableOf({{"driver", kInt64, "[1]"}, {"trips", kInt64, "[1]"}, {"t", kNaive, Times({1})}}),
              ErrorCode::kInvalidArgument),
      testing::AllOf(HasSubstr("'trips'"), HasSubstr("full_feature_names")));
}

TEST_F(HistoricalTest, NamesWhatIsWrongWithTheSource) {
  const auto message = [&](const TextColumn& column, ErrorCode code) {
    auto& rows = scene_.source("stats")[0].rows;
    const auto before = rows;
    const auto changed = BatchOf({column})->column(0);
    rows = *before->SetColumn(before->schema()->GetFieldIndex(column.name),
                              arrow::field(column.name, column.type), changed);
    const Error error = Fails(Entities("[1]", {9}), {"stats:trips"});
    EXPECT_EQ(error.code, code) << error.ToString();
    EXPECT_THAT(error.ToString(),
                testing::AllOf(HasSubstr("view stats"), HasSubstr("file a"), HasSubstr(column.name)));
    rows = before;
    return error.ToString();
  };
  EXPECT_THAT(message({"driver", kInt64, "[1, 1, 2, null]"}, ErrorCode::kInvalidData), HasSubstr("row 3"));
  EXPECT_THAT(message({"event_timestamp", kNaive, "[0, 0, null, 0]"}, ErrorCode::kInvalidData),
              HasSubstr("row 2"));
  EXPECT_THAT(message({"created", arrow::utf8(), R"(["2024-01-01", "2024-01-01", "2024-01-01", "soon"])"},
                      ErrorCode::kInvalidData),
              testing::AllOf(HasSubstr("row 3"), HasSubstr("soon")));
  EXPECT_THAT(message({"trips", arrow::float64(), "[1.0, 11.5, 2.0, 3.0]"}, ErrorCode::kTypeMismatch),
              testing::AllOf(HasSubstr("row 1"), HasSubstr("11.5")));
  auto& rows = scene_.source("stats")[0].rows;
  rows = *rows->RemoveColumn(rows->schema()->GetFieldIndex("trips"));
  EXPECT_THAT(Fails(Entities("[7]", {9}), {"stats:trips"}).ToString(),
              testing::AllOf(HasSubstr("view stats"), HasSubstr("no column 'trips'")));
}

TEST_F(HistoricalTest, FinerTimesAreCutWithOneWarning) {
  auto& file = scene_.source("world")[0];
  file.rows = BatchOf({{"event_timestamp", arrow::timestamp(arrow::TimeUnit::NANO),
                        "[1714564800000000999, 1714564804000000001]"},
                       {"rate", arrow::int32(), "[3, 4]"}});
  const auto table = Get(
      TableOf({{"t", arrow::timestamp(arrow::TimeUnit::NANO), "[1714564800000000000, 1714564804000000001]"}}),
      {"world"});
  EXPECT_EQ(TextOf(*table, "rate"), "3, 4");
  EXPECT_THAT(scene_.warnings(), ElementsAre(HasSubstr("entity rows"), HasSubstr("view world")));
}

TEST_F(HistoricalTest, AStopIsHeard) {
  std::stop_source stop;
  stop.request_stop();
  const Error error = Fails(Entities("[1]", {5}), {"stats"},
                            [&](HistoricalRequest& request) { request.stop = stop.get_token(); });
  EXPECT_EQ(error.code, ErrorCode::kCancelled);
}

/// Gives some batches, then an error.
class FailingReader final : public arrow::RecordBatchReader {
 public:
  explicit FailingReader(std::shared_ptr<arrow::RecordBatch> batch) : batch_(std::move(batch)) {}
  std::shared_ptr<arrow::Schema> schema() const override { return batch_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    if (++calls_ > 3) return arrow::Status::IOError("the line is cut");
    *batch = batch_;
    return arrow::Status::OK();
  }

 private:
  std::shared_ptr<arrow::RecordBatch> batch_;
  int calls_ = 0;
};

TEST_F(HistoricalTest, AStreamThatFailedStaysFailed) {
  // Two batches make the first block; the third is in the second, which the error spoils.
  std::vector<std::int64_t> drivers(5'000, 1);
  arrow::Int64Builder builder;
  ASSERT_TRUE(builder.AppendValues(drivers).ok());
  arrow::TimestampBuilder times(kNaive, arrow::default_memory_pool());
  for (std::size_t i = 0; i < drivers.size(); ++i)
    ASSERT_TRUE(times.Append(AtSecond(5)).ok());
  const auto batch = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("driver", kInt64), arrow::field("event_timestamp", kNaive)}), 5'000,
      {builder.Finish().ValueOrDie(), times.Finish().ValueOrDie()});
  const auto known = scene_.catalog();
  HistoricalRequest request;
  request.selection = Resolve(*known, SelectionsFromRefs({"stats:trips"}).value(), false).value();
  request.memory_bytes_max = 1;  // blocks of the least size, 10,000 rows
  const auto reader = GetHistorical(known, std::make_shared<FailingReader>(batch), std::move(request),
                                    scene_.openers(), std::make_shared<Warnings>());
  ASSERT_TRUE(reader) << reader.error().ToString();
  std::int64_t rows = 0;
  std::shared_ptr<arrow::RecordBatch> next;
  arrow::Status status;
  while ((status = (*reader)->ReadNext(&next)).ok() && next != nullptr)
    rows += next->num_rows();
  EXPECT_EQ(rows, 10'000);
  EXPECT_THAT(status.ToString(), HasSubstr("the line is cut"));
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT((*reader)->ReadNext(&next).ToString(), HasSubstr("the line is cut"));
}

TEST_F(HistoricalTest, BlocksGiveWhatOneBlockGives) {
  std::mt19937_64 random(3);
  arrow::Int64Builder drivers;
  arrow::TimestampBuilder times(kMicros, arrow::default_memory_pool());
  for (int i = 0; i < 35'000; ++i) {
    ASSERT_TRUE(drivers.Append(static_cast<std::int64_t>(random() % 4)).ok());
    ASSERT_TRUE(times.Append(AtSecond(0) + static_cast<std::int64_t>(random() % 20'000'000)).ok());
  }
  const auto rows = arrow::Table::Make(
      arrow::schema({arrow::field("driver", kInt64), arrow::field("event_timestamp", kMicros)}),
      {drivers.Finish().ValueOrDie(), times.Finish().ValueOrDie()});
  const auto status = [](HistoricalRequest& request) { request.include_status = true; };
  const auto whole = Get(rows, {"stats", "world"}, status);
  const auto blocks = Get(rows, {"stats", "world"}, [](HistoricalRequest& request) {
    request.include_status = true;
    request.memory_bytes_max = 1;
    request.threads = 3;
  });
  EXPECT_EQ(whole->num_rows(), 35'000);
  EXPECT_TRUE(whole->Equals(*blocks));
}

TEST_F(HistoricalTest, TypesAreKeptNestedOnesToo) {
  const std::vector<TextColumn> columns{
      {"b", arrow::boolean(), "[true, null, false]"},
      {"f", arrow::float32(), "[0.5, null, -1.5]"},
      {"s", arrow::utf8(), R"(["", null, "long text that is not short"])"},
      {"y", arrow::binary(), R"(["\u0000a", null, ""])"},
      {"t", kMicros, "[0, null, -1]"},
      {"d", arrow::date32(), "[0, null, 2147483647]"},
      {"m", arrow::decimal128(20, 3), R"(["1.250", null, "-0.001"])"},
      {"l", arrow::list(arrow::utf8()), R"([["a", null], null, []])"},
      {"q", arrow::struct_({arrow::field("x", kInt64), arrow::field("z", arrow::list(arrow::boolean()))}),
       R"([{"x": 1, "z": [true, null]}, null, {"x": null, "z": null}])"},
      {"p", arrow::map(arrow::utf8(), arrow::float64()), R"([[["k", 1.5], ["n", null]], null, []])"}};
  std::vector<TextColumn> source{{"event_timestamp", kNaive, Times({0, 1, 2})}};
  source.insert(source.end(), columns.begin(), columns.end());
  scene_.source("types") = {{"a", BatchOf(source), 2, 1}};
  scene_.Apply(R"({"feature_views": [{"name": "types", "entities": [],
      "source": {"type": "file", "path": "types", "timestamp_field": "event_timestamp"}}]})");
  scene_.clock().set_us(AtSecond(2));
  const auto table = Get(TableOf({{"event_timestamp", kNaive, Times({2, 1, -1, 0, 0, 2})}}), {"types"});
  for (const TextColumn& column : columns) {
    const auto values = BatchOf({column})->column(0);
    const auto place = TableOf({column});
    const auto take = [&](std::int64_t row) { return ToJsonValue(*values, row).dump(); };
    EXPECT_EQ(TextOf(*table, column.name),
              take(2) + ", null, null, " + take(0) + ", " + take(0) + ", " + take(2));
    EXPECT_TRUE(table->GetColumnByName(column.name)->type()->Equals(column.type)) << column.name;
  }
  ASSERT_TRUE(scene_.Load("types"));
  const auto online = scene_.Online({"types"}, {});
  ASSERT_TRUE(online) << online.error().ToString();
  for (const TextColumn& column : columns) {
    EXPECT_EQ(TextOf(**online, column.name), ToJsonValue(*BatchOf({column})->column(0), 2).dump())
        << column.name;
    EXPECT_TRUE((*online)->GetColumnByName(column.name)->type()->Equals(column.type)) << column.name;
  }
}

TEST_F(HistoricalTest, EntityRowsInAnyForm) {
  const auto plain =
      TableOf({{"city", arrow::utf8(), R"(["Rome", "Oslo", "Bonn"])"}, {"t", kNaive, Times({1, 1, 1})}});
  for (const auto& type : {arrow::large_utf8(), arrow::utf8_view(), arrow::binary(),
                           arrow::dictionary(arrow::int32(), arrow::utf8())}) {
    const auto city = type->id() == arrow::Type::DICTIONARY
                          ? arrow::compute::Cast(plain->column(0), type)->chunked_array()
                          : TableOf({{"city", type, R"(["Rome", "Oslo", "Bonn"])"}})->column(0);
    const auto rows = *plain->SetColumn(0, arrow::field("city", type), city);
    const auto table = Get(rows, {"weather"}, [](auto& request) { request.memory_bytes_max = 1 << 20; });
    EXPECT_EQ(TextOf(*table, "rain"), "0.5, 1.5, null") << type->ToString();
    EXPECT_TRUE(table->column(0)->type()->Equals(*type));
  }
}

/// A golden view as definitions and a source, if external files can state it.
void AddGoldenView(const pit_testing::GoldenView& view, Scene& scene, Json& definitions) {
  Json keys = Json::array();
  for (const auto& key : view.keys)
    keys.push_back({{"name", key.name}, {"type", key.type.ToString()}});
  Json fields = Json::object();
  for (const auto& feature : view.features)
    fields[feature.name] = feature.type.ToString();
  Json source{{"type", "file"}, {"path", view.name}, {"timestamp_field", "event_timestamp"}};
  if (view.has_created()) source["created_timestamp_column"] = "created_timestamp";
  Json entities = Json::array();
  if (!view.keys.empty()) {
    definitions["entities"].push_back({{"name", "of_" + view.name}, {"join_keys", keys}});
    entities.push_back("of_" + view.name);
  }
  definitions["feature_views"].push_back({{"name", view.name},
                                          {"entities", entities},
                                          {"fields", fields},
                                          {"ttl", FormatDurationUs(view.ttl_us)},
                                          {"source", source}});
  const auto batch = view.ToBatch();
  ASSERT_TRUE(batch) << batch.error().ToString();
  const std::int64_t half = (*batch)->num_rows() / 2;
  scene.source(view.name) = {{"a", (*batch)->Slice(0, half), 1, 1}, {"b", (*batch)->Slice(half), 0, 1}};
}

std::vector<pit_testing::GoldenAnswer> Answers(const arrow::Table& table, const std::string& column) {
  std::vector<pit_testing::GoldenAnswer> answers;
  const auto values = table.GetColumnByName(column);
  const auto statuses = table.GetColumnByName(column + "__status");
  for (std::int64_t row = 0; row < table.num_rows(); ++row) {
    const auto status =
        std::static_pointer_cast<arrow::StringScalar>(statuses->GetScalar(row).ValueOrDie())->view();
    pit_testing::GoldenAnswer answer;
    for (const Status one :
         {Status::kPresent, Status::kNullValue, Status::kNotFound, Status::kOutsideMaxAge}) {
      if (StatusName(one) == status) answer.status = one;
    }
    if (answer.status == Status::kPresent) {
      answer.value = pit_testing::GoldenText(
          *arrow::MakeArrayFromScalar(*values->GetScalar(row).ValueOrDie(), 1).ValueOrDie(), 0);
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

void PrintAnswers(const std::vector<pit_testing::GoldenAnswer>& expected,
                  const std::vector<pit_testing::GoldenAnswer>& got, const std::string& place) {
  ASSERT_EQ(expected.size(), got.size()) << place;
  for (std::size_t row = 0; row < expected.size(); ++row) {
    EXPECT_EQ(StatusName(expected[row].status), StatusName(got[row].status))
        << place << ", entity row " << row;
    EXPECT_EQ(expected[row].value, got[row].value) << place << ", entity row " << row;
  }
}

/// The answer online at each entity row's own moment, from a store loaded up to then.
void ExpectOnline(Scene& scene, const pit_testing::GoldenCase& one,
                  const pit_testing::GoldenCase::Expected& expected) {
  const auto batch = one.EntityBatch();
  const auto times =
      std::static_pointer_cast<arrow::TimestampArray>((*batch)->GetColumnByName("event_timestamp"));
  const auto& view = one.view(expected.view);
  std::vector<pit_testing::GoldenAnswer> got;
  for (std::int64_t row = 0; row < times->length(); ++row) {
    scene.clock().set_us(times->Value(row));
    scene.ReplaceOnline("row " + std::to_string(row));
    const auto loaded = scene.Load(view.name);
    ASSERT_TRUE(loaded) << one.place << ": " << loaded.error().ToString();
    auto keys = view.keys;
    std::ranges::sort(keys, {}, &pit_testing::GoldenColumn::name);
    arrow::ArrayVector values;
    for (const auto& key : keys) {
      const auto value = (*batch)->GetColumnByName(key.name)->Slice(row, 1);
      const auto form = key.type.kind == TypeKind::kString ? arrow::utf8() : arrow::int64();
      const auto copied = arrow::Concatenate({value}).ValueOrDie();
      if (key.type.kind == TypeKind::kBool || key.type.kind == TypeKind::kBinary)
        return;  // not of Scene::Online
      values.push_back(key.type.kind == TypeKind::kTimestamp
                           ? copied->View(arrow::int64()).ValueOrDie()
                           : arrow::compute::Cast(*copied, form).ValueOrDie());
    }
    const auto answer = scene.Online({expected.view + ":" + expected.feature}, values);
    ASSERT_TRUE(answer) << one.place << ": " << answer.error().ToString();
    const auto answers = Answers(*arrow::Table::FromRecordBatches({*answer}).ValueOrDie(), expected.feature);
    got.push_back(answers.front());
  }
  PrintAnswers(expected.answers, got, one.place + " online");
}

TEST(GoldenCases, OfflineAndOnline) {
  const auto cases = pit_testing::ReadGoldenFolder(std::string(TIDEMARK_SOURCE_DIR) + "/tests/golden");
  ASSERT_TRUE(cases) << cases.error().ToString();
  int offline_cases = 0;
  for (const auto& one : *cases) {
    if (std::ranges::any_of(one.views, &pit_testing::GoldenView::is_own_table)) continue;
    SCOPED_TRACE(one.place);
    Scene scene;
    scene.clock().set_us(AtSecond(1'000'000'000));
    Json definitions{{"entities", Json::array()}, {"feature_views", Json::array()}};
    for (const auto& view : one.views)
      AddGoldenView(view, scene, definitions);
    scene.Apply(definitions.dump());
    const auto entities = one.EntityBatch();
    ASSERT_TRUE(entities) << entities.error().ToString();
    for (const auto& expected : one.expected) {
      const auto table =
          scene.Historical(arrow::Table::FromRecordBatches({*entities}).ValueOrDie(),
                           {expected.view + ":" + expected.feature}, [&](HistoricalRequest& request) {
                             request.include_status = true;
                             request.known_by = one.known_by;
                             request.threads = 2;
                           });
      ASSERT_TRUE(table) << table.error().ToString();
      PrintAnswers(expected.answers, Answers(**table, expected.feature), one.place + " offline");
      if (one.known_by.kind == KnownBy::Kind::kAll) ExpectOnline(scene, one, expected);
    }
    ++offline_cases;
  }
  EXPECT_GT(offline_cases, 10);
}

TEST(GatherTest, TakesSlicesNullsAndEveryType) {
  const std::vector<std::pair<std::shared_ptr<arrow::DataType>, std::string>> columns{
      {arrow::int32(), "[9, 1, null, 3]"},
      {arrow::float64(), "[9, 1.5, null, 3]"},
      {arrow::boolean(), "[true, false, null, true]"},
      {arrow::date32(), "[9, 1, null, 3]"},
      {arrow::decimal128(5, 1), R"(["9.0", "1.0", null, "3.0"])"},
      {arrow::utf8(), R"(["z", "a", null, "c"])"},
      {arrow::list(arrow::int64()), "[[9], [1, 2], null, []]"}};
  for (const auto& [type, json] : columns) {
    const auto all = BatchOf({{"x", type, json}})->column(0);
    const auto values = all->Slice(1);  // an offset that is no multiple of eight
    const std::vector<std::int32_t> index{2, -1, 1, 0, 0};
    const auto got = Gather(values, index);
    ASSERT_TRUE(got) << got.error().ToString();
    ASSERT_TRUE((*got)->ValidateFull().ok());
    EXPECT_TRUE((*got)->type()->Equals(*type));
    for (std::size_t i = 0; i < index.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      if (index[i] < 0) {
        EXPECT_TRUE((*got)->IsNull(row));
      } else {
        EXPECT_EQ(ToJsonValue(**got, row), ToJsonValue(*values, index[i])) << type->ToString();
      }
    }
    EXPECT_EQ(Gather(values, {}).value()->length(), 0);
  }
}

}  // namespace
}  // namespace tidemark
