// Goal: Protobuf messages become rows by a .proto file and by a descriptor set: presence, time, nesting.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

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

constexpr std::string_view kFlatProto = R"(syntax = "proto3";
import "google/protobuf/timestamp.proto";
enum State { UNKNOWN = 0; DONE = 1; }
message Flat {
  int64 driver_id = 1;
  google.protobuf.Timestamp event_timestamp = 2;
  int32 a = 3;
  sint32 b = 4;
  sint64 c = 5;
  uint32 d = 6;
  uint64 e = 7;
  fixed32 f = 8;
  fixed64 g = 9;
  sfixed32 h = 10;
  sfixed64 i = 11;
  float j = 12;
  double k = 13;
  bool l = 14;
  string m = 15;
  bytes n = 16;
  optional int32 o = 17;
  string unwanted = 18;
  State p = 200;
}
)";

/// Bytes of messages of Flat, most of them whole, with fields in no order, twice, of other types, unknown.
class FlatBytes {
 public:
  std::string Next() {
    bytes_.clear();
    if (Is(0.9)) bytes_ += std::string("\x08\x05\x12\x04\x08\x07\x10\x09", 8);
    for (std::uint64_t left = Below(6); left > 0; --left)
      Add(Is(0.95) ? 1 + Below(18) : 199 + Below(3));
    if (Is(0.1) && !bytes_.empty()) bytes_.resize(Below(bytes_.size()));
    if (Is(0.1) && !bytes_.empty()) bytes_[Below(bytes_.size())] = static_cast<char>(1 + Below(255));
    return bytes_;
  }

 private:
  std::uint64_t Below(std::uint64_t end) { return random_() % end; }
  bool Is(double share) { return static_cast<double>(Below(1'000)) < share * 1'000; }

  void Add(std::uint64_t number) {
    static constexpr std::array<std::uint64_t, 19> kWire = {0, 0, 2, 0, 0, 0, 0, 0, 5, 1,
                                                            5, 1, 5, 1, 0, 2, 2, 0, 2};
    std::uint64_t wire = number < kWire.size() ? kWire.at(number) : 0;
    if (Is(0.03)) wire = Below(6);
    Varint(number << 3 | wire);
    if (wire == 0) Varint(random_() >> Below(64));
    if (wire == 1 || wire == 5) {
      for (int left = wire == 1 ? 8 : 4; left > 0; --left)
        bytes_ += static_cast<char>(Below(256));
    }
    if (wire != 2) return;
    static constexpr std::array<std::string_view, 6> kTexts = {"",     "Oslo",     "\xc3\xa5",
                                                               "\xc3", "\x08\x01", "\x10\x02"};
    const std::string_view text = kTexts.at(Below(kTexts.size()));
    Varint(text.size());
    bytes_ += text;
  }
  void Varint(std::uint64_t number) {
    for (; number > 0x7f; number >>= 7)
      bytes_ += static_cast<char>((number & 0x7f) | 0x80);
    bytes_ += static_cast<char>(number);
  }

  std::mt19937_64 random_{7};
  std::string bytes_;
};

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

TEST_F(ProtobufMessages, MessagesWithoutNestingAreReadAsTheLibraryReadsThem) {
  Write("flat.proto", kFlatProto);
  auto request = Request({{"a", "int32"},
                          {"b", "int64"},
                          {"c", "int64"},
                          {"d", "int64"},
                          {"e", "int64"},
                          {"f", "int64"},
                          {"g", "int64"},
                          {"h", "int32"},
                          {"i", "int64"},
                          {"j", "float32"},
                          {"k", "float64"},
                          {"l", "bool"},
                          {"m", "string"},
                          {"n", "binary"},
                          {"o", "int64"},
                          {"p", "string"}},
                         "flat.proto");
  request.rows.format.class_path = "Flat";
  FlatBytes bytes;
  std::vector<TestMessage> messages;
  std::vector<TestMessage> with_unknown;  // a field that only the library passes over
  for (int i = 0; i < 5'000; ++i) {
    messages.push_back({bytes.Next()});
    with_unknown.push_back({"\xc0\x3e\x01" + messages.back().value});
  }
  const std::string rows = DecodedHere(request, messages);
  EXPECT_EQ(rows, DecodedHere(request, with_unknown));
  EXPECT_THAT(rows, HasSubstr("! no Protobuf of the message Flat"));
  EXPECT_THAT(rows, HasSubstr("\n4"));
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
