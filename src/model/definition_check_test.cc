// Goal: nothing contradictory gets into a registry: each rule of
// CheckDefinitions refuses its case, naming both sides, and its nearest right
// case passes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "model/definition_json.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

Definitions Read(std::string_view yaml) {
  Result<Definitions> definitions = DefinitionsFromYaml(yaml);
  EXPECT_TRUE(definitions) << yaml << (definitions ? "" : definitions.error().ToString());
  return definitions ? *definitions : Definitions{};
}

// "fine", or the code and text of the error.
std::string Check(std::string_view yaml, std::string_view known = "") {
  const Result<void> checked = CheckDefinitions(Read(yaml), Read(known));
  if (checked) return "fine";
  return std::string(Describe(checked.error().code).name) + ' ' + checked.error().ToString();
}

constexpr std::string_view kKnown = R"(
entities: [{name: driver, join_keys: [driver_id]}]
feature_views: [{name: stats, entities: [driver], fields: {rating: float64, trips: int64}}]
feature_services: [{name: model, features: [stats:rating]}]
)";

TEST(CheckDefinitions, TakesDefinitionsThatFit) {
  EXPECT_EQ(Check(""), "fine");
  EXPECT_EQ(Check(kKnown), "fine");
  EXPECT_EQ(Check(kKnown, kKnown), "fine");
  EXPECT_EQ(Check("feature_views: [{name: new, entities: [driver], fields: "
                  "{rating: float64}}]",
                  kKnown),
            "fine");
  EXPECT_EQ(Check("feature_services: [{name: new, features: [stats]}]", kKnown), "fine");
  EXPECT_EQ(Check("feature_views: [{name: v}]\nfeature_services: [{name: s, "
                  "features: [v:anything]}]"),
            "fine")
      << "fields that are inferred later are not looked for";
}

TEST(CheckDefinitions, RefusesBadContent) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"project: ../x", "INVALID_ARGUMENT project name '../x' has '.'"},
      {"entities: [{name: a b}]", "INVALID_ARGUMENT entity 'a b': entity name 'a b' has a space"},
      {"entities: [{name: e, join_keys: []}]", "entity 'e': has no join key"},
      {"entities: [{name: e, join_keys: [origin]}]",
       "entity 'e': join key: field name 'origin' is that of a system"},
      {"entities: [{name: e, join_keys: [Id, id]}]",
       "ALREADY_EXISTS entity 'e': join key 'Id' and join key 'id' have "
       "one name"},
      {"entities: [{name: e, join_keys: [{name: k, type: float64}]}]",
       "entity 'e': join key 'k' is float64; a join key is string"},
      {"feature_views: [{name: v'}]", "feature view name 'v\\'' has ''' at byte 2"},
      {"feature_views: [{name: v, fields: {__x: bool}}]",
       "feature view 'v': field name '__x' starts with two"},
      {"feature_views: [{name: v, fields: {write_time: bool}}]", "'write_time' is that of a system column"},
      {"feature_views: [{name: v, fields: {a: bool, A: int64}}]",
       "ALREADY_EXISTS feature view 'v': feature 'a' and feature 'A' "
       "have one name"},
      {"feature_views: [{name: v, source: {path: x, name: a/b}}]", "source: source name 'a/b' has '/'"},
      {"feature_views: [{name: v, source: {path: x, field_mapping: {a: c, b: "
       "C}}}]",
       "field_mapping: column 'a' mapped to 'c' and column 'b' mapped to "
       "'C' have one name"},
      {"feature_views: [{name: v, source: {path: x, field_mapping: {a: 'c "
       "d'}}}]",
       "field_mapping of column 'a': field name 'c d' has a space"},
      {"feature_views: [{name: v, source: {path: \"a\\0b\"}}]", "path 'a\\u{0000}b' has a null character"},
      {"feature_services: [{name: s}]", "feature service 's': lists no features"},
      {"feature_services: [{name: s, features: [{view: v, alias: a b}]}]",
       "view 'v': alias name 'a b' has a space"},
      {"feature_services: [{name: s, features: [{view: v, join_key_map: {k: "
       "''}}]}]",
       "gives 'k' no column"},
  };
  for (const auto& [yaml, problem] : wrong)
    EXPECT_THAT(Check(yaml), HasSubstr(problem)) << yaml;

  Definitions negative = Read("feature_views: [{name: v}]");
  negative.views[0].ttl_us = -1;
  EXPECT_THAT(CheckDefinitions(negative, {}).error().ToString(), HasSubstr("its ttl is negative (-1 us)"));
  Definitions pathless = Read("feature_views: [{name: v, source: {path: x}}]");
  pathless.views[0].source->path.clear();
  EXPECT_THAT(CheckDefinitions(pathless, {}).error().ToString(), HasSubstr("the source has no path"));
}

