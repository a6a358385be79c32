// Messages that are JSON objects.
#pragma once

#include <memory>

#include "adapters/messages/wanted_columns_internal.h"
#include "store/message_decoder.h"

namespace tidemark::messages {

Result<std::unique_ptr<MessageDecoder>> MakeJsonDecoder(WantedColumns wanted);

}  // namespace tidemark::messages
