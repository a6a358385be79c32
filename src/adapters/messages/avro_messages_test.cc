// Goal: records in Avro become rows, with a schema that is given and with those of a registry; bytes that are
// no record, and values that do not fit, are told apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "adapters/messages/messages_testing.h"
#include "rows/avro_codec.h"

namespace tidemark::messages {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRideSchema =
    R"({"type": "record", "name": "Ride", "namespace": "com.rides", "fields": [
  {"name": "driver_id", "type": "long"},
  {"name": "note", "type": {"type": "enum", "name": "Note", "symbols": ["NONE", "LATE"]}},
  {"name": "event_timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "rating", "type": ["null", "double"]},
  {"name": "city", "type": ["string", "null"]},
  {"name": "last", "type": "Note"}]})";

DecoderRequest RideRequest() {
  return RequestFor({.kind = MessageFormat::Kind::kAvro, .schema_json = std::string(kRideSchema)},
                    {{"driver_id", "int64"},
                     {"event_timestamp", "timestamp"},
                     {"rating", "float64"},
                     {"city", "string"},
                     {"last", "string"}});
}

std::string Ride(std::int64_t driver, std::int64_t ms, std::optional<double> rating, std::string_view city) {
  AvroEncoder out;
  out.Int(driver);
  out.Int(0);
  out.Int(ms);
  out.Branch(rating ? 1 : 0);
  if (rating) out.Double(*rating);
  out.Branch(0);
  out.Bytes(city);
  out.Int(1);
  return out.Take();
}

std::string WithNumber(std::int32_t number, const std::string& message) {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(number >> shift));
  return bytes + message;
}

TEST(AvroMessages, FieldsBecomeColumns) {
  EXPECT_EQ(
      Decoded(RideRequest(), {{Ride(1, 1'714'564'800'001, 4.5, "Oslo")}, {Ride(-7, -1, std::nullopt, "")}}),
      "0: 1 2024-05-01 12:00:00.001000Z 4.5 Oslo LATE\n"
      "1: -7 1969-12-31 23:59:59.999000Z null  LATE\n");
}

TEST(AvroMessages, TheNumberOfASchemaMayStandBefore) {
  EXPECT_EQ(Decoded(RideRequest(),
                    {{WithNumber(7, Ride(1, 0, 4.5, "Oslo"))}, {Ride(0, 0, 4.5, "begins with a zero byte")}}),
            "0: 1 1970-01-01 00:00:00.000000Z 4.5 Oslo LATE\n"
            "1: 0 1970-01-01 00:00:00.000000Z 4.5 begins with a zero byte LATE\n");
}

TEST(AvroMessages, WhatIsNoRowIsRejectedWithItsReason) {
  const std::string ride = Ride(1, 0, 4.5, "Oslo");
  const std::string decoded =
      Decoded(RideRequest(), {{ride.substr(0, ride.size() - 2)},
                              {ride + "x"},
                              {""},
                              {Ride(1, 0, 4.5, "\xff")},
                              {"\2\4"},
                              {ride.substr(0, 4) + "\6"},
                              {Ride(1, std::numeric_limits<std::int64_t>::max(), 4.5, "far")},
                              {.value = "", .key = "12", .has_value = false},
                              {ride}});
  EXPECT_THAT(decoded, HasSubstr("7: 12 null null null null (deleted)\n8: 1 "));
  EXPECT_THAT(decoded, HasSubstr("\n0! no Avro of the schema: city an Avro value is cut short"));
  EXPECT_THAT(decoded, HasSubstr("\n1! no Avro of the schema: 1 bytes are left behind the last field"));
  EXPECT_THAT(decoded, HasSubstr("\n2! no Avro of the schema: driver_id an Avro integer is cut short"));
  EXPECT_THAT(decoded, HasSubstr("\n3! column 'city': text that is no UTF-8 is no string"));
  EXPECT_THAT(decoded, HasSubstr("\n5! no Avro of the schema: "));
}

