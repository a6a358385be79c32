// Goal: what the parser refuses has its place found, what it takes has none, and integers beyond 64 bits are
// read as the floats that they are nearest to.
#include "rows/json_place.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>

namespace tidemark::json {
namespace {

std::string PlaceOf(std::string_view text) {
  const auto place = FindProblem(text, 4);
  return place ? place->Told() : "none";
}

TEST(JsonPlaceTest, TheFirstProblemIsToldWithItsPlace) {
  EXPECT_EQ(PlaceOf(R"([{"rating": 1.5, "tags": ["a", null, {}], "e": []}, true])"), "none");
  EXPECT_EQ(PlaceOf(R"([{"rating": 1e400}])"), "at byte 12, in /0/rating");
  EXPECT_EQ(PlaceOf(R"([1e-400, -0.0e-999, 1.7e308])"), "none");
  EXPECT_EQ(PlaceOf("[" + std::string(400, '9') + "]"), "at byte 1, in /0");
  EXPECT_EQ(PlaceOf(R"([{"a": 1}, {"a": 1, "b/c": NaN}])"), "at byte 27, in /1/b~1c");
  EXPECT_EQ(PlaceOf(R"({"a": [1, 2, 03]})"), "at byte 13, in /a/2");
  EXPECT_EQ(PlaceOf(R"({"a": "x\ud800y"})"), "at byte 8, in /a");
  EXPECT_EQ(PlaceOf("{\"a\": \"x\ny\"}"), "at byte 8, in /a");
  EXPECT_EQ(PlaceOf("{\"a\": \"x\xff\"}"), "at byte 8, in /a");
  EXPECT_EQ(PlaceOf(R"({"a": "never)"), "at byte 6, in /a");
  EXPECT_EQ(PlaceOf(R"({"a": 1,})"), "at byte 8, in /");
  EXPECT_EQ(PlaceOf(R"([1, 2] x)"), "at byte 7");
  EXPECT_EQ(PlaceOf(""), "at byte 0");
  EXPECT_EQ(PlaceOf("[[[[1]]]]"), "none");
  EXPECT_EQ(PlaceOf("[[[[[1]]]]]"), "at byte 4, in /0/0/0/0");
}

/// Every text that is one change away from a document: the scanner and the parser agree on whether it is one.
TEST(JsonPlaceTest, AgreesWithTheParser) {
  const std::string document =
      R"([{"a":-1.5e+3,"b\u00e9":"\ud83d\ude00é\n","c":[true,false,null,0,{"d":[]}]},12])";
  constexpr std::array<std::string_view, 24> kPieces = {"",  "\"", "\\",   "{",    "}",    "[", "]",     ",",
                                                        ":", "0",  "1",    "-",    "+",    ".", "e",     "E",
                                                        " ", "\n", "\x01", "\xc3", "\xff", "u", "\\u00", "n"};
  simdjson::dom::parser parser;
  int refused = 0;
  for (std::size_t at = 0; at <= document.size(); ++at) {
    for (const std::string_view piece : kPieces) {
      for (const std::size_t removed : {0UL, 1UL}) {
        std::string text = document;
        text.replace(at, std::min(removed, text.size() - at), piece);
        simdjson::dom::element root;
        const bool is_json = parser.parse(text).get(root) == simdjson::SUCCESS;
        EXPECT_EQ(FindProblem(text, 64).has_value(), !is_json) << text;
        refused += is_json ? 0 : 1;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(JsonPlaceTest, LargeIntegersBecomeFloats) {
  EXPECT_EQ(WithLargeIntegersAsFloats(R"([18446744073709551615, -9223372036854775808, 1e30])"), std::nullopt);
  EXPECT_EQ(WithLargeIntegersAsFloats(R"([18446744073709551616,{"a":-9223372036854775809}])"),
            R"([18446744073709551616e0,{"a":-9223372036854775809e0}])");
  EXPECT_EQ(WithLargeIntegersAsFloats(R"(["18446744073709551616"])"), std::nullopt) << "text is text";
  EXPECT_EQ(WithLargeIntegersAsFloats("[18446744073709551616"), std::nullopt) << "no JSON";
  simdjson::dom::parser parser;
  EXPECT_EQ(double(parser.parse(*WithLargeIntegersAsFloats("[100000000000000000000]")).at(0)), 1e20);
}

}  // namespace
}  // namespace tidemark::json
