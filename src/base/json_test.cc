// Goal: Json reads, writes, compares and builds what the library behind it does, whatever the text; and says
// what is wrong where that would be undefined.
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

namespace tidemark {
namespace {

using Library = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

std::string LibraryDump(const Library& tree, int indent) {
  return tree.dump(indent, ' ', false, Library::error_handler_t::replace);
}

class RandomTrees {
 public:
  Library Next(int depth = 0) {
    switch (Below(depth > 4 ? 6 : 8)) {
      case 0:
        return nullptr;
      case 1:
        return Below(2) == 0;
      case 2:
        return static_cast<std::int64_t>(engine_()) >> Below(64);
      case 3:
        return engine_() >> Below(64);
      case 4:
        return std::ldexp(static_cast<double>(static_cast<std::int64_t>(engine_())), Below(200) - 100);
      case 5:
        return Text();
      case 6: {
        Library list = Library::array();
        for (int i = Below(5); i > 0; --i)
          list.push_back(Next(depth + 1));
        return list;
      }
      default: {
        Library object = Library::object();
        for (int i = Below(5); i > 0; --i)
          object[Text()] = Next(depth + 1);
        return object;
      }
    }
  }

 private:
  int Below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound)); }

  std::string Text() {
    static const std::vector<std::string> kParts{
        "a", "bc", "\"", "\\", "/", "\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        " "};
    std::string text;
    for (int i = Below(6); i > 0; --i)
      text += kParts[static_cast<std::size_t>(Below(static_cast<int>(kParts.size())))];
    return text;
  }

  std::mt19937_64 engine_{20240501};
};

TEST(JsonTest, TextIsReadAndWrittenAsTheLibraryDoes) {
  RandomTrees trees;
  for (int i = 0; i < 3000; ++i) {
    const Library tree = trees.Next();
    const Json json = Json::parse(tree.dump());
    for (const int indent : {-1, 0, 1, 2})
      ASSERT_EQ(json.dump(indent), LibraryDump(tree, indent));
    const Json copy = json;
    ASSERT_TRUE(copy == json);
    Json built = Json::array({copy, copy});
    built[0] = std::move(built[1]);
    ASSERT_EQ(built[0].dump(), tree.dump());
  }
}

TEST(JsonTest, BytesThatAreNoUtf8AreReplaced) {
  for (const std::string text : {"\xff", "a\xc3", "\xed\xa0\x80x", "\xf0\x9f\x98"})
    EXPECT_EQ(Json(text).dump(), LibraryDump(Library(text), -1));
}

TEST(JsonTest, NumbersKeepTheirKindAndAreComparedByWorth) {
  const Json json = Json::parse("[1, -1, 18446744073709551615, -9223372036854775808, 1.0]");
  EXPECT_EQ(json.dump(),
            LibraryDump(Library::parse("[1,-1,18446744073709551615,-9223372036854775808,1.0]"), -1));
}

TEST(JsonTest, WhatIsNotANumberIsWrittenAsNull) {
  EXPECT_EQ(Json(std::numeric_limits<double>::quiet_NaN()).dump(), "null");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
}

TEST(JsonTest, ListsInBracesAreObjectsWhereAllArePairsWithAName) {
  const Json object{{"b", 1}, {"a", {1, "x", nullptr}}, {"list", Json::array({Json::array({"k", 2})})}};
  EXPECT_EQ(object.dump(), R"({"b":1,"a":[1,"x",null],"list":[["k",2]]})");
  EXPECT_EQ((Json{{"b", 1}, {2, 3}}).dump(), R"([["b",1],[2,3]])");
  EXPECT_EQ(Json::array({Json{{"a", true}}}).dump(), R"([{"a":true}])");
  EXPECT_EQ(Json(std::vector<std::string>{"a", "b"}).dump(), R"(["a","b"])");
  EXPECT_EQ(Json(std::set<int>{2, 1}).dump(), "[1,2]");
  EXPECT_EQ(Json(std::map<std::string, std::int64_t>{{"x", 1}}).dump(), R"({"x":1})");
}

TEST(JsonTest, MembersKeepTheirOrderAndTheLastOfARepeatedOneCounts) {
  Json json = Json::parse(R"({"b": 1, "a": 2, "b": 3, "c": {}})");
  EXPECT_EQ(json.dump(), R"({"b":3,"a":2,"c":{}})");
  json["c"]["d"].push_back(4);
  json["a"] = json["b"];
  EXPECT_EQ(json.dump(), R"({"b":3,"a":3,"c":{"d":[4]}})");
  EXPECT_TRUE(json.erase("a"));
  EXPECT_FALSE(json.erase("a"));
  std::vector<std::string> names;
  for (const auto& [name, value] : json.items())
    names.push_back(name);
  EXPECT_THAT(names, ElementsAre("b", "c"));
}

