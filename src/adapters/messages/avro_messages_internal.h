// Messages that are rows in Avro's binary encoding.
//
// Without a schema registry each message is a row of the format's schema; five bytes of a registry (a zero
// byte and the schema's number) may stand before it, and say nothing then. With a registry they must be
// there, and say by which schema the message was written.
#pragma once

#include <memory>
#include <string_view>

#include "adapters/messages/wanted_columns_internal.h"
#include "store/message_decoder.h"
#include "store/schema_registry.h"

namespace tidemark::messages {

/// kInvalidArgument for a schema that is none, or that lacks a wanted column; kTypeMismatch for one whose
/// values never fit.
Result<std::unique_ptr<MessageDecoder>> MakeAvroDecoder(WantedColumns wanted, std::string_view schema_json);
Result<std::unique_ptr<MessageDecoder>> MakeAvroDecoder(WantedColumns wanted,
                                                        std::unique_ptr<SchemaRegistry> registry);

}  // namespace tidemark::messages