TEST(CheckDefinitions, RefusesTwoOfOneName) {
  EXPECT_THAT(Check("entities: [{name: Driver}, {name: driver}]"),
              HasSubstr("ALREADY_EXISTS entity 'Driver' and entity "
                        "'driver' have one name"));
  EXPECT_THAT(Check("feature_views: [{name: v}, {name: v}]"),
              HasSubstr("feature view 'v' and feature view 'v'"));
  EXPECT_THAT(Check("feature_services: [{name: s, features: [stats]}, {name: "
                    "S, features: [stats]}]",
                    kKnown),
              HasSubstr("feature service 's' and feature service 'S'"));
  EXPECT_THAT(Check("feature_views: [{name: Stats}]", kKnown),
              HasSubstr("feature view 'Stats' differs only in case from "
                        "'stats', which exists"));
  EXPECT_EQ(Check("entities: [{name: x}]\nfeature_views: [{name: x}]"), "fine")
      << "kinds have names of their own";
}

TEST(CheckDefinitions, RefusesReferencesToNothing) {
  EXPECT_THAT(Check("feature_views: [{name: v, entities: [drivr]}]", kKnown),
              HasSubstr("NOT_FOUND feature view 'v': entity 'drivr' is not "
                        "defined (did you mean 'driver'?)"));
  EXPECT_THAT(Check("feature_services: [{name: s, features: [stat:rating]}]", kKnown),
              HasSubstr("feature service 's': feature view 'stat' is not defined "
                        "(did you mean 'stats'?)"));
  EXPECT_THAT(Check("feature_services: [{name: s, features: [stats:ratin]}]", kKnown),
              HasSubstr("feature view 'stats' has no feature 'ratin' (did you mean "
                        "'rating'?)"));
  EXPECT_THAT(Check("feature_services: [{name: s, features: [{view: stats, "
                    "join_key_map: {driver: x}}]}]",
                    kKnown),
              HasSubstr("gives column 'x' to 'driver', which is no join "
                        "key of feature view 'stats'"));
  EXPECT_EQ(Check("feature_services: [{name: s, features: [{view: stats, "
                  "join_key_map: {driver_id: x}}]}]",
                  kKnown),
            "fine");
}

TEST(CheckDefinitions, LeavesNothingKnownPointingAtNothing) {
  EXPECT_THAT(Check("feature_views: [{name: stats, entities: [driver], fields: "
                    "{trips: int64}}]",
                    kKnown),
              HasSubstr("feature service 'model', applied before: feature "
                        "view 'stats' has no feature 'rating'"));
  EXPECT_THAT(Check("", "feature_services: [{name: s, features: [gone]}]"),
              HasSubstr("feature service 's', applied before: feature view "
                        "'gone' is not defined"));
}

