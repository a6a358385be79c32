// Goal: columns as users have them become the kernel's forms without losing anything, and what would lose
// something is an error that names the column, the row and the value.
#include "pit/columns.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark {
namespace {

using testing::HasSubstr;

std::shared_ptr<arrow::Array> Json(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

DataType Of(const std::shared_ptr<arrow::DataType>& type) {
  auto made = FromArrow(*type);
  EXPECT_TRUE(made.has_value()) << made.error().ToString();
  return *made;
}

void ExpectSame(const arrow::Array& got, const arrow::Array& expected) {
  EXPECT_TRUE(got.ValidateFull().ok()) << got.ValidateFull().ToString();
  EXPECT_TRUE(got.Equals(expected, arrow::EqualOptions::Defaults().nans_equal(true)))
      << got.ToString() << "\nexpected\n"
      << expected.ToString();
}

void ExpectCast(const std::shared_ptr<arrow::Array>& from, const std::shared_ptr<arrow::Array>& to) {
  const auto cast = CastColumn(from, Of(to->type()), "x", 0);
  ASSERT_TRUE(cast.has_value()) << cast.error().ToString();
  ExpectSame(**cast, *to);
}

void ExpectCastFails(const std::shared_ptr<arrow::Array>& from, const std::shared_ptr<arrow::DataType>& to,
                     const std::string& message) {
  const auto cast = CastColumn(from, Of(to), "x", 100);
  ASSERT_FALSE(cast.has_value()) << (*cast)->ToString();
  EXPECT_THAT(cast.error().ToString(), HasSubstr(message));
}

void ExpectMicros(const std::shared_ptr<arrow::Array>& times, const std::string& json, bool is_cut = false) {
  bool cut = false;
  const auto micros = TimesToMicros(*times, "ts", 0, &cut);
  ASSERT_TRUE(micros.has_value()) << micros.error().ToString();
  ExpectSame(**micros, *Json(arrow::int64(), json));
  EXPECT_EQ(cut, is_cut);
}

const auto kMicros = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
const auto kNanos = arrow::timestamp(arrow::TimeUnit::NANO);

TEST(Times, EveryUnitBecomesMicroseconds) {
  ExpectMicros(Json(arrow::timestamp(arrow::TimeUnit::SECOND), "[1, -2]"), "[1000000, -2000000]");
  ExpectMicros(Json(arrow::timestamp(arrow::TimeUnit::MILLI, "Europe/Berlin"), "[1, -2]"), "[1000, -2000]");
  ExpectMicros(Json(kMicros, "[9223372036854775807, -9223372036854775808]"),
               "[9223372036854775807, -9223372036854775808]");
  ExpectMicros(Json(kNanos, "[1000, -2000]"), "[1, -2]");
  ExpectMicros(Json(arrow::date32(), "[1, -1]"), "[86400000000, -86400000000]");
  ExpectMicros(Json(arrow::date64(), "[86400000]"), "[86400000000]");
}

// Finer digits are cut downwards, before 1970 too, so that the order of times stays.
TEST(Times, FinerThanMicrosecondsAreCutDownwards) {
  ExpectMicros(Json(kNanos, "[1999, -1, -1000, -9223372036854775808]"), "[1, -1, -1, -9223372036854776]",
               true);
  ExpectMicros(Json(arrow::utf8(), R"(["1970-01-01T00:00:00.0000019Z"])"), "[1]", true);
}

TEST(Times, TextInEveryLayout) {
  const std::string json = R"(["1970-01-01 00:00:01", "1970-01-01T01:00:00+01:00"])";
  for (const auto& type : {arrow::utf8(), arrow::large_utf8(), arrow::utf8_view()}) {
    ExpectMicros(Json(type, json), "[1000000, 0]");
  }
  const auto encoded = arrow::compute::DictionaryEncode(Json(arrow::utf8(), json))->make_array();
  ExpectMicros(encoded, "[1000000, 0]");
}

TEST(Times, MicrosecondsAreNotCopied) {
  const auto times = Json(kMicros, "[1, 2, 3]")->Slice(1);
  const auto micros = TimesToMicros(*times, "ts", 0);
  ASSERT_TRUE(micros.has_value());
  EXPECT_EQ((*micros)->raw_values(), static_cast<const arrow::TimestampArray&>(*times).raw_values());
}

void ExpectTimesFail(const std::shared_ptr<arrow::Array>& times, ErrorCode code, const std::string& message) {
  const auto micros = TimesToMicros(*times, "ts", 10);
  ASSERT_FALSE(micros.has_value());
  EXPECT_EQ(micros.error().code, code);
  EXPECT_THAT(micros.error().ToString(), HasSubstr(message));
}

TEST(Times, WhatIsNoTimeIsNamed) {
  ExpectTimesFail(Json(kMicros, "[1, 2, null]"), ErrorCode::kInvalidData, "column 'ts', row 12: null");
  ExpectTimesFail(Json(arrow::null(), "[null]"), ErrorCode::kInvalidData, "column 'ts', row 10: null");
  ExpectTimesFail(Json(arrow::utf8(), R"(["2024-01-01", "soon"])"), ErrorCode::kInvalidData,
                  "column 'ts', row 11: 'soon' is no timestamp");
  ExpectTimesFail(Json(arrow::timestamp(arrow::TimeUnit::SECOND), "[0, 9223372036855]"),
                  ErrorCode::kInvalidData, "column 'ts', row 11: time 9223372036855");
  ExpectTimesFail(Json(arrow::date32(), "[2147483647]"), ErrorCode::kInvalidData, "row 10");
  ExpectTimesFail(Json(arrow::int64(), "[1]"), ErrorCode::kTypeMismatch, "column 'ts': int64 holds no times");
}

TEST(Times, NullsStayNullWhereAllowed) {
  const auto micros = NullableTimesToMicros(*Json(kNanos, "[null, 1000, null, 3000]")->Slice(1), "ts", 0);
  ASSERT_TRUE(micros.has_value());
  ExpectSame(**micros, *Json(arrow::int64(), "[1, null, 3]"));
}

void ExpectKey(const std::shared_ptr<arrow::Array>& keys, const std::string& type,
               const arrow::Array& expected) {
  const auto canonical = CanonicalKey(keys, *DataType::Parse(type), "k", 0);
  ASSERT_TRUE(canonical.has_value()) << canonical.error().ToString();
  ExpectSame(**canonical, expected);
}

TEST(Keys, IntegersOfEveryWidthAreOneKey) {
  const auto expected = Json(arrow::int64(), "[1, 2]");
  for (const auto& type : {arrow::int8(), arrow::int16(), arrow::int32(), arrow::int64(), arrow::uint8(),
                           arrow::uint16(), arrow::uint32(), arrow::uint64()}) {
    ExpectKey(Json(type, "[9, 1, 2]")->Slice(1), "int32", *expected);
  }
  ExpectKey(Json(arrow::int64(), "[9223372036854775807]"), "int64",
            *Json(arrow::int64(), "[9223372036854775807]"));
}

TEST(Keys, BytesOfEveryLayoutAreOneKey) {
  const auto expected = Json(arrow::binary(), R"(["ab", "", "c"])");
  for (const auto& type : {arrow::utf8(), arrow::large_utf8(), arrow::utf8_view(), arrow::binary(),
                           arrow::large_binary(), arrow::binary_view()}) {
    ExpectKey(Json(type, R"(["cut off", "ab", "", "c"])")->Slice(1), "string", *expected);
    ExpectKey(Json(type, "[]"), "binary", *Json(arrow::binary(), "[]"));
  }
  const auto encoded =
      arrow::compute::DictionaryEncode(Json(arrow::utf8(), R"(["ab", "", "c"])"))->make_array();
  ExpectKey(encoded, "string", *expected);
}

TEST(Keys, BoolsAndTimestamps) {
  ExpectKey(Json(arrow::boolean(), "[true, false]"), "bool", *Json(arrow::boolean(), "[true, false]"));
  ExpectKey(Json(kNanos, "[1000]"), "timestamp", *Json(arrow::int64(), "[1]"));
  ExpectKey(Json(arrow::date32(), "[1]"), "timestamp", *Json(arrow::int64(), "[86400000000]"));
}

void ExpectKeyFails(const std::shared_ptr<arrow::Array>& keys, const std::string& type, ErrorCode code,
                    const std::string& message) {
  const auto canonical = CanonicalKey(keys, *DataType::Parse(type), "k", 5);
  ASSERT_FALSE(canonical.has_value());
  EXPECT_EQ(canonical.error().code, code);
  EXPECT_THAT(canonical.error().ToString(), HasSubstr(message));
}

TEST(Keys, WhatIsNoKeyIsNamed) {
  ExpectKeyFails(Json(arrow::int64(), "[1, null]"), "int64", ErrorCode::kInvalidData,
                 "column 'k', row 6: null");
  ExpectKeyFails(Json(arrow::null(), "[null]"), "string", ErrorCode::kInvalidData, "column 'k', row 5: null");
  ExpectKeyFails(Json(arrow::float64(), "[1]"), "int64", ErrorCode::kTypeMismatch, "'k' is double");
  ExpectKeyFails(Json(arrow::float64(), "[1]"), "int64", ErrorCode::kTypeMismatch, "floats are no keys");
  ExpectKeyFails(Json(arrow::utf8(), R"(["1"])"), "int64", ErrorCode::kTypeMismatch, "declared as int64");
  ExpectKeyFails(Json(arrow::int64(), "[1]"), "string", ErrorCode::kTypeMismatch, "declared as string");
  ExpectKeyFails(Json(arrow::int64(), "[1]"), "timestamp", ErrorCode::kTypeMismatch, "declared as timestamp");
  ExpectKeyFails(Json(arrow::uint64(), "[1, 9223372036854775808]"), "int64", ErrorCode::kTypeMismatch,
                 "row 6: 9223372036854775808 is beyond int64");
  ExpectKeyFails(Json(kNanos, "[1000, 1001]"), "timestamp", ErrorCode::kTypeMismatch,
                 "finer than a microsecond");
}

TEST(Types, ArrowTypesHaveOneCounterpart) {
  const std::vector<std::pair<std::shared_ptr<arrow::DataType>, std::string>> types{
      {arrow::int8(), "int32"},
      {arrow::uint16(), "int32"},
      {arrow::uint32(), "int64"},
      {arrow::float16(), "float32"},
      {arrow::large_utf8(), "string"},
      {arrow::fixed_size_binary(4), "binary"},
      {arrow::date64(), "date"},
      {kNanos, "timestamp"},
      {arrow::decimal256(20, 3), "decimal(20, 3)"},
      {arrow::dictionary(arrow::int8(), arrow::utf8()), "string"},
      {arrow::large_list(arrow::int8()), "list<int32>"},
      {arrow::fixed_size_list(arrow::float32(), 3), "list<float32>"},
      {arrow::map(arrow::utf8(), arrow::list(arrow::int64())), "map<string, list<int64>>"},
      {arrow::struct_({arrow::field("a", arrow::int16()), arrow::field("b", arrow::utf8_view())}),
       "struct<a: int32, b: string>"},
  };
  for (const auto& [arrow_type, name] : types) {
    EXPECT_EQ(Of(arrow_type).ToString(), name);
    // And back: the form everywhere in Tidemark maps to itself.
    EXPECT_EQ(Of(ToArrow(Of(arrow_type))), Of(arrow_type));
  }
  for (const auto& type :
       {arrow::null(), arrow::duration(arrow::TimeUnit::SECOND), arrow::time64(arrow::TimeUnit::MICRO),
        arrow::decimal256(50, 2), arrow::decimal128(5, -2), arrow::list(arrow::null())}) {
    const auto made = FromArrow(*type);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, ErrorCode::kTypeMismatch);
  }
}

TEST(Cast, NumbersThatFit) {
  ExpectCast(Json(arrow::int32(), "[1, null, -3]"), Json(arrow::int64(), "[1, null, -3]"));
  ExpectCast(Json(arrow::int64(), "[1, null, -3]")->Slice(1), Json(arrow::int32(), "[null, -3]"));
  ExpectCast(Json(arrow::float32(), "[0.5]"), Json(arrow::float64(), "[0.5]"));
  ExpectCast(Json(arrow::float64(), "[0.5, NaN, Inf]"), Json(arrow::float32(), "[0.5, NaN, Inf]"));
  ExpectCast(Json(arrow::float64(), "[3.0, null]"), Json(arrow::int32(), "[3, null]"));
  ExpectCast(Json(arrow::int64(), "[9007199254740992, 1152921504606846976]"),
             Json(arrow::float64(), "[9007199254740992, 1152921504606846976]"));
  ExpectCast(Json(arrow::uint64(), "[9223372036854775807]"), Json(arrow::int64(), "[9223372036854775807]"));
  ExpectCast(Json(arrow::float16(), "[1.5]"), Json(arrow::float32(), "[1.5]"));
}

TEST(Cast, NumbersThatDoNotFitAreNamed) {
  ExpectCastFails(Json(arrow::int64(), "[1, 9007199254740993]"), arrow::float64(),
                  "column 'x', row 101: 9007199254740993 is not exactly representable as float64");
  ExpectCastFails(Json(arrow::int64(), "[9223372036854775807]"), arrow::float64(),
                  "row 100: 9223372036854775807");
  ExpectCastFails(Json(arrow::int64(), "[2147483648]"), arrow::int32(), "row 100: 2147483648");
  ExpectCastFails(Json(arrow::uint64(), "[9223372036854775808]"), arrow::int64(),
                  "row 100: 9223372036854775808");
  ExpectCastFails(Json(arrow::float64(), "[2.5]"), arrow::int64(), "row 100: 2.5");
  ExpectCastFails(Json(arrow::float64(), "[NaN]"), arrow::int64(), "row 100: nan");
  ExpectCastFails(Json(arrow::float64(), "[9223372036854775808]"), arrow::int64(),
                  "row 100: 9.223372036854776e+18");
  ExpectCastFails(Json(arrow::float64(), "[0.1]"), arrow::float32(), "row 100: 0.1");
  ExpectCastFails(Json(arrow::utf8(), R"(["1"])"), arrow::int64(), "column 'x': string cannot become int64");
  ExpectCastFails(Json(arrow::boolean(), "[true]"), arrow::int64(), "bool cannot become int64");
  ExpectCastFails(Json(arrow::int64(), "[1]"), arrow::boolean(), "int64 cannot become bool");
  ExpectCastFails(Json(arrow::int64(), "[1]"), arrow::utf8(), "int64 cannot become string");
}

TEST(Cast, TextBytesAndDictionaries) {
  ExpectCast(Json(arrow::large_utf8(), R"(["a", null])"), Json(arrow::utf8(), R"(["a", null])"));
  ExpectCast(Json(arrow::utf8_view(), R"(["a"])"), Json(arrow::binary(), R"(["a"])"));
  ExpectCast(Json(arrow::binary(), R"(["a"])"), Json(arrow::utf8(), R"(["a"])"));
  ExpectCast(arrow::compute::DictionaryEncode(Json(arrow::utf8(), R"(["a", null, "a"])"))->make_array(),
             Json(arrow::utf8(), R"(["a", null, "a"])"));
  arrow::BinaryBuilder builder;
  ASSERT_TRUE(builder.Append("\xff").ok());
  ExpectCastFails(builder.Finish().ValueOrDie(), arrow::utf8(), "row 100");
}

TEST(Cast, TimesDatesAndDecimals) {
  ExpectCast(Json(kNanos, "[1000, null]"), Json(kMicros, "[1, null]"));
  ExpectCast(Json(arrow::utf8(), R"(["1970-01-01T00:00:01Z", null])"), Json(kMicros, "[1000000, null]"));
  ExpectCast(Json(kMicros, "[86400000000, -86400000000]"), Json(arrow::date32(), "[1, -1]"));
  ExpectCast(Json(arrow::decimal128(5, 2), R"(["1.50", "-2.00"])"),
             Json(arrow::decimal128(10, 1), R"(["1.5", "-2.0"])"));
  ExpectCast(Json(arrow::decimal256(50, 2), R"(["1.50", null])"),
             Json(arrow::decimal128(10, 2), R"(["1.50", null])"));
  ExpectCast(Json(arrow::decimal32(5, 2), R"(["-1.50"])"), Json(arrow::decimal128(10, 3), R"(["-1.500"])"));
  ExpectCast(Json(arrow::int64(), "[-12]"), Json(arrow::decimal128(10, 2), R"(["-12.00"])"));
  ExpectCast(Json(arrow::uint64(), "[18446744073709551615]"),
             Json(arrow::decimal128(20, 0), R"(["18446744073709551615"])"));
  ExpectCastFails(Json(arrow::utf8(), R"([null, "soon"])"), kMicros,
                  "column 'x', row 101: 'soon' is no timestamp");
  ExpectCastFails(Json(kMicros, "[1]"), arrow::date32(), "row 100");
  ExpectCastFails(Json(arrow::decimal128(5, 2), R"(["1.55"])"), arrow::decimal128(10, 1), "row 100: 1.55");
  ExpectCastFails(Json(arrow::int64(), "[100]"), arrow::decimal128(3, 1),
                  "row 100: 100 does not fit decimal(3, 1)");
}

TEST(Cast, NestedPartsByName) {
  ExpectCast(Json(arrow::large_list(arrow::int32()), "[[9], [1, null], null, [], [3]]")->Slice(1),
             Json(arrow::list(arrow::int64()), "[[1, null], null, [], [3]]"));
  ExpectCast(Json(arrow::fixed_size_list(arrow::float32(), 2), "[[1, 2], null, [3, 4]]"),
             Json(arrow::list(arrow::float64()), "[[1, 2], null, [3, 4]]"));
  ExpectCast(Json(arrow::list_view(arrow::utf8_view()), R"([["a"], null])"),
             Json(arrow::list(arrow::utf8()), R"([["a"], null])"));
  ExpectCast(Json(arrow::struct_({arrow::field("b", arrow::int32()), arrow::field("a", arrow::large_utf8())}),
                  R"([null, {"b": 1, "a": "x"}, {"b": null, "a": null}])")
                 ->Slice(1),
             Json(arrow::struct_({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::int64())}),
                  R"([{"a": "x", "b": 1}, {"a": null, "b": null}])"));
  ExpectCast(Json(arrow::map(arrow::large_utf8(), arrow::int32()), R"([[["a", 1], ["b", null]], null])"),
             Json(arrow::map(arrow::utf8(), arrow::int64()), R"([[["a", 1], ["b", null]], null])"));
  ExpectCast(Json(arrow::null(), "[null, null]"), Json(arrow::list(arrow::int64()), "[null, null]"));
}

