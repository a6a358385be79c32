// Support for tests of decoders: requests, messages and what came of them, as text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/messages/message_decoders.h"

namespace tidemark::messages {

/// What a view wants: columns by name and type; `driver_id` is its join key and `event_timestamp` its event
/// time, unless the request is changed afterwards.
DecoderRequest RequestFor(MessageFormat format,
                          const std::vector<std::pair<std::string, std::string>>& columns);

/// A message to be decoded; without a value, a tombstone.
struct TestMessage {
  std::string value;
  std::string key = {};
  bool has_value = true;
};

/// The rows, one a line: `message: value value ..`, `(deleted)` behind those of tombstones; then the rejected
/// messages: `message! reason`. Or the error, where there is one. Every array is validated.
std::string Decoded(MessageDecoder& decoder, const std::vector<TestMessage>& messages);
std::string Decoded(const DecoderRequest& request, const std::vector<TestMessage>& messages);

}  // namespace tidemark::messages
