// Goal: JSON bodies become columns without losing or changing anything, and what does not fit is named.
#include "server/rows/json_rows.h"

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/rows/json_values.h"

namespace tidemark::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;

DataType TypeOf(std::string_view text) {
  return DataType::Parse(text).value();
}

Result<std::shared_ptr<arrow::RecordBatch>> Read(std::string_view json, ColumnTypes types = {},
                                                 JsonPolicy policy = {}) {
  const JsonRowsOptions options{.types = std::move(types), .policy = policy, .rows_max = 4, .depth_max = 8};
  TM_ASSIGN(const JsonDocument document, JsonDocument::Parse(json, options.depth_max));
  return RowsFromJson(document.root(), options);
}

/// The values of the first column as JSON.
std::string Shown(const Result<std::shared_ptr<arrow::RecordBatch>>& batch) {
  if (!batch) return "error: " + batch.error().ToString();
  const auto column = (*batch)->column(0);
  auto values = JsonValues::Of(*column);
  if (!values) return "error: " + values.error().ToString();
  std::string text;
  for (std::int64_t row = 0; row < column->length(); ++row) {
    if (row > 0) text.push_back(' ');
    values->Append(text, row);
  }
  return text;
}

std::string Shown(std::string_view type, std::string_view values, JsonPolicy policy = {}) {
  return Shown(Read(std::string(R"({"c":)") + std::string(values) + "}", {{"c", TypeOf(type)}}, policy));
}

// Every type goes in and comes out in the same form.
TEST(JsonRows, EveryTypeComesBackAsItWent) {
  EXPECT_EQ(Shown("bool", "[true,null,false]"), "true null false");
  EXPECT_EQ(Shown("int32", "[-2147483648,2147483647,3.0]"), "-2147483648 2147483647 3");
  EXPECT_EQ(Shown("int64", "[-9223372036854775808,9223372036854775807]"),
            "-9223372036854775808 9223372036854775807");
  EXPECT_EQ(Shown("float64", R"([0.1,1,"NaN","-Infinity"])"), R"(0.1 1.0 "NaN" "-Infinity")");
  EXPECT_EQ(Shown("float64", "[100000000000000000000,-100000000000000000000]"), "1e+20 -1e+20");
  EXPECT_EQ(Shown("float32", R"([0.1,"Infinity"])"), R"(0.1 "Infinity")");
  EXPECT_EQ(Shown("string", R"(["a\"é",""])"), R"("a\"é" "")");
  EXPECT_EQ(Shown("binary", R"(["AP8=","","AP8"])"), R"("AP8=" "" "AP8=")");
  EXPECT_EQ(Shown("timestamp", R"(["2026-01-31T12:00:00+01:00",1,"1969-12-31"])"),
            R"("2026-01-31T11:00:00Z" "1970-01-01T00:00:00.000001Z" "1969-12-31T00:00:00Z")");
  EXPECT_EQ(Shown("date", R"(["2026-01-31","1960-02-29"])"), R"("2026-01-31" "1960-02-29")");
  EXPECT_EQ(Shown("decimal(6, 2)", R"(["12.5",-1.25,7])"), R"("12.50" "-1.25" "7.00")");
  EXPECT_EQ(Shown("list<int64>", "[[1,null],[],null]"), "[1,null] [] null");
  EXPECT_EQ(Shown("struct<a: int64, b: string>", R"([{"b":"x","a":1},{}])"),
            R"({"a":1,"b":"x"} {"a":null,"b":null})");
  EXPECT_EQ(Shown("map<int64, string>", R"([{"1":"x","2":null},{}])"), R"({"1":"x","2":null} {})");
}