TEST(Cast, AStructBecomesAMapFromItsNames) {
  const auto pair =
      arrow::struct_({arrow::field("b", arrow::utf8()), arrow::field("a", arrow::large_utf8())});
  ExpectCast(Json(pair, R"([{"b": "0"}, {"b": "1", "a": null}, null, {"b": "2", "a": "x"}])")->Slice(1),
             Json(arrow::map(arrow::utf8(), arrow::utf8()),
                  R"([[["b", "1"], ["a", null]], null, [["b", "2"], ["a", "x"]]])"));
  const auto lists = arrow::struct_({arrow::field("a", arrow::large_list(arrow::int32()))});
  ExpectCast(
      Json(lists, R"([{"a": [1]}, {"a": null}])"),
      Json(arrow::map(arrow::utf8(), arrow::list(arrow::int64())), R"([[["a", [1]]], [["a", null]]])"));
  ExpectCast(Json(pair, "[]"), Json(arrow::map(arrow::utf8(), arrow::utf8()), "[]"));
  ExpectCastFails(Json(arrow::struct_({arrow::field("a", arrow::float64())}), R"([{"a": 1}, {"a": 0.5}])"),
                  arrow::map(arrow::utf8(), arrow::int64()), "column 'x.a', row 101: 0.5");
}

TEST(Cast, ProblemsInNestedPartsAreNamed) {
  ExpectCastFails(Json(arrow::list(arrow::int64()), "[[1], null, [2, 2147483648]]"),
                  arrow::list(arrow::int32()), "column 'x.item', row 102: 2147483648");
  ExpectCastFails(Json(arrow::struct_({arrow::field("a", arrow::list(arrow::float64()))}),
                       R"([{"a": []}, {"a": [0.5]}])"),
                  arrow::struct_({arrow::field("a", arrow::list(arrow::int64()))}),
                  "column 'x.a.item', row 101: 0.5");
  ExpectCastFails(Json(arrow::struct_({arrow::field("a", arrow::int64())}), "[]"),
                  arrow::struct_({arrow::field("b", arrow::int64())}), "no field 'b'");
  ExpectCastFails(Json(arrow::map(arrow::utf8(), arrow::int64()), R"([[], [["a", 3000000000]]])"),
                  arrow::map(arrow::utf8(), arrow::int32()), "column 'x.value', row 101: 3000000000");
  ExpectCastFails(Json(arrow::int64(), "[1]"), arrow::list(arrow::int64()),
                  "int64 cannot become list<int64>");
}

}  // namespace
}  // namespace tidemark
