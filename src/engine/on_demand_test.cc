// Goal: a feature that is computed on demand is the same in a training set and in a lookup at the same
// moment; only what is asked for comes out; and what cannot be computed is named with its view and field.
#include "engine/on_demand.h"

#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "engine/apply.h"
#include "engine/engine_testing.h"
#include "model/definition_json.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kStored = R"(
  "entities": [{"name": "driver", "join_keys": [{"name": "driver", "type": "int64"}]}],
  "feature_views": [
    {"name": "stats", "entities": ["driver"], "fields": {"trips": "int64", "name": "string"},
     "source": {"type": "file", "path": "stats", "timestamp_field": "event_timestamp"}},
    {"name": "world", "entities": [], "fields": {"rate": "float64"},
     "source": {"type": "file", "path": "world", "timestamp_field": "event_timestamp"}}])";

constexpr std::string_view kComputed = R"json(
  "on_demand_feature_views": [
    {"name": "fare", "mode": "sql",
     "sources": ["stats", {"view": "world", "features": ["rate"]},
                 {"request": "ride", "fields": {"km": "float64"}}],
     "fields": [{"name": "price", "type": "float64", "expression": "km * rate"},
                {"name": "is_new", "type": "bool", "expression": "coalesce(trips, 0) < 11"},
                {"name": "age", "type": "float64", "expression": "epoch(now())"},
                {"name": "label", "type": "string", "expression": "upper(name) || '!'"}]},
    {"name": "bill", "mode": "sql", "sources": ["fare", "stats"],
     "fields": [{"name": "total", "type": "float64", "expression": "fare.price + trips"}]}],
  "feature_services": [{"name": "model", "features": ["bill:total", "stats:trips", "fare:label"]}])json";

std::string Whole(std::string_view computed = kComputed) {
  return "{" + std::string(kStored) + "," + std::string(computed) + "}";
}

class OnDemandTest : public testing::Test {
 protected:
  OnDemandTest() {
    scene_.source("stats") = {{"a",
                               BatchOf({{"driver", arrow::int64(), "[1, 2]"},
                                        {"event_timestamp", kMicros, "[1714564800000000, 1714564800000000]"},
                                        {"trips", arrow::int64(), "[10, 20]"},
                                        {"name", arrow::utf8(), R"(["ann", null])"}}),
                               1, 1}};
    scene_.source("world") = {
        {"a",
         BatchOf({{"event_timestamp", kMicros, "[1714564800000000]"}, {"rate", arrow::float64(), "[1.5]"}}),
         1, 1}};
  }

  static std::shared_ptr<arrow::Table> Rides() {
    return TableOf({{"driver", arrow::int64(), "[1, 2, 3]"},
                    {"event_timestamp", kMicros, "[1714564810000000, 1714564820000000, 1714564830000000]"},
                    {"km", arrow::int32(), "[2, 4, null]"}});
  }

  std::string FailsToApply(std::string_view computed) {
    const auto definitions = DefinitionsFromJson(Whole(computed));
    if (!definitions) return definitions.error().ToString();
    const auto plan =
        tidemark::Apply(scene_.registry(), "demo", *definitions, {}, scene_.opener(), scene_.clock());
    return plan ? "applied" : plan.error().ToString();
  }

  // Lookups of drivers 1, 2 and 3 with request data.
  Result<std::shared_ptr<arrow::RecordBatch>> Look(const std::vector<std::string>& features,
                                                   const std::shared_ptr<arrow::Table>& data) {
    TM_ASSIGN(const auto reader, scene_.Prepare(features));
    const std::vector<std::int64_t> drivers{1, 2, 3};
    std::vector<KeyColumn> keys;
    if (!reader->keys().empty()) keys.emplace_back(std::span(drivers));
    OnlineResult result;
    ArrowSchema schema;
    ArrowArray array;
    TM_TRY(FromArrowStatus(
        arrow::ExportRecordBatch(*data->CombineChunksToBatch().ValueOrDie(), &array, &schema)));
    TM_TRY(reader->ReadWith(keys, 3, &schema, &array, result));
    TM_TRY(result.ToArrow(true, false, &schema, &array));
    return FromArrowResult(arrow::ImportRecordBatch(&array, &schema));
  }

  Scene scene_;
};

