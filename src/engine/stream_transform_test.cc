// Goal: what a transformation says is checked when it is applied, with the place of what is wrong; runs keep
// rows in their order and say what became of each.
#include "engine/stream_transform.h"

#include <arrow/array/builder_primitive.h>
#include <gmock/gmock.h>

#include "engine/apply.h"
#include "engine/engine_testing.h"
#include "model/definition_json.h"

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

FeatureView ViewWith(const std::string& transformation) {
  return FeatureViewFromJson(
             R"({"name": "orders", "entities": ["user"], "fields": {"n": "int64", "size": "string"},
                 "stream_source": {"type": "kafka", "name": "k", "kafka_bootstrap_servers": "h", "topic": "t",
                                   "message_format": "json"}, "transformation": )" +
             transformation + "}")
      .value();
}

const std::vector<JoinKey> kKeys{{.name = "user", .type = DataType{.kind = TypeKind::kInt64}}};

std::string Refusal(const std::string& transformation) {
  const auto bound = StreamTransform::Bind(ViewWith(transformation), kKeys);
  return bound ? "" : bound.error().ToString();
}

TEST(StreamTransformTest, ErrorsPointAtTheExpression) {
  EXPECT_EQ(Refusal(R"({"expressions": {"n": "user + 1"}, "filter": "n > 1 AND size = 'x'"})"), "");
  EXPECT_THAT(Refusal(R"({"expressions": {"n": "user + 'x'"}})"), HasSubstr("expression of n: "));
  EXPECT_THAT(Refusal(R"({"expressions": {"n": "users"}})"), HasSubstr("(character 1)"));
  EXPECT_THAT(Refusal(R"j({"expressions": {"n": "ln(user)"}})j"), HasSubstr("float64"));
  EXPECT_THAT(Refusal(R"({"filter": "n + 1"})"), HasSubstr("filter: "));
  EXPECT_THAT(Refusal(R"({"expressions": {"n": "n"}})"), HasSubstr("'n'")) << "messages have no such column";
  const std::vector<JoinKey> untyped{{.name = "user", .type = {}}};
  const auto bound = StreamTransform::Bind(ViewWith(R"({"filter": "n > 1"})"), untyped);
  ASSERT_FALSE(bound);
  EXPECT_THAT(bound.error().message, HasSubstr("join key 'user'"));
}

TEST(StreamTransformTest, ColumnsOfMessagesAreThoseThatAreNotComputed) {
  const auto bound = StreamTransform::Bind(
      ViewWith(R"j({"inputs": {"n": "string"}, "expressions": {"n": "CAST(n AS int64)"}})j"), kKeys);
  ASSERT_TRUE(bound) << bound.error().ToString();
  std::vector<std::string> names;
  for (const ExpressionColumn& column : bound->columns())
    names.push_back(column.name + " " + column.type.ToString());
  EXPECT_THAT(names, ElementsAre("user int64", "event_timestamp timestamp", "size string", "n string"));
  EXPECT_TRUE(bound->is_computed("n"));
  EXPECT_FALSE(bound->is_computed("size"));
}

/// Rows whose users are 0, 1, 2, ..., with these numbers.
TransformInput InputOf(const std::vector<std::int64_t>& numbers, const std::vector<bool>& deleted = {}) {
  arrow::Int64Builder users;
  arrow::Int64Builder values;
  arrow::BooleanBuilder flags;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_TRUE(users.Append(static_cast<std::int64_t>(i)).ok());
    EXPECT_TRUE(values.Append(numbers[i]).ok());
    EXPECT_TRUE(flags.Append(i < deleted.size() && deleted[i]).ok());
  }
  const auto count = static_cast<std::int64_t>(numbers.size());
  const auto user = users.Finish().ValueOrDie();
  const auto schema = arrow::schema(
      {arrow::field("user", arrow::int64()), arrow::field("event_timestamp", testing_support::kMicros),
       arrow::field("n", arrow::int64()), arrow::field("is_deleted", arrow::boolean())});
  return {.rows = arrow::RecordBatch::Make(schema, count,
                                           {user, user->View(testing_support::kMicros).ValueOrDie(),
                                            values.Finish().ValueOrDie(), flags.Finish().ValueOrDie()}),
          .is_tombstone = std::vector<bool>(numbers.size()),
          .arrivals = std::static_pointer_cast<arrow::Int64Array>(user)};
}

