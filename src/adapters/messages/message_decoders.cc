// Chooses the decoder.
#include "adapters/messages/message_decoders.h"

#include <utility>

#include "adapters/messages/avro_messages_internal.h"
#include "adapters/messages/csv_messages_internal.h"
#include "adapters/messages/json_messages_internal.h"
#include "adapters/messages/protobuf_messages_internal.h"
#include "adapters/messages/wanted_columns_internal.h"

namespace tidemark {

namespace {

Result<std::unique_ptr<MessageDecoder>> MakeAvro(messages::WantedColumns wanted, const MessageFormat& format,
                                                 const MessageDecoderSettings& settings) {
  if (format.schema_registry_url.empty())
    return messages::MakeAvroDecoder(std::move(wanted), format.schema_json);
  if (!settings.open_registry) {
    return Fail(ErrorCode::kUnsupported,
                "this build asks no schema registry: give schema_json instead of schema_registry_url");
  }
  TM_ASSIGN(auto registry, settings.open_registry(format.schema_registry_url));
  return messages::MakeAvroDecoder(std::move(wanted), std::move(registry));
}

Result<std::unique_ptr<MessageDecoder>> MakeDecoder(const DecoderRequest& request,
                                                    const MessageDecoderSettings& settings) {
  TM_ASSIGN(auto wanted, messages::WantedColumns::Of(request));
  const MessageFormat& format = request.rows.format;
  switch (format.kind) {
    case MessageFormat::Kind::kJson:
      return messages::MakeJsonDecoder(std::move(wanted));
    case MessageFormat::Kind::kCsv:
      return messages::MakeCsvDecoder(std::move(wanted), format);
    case MessageFormat::Kind::kAvro:
      return MakeAvro(std::move(wanted), format, settings);
    case MessageFormat::Kind::kProtobuf:
      break;
  }
  return messages::MakeProtobufDecoder(std::move(wanted), format, settings.folder);
}

}  // namespace

DecoderMaker MessageDecoders(MessageDecoderSettings settings) {
  return [settings = std::move(settings)](const DecoderRequest& request) {
    return MakeDecoder(request, settings);
  };
}

Result<std::unique_ptr<MessageDecoder>> MakeMessageDecoder(const DecoderRequest& request) {
  return MakeDecoder(request, {});
}

}  // namespace tidemark
