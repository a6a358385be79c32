// Messages of Protobuf without nesting, read straight from their bytes: in a fraction of the time that the
// library takes to parse them and to be asked for their fields.
//
// Only what has one meaning is read here: known fields, in the wire types that they have, each once. Whatever
// else there may be in a message is left to the library, which says what it means.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tidemark::messages {

/// Used by one thread at a time.
class ProtobufWire {
 public:
  /// A field, and its value in the message that was read last.
  struct Slot {
    google::protobuf::FieldDescriptor::Type type{};
    std::uint32_t wire = 0;  // its wire type
    bool is_known = false;   // there is such a field
    bool has_presence = false;
    bool is_set = false;
    std::uint64_t number = 0;    // as it is on the wire; of a Timestamp: the seconds
    std::uint64_t nanos = 0;     // of a Timestamp
    std::string_view text = {};  // refers to the message
  };

  /// Nothing for a type some of whose fields are not scalars, text, bytes, enums or Timestamps, once each.
  static std::optional<ProtobufWire> Of(const google::protobuf::Descriptor& type);

  /// False for what is to be left to the library.
  bool Read(std::string_view message);

  /// A field of the type, by its number.
  const Slot& at(int number) const { return slots_[static_cast<std::size_t>(number)]; }

 private:
  bool ReadField(Slot& slot, std::string_view& rest);

  std::vector<Slot> slots_;  // by the numbers of the fields
};

}  // namespace tidemark::messages
