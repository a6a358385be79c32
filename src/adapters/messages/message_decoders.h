// Decoders of messages, by the format that a stream's source states.
//
//   | format   | a message                                                                          |
//   |----------|------------------------------------------------------------------------------------|
//   | json     | an object; values as src/rows/json_columns.h has them                              |
//   | csv      | one line of the columns that the format lists; nothing between two delimiters is   |
//   |          | null, `""` is empty text; values as json has them in text                          |
//   | avro     | a record in binary encoding, by the schema that is given or by those of a registry |
//   | protobuf | a message of the type that `class_path` names                                      |
//
// Members that no column wants are passed over. A member that is not there is null; without a join key or an
// event time a message is no row (but one whose `is_deleted` is true needs no event time). Without a created
// time it is that of the broker's timestamp.
//
// A tombstone's key is a JSON object with the join keys, named as in the messages or as in definitions; or,
// with one join key, its value as JSON or as plain text.
//
// Before a message of json, of protobuf, and of avro whose schema is given, there may be the bytes that say
// which schema of a registry it was written by (a zero byte and the schema's number): nothing is read by
// them. Of avro with a registry they must be there.
//
// Of protobuf `google.protobuf.Timestamp` is a timestamp, and `Int64Value` and its like are values or null; a
// field with presence (`optional`, a message) is null where it is not set, others have their default then; an
// enum is its name, or its number where an integer is wanted. Of avro a date, a timestamp or a decimal is
// one, and a date or timestamp its number where a number is wanted.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "store/message_decoder.h"
#include "store/schema_registry.h"
#include "store/stream.h"

namespace tidemark {

struct MessageDecoderSettings {
  std::filesystem::path folder = {};        // where relative proto_paths begin
  SchemaRegistryOpener open_registry = {};  // none: registries are not asked
};

/// Makes decoders. kInvalidArgument for wanted columns that the format cannot have, for a join key or an
/// event column that is not among those wanted, for a schema that is none; kTypeMismatch for a wanted column
/// of an Arrow type that definitions do not know, or that no value of the schema fits; kUnsupported for a
/// schema registry without `open_registry`.
DecoderMaker MessageDecoders(MessageDecoderSettings settings);
/// The same without any settings.
Result<std::unique_ptr<MessageDecoder>> MakeMessageDecoder(const DecoderRequest& request);

}  // namespace tidemark