TEST_F(OnDemandTest, ATrainingSetHasComputedFeatures) {
  scene_.Apply(Whole());
  const auto table = scene_.Historical(Rides(), {"bill:total", "stats:trips", "fare"});
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_THAT((*table)->ColumnNames(), ElementsAre("driver", "event_timestamp", "km", "total", "trips",
                                                   "price", "is_new", "age", "label"));
  EXPECT_EQ(TextOf(**table, "price"), "3.0, 6.0, null");
  EXPECT_EQ(TextOf(**table, "total"), "13.0, 26.0, null");
  EXPECT_EQ(TextOf(**table, "trips"), "10, 20, null");
  EXPECT_EQ(TextOf(**table, "is_new"), "true, false, true");
  EXPECT_EQ(TextOf(**table, "age"), "1714564810.0, 1714564820.0, 1714564830.0")
      << "now() is the row's own time";
  EXPECT_EQ(TextOf(**table, "label"), R"("ANN!", null, null)");
}

TEST_F(OnDemandTest, StatusesOfComputedFeaturesTellNulls) {
  scene_.Apply(Whole());
  const auto table = scene_.Historical(Rides(), {"fare:price", "stats:trips"},
                                       [](HistoricalRequest& request) { request.include_status = true; });
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_EQ(TextOf(**table, "price__status"), R"("PRESENT", "PRESENT", "NULL_VALUE")");
  EXPECT_EQ(TextOf(**table, "trips__status"), R"("PRESENT", "PRESENT", "NOT_FOUND")");
}

TEST_F(OnDemandTest, ALookupAnswersTheSame) {
  scene_.Apply(Whole());
  ASSERT_TRUE(scene_.Load("stats"));
  ASSERT_TRUE(scene_.Load("world"));
  const auto answer = Look({"bill:total", "stats:trips", "fare:is_new", "fare:label"}, Rides());
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(TextOf(**answer, "total"), "13.0, 26.0, null");
  EXPECT_EQ(TextOf(**answer, "total__status"), R"("PRESENT", "PRESENT", "NULL_VALUE")");
  EXPECT_EQ(TextOf(**answer, "trips"), "10, 20, null");
  EXPECT_EQ(TextOf(**answer, "trips__status"), R"("PRESENT", "PRESENT", "NOT_FOUND")");
  EXPECT_EQ(TextOf(**answer, "is_new"), "true, false, true");
  EXPECT_EQ(TextOf(**answer, "label"), R"("ANN!", null, null)");
}

// Request data are asked for only by what needs them.
TEST_F(OnDemandTest, RequestDataAreChecked) {
  scene_.Apply(Whole());
  EXPECT_TRUE(scene_.Prepare({"fare:is_new"}).value()->requests().empty());
  const auto reader = scene_.Prepare({"bill:total"}).value();
  ASSERT_EQ(reader->requests().size(), 1U);
  EXPECT_EQ(reader->requests()[0].name, "km");
  OnlineResult result;
  const std::vector<std::int64_t> drivers{1};
  const auto missing = reader->Read(std::vector<KeyColumn>{std::span(drivers)}, 1, result);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().ToString(),
              HasSubstr("on-demand feature view 'fare' needs request data 'km' (float64)"));
  const auto wrong = Look({"fare:price"}, TableOf({{"km", arrow::utf8(), R"(["1", "2", "3"])"}}));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().ToString(), HasSubstr("on-demand feature view fare: request data: column 'km'"));
  const auto rows =
      TableOf({{"driver", arrow::int64(), "[1]"}, {"event_timestamp", kMicros, "[1714564810000000]"}});
  const auto table = scene_.Historical(rows, {"fare:price"});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(table.error().ToString(),
              HasSubstr("needs request data 'km' (float64): give the entity rows a column"));
}

TEST_F(OnDemandTest, ValuesWithoutAResultNameViewFieldAndRow) {
  scene_.Apply(Whole(R"json("on_demand_feature_views": [{"name": "bad", "mode": "sql", "sources": ["stats"],
      "fields": [{"name": "f", "type": "float64", "expression": "ln(trips - 20)"}]}])json"));
  const auto table = scene_.Historical(Rides(), {"bad"});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(
      table.error().ToString(),
      HasSubstr("on-demand feature view bad: field f: row 0: there is no logarithm of a negative number"));
}

