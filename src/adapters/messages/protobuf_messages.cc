// Messages without nesting are read as they are; one message object is parsed into again and again for
// others.
#include "adapters/messages/protobuf_messages_internal.h"

#include <fmt/format.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>

#include <limits>
#include <optional>
#include <utility>

#include "adapters/messages/decoded_rows_internal.h"
#include "adapters/messages/message_columns_internal.h"
#include "adapters/messages/protobuf_row_internal.h"
#include "adapters/messages/protobuf_types_internal.h"
#include "adapters/messages/protobuf_wire_internal.h"
#include "rows/avro_codec.h"

namespace tidemark::messages {
namespace {

/// Without what a schema registry's clients put before a message: a zero byte (which no message begins with),
/// the schema's number, and which of its messages this is (a count and as many numbers, as Avro has
/// integers).
std::string_view WithoutSchema(std::string_view bytes) {
  constexpr std::size_t kNumberBytes = 5;
  if (bytes.size() <= kNumberBytes || bytes.front() != '\0') return bytes;
  AvroDecoder in(bytes.substr(kNumberBytes));
  const auto count = in.Int();
  for (std::int64_t i = 0; count && i < *count; ++i) {
    if (!in.Int()) return bytes;
  }
  return count ? in.rest() : bytes;
}

class ProtobufDecoder final : public MessageDecoder {
 public:
  ProtobufDecoder(WantedColumns wanted, std::unique_ptr<ProtobufTypes> types, ProtobufRow row)
      : wanted_(std::move(wanted)),
        types_(std::move(types)),
        row_(std::move(row)),
        columns_(wanted_),
        wire_(row_.is_flat() ? ProtobufWire::Of(types_->message()) : std::nullopt),
        message_(factory_.GetPrototype(&types_->message())->New()) {}
  ProtobufDecoder(const ProtobufDecoder&) = delete;
  ProtobufDecoder& operator=(const ProtobufDecoder&) = delete;

  Result<DecodedMessages> Decode(std::span<const StreamMessage> messages) override {
    DecodedRows rows(wanted_, messages);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].has_value) {
        TM_TRY(AddMessage(WithoutSchema(TextOf(messages[i].value)), i, rows));
      } else {
        TM_TRY(AddTombstone(messages[i], i, columns_, rows));
      }
    }
    TM_ASSIGN(auto columns, columns_.Finish());
    return rows.Finish(std::move(columns));
  }

 private:
  Result<void> AddMessage(std::string_view bytes, std::size_t number, DecodedRows& rows) {
    if (wire_ && wire_->Read(bytes)) return Put(*wire_, number, rows);
    if (!std::in_range<int>(bytes.size()) ||
        !message_->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      rows.Reject(number, fmt::format("no Protobuf of the message {}", types_->message().full_name()));
      return {};
    }
    if (!message_->IsInitialized()) {
      rows.Reject(number, fmt::format("required fields of {} are missing: {}", types_->message().full_name(),
                                      message_->InitializationErrorString()));
      return {};
    }
    return Put(*message_, number, rows);
  }

  template <typename Read>
  Result<void> Put(const Read& message, std::size_t number, DecodedRows& rows) {
    if (std::string why; row_.Put(message, columns_, why)) {
      rows.Add(number);
    } else {
      rows.AddBroken(number, std::move(why));
    }
    return columns_.FillWithNulls(rows.count());
  }

  // What is wrong with a message is told with it; lines on stderr would be nobody's.
  const google::protobuf::LogSilencer quiet_;
  const WantedColumns wanted_;
  const std::unique_ptr<ProtobufTypes> types_;
  const ProtobufRow row_;
  MessageColumns columns_;
  std::optional<ProtobufWire> wire_;  // none: all messages are read by the library
  google::protobuf::DynamicMessageFactory factory_;
  const std::unique_ptr<google::protobuf::Message> message_;
};

}  // namespace

Result<std::unique_ptr<MessageDecoder>> MakeProtobufDecoder(WantedColumns wanted, const MessageFormat& format,
                                                            const std::filesystem::path& folder) {
  if (format.proto_path.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("format protobuf has no proto_path: give the .proto file that describes {}, or a "
                            "descriptor set",
                            format.class_path));
  }
  TM_ASSIGN(auto types, ProtobufTypes::Read(folder / format.proto_path, format.class_path, folder));
  TM_ASSIGN(auto row, ProtobufRow::Of(types->message(), wanted));
  return std::make_unique<ProtobufDecoder>(std::move(wanted), std::move(types), std::move(row));
}

}  // namespace tidemark::messages
