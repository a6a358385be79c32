// Chooses the decoder.
#include "adapters/messages/message_decoders.h"

#include <fmt/format.h>

#include "adapters/messages/csv_messages_internal.h"
#include "adapters/messages/json_messages_internal.h"
#include "adapters/messages/wanted_columns_internal.h"

namespace tidemark {

Result<std::unique_ptr<MessageDecoder>> MakeMessageDecoder(const DecoderRequest& request) {
  TM_ASSIGN(auto wanted, messages::WantedColumns::Of(request));
  const MessageFormat& format = request.rows.format;
  switch (format.kind) {
    case MessageFormat::Kind::kJson:
      return messages::MakeJsonDecoder(std::move(wanted));
    case MessageFormat::Kind::kCsv:
      return messages::MakeCsvDecoder(std::move(wanted), format);
    case MessageFormat::Kind::kAvro:
    case MessageFormat::Kind::kProtobuf:
      break;
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("messages of format {} are not decoded", MessageFormatName(format.kind)));
}

}  // namespace tidemark