TEST(JsonTest, AValueMayBePutInThePlaceOfWhatHoldsIt) {
  Json json = Json::parse(R"({"a": {"b": [1, 2]}})");
  json = std::move(json["a"]["b"]);
  EXPECT_EQ(json.dump(), "[1,2]");
  json = json[1];
  EXPECT_EQ(json.dump(), "2");
}

TEST(JsonTest, ValuesAreWalked) {
  Json json = Json::parse(R"({"a": 1, "b": 2})");
  for (Json& value : json)
    value = value.get<int>() + 1;
  EXPECT_EQ(json.dump(), R"({"a":2,"b":3})");
  EXPECT_EQ(json.find("b")->get<std::int64_t>(), 3);
  EXPECT_TRUE(json.find("c") == json.end());
  Json nothing;
  EXPECT_TRUE(nothing.begin() == nothing.end());
  EXPECT_EQ(nothing.size(), 0);
  EXPECT_EQ(Json(5).size(), 1);
  EXPECT_EQ(Json::parse(R"([[1],[2]])").get<std::vector<std::vector<int>>>()[1][0], 2);
}

TEST(JsonTest, ValuesAreComparedByWhatTheyAreWorth) {
  EXPECT_TRUE(Json(1) == Json(1u));
  EXPECT_TRUE(Json(1) == Json(1.0));
  EXPECT_FALSE(Json(-1) == Json(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_FALSE(Json(1) == Json(true));
  EXPECT_FALSE(Json("1") == Json(1));
  EXPECT_FALSE(Json::array() == Json::object());
}

std::string WhatIsWrong(const std::function<void()>& use) {
  try {
    use();
  } catch (const JsonError& error) {
    return error.what();
  }
  return "nothing";
}

TEST(JsonTest, WrongKindsAndMissingMembersAreSaid) {
  const Json json = Json::parse(R"({"a": [1, "x"]})");
  EXPECT_EQ(WhatIsWrong([&] { json.at("b"); }), "JSON lacks the member 'b'");
  EXPECT_EQ(WhatIsWrong([&] { json["b"]; }), "JSON lacks the member 'b'");
  EXPECT_EQ(WhatIsWrong([&] { json["a"]["b"]; }), "JSON has an array where an object is needed");
  EXPECT_EQ(WhatIsWrong([&] { json["a"][2]; }), "JSON has 2 items where item 2 is needed");
  EXPECT_EQ(WhatIsWrong([&] { json["a"][0].text(); }), "JSON has a number where text is needed");
  EXPECT_EQ(WhatIsWrong([&] { json["a"][1].get<int>(); }), "JSON has text where a number is needed");
  EXPECT_EQ(WhatIsWrong([&] { json["a"][1].get<bool>(); }), "JSON has text where true or false is needed");
  EXPECT_EQ(WhatIsWrong([&] { json["a"][0].items(); }), "JSON has a number where an object is needed");
  EXPECT_THAT(WhatIsWrong([] { Json::parse("{\n \"a\": tru}"); }), HasSubstr("line 2, column 10"));
  EXPECT_THAT(WhatIsWrong([] { Json::parse("[1] 2"); }), HasSubstr("line 1, column 5"));
}

TEST(JsonTest, LimitsAreKept) {
  EXPECT_TRUE(ParseJson("[[1]]", {.depth_max = 2}).has_value());
  EXPECT_THAT(ParseJson("[[[1]]]", {.depth_max = 2}).error().message, HasSubstr("more than 2 deep"));
  const auto quote = [](std::string_view name) { return '<' + std::string(name) + '>'; };
  EXPECT_THAT(ParseJson(R"([{"a": 1}, {"a": 2, "a": 3}])", {.quote_repeated = quote}).error().message,
              HasSubstr("member <a> is there twice"));
}

// Deeper than a stack holds calls.
TEST(JsonTest, DeepTextIsReadAndLetGo) {
  constexpr std::size_t kDepth = 200'000;
  const Json json = Json::parse(std::string(kDepth, '[') + std::string(kDepth, ']'));
  EXPECT_EQ(json.size(), 1);
  EXPECT_FALSE(ParseJson(std::string(kDepth, '[')).has_value());
}

}  // namespace
}  // namespace tidemark
