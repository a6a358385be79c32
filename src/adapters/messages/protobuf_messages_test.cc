// Goal: Protobuf messages become rows by a .proto file and by a descriptor set: presence, time, nesting.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "adapters/messages/messages_testing.h"
#include "adapters/messages/protobuf_types_internal.h"

namespace tidemark::messages {
namespace {

using testing::HasSubstr;

constexpr std::string_view kPointProto = R"(syntax = "proto3";
package rides.v1;
message Point { double x = 1; optional double y = 2; }
)";

constexpr std::string_view kRideProto = R"(syntax = "proto3";
package rides.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "point.proto";
enum State { UNKNOWN = 0; DONE = 1; }
message Ride {
  int64 driver_id = 1;
  google.protobuf.Timestamp event_timestamp = 2;
  double rating = 3;
  optional double tip = 4;
  string city = 5;
  State state = 6;
  repeated int32 stops = 7;
  map<string, int64> counts = 8;
  Point at = 9;
  repeated Point path = 10;
  google.protobuf.Int64Value seats = 11;
  uint64 odometer = 12;
  bytes blob = 13;
  map<string, Point> points = 14;
}
)";

/// Files of the types, in a folder that is removed.
class ProtobufMessages : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tidemark-protobuf-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Write("point.proto", kPointProto);
    Write("ride.proto", kRideProto);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  /// A message of its text form.
  std::string Encoded(const std::string& text) {
    if (types_ == nullptr) types_ = *ProtobufTypes::Read(folder_ / "ride.proto", "rides.v1.Ride", folder_);
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(&types_->message())->New());
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, message.get())) << text;
    return message->SerializeAsString();
  }

  static DecoderRequest Request(const std::vector<std::pair<std::string, std::string>>& more,
                                std::string proto_path = "ride.proto") {
    std::vector<std::pair<std::string, std::string>> columns = {{"driver_id", "int64"},
                                                                {"event_timestamp", "timestamp"}};
    columns.insert(columns.end(), more.begin(), more.end());
    return RequestFor({.kind = MessageFormat::Kind::kProtobuf,
                       .class_path = "rides.v1.Ride",
                       .proto_path = std::move(proto_path)},
                      columns);
  }

  std::string DecodedHere(const DecoderRequest& request, const std::vector<TestMessage>& messages) const {
    const auto decoder = MessageDecoders({.folder = folder_, .open_registry = {}})(request);
    return decoder ? Decoded(**decoder, messages) : decoder.error().ToString();
  }

  std::filesystem::path folder_;
  std::unique_ptr<ProtobufTypes> types_;
};

TEST_F(ProtobufMessages, FieldsBecomeColumns) {
  const auto request =
      Request({{"rating", "float64"}, {"tip", "float64"}, {"city", "string"}, {"state", "string"}});
  EXPECT_EQ(DecodedHere(request, {{Encoded("driver_id: 1 event_timestamp { seconds: 1714564800 nanos: 1999 } "
                                           "rating: 4.5 tip: 0 city: 'Oslo' state: DONE")},
                                  {Encoded("driver_id: -2 event_timestamp { seconds: -1 nanos: 999999999 }")},
                                  {.value = "", .key = "12", .has_value = false}}),
            "0: 1 2024-05-01 12:00:00.000001Z 4.5 0 Oslo DONE\n"
            "1: -2 1969-12-31 23:59:59.999999Z 0 null  UNKNOWN\n"
            "2: 12 null null null null null (deleted)\n");
}

TEST_F(ProtobufMessages, NestedRepeatedAndMappedFields) {
  const auto request = Request({{"stops", "list<int64>"},
                                {"counts", "map<string, int64>"},
                                {"at", "struct<x: float64, y: float64, absent: string>"},
                                {"path", "list<struct<x: float64>>"},
                                {"points", "map<string, struct<y: float64>>"},
                                {"seats", "int32"},
                                {"blob", "binary"}});
  EXPECT_EQ(
      DecodedHere(request,
                  {{Encoded("event_timestamp {} stops: [1, 2] counts { key: 'a' value: 7 } "
                            "at { x: 1 } path { x: 2 } path { y: 3 } points { key: 'p' value { y: 4 } } "
                            "seats { value: 5 } blob: 'ab'")},
                   {Encoded("event_timestamp {}")}}),
      "0: 0 1970-01-01 00:00:00.000000Z list<item: int64>[1, 2] "
      "map<string, int64>[{key:string = a, value:int64 = 7}] {x:double = 1, y:double = null, absent:string = "
      "null} "
      "list<item: struct<x: double>>[{x:double = 2}, {x:double = 0}] "
      "map<string, struct<y: double>>[{key:string = p, value:struct<y: double> = {y:double = 4}}] 5 ab\n"
      "1: 0 1970-01-01 00:00:00.000000Z list<item: int64>[] map<string, int64>[] null "
      "list<item: struct<x: double>>[] map<string, struct<y: double>>[] null \n");
}