TEST_F(OnDemandTest, DefinitionsAreCheckedWhenApplied) {
  const auto with = [](const std::string& expression, const std::string& type = "int64") {
    return R"("on_demand_feature_views": [{"name": "x", "mode": "sql", "sources": ["stats"],
        "fields": [{"name": "f", "type": ")" +
           type + R"(", "expression": ")" + expression + R"("}]}])";
  };
  EXPECT_EQ(FailsToApply(with("trips + name")),
            "on-demand feature view x: field f: + takes numbers, not string (character 9)\n  trips + name\n  "
            "        ^");
  EXPECT_THAT(FailsToApply(with("trips / 2")),
              HasSubstr("the expression gives float64, but int64 is wanted"));
  EXPECT_THAT(FailsToApply(with("trip + 1")), HasSubstr("there is no column 'trip' (did you mean 'trips'?)"));
  EXPECT_THAT(FailsToApply(R"("on_demand_feature_views": [{"name": "stats", "mode": "sql", "sources": [],
      "fields": [{"name": "f", "type": "int32", "expression": "1"}]}])"),
              HasSubstr("feature view 'stats' and on-demand feature view 'stats' have one name"));
  EXPECT_THAT(FailsToApply(R"("on_demand_feature_views": [{"name": "x", "mode": "sql", "sources": ["stat"],
      "fields": [{"name": "f", "type": "int32", "expression": "1"}]}])"),
              HasSubstr("feature view 'stat' is not defined (did you mean 'stats'?)"));
  EXPECT_THAT(FailsToApply(R"("on_demand_feature_views": [
      {"name": "a", "mode": "sql", "sources": ["b"],
       "fields": [{"name": "f", "type": "int32", "expression": "g"}]},
      {"name": "b", "mode": "sql",
       "sources": ["a"],
       "fields": [{"name": "g", "type": "int32", "expression": "f"}]}])"),
              HasSubstr("it is computed from itself: a <- b <- a"));
  EXPECT_THAT(FailsToApply(R"("on_demand_feature_views": [{"name": "x", "mode": "sql", "sources": ["stats"],
      "fields": [{"name": "f", "type": "int32"}]}])"),
              HasSubstr("every field needs an expression"));
  EXPECT_THAT(FailsToApply(R"("on_demand_feature_views": [{"name": "x", "mode": "spark", "sources": ["stats"],
      "fields": [{"name": "f", "type": "int32"}]}])"),
              HasSubstr("there is no mode 'spark'"));
}

/// In the place of a process: field f is trips + 1, field g how many rows there are.
class AddsOne final : public FunctionRunner {
 public:
  Result<arrow::ArrayVector> Run(const ViewFunction& function, const arrow::RecordBatch& inputs,
                                 const std::stop_token& /*stop*/) override {
    ++calls;
    arguments = inputs.schema()->field_names();
    if (fails) return Fail(ErrorCode::kInvalidData, "on-demand feature view " + function.view + ": no");
    const auto& trips = static_cast<const arrow::Int64Array&>(*inputs.GetColumnByName("stats__trips"));
    arrow::Int64Builder f;
    arrow::Int64Builder g;
    for (std::int64_t row = 0; row < inputs.num_rows(); ++row) {
      TM_TRY(FromArrowStatus(trips.IsNull(row) ? f.AppendNull() : f.Append(trips.Value(row) + 1)));
      TM_TRY(FromArrowStatus(g.Append(inputs.num_rows())));
    }
    return arrow::ArrayVector{f.Finish().ValueOrDie(), g.Finish().ValueOrDie()};
  }
  PythonWorkersStats Stats() const override { return {.calls = calls}; }

  int calls = 0;
  bool fails = false;
  std::vector<std::string> arguments;
};

constexpr std::string_view kFunctions = R"json("on_demand_feature_views": [
    {"name": "py", "mode": "python", "function": "f", "source_code": "def f(x): ...",
     "sources": ["stats", {"view": "stats", "features": ["trips"], "alias": "other",
                           "join_key_map": {"driver": "other_driver"}},
                 {"request": "ride", "fields": {"km": "int32"}}],
     "fields": [{"name": "f", "type": "int64"}, {"name": "g", "type": "int64"}]},
    {"name": "over", "mode": "sql", "sources": ["py", {"view": "stats", "alias": "s"}],
     "fields": [{"name": "twice", "type": "int64", "expression": "py.f * 2 + s.trips"}]}])json";

