// Messages that are lines of CSV, without a header.
#pragma once

#include <memory>

#include "adapters/messages/wanted_columns_internal.h"
#include "model/stream_source.h"
#include "store/message_decoder.h"

namespace tidemark::messages {

/// kInvalidArgument for a wanted column that is not among the format's, or has a nested type.
Result<std::unique_ptr<MessageDecoder>> MakeCsvDecoder(WantedColumns wanted, const MessageFormat& format);

}  // namespace tidemark::messages
