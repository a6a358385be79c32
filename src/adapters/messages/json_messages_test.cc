// Goal: JSON messages become rows; those that are none are told apart one by one, and harm no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/messages/messages_testing.h"

namespace tidemark::messages {
namespace {

using testing::HasSubstr;

DecoderRequest JsonRequest() {
  return RequestFor(
      {.kind = MessageFormat::Kind::kJson},
      {{"driver_id", "int64"}, {"event_timestamp", "timestamp"}, {"rating", "float64"}, {"city", "string"}});
}

TEST(JsonMessages, MembersBecomeColumns) {
  EXPECT_EQ(
      Decoded(
          JsonRequest(),
          {{R"({"driver_id":1,"event_timestamp":"2024-05-01T12:00:00Z","rating":4.5,"city":"Oslo"})"},
           {R"({"city":"Rome","other":[{}],"rating":3,"event_timestamp":1714564800000001,"driver_id":2})"},
           {R"({"driver_id":3,"event_timestamp":"2024-05-01 12:00","rating":null})"}}),
      "0: 1 2024-05-01 12:00:00.000000Z 4.5 Oslo\n"
      "1: 2 2024-05-01 12:00:00.000001Z 3 Rome\n"
      "2: 3 2024-05-01 12:00:00.000000Z null null\n");
}

TEST(JsonMessages, WhatIsNoRowIsRejectedWithItsReason) {
  const std::string decoded =
      Decoded(JsonRequest(), {{R"({"driver_id":1,"event_timestamp":0})"},
                              {"{"},
                              {"[1]"},
                              {"null"},
                              {""},
                              {R"({"driver_id":"x","event_timestamp":0})"},
                              {R"({"driver_id":1,"event_timestamp":0,"rating":"good"})"},
                              {R"({"event_timestamp":0})"},
                              {R"({"driver_id":1})"},
                              {R"({"driver_id":1,"event_timestamp":"yesterday"})"},
                              {R"({"driver_id":1,"driver_id":2,"event_timestamp":0})"},
                              {"{\"driver_id\":1,\"event_timestamp\":0,\"city\":\"\xff\"}"},
                              {std::string(100, '[') + std::string(100, ']')},
                              {R"({"driver_id":2,"event_timestamp":0,"city":"last"})"}});
  EXPECT_THAT(decoded, HasSubstr("0: 1 1970-01-01 00:00:00.000000Z null null\n13: 2 "));
  EXPECT_THAT(decoded, HasSubstr("\n1! no JSON: "));
  EXPECT_THAT(decoded, HasSubstr("\n2! an array is no JSON object\n"));
  EXPECT_THAT(decoded, HasSubstr("\n3! null is no JSON object\n"));
  EXPECT_THAT(decoded, HasSubstr("\n4! no JSON: "));
  EXPECT_THAT(decoded, HasSubstr("\n5! column 'driver_id': \"x\" is no int64\n"));
  EXPECT_THAT(decoded, HasSubstr("\n6! column 'rating': \"good\" is no float64\n"));
  EXPECT_THAT(decoded, HasSubstr("\n7! join key 'driver_id' is missing or null\n"));
  EXPECT_THAT(decoded, HasSubstr("\n8! event time 'event_timestamp' is missing or null\n"));
  EXPECT_THAT(decoded, HasSubstr("\n9! column 'event_timestamp': \"yesterday\" is no ISO-8601 time"));
  EXPECT_THAT(decoded, HasSubstr("\n10! 'driver_id' is there twice\n"));
  EXPECT_THAT(decoded, HasSubstr("\n11! no JSON: "));
  EXPECT_THAT(decoded, HasSubstr("\n12! the JSON is nested deeper than 64\n"));
}

// A value that breaks off within nested columns leaves them whole for the messages behind it.
TEST(JsonMessages, NestedValuesThatDoNotFitHarmNoOthers) {
  const auto request = RequestFor({.kind = MessageFormat::Kind::kJson},
                                  {{"driver_id", "int64"},
                                   {"event_timestamp", "timestamp"},
                                   {"s", "struct<a: int64, b: list<struct<c: int64, d: string>>>"},
                                   {"m", "map<string, list<int64>>"}});
  const std::string good =
      R"({"driver_id":1,"event_timestamp":0,"s":{"a":1,"b":[{"c":1,"d":"x"},{"c":2}]},"m":{"k":[1,2]}})";
  const std::string decoded = Decoded(
      request, {{good},
                {R"({"driver_id":2,"event_timestamp":0,"s":{"a":1,"b":[{"c":1,"d":"x"},{"c":2,"d":7}]}})"},
                {R"({"driver_id":3,"event_timestamp":0,"s":{"a":"x","b":[]},"m":{"k":[1]}})"},
                {R"({"driver_id":4,"event_timestamp":0,"s":{"z":1},"m":{"k":[1]}})"},
                {R"({"driver_id":5,"event_timestamp":0,"m":{"k":[1,2],"l":[1,"x"]}})"},
                {R"({"driver_id":6,"event_timestamp":0,"m":{"k":3}})"},
                {good}});
  const auto line = [&](std::string_view start) {
    const auto at = decoded.find(start);
    return at == std::string::npos ? decoded : decoded.substr(at + 2, decoded.find('\n', at) - at - 2);
  };
  EXPECT_EQ(line("0: "), line("6: "));
  EXPECT_THAT(line("0: "), HasSubstr("{c:int64 = 2, d:string = null}"));
  for (const char* rejected :
       {"1! column 's'", "2! column 's'", "3! column 's'", "4! column 'm'", "5! column 'm'"})
    EXPECT_THAT(decoded, HasSubstr(rejected));
}

TEST(JsonMessages, ColumnsHaveTheNamesOfDefinitions) {
  auto request = JsonRequest();
  request.rows.timestamp_field = "ts";
  request.rows.field_mapping = {{"driver", "driver_id"}, {"town", "city"}};
  EXPECT_EQ(
      Decoded(request, {{R"({"driver":7,"ts":"2024-05-01","town":"Oslo","city":"not this","driver_id":9})"}}),
      "0: 7 2024-05-01 00:00:00.000000Z null Oslo\n");
  EXPECT_THAT(Decoded(request, {{R"({"driver":7,"event_timestamp":0})"}}),
              HasSubstr("event time 'ts' is missing"));
}

// A timestamp field that is said by its name in definitions, and one that is a feature as well.
TEST(JsonMessages, OneMemberMayFillTwoColumns) {
  auto request = RequestFor({.kind = MessageFormat::Kind::kJson},
                            {{"driver_id", "int64"}, {"event_timestamp", "timestamp"}, {"seen", "string"}});
  request.rows.timestamp_field = "seen";
  request.rows.field_mapping = {{"s", "seen"}};
  EXPECT_EQ(Decoded(request, {{R"({"driver_id":7,"s":"2024-05-01"})"}}),
            "0: 7 2024-05-01 00:00:00.000000Z 2024-05-01\n");
}

TEST(JsonMessages, EventTimesKeepTheTypeOfTheirColumn) {
  const auto decoded = [](std::string type, std::string value) {
    return Decoded(RequestFor({.kind = MessageFormat::Kind::kJson},
                              {{"driver_id", "int64"}, {"event_timestamp", std::move(type)}}),
                   {{R"({"driver_id":1,"event_timestamp":)" + value + "}"}});
  };
  EXPECT_EQ(decoded("string", R"("2024-05-01T12:00:00+02:00")"), "0: 1 2024-05-01T12:00:00+02:00\n");
  EXPECT_THAT(decoded("string", R"("noon")"),
              HasSubstr("event time 'event_timestamp' is 'noon', which is no ISO"));
  EXPECT_EQ(decoded("int64", "1714564800"), "0: 1 1714564800\n");
  EXPECT_EQ(decoded("float64", "1714564800.25"), "0: 1 1714564800.25\n");
  EXPECT_THAT(decoded("float64", R"("NaN")"), HasSubstr("is no finite number"));
}

TEST(JsonMessages, CreatedTimesThatAreMissingAreTheBrokers) {
  auto request =
      RequestFor({.kind = MessageFormat::Kind::kJson},
                 {{"driver_id", "int64"}, {"event_timestamp", "timestamp"}, {"made", "timestamp"}});
  request.rows.created_timestamp_column = "made";
  EXPECT_EQ(Decoded(request, {{R"({"driver_id":1,"event_timestamp":0,"made":1000000})"},
                              {R"({"driver_id":1,"event_timestamp":0})"}}),
            "0: 1 1970-01-01 00:00:00.000000Z 1970-01-01 00:00:01.000000Z\n"
            "1: 1 1970-01-01 00:00:00.000000Z 2023-11-14 22:13:20.000000Z\n");
}

TEST(JsonMessages, TombstonesHaveTheKeyOnly) {
  auto request = JsonRequest();
  EXPECT_EQ(Decoded(request, {{.value = "", .key = "12", .has_value = false},
                              {.value = "", .key = R"({"driver_id":13,"other":1})", .has_value = false},
                              {.value = "", .key = R"("14")", .has_value = false},
                              {.value = "", .key = "x", .has_value = false},
                              {.value = "", .key = "", .has_value = false},
                              {.value = "", .key = R"({"id":13})", .has_value = false},
                              {.value = "", .key = R"({"driver_id":null})", .has_value = false}}),
            "0: 12 null null null (deleted)\n"
            "1: 13 null null null (deleted)\n"
            "2: 14 null null null (deleted)\n"
            "3! column 'driver_id': 'x' is no int64\n"
            "4! a tombstone without a key\n"
            "5! the key of a tombstone has no 'driver_id'\n"
            "6! join key 'driver_id' is missing or null\n");
}

TEST(JsonMessages, TombstonesOfTextKeysAndOfSeveral) {
  auto one = RequestFor({.kind = MessageFormat::Kind::kJson},
                        {{"driver_id", "string"}, {"event_timestamp", "timestamp"}});
  EXPECT_EQ(Decoded(one, {{.value = "", .key = "12", .has_value = false},
                          {.value = "", .key = R"("a\"b")", .has_value = false}}),
            "0: 12 null (deleted)\n1: a\"b null (deleted)\n");
  auto two = RequestFor({.kind = MessageFormat::Kind::kJson},
                        {{"driver_id", "string"}, {"event_timestamp", "timestamp"}, {"city", "string"}});
  two.join_keys = {"driver_id", "city"};
  two.rows.field_mapping = {{"town", "city"}};
  EXPECT_EQ(Decoded(two, {{.value = "", .key = R"({"driver_id":"1","town":"Oslo"})", .has_value = false},
                          {.value = "", .key = R"({"driver_id":"1","city":"Rome"})", .has_value = false},
                          {.value = "", .key = "1", .has_value = false}}),
            "0: 1 null Oslo (deleted)\n1: 1 null Rome (deleted)\n"
            "2! the key of a tombstone, '1', is no JSON object with the join keys driver_id, city\n");
}

TEST(JsonMessages, ADecoderIsUsedAgain) {
  const auto decoder = MakeMessageDecoder(JsonRequest());
  ASSERT_TRUE(decoder);
  EXPECT_EQ(Decoded(**decoder, {}), "");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Decoded(**decoder, {{R"({"driver_id":1,"event_timestamp":0,"city":4})"},
                                  {R"({"driver_id":2,"event_timestamp":0})"}}),
              "1: 2 1970-01-01 00:00:00.000000Z null null\n0! column 'city': 4 is no string\n");
  }
}

TEST(JsonMessages, TheNumberOfASchemaIsPassedOver) {
  EXPECT_EQ(
      Decoded(JsonRequest(), {{std::string("\0\0\0\0\7", 5) + R"({"driver_id":1,"event_timestamp":0})"}}),
      "0: 1 1970-01-01 00:00:00.000000Z null null\n");
}

TEST(JsonMessages, DeletionsMayBeAColumn) {
  const auto request =
      RequestFor({.kind = MessageFormat::Kind::kJson},
                 {{"driver_id", "int64"}, {"event_timestamp", "timestamp"}, {"is_deleted", "bool"}});
  EXPECT_EQ(Decoded(request, {{R"({"driver_id":1,"event_timestamp":0,"is_deleted":"true"})"},
                              {R"({"driver_id":1,"event_timestamp":0,"is_deleted":false})"},
                              {R"({"driver_id":1,"is_deleted":true})"},
                              {R"({"driver_id":1,"is_deleted":false})"}}),
            "0: 1 1970-01-01 00:00:00.000000Z true\n1: 1 1970-01-01 00:00:00.000000Z false\n"
            "2: 1 null true\n3! event time 'event_timestamp' is missing or null\n");
}

TEST(JsonMessages, WhatIsWantedIsCheckedFirst) {
  auto request = JsonRequest();
  request.join_keys = {"no_such"};
  EXPECT_THAT(Decoded(request, {}), HasSubstr("join key 'no_such' is not among the columns"));
  request = JsonRequest();
  request.event_column = "no_such";
  EXPECT_THAT(Decoded(request, {}), HasSubstr("event time 'no_such' is not among the columns"));
}

}  // namespace
}  // namespace tidemark::messages