// What does not fit says column, row and value, and is never changed to fit.
TEST(JsonRows, MisfitsNameColumnRowAndValue) {
  EXPECT_THAT(Shown("int32", "[1,2147483648]"), HasSubstr("column 'c', row 1: 2147483648 is no int32"));
  EXPECT_THAT(Shown("int64", "[9223372036854775808]"), HasSubstr("column 'c', row 0"));
  EXPECT_THAT(Shown("int64", "[1,-100000000000000000000]"),
              AllOf(HasSubstr("column 'c', row 1: "), HasSubstr(" is no int64")));
  EXPECT_THAT(Shown("float64", "[1,2,1e400]"), HasSubstr("(at byte 10, in /c/2)"));
  EXPECT_THAT(Shown("int64", "[1.5]"), HasSubstr("1.5 is no int64"));
  EXPECT_THAT(Shown("int64", R"(["1"])"), HasSubstr(R"("1" is no int64)"));
  EXPECT_THAT(Shown("float32", "[1e39]"), HasSubstr("row 0"));
  EXPECT_THAT(Shown("string", "[1]"), HasSubstr("1 is no string"));
  EXPECT_THAT(Shown("binary", R"(["%"])"), HasSubstr("is no base64"));
  EXPECT_THAT(Shown("binary", R"(["AB"])"), HasSubstr("is no base64")) << "bits that stand for nothing";
  EXPECT_THAT(Shown("timestamp", R"(["yesterday"])"), HasSubstr("is no ISO-8601 time"));
  EXPECT_THAT(Shown("timestamp", "[1.5]"), HasSubstr("row 0"));
  EXPECT_THAT(Shown("date", R"(["2026-02-30"])"), HasSubstr("is no date"));
  EXPECT_THAT(Shown("decimal(4, 2)", R"(["123"])"), HasSubstr("is no decimal(4, 2)"));
  EXPECT_EQ(Shown("decimal(20, 2)", "[1234567890123.45]"), R"("1234567890123.45")");
  EXPECT_THAT(Shown("decimal(38, 2)", "[12345678901234567.25]"), HasSubstr("send it as text"));
  EXPECT_THAT(Shown("decimal(38, 0)", "[123456789012345678901234567890]"), HasSubstr("send it as text"));
  EXPECT_THAT(Shown("decimal(4, 2)", R"(["1.234"])"), HasSubstr("is no decimal(4, 2)"));
  EXPECT_THAT(Shown("list<int64>", "[[1],[2,true]]"), HasSubstr("column 'c', row 1: an array"));
  EXPECT_THAT(Shown("struct<a: int64>", R"([{"x":1}])"), HasSubstr("a member that the type has not"));
  EXPECT_THAT(Shown("bool", "[0]"), HasSubstr("0 is no bool"));
}

TEST(JsonRows, PoliciesAreLenientWhereTheySaySo) {
  EXPECT_EQ(Shown("int64", R"(["12",true])", {.text_numbers = true}), "12 1");
  EXPECT_EQ(Shown("int64", R"([1.9,"-1.9"])", {.text_numbers = true, .truncate_floats = true}), "1 -1");
  EXPECT_EQ(Shown("float64", R"(["1.5"])", {.text_numbers = true}), "1.5");
  EXPECT_EQ(Shown("string", R"([12,true,1.5])", {.numbers_as_text = true}), R"("12" "true" "1.5")");
  EXPECT_THAT(Shown("string", "[123456789012345678901234567890]", {.numbers_as_text = true}),
              HasSubstr("send it as text"));
  EXPECT_EQ(Shown("binary", R"(["%"])", {.plain_binary = true}), R"("JQ==")");
  EXPECT_EQ(Shown("float64", R"(["NaN"])", {.nan_is_null = true}), "null");
}

// Columns that nobody knows get the type that their values have in common.
TEST(JsonRows, TypesOfUnknownColumnsAreFound) {
  const auto type_of = [](std::string_view values) {
    const auto batch = Read(std::string(R"({"c":)") + std::string(values) + "}");
    return batch ? (*batch)->schema()->field(0)->type()->ToString() : batch.error().ToString();
  };
  EXPECT_EQ(type_of("[null,1]"), "int64");
  EXPECT_EQ(type_of("[1,1.5]"), "double");
  EXPECT_EQ(type_of("[true]"), "bool");
  EXPECT_EQ(type_of(R"(["a"])"), "string");
  EXPECT_EQ(type_of("[null]"), "string");
  EXPECT_EQ(type_of("[[],[1]]"), "list<item: int64>") << "an empty list says nothing of its items";
  EXPECT_EQ(type_of(R"([{"a":1},{"a":null,"b":"x"}])"), "struct<a: int64, b: string>");
  EXPECT_THAT(type_of(R"([1,"a"])"), HasSubstr("column 'c' has values of the types int64 and string"));
  EXPECT_THAT(type_of("[{}]"), HasSubstr("an empty object"));
}

