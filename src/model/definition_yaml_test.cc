// Goal: YAML says the same as JSON: what is printed reads back, scalars are
// read by what they are for, and hostile text is an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "model/definition_json.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

TEST(DefinitionYaml, ReadsWhatAUserWouldWrite) {
  const Result<Definitions> read = DefinitionsFromYaml(R"(# a project
project: demo
entities:
- name: driver
  join_keys: [driver_id]
  tags: {active: yes, version: 3}
feature_views:
  - name: driver_stats
    entities: [driver]
    ttl: 3600
    online: false
    fields:
      rating: float64
      no: list<int64>
      pair: "struct<a: int64>"
    source:
      path: data/stats.csv
      format: csv
      timestamp_field: ts
    description: >
      two
      lines
    owner:
  - name: weather
    ttl: 1d
    fields:
      - temp: double
      - {name: wind, type: int32, id: 7}
feature_services:
  - name: model_v1
    features: [driver_stats:rating, weather]
)");
  ASSERT_TRUE(read) << read.error().ToString();
  const Result<Definitions> expected = DefinitionsFromJson(R"({
    "project": "demo",
    "entities": [{"name": "driver", "join_keys": ["driver_id"], "tags": {"active": "yes", "version": "3"}}],
    "feature_views": [
      {"name": "driver_stats", "entities": ["driver"], "ttl": "1h", "online": false,
       "fields": [{"rating": "float64"}, {"no": "list<int64>"}, {"pair": "struct<a: int64>"}],
       "source": {"path": "data/stats.csv", "format": "csv", "timestamp_field": "ts"},
       "description": "two lines\n"},
      {"name": "weather", "ttl": "1d",
       "fields": [{"temp": "double"}, {"name": "wind", "type": "int32", "id": 7}]}],
    "feature_services": [{"name": "model_v1", "features": ["driver_stats:rating", "weather"]}]})");
  EXPECT_EQ(*read, expected.value());
}

TEST(DefinitionYaml, AnEmptyDocumentDefinesNothing) {
  for (const std::string_view text : {"", "\n", "# nothing\n", "---\n", "{}"}) {
    EXPECT_EQ(DefinitionsFromYaml(text).value(), Definitions{}) << text;
  }
}

constexpr std::string_view kPrinted = R"(project: demo
entities:
  - name: driver
    join_keys:
      - name: driver_id
        type: int64
    tags:
      team: "yes"
      "1": a b
feature_views:
  - name: driver_stats
    entities:
      - driver
    ttl: 1d12h
    online: false
    fields:
      - name: "no"
        type: "struct<a: int64, b: list<string>>"
        description: "stars: 1 to 5"
        id: 3
      - name: x
        type: decimal(10, 2)
    source:
      type: file
      path: s3://bucket/x.parquet
  - name: all_rows
)";

TEST(JsonToYaml, PrintsBlocks) {
  const Definitions definitions = DefinitionsFromYaml(kPrinted).value();
  std::string yaml = JsonToYaml(ToJson(definitions));
  // Tags are sorted, "1" before "team".
  std::string expected(kPrinted);
  const std::string tags = "      team: \"yes\"\n      \"1\": a b\n";
  expected.replace(expected.find(tags), tags.size(), "      \"1\": a b\n      team: \"yes\"\n");
  EXPECT_EQ(yaml, expected);
  EXPECT_EQ(JsonToYaml("{}"), "{}\n");
}