TEST(CheckDefinitions, FeaturesAreNeitherKeysNorTimestamps) {
  EXPECT_THAT(Check("feature_views: [{name: v, entities: [driver], fields: "
                    "{Driver_id: int64}}]",
                    kKnown),
              HasSubstr("feature view 'v': join key 'driver_id' of entity "
                        "'driver' and feature 'Driver_id' have"));
  EXPECT_THAT(Check("feature_views: [{name: v, fields: {ts: timestamp}, "
                    "source: {path: x, timestamp_field: ts}}]"),
              HasSubstr("timestamp_field 'ts' and feature 'ts'"));
  EXPECT_THAT(Check("feature_views: [{name: v, fields: {made: timestamp}, source: "
                    "{path: x, "
                    "created_timestamp_column: c, field_mapping: {c: made}}}]"),
              HasSubstr("created_timestamp_column 'made' and feature 'made'"));
  EXPECT_EQ(Check("feature_views: [{name: v, fields: {c: int64}, source: "
                  "{path: x, timestamp_field: ts, "
                  "field_mapping: {ts: at}}}]"),
            "fine");
  EXPECT_THAT(Check("entities: [{name: a, join_keys: [id]}, {name: b, join_keys: [ID]}]\n"
                    "feature_views: [{name: v, entities: [a, b]}]"),
              HasSubstr("join key 'id' of entity 'a' and join key 'ID' of entity "
                        "'b'"));
  EXPECT_THAT(Check("feature_views: [{name: v, entities: [driver, driver]}]", kKnown),
              HasSubstr("entity 'driver' and entity 'driver'"));
}

// A query has named sources that it can read, and nothing else beside it; views do not go round in a circle.
TEST(CheckDefinitions, QueriesReadWhatIsThere) {
  const auto view = [](const std::string& more) {
    return "feature_views: [{name: daily, batch: {sql: SELECT 1, " + more + "}]";
  };
  EXPECT_EQ(Check(view("sources: [{name: rides, path: rides.csv}], views: [stats]}"), kKnown), "fine");
  const std::pair<std::string, std::string_view> wrong[] = {
      {view("}"), "its query has no source; give at least one"},
      {view("views: [nothing]}"), "NOT_FOUND feature view 'daily': feature view 'nothing' is not defined"},
      {view("views: [daily]}"), "its query reads its own rows: daily <- daily"},
      {view("sources: [{path: rides.csv}]}"), "the source 'rides.csv' has no name"},
      {view("views: [a], sources: [{name: A, path: rides.csv}]}"), "have one name"},
      {view("sources: [{name: r, type: postgresql, uri: u, table: t}]}"), "lies in a warehouse"},
      {view("views: [stats]}, source: {path: a.csv}"), "leave out `batch`, or the source"},
      {view("views: [stats]}, stream_source: {name: p}"), "leave out `batch`, or the source"},
      {view("views: [stats]}, table: {timestamp_type: string}"), "those of a query's rows are timestamps"},
      {view("views: [stats]}, table: {created_timestamp_column: c}"), "rows of a query are created when"},
  };
  for (const auto& [yaml, error] : wrong)
    EXPECT_THAT(Check(yaml, kKnown), HasSubstr(error)) << yaml;
  EXPECT_THAT(
      Check(
          "feature_views: [{name: a, batch: {sql: s, views: [b]}}, {name: b, batch: {sql: s, views: [a]}}]"),
      HasSubstr("a <- b <- a"));
}

TEST(CheckDefinitions, OutputNamesOfAServiceDoNotClash) {
  constexpr std::string_view kViews = R"(
feature_views: [{name: a, fields: {b__c: int64, x: int64}}, {name: a__b, fields: {c: int64, x: int64}}]
)";
  const auto service = [&](std::string_view features) {
    return Check("feature_services: [{name: s, features: " + std::string(features) + "}]", kViews);
  };
  EXPECT_THAT(service("[a:b__c, a__b:c]"),
              HasSubstr("ALREADY_EXISTS feature service 's': feature 'a:b__c' and "
                        "feature 'a__b:c' would both come out as column 'a__b__c'"));
  EXPECT_THAT(service("[a:x, a:x]"), HasSubstr("feature 'a:x' and feature 'a:x' would both"));
  EXPECT_THAT(service("[a, a:x]"), HasSubstr("'a:x'"));
  EXPECT_THAT(service("[a:x, {view: a__b, features: [x], alias: A}]"),
              HasSubstr("feature 'a:x' and feature 'a__b:x' as 'A' would "
                        "both come out as column 'A__x'"));
  EXPECT_EQ(service("[a:x, {view: a, features: [x], alias: second}]"), "fine");
  EXPECT_EQ(service("[a:x, a__b:x]"), "fine") << "full names differ";
}

