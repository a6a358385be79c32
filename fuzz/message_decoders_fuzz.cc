// Messages of every format: whatever the bytes, rows that are valid, or a reason for each that is none.
#include <arrow/compare.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/messages/message_decoders.h"
#include "model/type.h"
#include "pit/columns.h"

namespace {

using namespace tidemark;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::string_view kAvro = R"({"type": "record", "name": "T", "fields": [
  {"name": "k", "type": "long"},
  {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "a", "type": ["null", "string", "double"]},
  {"name": "l", "type": {"type": "array", "items": "int"}},
  {"name": "m", "type": {"type": "map", "values": {"type": "record", "name": "S", "fields": [
    {"name": "x", "type": {"type": "bytes", "logicalType": "decimal", "scale": 2}},
    {"name": "y", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}}]}}}]})";

constexpr std::string_view kProto = R"(syntax = "proto3";
import "google/protobuf/timestamp.proto";
message S { string x = 1; optional string y = 2; }
message T { int64 k = 1; google.protobuf.Timestamp t = 2; string a = 3; repeated int64 l = 4;
  map<string, S> m = 5; }
)";

constexpr std::string_view kFlatProto = R"(syntax = "proto3";
import "google/protobuf/timestamp.proto";
message T { int64 k = 1; google.protobuf.Timestamp t = 2; string a = 3; sint32 b = 4; double c = 5; }
)";

std::unique_ptr<MessageDecoder> Made(MessageFormat format, bool is_flat) {
  const auto type = [](std::string_view text) { return ToArrow(DataType::Parse(text).value()); };
  arrow::FieldVector fields = {arrow::field("k", type("int64")), arrow::field("t", type("timestamp")),
                               arrow::field("a", type("string"))};
  if (!is_flat) {
    const bool has_decimal = format.kind != MessageFormat::Kind::kProtobuf;
    fields.push_back(arrow::field("l", type("list<int32>")));
    fields.push_back(arrow::field("m", type(has_decimal ? "map<string, struct<x: decimal(10, 2), y: string>>"
                                                        : "map<string, struct<x: string, y: string>>")));
  }
  DecoderRequest request;
  request.rows.format = std::move(format);
  request.wanted = arrow::schema(std::move(fields));
  request.join_keys = {"k"};
  request.event_column = "t";
  auto decoder = MakeMessageDecoder(request);
  if (!decoder) std::abort();
  return *std::move(decoder);
}

std::unique_ptr<MessageDecoder> FlatDecoder() {
  const auto proto = std::filesystem::temp_directory_path() / "tidemark-message-decoders-fuzz-flat.proto";
  std::ofstream(proto) << kFlatProto;
  return Made({.kind = MessageFormat::Kind::kProtobuf, .class_path = "T", .proto_path = proto}, true);
}

/// Messages without nesting are what the library says that they are: it alone passes an unknown field over.
void CheckFlat(MessageDecoder& decoder, std::span<const StreamMessage> messages) {
  std::vector<StreamMessage> plain;
  std::vector<std::string> texts;
  for (const StreamMessage& message : messages) {
    if (message.value.front() == std::byte{0}) continue;  // it may begin with the number of a schema
    plain.push_back({.value = message.value});
    texts.push_back("\xc0\x3e\x01" +
                    std::string(reinterpret_cast<const char*>(message.value.data()), message.value.size()));
  }
  std::vector<StreamMessage> with_unknown;
  for (const std::string& text : texts)
    with_unknown.push_back({.value = std::as_bytes(std::span(text))});
  const auto one = decoder.Decode(plain);
  const auto other = decoder.Decode(with_unknown);
  if (!one || !other || one->message_of_row != other->message_of_row) std::abort();
  if (!one->rows->Equals(*other->rows, false, arrow::EqualOptions().nans_equal(true))) std::abort();
}

std::vector<std::unique_ptr<MessageDecoder>> AllDecoders() {
  const auto proto = std::filesystem::temp_directory_path() / "tidemark-message-decoders-fuzz.proto";
  std::ofstream(proto) << kProto;
  std::vector<std::unique_ptr<MessageDecoder>> decoders;
  decoders.push_back(Made({.kind = MessageFormat::Kind::kJson}, false));
  decoders.push_back(Made({.kind = MessageFormat::Kind::kCsv, .columns = {"k", "t", "a"}}, true));
  decoders.push_back(Made({.kind = MessageFormat::Kind::kAvro, .schema_json = std::string(kAvro)}, false));
  decoders.push_back(
      Made({.kind = MessageFormat::Kind::kProtobuf, .class_path = "T", .proto_path = proto}, false));
  return decoders;
}

}  // namespace

/// The first byte says how many bytes each message has, and the input is cut so.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::unique_ptr<MessageDecoder>> decoders = AllDecoders();
  static const std::unique_ptr<MessageDecoder> flat = FlatDecoder();
  if (size < 2) return 0;
  const std::size_t step = data[0] == 0 ? size - 1 : data[0];
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<StreamMessage> messages;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const auto part = bytes.subspan(at, std::min(step, bytes.size() - at));
    messages.push_back({.key = part, .value = part, .has_value = messages.size() % 4 != 3});
  }
  CheckFlat(*flat, messages);
  for (const auto& decoder : decoders) {
    const auto decoded = decoder->Decode(messages);
    if (!decoded || !decoded->rows->ValidateFull().ok()) std::abort();
    const auto rows = static_cast<std::size_t>(decoded->rows->num_rows());
    if (rows != decoded->message_of_row.size() || rows != decoded->is_deleted.size()) std::abort();
    if (rows + decoded->rejected.size() != messages.size()) std::abort();
  }
  return 0;
}
