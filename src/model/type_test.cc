// Goal: every type survives being printed and read, all documented spellings are read, and bad text is
// refused with its position.
#include "model/type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace tidemark {
namespace {

using ::testing::HasSubstr;

// What `text` reads as, printed again; or the error.
std::string Reprint(std::string_view text) {
  const Result<DataType> type = DataType::Parse(text);
  return type ? type->ToString() : type.error().ToString();
}

TEST(DataType, IsPrintedAsItIsRead) {
  for (const std::string_view text :
       {"bool", "int32", "int64", "float32", "float64", "string", "binary", "timestamp", "date",
        "decimal(10, 2)", "decimal(38, 0)", "list<float64>", "list<list<binary>>",
        "struct<a: int64, b: list<string>>", "map<string, int64>",
        "map<int32, struct<x: decimal(5, 5), `a b``c`: map<date, bool>>>",
        "struct<`é`: bool, A: bool, a: bool>"}) {
    EXPECT_EQ(Reprint(text), text);
  }
}

TEST(DataType, TakesTheOtherSpellings) {
  const std::pair<std::string_view, std::string_view> spellings[] = {
      {"Int64", "int64"},
      {"INT", "int64"},
      {"integer", "int64"},
      {"float", "float64"},
      {"Double", "float64"},
      {"Float32", "float32"},
      {"boolean", "bool"},
      {"Bytes", "binary"},
      {"UnixTimestamp", "timestamp"},
      {"UNIX_TIMESTAMP", "timestamp"},
      {"Array(Float32)", "list<float32>"},
      {"Array( Array(Int32) )", "list<list<int32>>"},
      {"decimal128(7,3)", "decimal(7, 3)"},
      {"decimal(7)", "decimal(7, 0)"},
      {"  struct< a :int32,`b`:  string > ", "struct<a: int32, b: string>"},
  };
  for (const auto& [text, printed] : spellings)
    EXPECT_EQ(Reprint(text), printed);
}

TEST(DataType, SaysWhereTextCannotBeRead) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"", "position 1: expected the name of a type"},
      {"strnig", "position 1: there is no type 'strnig' (did you mean 'string'?)"},
      {"list<flaot64>", "position 6: there is no type 'flaot64' (did you mean 'float64'?)"},
      {"uuid", "there are bool, int32"},
      {"int64 int64", "position 7: the type ends here"},
      {"list", "position 5: expected what it holds, as in list<int64>"},
      {"list<int64", "position 11: expected '>'"},
      {"list<int64)", "position 11: expected '>'"},
      {"Array(int64>", "position 12: expected ')'"},
      {"map<string>", "position 11: expected ','"},
      {"decimal", "position 8: expected what it holds"},
      {"decimal(0, 0)", "position 9: the precision of a decimal is a number from 1 to 38"},
      {"decimal(39, 0)", "position 9"},
      {"decimal(99999999999999999999, 0)", "position 9"},
      {"decimal(5, 6)", "position 12: the scale of this decimal is a number from 0 to 5"},
      {"decimal(5, -1)", "position 12"},
      {"struct<>", "position 8: expected the name of a member"},
      {"struct<a: int64, a: bool>", "position 18: a second member named 'a'"},
      {"struct<a int64>", "position 10: expected ':'"},
      {"struct<`a: int64>", "position 8: the back-tick is never closed"},
      {"struct<``: int64>", "position 8: a member has no name"},
      {"int64\n", "position 6"},
  };
  for (const auto& [text, problem] : wrong) {
    const Result<DataType> type = DataType::Parse(text);
    ASSERT_FALSE(type) << text;
    EXPECT_EQ(type.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(type.error().ToString(), HasSubstr(problem));
  }
}

std::string Nested(std::size_t depth) {
  std::string text;
  for (std::size_t i = 1; i < depth; ++i)
    text += "list<";
  return text + "int64" + std::string(depth - 1, '>');
}

TEST(DataType, NestsToItsLimitAndNoDeeper) {
  EXPECT_EQ(Reprint(Nested(kTypeDepthMax)), Nested(kTypeDepthMax));
  EXPECT_THAT(Reprint(Nested(kTypeDepthMax + 1)), HasSubstr("types nest at most 32 deep"));
  EXPECT_THAT(Reprint(Nested(100'000)), HasSubstr("types nest at most 32 deep"));
}

TEST(DataType, ComparesByValue) {
  const auto parse = [](std::string_view text) { return DataType::Parse(text).value(); };
  EXPECT_EQ(parse("struct<a: int>"), parse("struct<`a`: int64>"));
  EXPECT_EQ(parse("list<int64>"), DataType::List(DataType{}));
  EXPECT_NE(parse("struct<a: int64>"), parse("struct<A: int64>"));
  EXPECT_NE(parse("decimal(5, 2)"), parse("decimal(5, 3)"));
  EXPECT_NE(parse("list<int64>"), parse("list<int32>"));
  EXPECT_NE(parse("int64"), parse("int32"));
}

TEST(DataType, OnlySomeTypesAreJoinKeys) {
  for (const std::string_view text : {"string", "int32", "int64", "bytes", "bool", "timestamp"}) {
    EXPECT_TRUE(CanBeJoinKey(DataType::Parse(text).value())) << text;
  }
  for (const std::string_view text : {"float32", "float64", "date", "decimal(5, 0)", "list<int64>",
                                      "struct<a: int64>", "map<string, string>"}) {
    EXPECT_FALSE(CanBeJoinKey(DataType::Parse(text).value())) << text;
  }
}

TEST(DataType, KnowsWhichAreNested) {
  EXPECT_TRUE(DataType::Parse("list<int64>")->is_nested());
  EXPECT_TRUE(DataType::Parse("map<string, int64>")->is_nested());
  EXPECT_TRUE(DataType::Parse("struct<a: int64>")->is_nested());
  EXPECT_FALSE(DataType::Parse("decimal(3, 1)")->is_nested());
}

}  // namespace
}  // namespace tidemark