TEST(CheckDefinitions, RenamesFromWhatExistsToWhatDoesNot) {
  const std::string view =
      "feature_views: [{name: facts, renamed_from: stats, entities: [driver], "
      "fields: {rating: float64, trips: int64}}]\n";
  const std::string service = "feature_services: [{name: model, features: [facts:rating]}]";
  EXPECT_EQ(Check(view + service, kKnown), "fine");
  EXPECT_THAT(Check(view, kKnown), HasSubstr("feature service 'model', applied before: feature "
                                             "view 'stats' is "
                                             "renamed to 'facts'; use the new name here too"));
  EXPECT_EQ(Check("feature_views: [{name: stats, renamed_from: older, "
                  "entities: [driver], fields: {rating: double}}]",
                  kKnown),
            "fine")
      << "applied before";
  EXPECT_THAT(Check("feature_views: [{name: facts, renamed_from: stat}]", kKnown),
              HasSubstr("NOT_FOUND feature view 'facts' is renamed from 'stat', "
                        "which does not exist (did you mean "
                        "'stats'?)"));
  EXPECT_THAT(Check("entities: [{name: a, renamed_from: b}]", "entities: [{name: a}, {name: b}]"),
              HasSubstr("ALREADY_EXISTS entity 'b' cannot be renamed to "
                        "'a': both exist"));
  EXPECT_THAT(Check("entities: [{name: a, renamed_from: driver}, {name: driver}]", kKnown),
              HasSubstr("entity 'driver' is renamed to 'a' and is also defined again"));
  EXPECT_THAT(Check("entities: [{name: a, renamed_from: driver}, {name: b, "
                    "renamed_from: driver}]",
                    kKnown),
              HasSubstr("entity 'b' and 'a' are both renamed from 'driver'"));
  EXPECT_THAT(Check("entities: [{name: driver, renamed_from: driver}]", kKnown),
              HasSubstr("renamed from itself"));
  EXPECT_EQ(Check("feature_services: [{name: MODEL, renamed_from: model, "
                  "features: [stats]}]",
                  kKnown),
            "fine")
      << "a rename may change the case alone";
}

TEST(CheckDefinitions, FieldsAreRenamedWithinTheirView) {
  const auto stats = [](std::string_view fields) {
    return Check("feature_views: [{name: stats, entities: [driver], fields: [" + std::string(fields) +
                     "]}]\n" + "feature_services: [{name: model, features: [stats]}]",
                 kKnown);
  };
  EXPECT_EQ(stats("{name: stars, type: double, renamed_from: rating}, {trips: int64}"), "fine");
  EXPECT_EQ(stats("{name: rating, type: double, renamed_from: stars}"), "fine") << "applied before";
  EXPECT_THAT(stats("{name: stars, type: double, renamed_from: ratings}"),
              HasSubstr("feature view 'stats': feature 'stars' is renamed "
                        "from 'ratings', which does not exist (did "
                        "you mean 'rating'?)"));
  EXPECT_THAT(stats("{name: trips, type: double, renamed_from: rating}"),
              HasSubstr("feature 'rating' cannot be renamed to 'trips': both exist"));
  EXPECT_THAT(Check("feature_views: [{name: v, fields: [{name: a, type: bool, "
                    "renamed_from: b}]}]",
                    kKnown),
              HasSubstr("feature 'a' is renamed from 'b', which does not exist"));
  EXPECT_EQ(Check("feature_views: [{name: facts, renamed_from: stats, "
                  "entities: [driver], fields: [{name: stars, "
                  "type: double, renamed_from: rating}]}]\nfeature_services: "
                  "[{name: model, features: [facts]}]",
                  kKnown),
            "fine")
      << "a view and its fields at once";
  EXPECT_THAT(Check("feature_views: [{name: stats, entities: [driver], fields: "
                    "[{name: stars, type: double, "
                    "renamed_from: rating}]}]",
                    kKnown),
              HasSubstr("feature service 'model', applied before: feature "
                        "'rating' is renamed to 'stars'"));
}

}  // namespace
}  // namespace tidemark