TEST(AvroMessages, TypesAreKept) {
  const std::string schema = R"({"type": "record", "name": "T", "fields": [
    {"name": "driver_id", "type": "string"},
    {"name": "event_timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "b", "type": "boolean"},
    {"name": "f", "type": "float"},
    {"name": "d", "type": {"type": "int", "logicalType": "date"}},
    {"name": "m", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
    {"name": "x", "type": {"type": "fixed", "name": "Two", "size": 2}},
    {"name": "l", "type": {"type": "array", "items": ["null", "int"]}},
    {"name": "k", "type": {"type": "map", "values": "double"}},
    {"name": "s", "type": {"type": "record", "name": "S", "fields": [
      {"name": "unwanted", "type": {"type": "array", "items": "string"}}, {"name": "a", "type": "long"}]}},
    {"name": "n", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
    {"name": "raw", "type": {"type": "long", "logicalType": "timestamp-millis"}}]})";
  AvroEncoder out;
  out.Bytes("key");
  out.Int(1'000'001);
  out.Boolean(true);
  out.Float(0.5F);
  out.Int(19'000);
  out.Bytes(std::string_view("\xff\x85", 2));  // -123
  out.Raw("ab");
  out.Int(2);
  out.Branch(1);
  out.Int(7);
  out.Branch(0);
  out.Int(0);
  out.Int(1);
  out.Bytes("one");
  out.Double(1.5);
  out.Int(0);
  out.Int(1);
  out.Bytes("passed over");
  out.Int(0);
  out.Int(9);
  out.Int(-1);
  out.Int(1'714'564'800'001);
  const auto request = RequestFor({.kind = MessageFormat::Kind::kAvro, .schema_json = schema},
                                  {{"driver_id", "string"},
                                   {"event_timestamp", "timestamp"},
                                   {"b", "bool"},
                                   {"f", "float64"},
                                   {"d", "date"},
                                   {"m", "decimal(10, 3)"},
                                   {"x", "binary"},
                                   {"l", "list<int64>"},
                                   {"k", "map<string, float64>"},
                                   {"s", "struct<a: int64, absent: string>"},
                                   {"n", "timestamp"},
                                   {"raw", "int64"}});
  EXPECT_EQ(Decoded(request, {{out.Take()}}),
            "0: key 1970-01-01 00:00:01.000001Z true 0.5 2022-01-08 -1.230 ab list<item: int64>[7, null] "
            "map<string, double>[{key:string = one, value:double = 1.5}] {a:int64 = 9, absent:string = null} "
            "1969-12-31 23:59:59.999999Z 1714564800001\n");
}

TEST(AvroMessages, WhatNeverFitsIsAnErrorAtOnce) {
  const auto error = [](std::string_view schema, std::string type) {
    return Decoded(RequestFor({.kind = MessageFormat::Kind::kAvro, .schema_json = std::string(schema)},
                              {{"driver_id", std::move(type)}, {"event_timestamp", "timestamp"}}),
                   {});
  };
  EXPECT_THAT(error(kRideSchema, "string"),
              HasSubstr("column driver_id: the schema has long, which is no string"));
  EXPECT_THAT(
      error(R"({"type": "record", "name": "T", "fields": [{"name": "driver_id", "type": "long"}]})", "int64"),
      HasSubstr("column 'event_timestamp' is read of 'event_timestamp', which is no field of the schema"));
  EXPECT_THAT(error(R"("long")", "int64"), HasSubstr("the schema is of long, where messages are records"));
  EXPECT_THAT(error("{", "int64"), HasSubstr("schema_json of format avro: its Avro schema cannot be read"));
  EXPECT_THAT(error(R"({"type": "record", "name": "T", "fields": [{"name": "driver_id", "type": "long"},
                    {"name": "driver_id", "type": "long"}]})",
                    "int64"),
              HasSubstr("two fields 'driver_id'"));
}

/// Schemas by number, or an error for all.
class MemorySchemas final : public SchemaRegistry {
 public:
  explicit MemorySchemas(std::shared_ptr<std::map<std::int32_t, std::string>> schemas)
      : schemas_(std::move(schemas)) {}
  Result<std::string> AvroSchema(std::int32_t number) override {
    if (schemas_->empty()) return Fail(ErrorCode::kIo, "the registry does not answer");
    const auto found = schemas_->find(number);
    if (found == schemas_->end()) return Fail(ErrorCode::kNotFound, "the registry has no such schema");
    return found->second;
  }

