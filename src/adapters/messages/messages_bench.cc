// How fast messages become rows: ten fields, 5,000 messages a call, on one core.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/messages/message_decoders.h"
#include "adapters/messages/protobuf_types_internal.h"
#include "base/check.h"
#include "pit/columns.h"
#include "rows/avro_codec.h"

namespace tidemark::messages {
namespace {

constexpr std::int64_t kMessages = 5'000;

DecoderRequest TenColumns(MessageFormat format) {
  DecoderRequest request;
  request.rows.format = std::move(format);
  request.wanted = arrow::schema(
      {arrow::field("driver_id", arrow::int64()),
       arrow::field("event_timestamp", ToArrow(DataType{TypeKind::kTimestamp})),
       arrow::field("trips", arrow::int64()), arrow::field("rating", arrow::float64()),
       arrow::field("accepted", arrow::float64()), arrow::field("distance_km", arrow::float64()),
       arrow::field("is_active", arrow::boolean()), arrow::field("city", arrow::utf8()),
       arrow::field("vehicle", arrow::utf8()), arrow::field("level", arrow::int32())});
  request.join_keys = {"driver_id"};
  request.event_column = "event_timestamp";
  return request;
}

std::vector<std::string> Texts(const std::function<std::string(std::int64_t)>& text) {
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < kMessages; ++i)
    texts.push_back(text(i));
  return texts;
}

void RunDecoder(benchmark::State& state, const DecoderRequest& request,
                const std::vector<std::string>& texts) {
  auto decoder = MakeMessageDecoder(request);
  TM_CHECK(decoder, decoder.error().message.c_str());
  std::vector<StreamMessage> messages(texts.size());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    messages[i].value = std::as_bytes(std::span(texts[i]));
    bytes += texts[i].size();
  }
  for (auto _ : state) {
    const auto decoded = (*decoder)->Decode(messages);
    TM_CHECK(decoded && decoded->rejected.empty(), "all messages are rows");
    benchmark::DoNotOptimize(decoded->rows->num_rows());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages.size()));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void BM_Json(benchmark::State& state) {
  RunDecoder(
      state, TenColumns({.kind = MessageFormat::Kind::kJson}), Texts([](std::int64_t i) {
        return fmt::format(
            R"({{"driver_id":{},"event_timestamp":"2024-05-01T12:00:{:02}Z","trips":{},"rating":{},)"
            R"("accepted":{},"distance_km":{},"is_active":{},"city":"city {}","vehicle":"car","level":{}}})",
            i, i % 60, i % 977, 1.0 + 0.25 * static_cast<double>(i % 13), 0.8125,
            12.34 * static_cast<double>(i), i % 2 == 0, i % 100, i % 5);
      }));
}
BENCHMARK(BM_Json);

void BM_Csv(benchmark::State& state) {
  const MessageFormat format{.kind = MessageFormat::Kind::kCsv,
                             .columns = {"driver_id", "event_timestamp", "trips", "rating", "accepted",
                                         "distance_km", "is_active", "city", "vehicle", "level"}};
  RunDecoder(state, TenColumns(format), Texts([](std::int64_t i) {
               return fmt::format("{},2024-05-01T12:00:{:02}Z,{},{},{},{},{},city {},car,{}", i, i % 60,
                                  i % 977, 1.0 + 0.25 * static_cast<double>(i % 13), 0.8125,
                                  12.34 * static_cast<double>(i), i % 2 == 0, i % 100, i % 5);
             }));
}
BENCHMARK(BM_Csv);

void BM_Avro(benchmark::State& state) {
  const MessageFormat format{.kind = MessageFormat::Kind::kAvro,
                             .schema_json = R"({"type": "record", "name": "T", "fields": [
    {"name": "driver_id", "type": "long"},
    {"name": "event_timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "trips", "type": ["null", "long"]}, {"name": "rating", "type": "double"},
    {"name": "accepted", "type": "double"}, {"name": "distance_km", "type": "double"},
    {"name": "is_active", "type": "boolean"}, {"name": "city", "type": "string"},
    {"name": "vehicle", "type": "string"}, {"name": "level", "type": "int"}]})"};
  RunDecoder(state, TenColumns(format), Texts([](std::int64_t i) {
               AvroEncoder out;
               out.Int(i);
               out.Int(1'714'564'800'000'000 + i);
               out.Branch(1);
               out.Int(i % 977);
               out.Double(1.0 + 0.25 * static_cast<double>(i % 13));
               out.Double(0.8125);
               out.Double(12.34 * static_cast<double>(i));
               out.Boolean(i % 2 == 0);
               out.Bytes(fmt::format("city {}", i % 100));
               out.Bytes("car");
               out.Int(i % 5);
               return out.Take();
             }));
}
BENCHMARK(BM_Avro);

void BM_Protobuf(benchmark::State& state) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("tidemark-bench-{}", getpid());
  std::filesystem::create_directory(folder);
  std::ofstream(folder / "ride.proto") << R"(syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Ride { int64 driver_id = 1; google.protobuf.Timestamp event_timestamp = 2; optional int64 trips = 3;
  double rating = 4; double accepted = 5; double distance_km = 6; bool is_active = 7; string city = 8;
  string vehicle = 9; int32 level = 10; })";
  const MessageFormat format{
      .kind = MessageFormat::Kind::kProtobuf, .class_path = "Ride", .proto_path = folder / "ride.proto"};
  auto types = ProtobufTypes::Read(folder / "ride.proto", "Ride", folder);
  TM_CHECK(types, types.error().message.c_str());
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<google::protobuf::Message> ride(factory.GetPrototype(&(*types)->message())->New());
  const auto texts = Texts([&](std::int64_t i) {
    TM_CHECK(
        google::protobuf::TextFormat::ParseFromString(
            fmt::format(
                "driver_id: {} event_timestamp {{ seconds: 1714564800 nanos: {} }} trips: {} rating: {} "
                "accepted: 0.8125 distance_km: {} is_active: {} city: 'city {}' vehicle: 'car' level: {}",
                i, i * 1'000, i % 977, 1.0 + 0.25 * static_cast<double>(i % 13),
                12.34 * static_cast<double>(i), i % 2 == 0, i % 100, i % 5),
            ride.get()),
        "a message's text");
    return ride->SerializeAsString();
  });
  RunDecoder(state, TenColumns(format), texts);
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_Protobuf);

}  // namespace
}  // namespace tidemark::messages

BENCHMARK_MAIN();
