// Messages in Protobuf's wire format.
#pragma once

#include <filesystem>
#include <memory>

#include "adapters/messages/wanted_columns_internal.h"
#include "model/stream_source.h"
#include "store/message_decoder.h"

namespace tidemark::messages {

/// `folder`: where a relative proto_path begins. kInvalidArgument for a description that cannot be read or
/// does not have the message, and for a wanted column that the message does not have; kTypeMismatch for one
/// whose values never fit.
Result<std::unique_ptr<MessageDecoder>> MakeProtobufDecoder(WantedColumns wanted, const MessageFormat& format,
                                                            const std::filesystem::path& folder);

}  // namespace tidemark::messages
