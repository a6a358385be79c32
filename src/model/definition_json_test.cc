// Goal: definitions survive being written and read, every documented short form
// is read, and what is wrong is refused with its place and the nearest right
// name.
#include "model/definition_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace tidemark {
namespace {

using ::testing::HasSubstr;

// One of everything, as it is printed.
constexpr std::string_view kCanonical =
    R"({"project":"demo","entities":[)"
    R"({"name":"driver","join_keys":[{"name":"driver_id","type":"int64"},{"name":"city"}],)"
    R"("description":"a \"driver\"",)"
    R"("owner":"ops@example.com","tags":{"a":"","team":"yes"}}],)"
    R"("feature_views":[{"name":"driver_stats","entities":["driver"],"ttl":"1d12h","online":false,"fields":[)"
    R"({"name":"rating","type":"float64","description":"stars: 1 to 5","tags":{"unit":"1"},"id":3},)"
    R"({"name":"no","type":"struct<a: int64, b: list<string>>"}],)"
    R"("source":{"type":"file","name":"stats","path":"data/*.parquet","format":"parquet",)"
    R"("timestamp_field":"ts",)"
    R"--("created_timestamp_column":"created","field_mapping":{"Rating (1-5)":"rating"},)--"
    R"("description":"from ops"}},)"
    R"({"name":"all_rows"},)"
    R"({"name":"daily","entities":["driver"],"batch":{"sql":"SELECT 1 AS \"n\"",)"
    R"("sources":[{"type":"file","name":"rides","path":"rides.csv","format":"csv"}],)"
    R"("views":["driver_stats"]}}],)"
    R"--("on_demand_feature_views":[{"name":"fare","mode":"sql",)--"
    R"--("sources":[{"view":"driver_stats","features":["rating"],)--"
    R"--("join_key_map":{"driver_id":"other"},"alias":"second"},)--"
    R"--({"request":"ride","fields":[{"name":"km","type":"float64"}],"owner":"ops"}],)--"
    R"--("fields":[{"name":"price","type":"float64","description":"in EUR",)--"
    R"--("expression":"abs(km) * rating"}],)--"
    R"--("description":"rides"},{"name":"py","mode":"python","sources":[{"view":"fare"}],)--"
    R"--("fields":[{"name":"n","type":"int64"}],"function":"f",)--"
    R"--("source_code":"def f(row): ...\n","singleton":true}],)--"
    R"("feature_services":[{"name":"model_v1","features":[{"view":"driver_stats","features":["rating"]},)"
    R"({"view":"driver_stats","features":["no"]},)"
    R"({"view":"driver_stats","join_key_map":{"driver_id":"other"},)"
    R"("alias":"second"}],"owner":"me"}]})";

std::string Reprint(std::string_view json) {
  const Result<Definitions> definitions = DefinitionsFromJson(json);
  return definitions ? ToJson(*definitions) : definitions.error().ToString();
}

TEST(DefinitionJson, CanonicalTextIsAFixedPoint) {
  EXPECT_EQ(Reprint(kCanonical), kCanonical);
}

TEST(DefinitionJson, OneObjectAloneSurvivesToo) {
  const Definitions all = DefinitionsFromJson(kCanonical).value();
  for (const Entity& entity : all.entities)
    EXPECT_EQ(EntityFromJson(ToJson(entity)).value(), entity);
  for (const FeatureView& view : all.views)
    EXPECT_EQ(FeatureViewFromJson(ToJson(view)).value(), view);
  for (const OnDemandView& view : all.on_demand)
    EXPECT_EQ(OnDemandViewFromJson(ToJson(view)).value(), view);
  for (const FeatureService& service : all.services) {
    EXPECT_EQ(FeatureServiceFromJson(ToJson(service)).value(), service);
  }
}

TEST(DefinitionJson, AbsentAndNullMembersHaveDefaults) {
  EXPECT_EQ(DefinitionsFromJson("{}").value(), Definitions{});
  const FeatureView view =
      FeatureViewFromJson(R"({"name": "v", "ttl": null, "online": null, "fields": null, "source": null})")
          .value();
  EXPECT_EQ(view, FeatureViewFromJson(R"({"name": "v"})").value());
  EXPECT_TRUE(view.online);
  EXPECT_EQ(view.ttl_us, 0);
  EXPECT_FALSE(view.source);
  EXPECT_EQ(EntityFromJson(R"({"name": "driver"})")->join_keys,
            (std::vector<JoinKey>{{"driver", std::nullopt}}));
  EXPECT_TRUE(EntityFromJson(R"({"name": "driver", "join_keys": []})")->join_keys.empty());
}

TEST(DefinitionJson, ReadsTheShortForms) {
  EXPECT_EQ(
      EntityFromJson(R"({"name": "d", "join_keys": ["a", {"name": "b", "type": "string"}]})")->join_keys,
      (std::vector<JoinKey>{{"a", std::nullopt}, {"b", DataType{.kind = TypeKind::kString}}}));
  const auto fields = [](std::string_view text) {
    return FeatureViewFromJson(R"({"name": "v", "fields": )" + std::string(text) + "}").value().fields;
  };
  const auto long_form = fields(R"([{"name": "z", "type": "float64"}, {"name": "a", "type": "int64"}])");
  EXPECT_EQ(fields(R"([{"z": "float64"}, {"a": "int64"}])"), long_form);
  EXPECT_EQ(fields(R"({"z": "float64", "a": "int64"})"), long_form) << "in the user's order";
  const auto ttl = [](std::string_view text) {
    return FeatureViewFromJson(R"({"name": "v", "ttl": )" + std::string(text) + "}").value().ttl_us;
  };
  EXPECT_EQ(ttl("\"1h\""), 3'600'000'000);
  EXPECT_EQ(ttl("3600"), 3'600'000'000);
  EXPECT_EQ(ttl("0.5"), 500'000);
  EXPECT_EQ(ttl("0"), 0);
  EXPECT_EQ(ttl("9223372036854"), 9'223'372'036'854'000'000);
}

TEST(DefinitionJson, PlacesOfRows) {
  const std::string by_path =
      R"({"name":"v","source":{"type":"file","path":"lake/t","format":"iceberg","timestamp_field":"at"}})";
  EXPECT_EQ(ToJson(FeatureViewFromJson(by_path).value()), by_path);
  const FeatureView named = FeatureViewFromJson(R"({"name": "v", "source": {"table": "lake.t"}})").value();
  EXPECT_EQ(named.source->format, FileFormat::kIceberg);
  EXPECT_EQ(named.source->place(), "lake.t");
  EXPECT_EQ(FeatureViewFromJson(ToJson(named)).value(), named);
  const std::string in_database = R"({"name":"v","table":{"database":"shop"}})";
  EXPECT_EQ(FeatureViewFromJson(in_database).value().table.database, "shop");
  EXPECT_EQ(ToJson(FeatureViewFromJson(in_database).value()), in_database);
}

TEST(DefinitionJson, NeighbouringStringsOfOneViewAreOneSelection) {
  const auto views = FeatureServiceFromJson(
                         R"({"name": "s", "features": ["a:x", "a:y", "b:x", "a:z", "c", "c:x", {"view": "c",
                             "features": ["y"]}, "c:z"]})")
                         ->views;
  const std::vector<ViewSelection> expected{
      {"a", {"x", "y"}, {}, ""}, {"b", {"x"}, {}, ""}, {"a", {"z"}, {}, ""}, {"c", {}, {}, ""},
      {"c", {"x"}, {}, ""},      {"c", {"y"}, {}, ""}, {"c", {"z"}, {}, ""}};
  EXPECT_EQ(views, expected);
}

TEST(DefinitionJson, RenamesAreWrittenInWholeDefinitionsOnly) {
  const FeatureView view = FeatureViewFromJson(
                               R"({"name": "v", "renamed_from": "u",
                                   "fields": [{"name": "a", "type": "bool", "renamed_from": "b"}]})")
                               .value();
  EXPECT_EQ(view.renamed_from, "u");
  EXPECT_EQ(view.fields.at(0).renamed_from, "b");
  EXPECT_EQ(ToJson(view), R"({"name":"v","fields":[{"name":"a","type":"bool"}]})");
  EXPECT_EQ(EntityFromJson(R"({"name": "e", "renamed_from": "d"})")->renamed_from, "d");
  EXPECT_EQ(FeatureServiceFromJson(R"({"name": "s", "renamed_from": "r"})")->renamed_from, "r");
  for (const std::string definition :
       {R"({"entities":[{"name":"e","join_keys":[{"name":"e"}],"renamed_from":"d"}]})",
        R"({"feature_views":[{"name":"v","fields":[{"name":"a","type":"bool","renamed_from":"b"}]}]})",
        R"({"feature_views":[{"name":"v","renamed_from":"u"}]})",
        R"({"feature_services":[{"name":"s","renamed_from":"r"}]})"}) {
    const auto read = DefinitionsFromJson(definition);
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(ToJson(*read), definition);
  }
}

TEST(DefinitionJson, RefusesWhatItDoesNotKnowAndSaysWhere) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"", "line 1, column 1"},
      {"{\n  \"project\": demo}", "line 2, column 14"},
      {"{} {}", "line 1, column 4"},
      {"[]",
       "must be an object with the members project, entities, "
       "feature_views, on_demand_feature_views, feature_services, not a list"},
      {R"({"entites": []})", "unknown member 'entites' (did you mean 'entities'?)"},
      {R"({"zzz": []})",
       "unknown member 'zzz'; there are project, entities, "
       "feature_views, on_demand_feature_views, feature_services"},
      {R"({"project": 1})", "project must be a string, not a number"},
      {R"({"project": "a", "project": "b"})", "member 'project' is there twice"},
      {R"({"entities": {}})", "entities must be a list, not an object"},
      {R"({"entities": [{"join_keys": ["a"]}]})", "entities[0]: member 'name' is missing or empty"},
      {R"({"entities": [{"name": "a"}, {"name": "b", "join_keys": [{"name": "k", "typ": "int64"}]}]})",
       "entities[1] 'b': join_keys[0] 'k': unknown member 'typ' (did you "
       "mean 'type'?)"},
      {R"({"feature_views": [{"name": "v", "fields": [{"name": "a", "type": "flaot"}]}]})",
       "feature_views[0] 'v': fields[0] 'a': cannot read the type "
       "'flaot' at position 1: there is no type "
       "'flaot' (did you mean 'float'?)"},
      {R"({"feature_views": [{"name": "v", "fields": {"a": "strng"}}]})",
       "feature_views[0] 'v': field 'a': cannot"},
      {R"({"feature_views": [{"name": "v", "fields": [{"name": "a"}]}]})", "member 'type' is missing"},
      {R"({"feature_views": [{"name": "v", "fields": [{"type": "int64"}]}]})", "member 'name' is missing"},
      {R"({"feature_views": [{"name": "v", "fields": [{"name": "a", "type": "bool", "id": 3000000000}]}]})",
       "id must be a whole number"},
      {R"({"feature_views": [{"name": "v", "fields": [{"name": "a", "type": "bool", "id": 1.5}]}]})",
       "id must be"},
      {R"({"feature_views": [{"name": "v", "ttl": "1 day"}]})",
       "feature_views[0] 'v': ttl: cannot read '1 day'"},
      {R"({"feature_views": [{"name": "v", "ttl": -1}]})", "ttl: -1 seconds are no length of time"},
      {R"({"feature_views": [{"name": "v", "ttl": 9223372036855}]})", "ttl: 9223372036855 seconds are"},
      {R"({"feature_views": [{"name": "v", "ttl": 1e300}]})", "seconds are no length of time"},
      {R"({"feature_views": [{"name": "v", "ttl": true}]})", "ttl must be a string or a number of seconds"},
      {R"({"feature_views": [{"name": "v", "online": "true"}]})",
       "online must be true or false, not a string"},
      {R"({"feature_views": [{"name": "v", "entities": ["a", 1]}]})",
       "entities[1] must be a string, not a number"},
      {R"({"feature_views": [{"name": "v", "tags": {"k": 1}}]})", "tags 'k' must be a string, not a number"},
      {R"({"feature_views": [{"name": "v", "source": "x.parquet"}]})", "source: must be an object"},
      {R"({"feature_views": [{"name": "v", "source": {}}]})", "source: member 'path' is missing or empty"},
      {R"({"feature_views": [{"name": "v", "source": {"path": "x", "format": "parqet"}}]})",
       "source: there is no file format 'parqet' (did you mean 'parquet'?)"},
      {R"({"feature_views": [{"name": "v", "source": {"path": "x", "type": "kafka"}}]})",
       "there is no type of source 'kafka' in this version"},
      {R"({"feature_services": [{"name": "s", "features": ["a:b:c"]}]})",
       "feature_services[0] 's': features[0]: feature reference 'a:b:c' "
       "has more than one colon"},
  };
  for (const auto& [json, problem] : wrong) {
    const Result<Definitions> definitions = DefinitionsFromJson(json);
    ASSERT_FALSE(definitions) << json;
    EXPECT_THAT(definitions.error().ToString(), HasSubstr(problem)) << json;
  }
}

TEST(DefinitionJson, SurvivesDepthAndSize) {
  EXPECT_THAT(Reprint(std::string(1'000'000, '[')), HasSubstr("nests more than 64 deep"));
  std::string wide = R"({"feature_views": [{"name": "v", "fields": {)";
  for (int i = 0; i < 20'000; ++i)
    wide += (i > 0 ? ",\"f" : "\"f") + std::to_string(i) + "\": \"int64\"";
  EXPECT_EQ(DefinitionsFromJson(wide + "}}]}")->views.at(0).fields.size(), 20'000U);
}

TEST(DefinitionJson, BrokenUtf8IsWrittenAsReplacementCharacters) {
  Entity entity = EntityFromJson(R"({"name": "e"})").value();
  entity.metadata.description = "a\xFFz";
  EXPECT_EQ(EntityFromJson(ToJson(entity))->metadata.description, "a\xEF\xBF\xBDz");
  EXPECT_FALSE(DefinitionsFromJson("{\"project\": \"\xFF\"}"));
}

}  // namespace
}  // namespace tidemark
