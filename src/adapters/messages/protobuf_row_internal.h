// How messages of one type of Protobuf are put into wanted columns.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/messages/message_columns_internal.h"
#include "adapters/messages/protobuf_wire_internal.h"
#include "adapters/messages/wanted_columns_internal.h"
#include "base/result.h"

namespace tidemark::messages {

/// A field with the type that its values become.
struct ProtobufPlan {
  enum class Form : std::uint8_t {
    kValue,      // a scalar, text, bytes, an enum
    kTimestamp,  // google.protobuf.Timestamp; children: seconds, nanos
    kWrapper,    // google.protobuf.Int64Value and its like; one child
    kStruct,     // another message; children: a field for each member
  };
  const google::protobuf::FieldDescriptor* field = nullptr;  // none: a member that the message does not have
  Form form = Form::kValue;
  std::vector<ProtobufPlan> children = {};  // of a map: its key and its value
};

class ProtobufRow {
 public:
  /// Errors as MakeProtobufDecoder.
  static Result<ProtobufRow> Of(const google::protobuf::Descriptor& type, const WantedColumns& wanted);

  /// True if it can be read by a ProtobufWire: the only messages in it are Timestamps that become timestamps.
  bool is_flat() const;

  /// Puts a message into the columns. False, with why, if a value does not fit.
  bool Put(const google::protobuf::Message& message, MessageColumns& columns, std::string& why) const;
  /// The same of a message that was read without the library.
  bool Put(const ProtobufWire& message, MessageColumns& columns, std::string& why) const;

 private:
  template <typename Read>
  bool PutAll(const Read& message, MessageColumns& columns, std::string& why) const;

  std::vector<std::pair<std::size_t, ProtobufPlan>> columns_;
};

}  // namespace tidemark::messages