TEST(StreamTransformTest, FiltersBeforeItComputes) {
  const auto bound = StreamTransform::Bind(
      ViewWith(
          R"({"expressions": {"size": "CASE WHEN 100 // n > 9 THEN 'L' ELSE 'S' END"}, "filter": "n <> 0"})"),
      kKeys);
  ASSERT_TRUE(bound) << bound.error().ToString();
  const auto run = bound->Run(InputOf({5, 0, 50, 0}));
  ASSERT_TRUE(run) << run.error().ToString();
  EXPECT_THAT(run->places, ElementsAre(0, 2));
  EXPECT_EQ(run->left_out, 2);
  EXPECT_TRUE(run->problems.empty());
  EXPECT_EQ(testing_support::TextOf(*run->rows, "size"), R"("L", "S")");
  EXPECT_EQ(testing_support::TextOf(*run->rows, "n"), "5, 50");
}

TEST(StreamTransformTest, FindsEachRowThatHasNoValue) {
  const auto bound = StreamTransform::Bind(
      ViewWith(R"j({"inputs": {"n": "int64"}, "expressions": {"n": "CAST(n * 9000000000000000000 AS int64)",
               "size": "'x'"}})j"),
      kKeys);
  ASSERT_TRUE(bound) << bound.error().ToString();
  const auto run = bound->Run(InputOf({1, 7, 0, 8, 9, 1}, {false, false, false, false, true, false}));
  ASSERT_TRUE(run) << run.error().ToString();
  EXPECT_THAT(run->places, ElementsAre(0, 2, 4, 5)) << "of a deletion nothing is computed";
  ASSERT_EQ(run->problems.size(), 2);
  EXPECT_EQ(run->problems[0].row, 1);
  EXPECT_EQ(run->problems[1].row, 3);
  EXPECT_THAT(run->problems[0].reason, testing::StartsWith("expression of n: "));
  EXPECT_EQ(testing_support::TextOf(*run->rows, "n"), "9000000000000000000, 0, null, 9000000000000000000");
}

TEST(StreamTransformTest, RunsOverNoRows) {
  const auto bound =
      StreamTransform::Bind(ViewWith(R"({"expressions": {"size": "'x'"}, "filter": "n > 0"})"), kKeys);
  ASSERT_TRUE(bound) << bound.error().ToString();
  const auto run = bound->Run(InputOf({}));
  ASSERT_TRUE(run) << run.error().ToString();
  EXPECT_EQ(run->rows->num_rows(), 0);
  EXPECT_NE(run->rows->GetColumnByName("size"), nullptr);
}

TEST(StreamTransformTest, ApplyRefusesWhatCannotBeBound) {
  const auto stated = [](const std::string& expression) {
    return DefinitionsFromJson(
               R"({"entities": [{"name": "user", "join_keys": [{"name": "user", "type": "int64"}]}],
                   "feature_views": [)" +
               ToJson(ViewWith(R"({"expressions": {"n": ")" + expression + R"("}})")) + "]}")
        .value();
  };
  testing_support::Scene scene;
  const auto apply = [&](const Definitions& definitions) {
    return Apply(*scene.shared_registry(), "demo", definitions, {}, scene.opener(), *scene.shared_clock());
  };
  const auto refused = apply(stated("user + missing"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().ToString(),
              HasSubstr("feature view orders: transformation: expression of n: "));
  EXPECT_THAT(refused.error().ToString(), HasSubstr("(character 8)"));
  ASSERT_TRUE(apply(stated("user + 1")));
  const auto plan = apply(stated("user + 2"));
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->changes.size(), 1);
  EXPECT_THAT(plan->changes[0].details, ElementsAre("expression of 'n': 'user + 1' -> 'user + 2'",
                                                    "messages that were read before are not computed again"));
}

}  // namespace
}  // namespace tidemark