TEST(JsonRows, ObjectsMayLeaveColumnsOut) {
  const auto batch = Read(R"([{"a":1},{"b":"x","a":2},{"b":null}])");
  ASSERT_TRUE(batch) << batch.error().ToString();
  EXPECT_EQ((*batch)->num_rows(), 3);
  EXPECT_EQ((*batch)->schema()->field_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Shown(batch), "1 2 null");
  EXPECT_TRUE((*batch)->ValidateFull().ok());
}

TEST(JsonRows, HostileBodiesAreErrors) {
  const auto error = [](std::string_view json) {
    const auto batch = Read(json);
    return batch ? "none" : std::string(Describe(batch.error().code).name) + " " + batch.error().ToString();
  };
  EXPECT_THAT(error(""), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(error("{"), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(error("\"\xff\""), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(error(R"({"a":[1e999]})"), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(error(R"({"a":[NaN]})"), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(error(R"({"a":[[[[[[[[[[1]]]]]]]]]]})"), HasSubstr("json_depth_max"));
  EXPECT_THAT(error(R"({"a":1})"), HasSubstr("where a list of its values is wanted"));
  EXPECT_THAT(error(R"({"a":[1],"a":[2]})"), HasSubstr("given twice"));
  EXPECT_THAT(error(R"({"a":[1],"b":[]})"), HasSubstr("'a' has 1 values and column 'b' has 0"));
  EXPECT_THAT(error(R"({"a":[1,2,3,4,5]})"), HasSubstr("rows_max"));
  EXPECT_THAT(error(R"([{},{},{},{},{}])"), HasSubstr("rows_max"));
  EXPECT_THAT(error(R"([{"a":1},2])"), HasSubstr("row 1: 2 is not an object"));
  EXPECT_THAT(error(R"([{"a":1,"a":2}])"), HasSubstr("row 0: column 'a' is given twice"));
  EXPECT_THAT(error("7"), HasSubstr("rows are"));
}

// Rows that do not fit are marked, so that whoever takes the others can give them back.
TEST(JsonRows, BadRowsAreMarkedWhereTheyAreToBeSkipped) {
  const auto marks = [](std::string_view json) -> std::string {
    JsonRowsOptions options{.types = {{"a", TypeOf("int64")}, {"b", TypeOf("list<int32>")}}, .policy = {}};
    options.marks_bad_rows = true;
    const JsonDocument document = JsonDocument::Parse(json, options.depth_max).value();
    const auto batch = RowsFromJson(document.root(), options);
    if (!batch) return "error: " + batch.error().ToString();
    const auto why = (*batch)->GetColumnByName("__unfit");
    std::string text;
    for (std::int64_t row = 0; row < (*batch)->num_rows(); ++row)
      text += (row > 0 ? "|" : "") + (why->IsNull(row) ? "" : why->GetScalar(row).ValueOrDie()->ToString());
    return text;
  };
  EXPECT_EQ(marks(R"([{"a":1,"b":[1]},{"a":2,"b":null}])"), "|");
  EXPECT_EQ(marks(R"([{"a":"x","b":[1]},{"a":2,"b":["y"]},{"a":3,"b":[]}])"),
            R"(row 0: column 'a': "x" is no int64|row 1: column 'b': ["y"] is no list<int32>|)");
  EXPECT_EQ(marks(R"({"a":[1,2.5,3],"b":[[1],[2],7]})"),
            "|row 1: column 'a': 2.5 is no int64|row 2: column 'b': 7 is no list<int32>");
  EXPECT_EQ(marks(R"([{"a":1,"a":2},7])"),
            "row 0: column 'a' is given twice|row 1: 7 is not an object of columns and values");
  EXPECT_THAT(marks(R"({"a":[1],"b":[]})"), HasSubstr("all columns must have as many"));
}

TEST(JsonRows, NothingIsNoRows) {
  for (const char* json : {"{}", "[]", R"({"a":[]})"}) {
    const auto batch = Read(json, {{"a", TypeOf("int64")}});
    ASSERT_TRUE(batch) << json;
    EXPECT_EQ((*batch)->num_rows(), 0) << json;
  }
  EXPECT_EQ((*Read("[]", {{"a", TypeOf("int64")}}))->schema()->ToString(), "a: int64")
      << "what is known of them";
}

}  // namespace
}  // namespace tidemark::server
