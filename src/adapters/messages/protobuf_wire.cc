// Varints, fixed numbers and lengths.
#include "adapters/messages/protobuf_wire_internal.h"

#include <simdjson.h>

#include <cstring>

namespace tidemark::messages {
namespace {

namespace pb = google::protobuf;
using WireField = pb::FieldDescriptor;

constexpr int kNumberMax = 255;
constexpr std::size_t kTagBytesMax = 2;  // of such a field
constexpr std::uint32_t kWireVarint = 0;
constexpr std::uint32_t kWireFixed64 = 1;
constexpr std::uint32_t kWireBytes = 2;
constexpr std::uint32_t kWireFixed32 = 5;

/// False at the end, and for a number of more than 64 bits.
bool ReadVarint(std::string_view& rest, std::uint64_t& number) {
  constexpr std::size_t kBytesMax = 10;
  constexpr unsigned kLast = 1;  // all that the tenth byte may hold
  number = 0;
  for (std::size_t i = 0; i < rest.size() && i < kBytesMax; ++i) {
    const auto byte = static_cast<unsigned char>(rest[i]);
    if (i == kBytesMax - 1 && byte > kLast) return false;
    number |= std::uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      rest.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

template <typename Fixed>
bool ReadFixed(std::string_view& rest, std::uint64_t& number) {
  if (rest.size() < sizeof(Fixed)) return false;
  Fixed fixed = 0;
  std::memcpy(&fixed, rest.data(), sizeof fixed);
  rest.remove_prefix(sizeof fixed);
  number = fixed;
  return true;
}

bool ReadBytes(std::string_view& rest, std::string_view& bytes) {
  constexpr std::size_t kSizeBytesMax = 4;
  const std::size_t before = rest.size();
  std::uint64_t size = 0;
  if (!ReadVarint(rest, size) || size > rest.size() || before - rest.size() > kSizeBytesMax) return false;
  bytes = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

/// Seconds and nanos, each at most once.
bool ReadTimestamp(std::string_view rest, ProtobufWire::Slot& slot) {
  slot.number = 0;
  slot.nanos = 0;
  if (!rest.empty() && rest.front() == '\x08') {
    rest.remove_prefix(1);
    if (!ReadVarint(rest, slot.number)) return false;
  }
  if (!rest.empty() && rest.front() == '\x10') {
    rest.remove_prefix(1);
    if (!ReadVarint(rest, slot.nanos)) return false;
  }
  return rest.empty();
}

bool IsTimestamp(const WireField& field) {
  const pb::Descriptor& type = *field.message_type();
  return type.full_name() == "google.protobuf.Timestamp" && type.field_count() == 2 &&
         type.field(0)->number() == 1 && type.field(0)->type() == WireField::TYPE_INT64 &&
         !type.field(0)->is_repeated() && type.field(1)->number() == 2 &&
         type.field(1)->type() == WireField::TYPE_INT32 && !type.field(1)->is_repeated();
}

/// Nothing for groups and messages.
std::optional<std::uint32_t> WireTypeOf(const WireField& field) {
  switch (field.type()) {
    case WireField::TYPE_DOUBLE:
    case WireField::TYPE_FIXED64:
    case WireField::TYPE_SFIXED64:
      return kWireFixed64;
    case WireField::TYPE_FLOAT:
    case WireField::TYPE_FIXED32:
    case WireField::TYPE_SFIXED32:
      return kWireFixed32;
    case WireField::TYPE_STRING:
    case WireField::TYPE_BYTES:
      return kWireBytes;
    case WireField::TYPE_MESSAGE:
      return IsTimestamp(field) ? std::optional(kWireBytes) : std::nullopt;
    case WireField::TYPE_GROUP:
      return std::nullopt;
    default:
      return kWireVarint;
  }
}

}  // namespace

std::optional<ProtobufWire> ProtobufWire::Of(const pb::Descriptor& type) {
  // Older ones have required fields, defaults and closed enums.
  if (type.file()->syntax() != pb::FileDescriptor::SYNTAX_PROTO3) return std::nullopt;
  ProtobufWire wire;
  for (int i = 0; i < type.field_count(); ++i) {
    const WireField& field = *type.field(i);
    const auto wire_type = WireTypeOf(field);
    if (!wire_type || field.is_repeated() || field.real_containing_oneof() != nullptr) return std::nullopt;
    if (field.number() > kNumberMax) return std::nullopt;
    const auto number = static_cast<std::size_t>(field.number());
    if (number >= wire.slots_.size()) wire.slots_.resize(number + 1);
    wire.slots_[number] = {
        .type = field.type(), .wire = *wire_type, .is_known = true, .has_presence = field.has_presence()};
  }
  return wire;
}

bool ProtobufWire::Read(std::string_view message) {
  for (Slot& slot : slots_)
    slot.is_set = false;
  while (!message.empty()) {
    const std::size_t before = message.size();
    std::uint64_t tag = 0;
    if (!ReadVarint(message, tag) || before - message.size() > kTagBytesMax) return false;
    const std::uint64_t number = tag >> 3;
    if (number >= slots_.size()) return false;
    Slot& slot = slots_[number];
    if (!slot.is_known || slot.is_set || slot.wire != (tag & 7)) return false;
    if (!ReadField(slot, message)) return false;
    slot.is_set = true;
  }
  for (Slot& slot : slots_) {
    if (slot.is_set) continue;
    slot.number = 0;
    slot.text = {};
  }
  return true;
}

bool ProtobufWire::ReadField(Slot& slot, std::string_view& rest) {
  switch (slot.wire) {
    case kWireVarint:
      return ReadVarint(rest, slot.number);
    case kWireFixed64:
      return ReadFixed<std::uint64_t>(rest, slot.number);
    case kWireFixed32:
      return ReadFixed<std::uint32_t>(rest, slot.number);
    default:
      break;
  }
  if (!ReadBytes(rest, slot.text)) return false;
  if (slot.type == WireField::TYPE_MESSAGE) return ReadTimestamp(slot.text, slot);
  return slot.type == WireField::TYPE_BYTES || simdjson::validate_utf8(slot.text);
}

}  // namespace tidemark::messages
