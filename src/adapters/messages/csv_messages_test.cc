// Goal: lines of CSV become rows by the columns that the format lists, nothing being told from empty text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/messages/csv_line_internal.h"
#include "adapters/messages/messages_testing.h"

namespace tidemark::messages {
namespace {

using testing::HasSubstr;

DecoderRequest CsvRequest(std::string delimiter = ",") {
  return RequestFor(
      {.kind = MessageFormat::Kind::kCsv,
       .columns = {"driver_id", "unused", "event_timestamp", "rating", "city"},
       .delimiter = std::move(delimiter)},
      {{"driver_id", "int64"}, {"event_timestamp", "timestamp"}, {"rating", "float64"}, {"city", "string"}});
}

TEST(CsvMessages, ColumnsGoByTheirPlace) {
  EXPECT_EQ(Decoded(CsvRequest(), {{"1,x,2024-05-01T12:00:00Z,4.5,Oslo"},
                                   {"2,,2024-05-01,,\n"},
                                   {"3,\"a,b\",2024-05-01,1e3,\"New \"\"York\"\"\"\r\n"},
                                   {"4,,2024-05-01,\"7\",\"\""}}),
            "0: 1 2024-05-01 12:00:00.000000Z 4.5 Oslo\n"
            "1: 2 2024-05-01 00:00:00.000000Z null null\n"
            "2: 3 2024-05-01 00:00:00.000000Z 1000 New \"York\"\n"
            "3: 4 2024-05-01 00:00:00.000000Z 7 \n");
}

TEST(CsvMessages, OtherDelimiters) {
  EXPECT_EQ(Decoded(CsvRequest("|"), {{"1||2024-05-01|4.5|a,b"}}),
            "0: 1 2024-05-01 00:00:00.000000Z 4.5 a,b\n");
  EXPECT_EQ(Decoded(CsvRequest("\t"), {{"1\t\t2024-05-01\t4.5\t\"a\tb\""}}),
            "0: 1 2024-05-01 00:00:00.000000Z 4.5 a\tb\n");
  EXPECT_THAT(Decoded(CsvRequest("\""), {}), HasSubstr("cannot be the delimiter"));
}

TEST(CsvMessages, WhatIsNoRowIsRejectedWithItsReason) {
  EXPECT_EQ(Decoded(CsvRequest(), {{"1,,2024-05-01,4.5"},
                                   {"x,,2024-05-01,4.5,Oslo"},
                                   {"1,,,4.5,Oslo"},
                                   {",,2024-05-01,4.5,Oslo"},
                                   {"1,,2024-05-01,4.5,\"Oslo"},
                                   {"1,,2024-05-01,4.5,\"Os\"lo"},
                                   {"1,,2024-05-01,4.5,Oslo\n2,,2024-05-01,4.5,Oslo\n"},
                                   {"1,,2024-05-01,4.5,\xff"},
                                   {"1,,noon,4.5,Oslo"},
                                   {"2,,2024-05-01,4.5,Oslo"}}),
            "9: 2 2024-05-01 00:00:00.000000Z 4.5 Oslo\n"
            "0! the line has 4 values, where its format has 5 columns\n"
            "1! column 'driver_id': 'x' is no int64\n"
            "2! event time 'event_timestamp' is missing or null\n"
            "3! join key 'driver_id' is missing or null\n"
            "4! value 5: a quote that is never closed\n"
            "5! value 5: text behind a closing quote\n"
            "6! more than one line\n"
            "7! the line is no UTF-8 text\n"
            "8! column 'event_timestamp': 'noon' is no ISO-8601 time (timestamp is wanted)\n");
}

// As in CSV files that are ingested.
TEST(CsvMessages, NumbersAreThoseOfCsvFiles) {
  EXPECT_EQ(Decoded(CsvRequest(), {{"1,,2024-05-01,nan,a"},
                                   {"2,,2024-05-01,-inf,b"},
                                   {"3.0,,2024-05-01,1,c"},
                                   {"1e3,,2024-05-01,1,d"},
                                   {"4,,2024-05-01,1.5e-3,e"}}),
            "0: 1 2024-05-01 00:00:00.000000Z nan a\n"
            "1: 2 2024-05-01 00:00:00.000000Z -inf b\n"
            "4: 4 2024-05-01 00:00:00.000000Z 0.0015 e\n"
            "2! column 'driver_id': '3.0' is no int64\n"
            "3! column 'driver_id': '1e3' is no int64\n");
}

TEST(CsvMessages, NamesAreMappedAndChecked) {
  auto request = RequestFor({.kind = MessageFormat::Kind::kCsv, .columns = {"d", "ts", "flag"}},
                            {{"driver_id", "string"}, {"event_timestamp", "int64"}, {"flag", "bool"}});
  request.rows.field_mapping = {{"d", "driver_id"}};
  request.rows.timestamp_field = "ts";
  EXPECT_EQ(Decoded(request, {{"a,17,true"}, {.value = "", .key = "b", .has_value = false}}),
            "0: a 17 true\n1: b null null (deleted)\n");
  request.rows.field_mapping.clear();
  EXPECT_THAT(Decoded(request, {}),
              HasSubstr("column 'driver_id' is read of 'driver_id', which is not among"));
}

TEST(CsvMessages, NestedColumnsHaveNoForm) {
  EXPECT_THAT(
      Decoded(
          RequestFor({.kind = MessageFormat::Kind::kCsv, .columns = {"driver_id", "event_timestamp", "l"}},
                     {{"driver_id", "int64"}, {"event_timestamp", "timestamp"}, {"l", "list<int64>"}}),
          {}),
      HasSubstr("has no form in messages of format csv"));
}

TEST(CsvLine, ValuesStayWhereTheyAre) {
  CsvLine line(',');
  std::string why;
  ASSERT_TRUE(line.Read(R"("a""b","c""""d",,"",e)", why)) << why;
  std::string seen;
  for (const CsvValue& value : line.values())
    seen += "[" + std::string(value.text) + (value.is_quoted ? "]q" : "]");
  EXPECT_EQ(seen, R"([a"b]q[c""d]q[][]q[e])");
  ASSERT_TRUE(line.Read("", why));
  EXPECT_EQ(line.values().size(), 1U);
  ASSERT_TRUE(line.Read(",", why));
  EXPECT_EQ(line.values().size(), 2U);
  ASSERT_TRUE(line.Read("a\"b,\"c\nd\"\n", why));
  EXPECT_EQ(line.values()[0].text, "a\"b");
  EXPECT_EQ(line.values()[1].text, "c\nd");
}

}  // namespace
}  // namespace tidemark::messages