// A function is a step like any other: what it needs is fetched, and what needs it comes behind it.
TEST_F(OnDemandTest, AFunctionIsAStepOfThePlan) {
  const auto runner = std::make_shared<AddsOne>();
  scene_.functions = runner;
  scene_.Apply(Whole(kFunctions));
  ASSERT_TRUE(scene_.Load("stats"));
  auto rows = Rides();
  rows = rows->AddColumn(0, arrow::field("other_driver", arrow::int64()),
                         TableOf({{"x", arrow::int64(), "[2, 1, 1]"}})->column(0))
             .ValueOrDie();
  const auto table = scene_.Historical(rows, {"over:twice", "py:f"});
  ASSERT_TRUE(table) << table.error().ToString();
  EXPECT_EQ(TextOf(**table, "twice"), "32, 62, null");
  EXPECT_EQ(TextOf(**table, "f"), "11, 21, null");
  EXPECT_THAT(runner->arguments, ElementsAre("stats__trips", "name", "other__trips", "km"));
  const auto reader = scene_.Prepare({"over:twice", "py"});
  ASSERT_TRUE(reader) << reader.error().ToString();
  EXPECT_TRUE((*reader)->waits());
  EXPECT_EQ((*reader)->keys().size(), 2U);
  runner->fails = true;
  const auto failed = scene_.Historical(rows, {"over:twice"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().ToString(), "on-demand feature view py: no");
  const int calls = runner->calls;
  const auto none = scene_.Historical(rows->Slice(0, 0), {"py:g"});
  ASSERT_TRUE(none) << none.error().ToString();
  EXPECT_EQ(runner->calls, calls) << "no function needs to expect no rows";
}

TEST_F(OnDemandTest, SourcesByOtherKeysAreChecked) {
  const auto with = [](std::string_view source) {
    return fmt::format(R"("on_demand_feature_views": [{{"name": "x", "mode": "sql", "sources": ["stats", {}],
        "fields": [{{"name": "f", "type": "int64", "expression": "1"}}]}}])",
                       source);
  };
  EXPECT_THAT(FailsToApply(with(R"({"view": "stats"})")), HasSubstr("source 'stats'"));
  EXPECT_THAT(FailsToApply(with(R"({"view": "stats", "alias": "a", "join_key_map": {"drivr": "x"}})")),
              HasSubstr("'drivr', which is no join key of feature view 'stats'"));
  EXPECT_EQ(FailsToApply(with(R"({"view": "stats", "alias": "a", "join_key_map": {"driver": "x"}})")),
            "applied");
}

// A function is kept as text and run by nobody here.
TEST_F(OnDemandTest, FunctionsNeedSomebodyToRunThem) {
  scene_.Apply(Whole(R"json("on_demand_feature_views": [{"name": "py", "mode": "pandas", "sources": ["stats"],
      "function": "f", "source_code": "def f(x): return x",
      "fields": [{"name": "f", "type": "int32"}]}])json"));
  const auto prepared = scene_.Prepare({"py:f"});
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(prepared.error().ToString(),
              HasSubstr("'py' has mode pandas: its function runs in the Python SDK"));
}

TEST_F(OnDemandTest, PlansTellWhatChanges) {
  scene_.Apply(Whole());
  const auto plan_of = [&](const std::string& computed) {
    const auto definitions = DefinitionsFromJson(Whole(computed)).value();
    return PlanApply(scene_.registry(), "demo", definitions, {}, scene_.opener()).value();
  };
  EXPECT_TRUE(plan_of(std::string(kComputed)).changes.empty()) << "applying again changes nothing";
  const auto plan = plan_of(R"("on_demand_feature_views": [{"name": "bill", "mode": "sql",
      "sources": ["fare", "stats"],
      "fields": [{"name": "total", "type": "float64", "expression": "price"}]}])");
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_THAT(plan.changes[0].details, ElementsAre("expression of total: 'fare.price + trips' -> 'price'"));
  PlanOptions remove;
  remove.remove = {{ObjectKind::kFeatureView, "world"}};
  const auto refused = PlanApply(scene_.registry(), "demo", {}, remove, scene_.opener());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().ToString(),
              HasSubstr("'world' cannot be removed: on-demand feature view 'fare' uses it"));
}

}  // namespace
}  // namespace tidemark