TEST_F(ProtobufMessages, WhatIsNoRowIsRejectedWithItsReason) {
  const auto request = Request({{"odometer", "int64"}, {"stops", "list<int32>"}});
  const std::string good = Encoded("driver_id: 1 event_timestamp {} stops: 1");
  EXPECT_EQ(DecodedHere(request, {{good},
                                  {good.substr(0, good.size() - 1)},
                                  {Encoded("driver_id: 1")},
                                  {Encoded("event_timestamp {} odometer: 18446744073709551615")},
                                  {Encoded("event_timestamp { nanos: -1 }")},
                                  {"\x0a\xff"},
                                  {good}}),
            "0: 1 1970-01-01 00:00:00.000000Z 0 list<item: int32>[1]\n"
            "6: 1 1970-01-01 00:00:00.000000Z 0 list<item: int32>[1]\n"
            "1! no Protobuf of the message rides.v1.Ride\n"
            "2! event time 'event_timestamp' is missing or null\n"
            "3! column 'odometer': 18446744073709551615 is no int64\n"
            "4! column 'event_timestamp': 0 s and -1 ns is no timestamp\n"
            "5! no Protobuf of the message rides.v1.Ride\n");
}

TEST_F(ProtobufMessages, TheNumberOfASchemaIsPassedOver) {
  const std::string good = Encoded("driver_id: 1 event_timestamp {}");
  const std::string row = ": 1 1970-01-01 00:00:00.000000Z\n";
  EXPECT_EQ(DecodedHere(Request({}), {{std::string("\0\0\0\0\7\0", 6) + good},
                                      {std::string("\0\0\0\0\7\4\2\6", 8) + good},
                                      {std::string("\0\0\0\0\7\xff", 6)}}),
            "0" + row + "1" + row + "2! no Protobuf of the message rides.v1.Ride\n");
}

TEST_F(ProtobufMessages, ADescriptorSetDescribesThemToo) {
  google::protobuf::FileDescriptorSet set;
  Encoded("");
  types_->message().file()->CopyTo(set.add_file());
  types_->message().file()->dependency(2)->CopyTo(set.add_file());
  Write("ride.desc", set.SerializeAsString());
  EXPECT_EQ(DecodedHere(Request({{"at", "struct<x: float64>"}}, "ride.desc"),
                        {{Encoded("driver_id: 1 event_timestamp { seconds: 1 } at { x: 2 }")}}),
            "0: 1 1970-01-01 00:00:01.000000Z {x:double = 2}\n");
}

TEST_F(ProtobufMessages, WhatCannotBeReadIsAnErrorAtOnce) {
  EXPECT_THAT(DecodedHere(Request({}, ""), {}), HasSubstr("format protobuf has no proto_path"));
  EXPECT_THAT(DecodedHere(Request({}, "none.proto"), {}), HasSubstr("none.proto"));
  EXPECT_THAT(DecodedHere(Request({}, "none.desc"), {}),
              HasSubstr("is no .proto file, nor a file with a FileDesc"));
  Write("broken.proto", "syntax = \"proto3\";\nmessage {");
  EXPECT_THAT(DecodedHere(Request({}, "broken.proto"), {}), HasSubstr("broken.proto, line 2: "));
  auto request = Request({});
  request.rows.format.class_path = "rides.v1.Walk";
  EXPECT_THAT(DecodedHere(request, {}), HasSubstr("does not describe the message 'rides.v1.Walk'"));
  EXPECT_THAT(DecodedHere(Request({{"none", "int64"}}), {}),
              HasSubstr("column 'none' is read of 'none', which is no field of the message rides.v1.Ride"));
  EXPECT_THAT(DecodedHere(Request({{"stops", "int64"}}), {}),
              HasSubstr("column stops: field 'rides.v1.Ride.stops' is repeated int32, which is no int64"));
  EXPECT_THAT(DecodedHere(Request({{"at", "timestamp"}}), {}),
              HasSubstr("is rides.v1.Point, which is no timestamp"));
}

TEST_F(ProtobufMessages, NestedValuesThatDoNotFitHarmNoOthers) {
  const auto request = Request({{"path", "list<struct<x: float32, y: float64>>"}});
  EXPECT_EQ(DecodedHere(request, {{Encoded("event_timestamp {} path { x: 1 }")},
                                  {Encoded("event_timestamp {} path { x: 1 } path { x: 1.1 }")},
                                  {Encoded("event_timestamp {} path { x: 2 y: 3 }")}}),
            "0: 0 1970-01-01 00:00:00.000000Z list<item: struct<x: float, y: double>>[{x:float = 1, y:double "
            "= null}]\n"
            "2: 0 1970-01-01 00:00:00.000000Z list<item: struct<x: float, y: double>>[{x:float = 2, y:double "
            "= 3}]\n"
            "1! column 'path': 1.1 is no list<struct<x: float32, y: float64>>\n");
}

}  // namespace
}  // namespace tidemark::messages