// Text that means something in YAML, in JSON or to a terminal, and every character of ASCII in three places.
std::vector<std::string> AwkwardTexts() {
  // clang-format off
  std::vector<std::string> texts{
      "", " ", "a ", " a", "a: b", "a #b", "#a", "- a", "-", "? a", "*a", "&a", "!a", "|", ">", "%a",
      "@a", "`a`", "'a'", "\"a\"", "{a}", "[a]", "a, b", "null", "Null", "~", "true", "OFF", "1",
      "1.5", "1e5", "0x1F", "1_000", "12:30", "2024-05-01", ".5", ".inf", "-1", "=", "<<", "a\nb",
      "a\tb", "\t", "a\r\n", "\x01", "\x7F", "\xC2\x85", "\xE2\x80\xA8", "\xC3\xA9",
      "\xF0\x9F\x8C\x8A", "\\", "/", "a\\nb", "---", "...", "a:", ":a", "1d", "0b1", "0o7", "1w2d",
      std::string("a\0b", 3), std::string(5000, 'x'),
  };
  // clang-format on
  for (char c = 1; c > 0 && c < 127; ++c) {
    texts.push_back(std::string(1, c));
    texts.push_back(std::string("a") + c);
    texts.push_back(std::string("a") + c + " b");
  }
  return texts;
}

TEST(JsonToYaml, EveryTextReadsBack) {
  const std::vector<std::string> texts = AwkwardTexts();
  Definitions definitions;
  Entity entity = EntityFromJson(R"({"name": "e"})").value();
  for (const std::string& text : texts) {
    entity.metadata.description = text;
    entity.metadata.tags[text] = text;
    definitions.entities.push_back(entity);
    entity.metadata.tags.clear();
    const std::string yaml = JsonToYaml(ToJson(definitions));
    const Result<Definitions> read = DefinitionsFromYaml(yaml);
    ASSERT_TRUE(read) << yaml << read.error().ToString();
    ASSERT_EQ(*read, definitions) << yaml;
    definitions.entities.clear();
  }
}

TEST(DefinitionYaml, RefusesWhatIsWrongAndSaysWhere) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"a: [", "cannot read the YAML text at line"},
      {"project: demo\n bad: x", "at line 2, column"},
      {"project: a\nproject: b", "at line 2, column 1: member 'project' is there twice"},
      {"? [a]\n: b", "the name of a member must be plain text"},
      {"~: b", "the name of a member must be plain text"},
      {"project: a\n---\nproject: b", "at line 2, column 1: the document has ended, but the text goes on"},
      {"{} ]", "at line 1, column 4: illegal flow end"},
      {"{project: a}, x", "at line 1, column 13: the document has ended"},
      {"- a", "must be an object with the members"},
      {"text", "must be an object with the members"},
      {"feature_view: []", "unknown member 'feature_view' (did you mean 'feature_views'?)"},
      {"feature_views:\n- name: v\n  online: yes",
       "feature_views[0] 'v': online must be true or false, not 'yes'"},
      {"feature_views:\n- name: v\n  fields: [{name: a, type: bool, id: x}]", "id must be a whole number"},
      {"feature_views:\n- name: v\n  ttl: 1 day", "ttl: cannot read '1 day'"},
      {"feature_views:\n- name: v\n  fields: {a: struct<x}", "field 'a': cannot read the type"},
      {"project: *nowhere", "at line 1"},
  };
  for (const auto& [yaml, problem] : wrong) {
    const Result<Definitions> definitions = DefinitionsFromYaml(yaml);
    ASSERT_FALSE(definitions) << yaml;
    EXPECT_EQ(definitions.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(definitions.error().ToString(), HasSubstr(problem)) << yaml;
  }
}

TEST(DefinitionYaml, SurvivesDepthAndAliasesThatMultiply) {
  EXPECT_FALSE(DefinitionsFromYaml(std::string(100'000, '[')));
  EXPECT_FALSE(DefinitionsFromYaml("project: &a [*a]"));
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'j'; ++c) {
    const std::string before = std::string("*") + static_cast<char>(c - 1);
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i)
      bomb += (i > 0 ? ", " : "") + before;
    bomb += "]\n";
  }
  const Result<Definitions> read = DefinitionsFromYaml(bomb);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().ToString(), HasSubstr("more than a million nodes"));
}

}  // namespace
}  // namespace tidemark
