// Decoders of messages, by the format that a stream's source states.
//
//   | format   | a message |
//   |----------|---------------------------------------------------------------------------------------------|
//   | json     | an object; values as src/rows/json_columns.h has them | | csv      | one line of the columns
//   that the format lists; nothing between two delimiters is null,      | |          | `""` is empty text;
//   values as json has them in text                                         |
//
// Members that no column wants are passed over. A member that is not there is null; without a join key or an
// event time a message is no row. Without a created time it is that of the broker's timestamp.
//
// A tombstone's key is a JSON object with the join keys, named as in the messages or as in definitions; or,
// with one join key, its value as JSON or as plain text.
//
// Before a JSON message there may be the five bytes that say which schema of a registry it was written by (a
// zero byte and the schema's number): nothing is read by it.
#pragma once

#include <memory>

#include "base/result.h"
#include "store/message_decoder.h"
#include "store/stream.h"

namespace tidemark {

/// kInvalidArgument for wanted columns that the format cannot have, for a join key or an event column that is
/// not among those wanted; kTypeMismatch for a wanted column of an Arrow type that definitions do not know;
/// kUnsupported for a format that is not decoded.
Result<std::unique_ptr<MessageDecoder>> MakeMessageDecoder(const DecoderRequest& request);

}  // namespace tidemark