 private:
  std::shared_ptr<std::map<std::int32_t, std::string>> schemas_;
};

TEST(AvroMessages, ARegistrySaysByWhichSchemaEachWasWritten) {
  const auto schemas = std::make_shared<std::map<std::int32_t, std::string>>();
  auto request = RideRequest();
  request.rows.format.schema_json.clear();
  request.rows.format.schema_registry_url = "http://registry";
  EXPECT_THAT(Decoded(request, {}), HasSubstr("this build asks no schema registry"));
  const auto decoder = MessageDecoders(
      {.folder = {}, .open_registry = [&](const std::string&) -> Result<std::unique_ptr<SchemaRegistry>> {
         return std::make_unique<MemorySchemas>(schemas);
       }})(request);
  ASSERT_TRUE(decoder) << decoder.error().ToString();
  AvroEncoder narrow;
  narrow.Int(2);
  narrow.Int(1'000'000);
  const std::vector<TestMessage> messages = {{WithNumber(7, Ride(1, 0, 4.5, "Oslo"))},
                                             {WithNumber(300, narrow.bytes())},
                                             {WithNumber(8, narrow.bytes())},
                                             {narrow.bytes()},
                                             {WithNumber(9, narrow.bytes())}};
  EXPECT_EQ(Decoded(**decoder, messages), "the registry does not answer");
  (*schemas)[7] = std::string(kRideSchema);
  (*schemas)[300] = R"({"type": "record", "name": "R", "fields": [{"name": "driver_id", "type": "int"},
    {"name": "event_timestamp", "type": "long"}]})";
  (*schemas)[9] = R"({"type": "record", "name": "R", "fields": [{"name": "driver_id", "type": "bytes"}]})";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Decoded(**decoder, messages),
              "0: 1 1970-01-01 00:00:00.000000Z 4.5 Oslo LATE\n"
              "1: 2 1970-01-01 00:00:01.000000Z null null null\n"
              "2! schema 8: the registry has no such schema\n"
              "3! it does not begin with a zero byte and the number of a schema of the registry\n"
              "4! schema 9: column driver_id: the schema has bytes, which is no int64\n");
  }
}

TEST(AvroMessages, NestedValuesThatDoNotFitHarmNoOthers) {
  const std::string schema = R"({"type": "record", "name": "T", "fields": [
    {"name": "driver_id", "type": "long"}, {"name": "event_timestamp", "type": "long"},
    {"name": "s", "type": {"type": "record", "name": "S", "fields": [
      {"name": "a", "type": "long"},
      {"name": "b", "type": {"type": "array", "items": ["long", "string"]}}]}}]})";
  const auto message = [](std::int64_t driver, bool fits) {
    AvroEncoder out;
    out.Int(driver);
    out.Int(0);
    out.Int(5);
    out.Int(2);
    out.Branch(0);
    out.Int(1);
    out.Branch(fits ? 0 : 1);
    if (fits) out.Int(2);
    if (!fits) out.Bytes("two");
    out.Int(0);
    return out.Take();
  };
  EXPECT_EQ(Decoded(RequestFor({.kind = MessageFormat::Kind::kAvro, .schema_json = schema},
                               {{"driver_id", "int64"},
                                {"event_timestamp", "timestamp"},
                                {"s", "struct<a: int32, b: list<int64>>"}}),
                    {{message(1, true)}, {message(2, false)}, {message(3, true)}}),
            "0: 1 1970-01-01 00:00:00.000000Z {a:int32 = 5, b:list<item: int64> = list<item: int64>[1, 2]}\n"
            "2: 3 1970-01-01 00:00:00.000000Z {a:int32 = 5, b:list<item: int64> = list<item: int64>[1, 2]}\n"
            "1! column 's': string is no struct<a: int32, b: list<int64>>\n");
}

}  // namespace
}  // namespace tidemark::messages
