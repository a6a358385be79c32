// How the messages of a stream become rows.
//
// A decoder is made for one source and the columns that a view wants of it; what it gives are rows as a user
// would write them, before they are checked and cast. Messages that are no rows are given back one by one
// with the reason, and never stop the others.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// One message. The bytes must stay valid while it is decoded.
struct StreamMessage {
  std::span<const std::byte> key{};
  std::span<const std::byte> value{};
  bool has_value = true;          // false: a tombstone
  std::int64_t timestamp_us = 0;  // when the broker got it
};

/// A message that is no row: which one, and why.
struct RejectedMessage {
  std::size_t message = 0;
  std::string reason;
};

struct DecodedMessages {
  /// Columns by the names that definitions use, in the order of the messages.
  std::shared_ptr<arrow::RecordBatch> rows;
  /// For each row, the message that it came from.
  std::vector<std::size_t> message_of_row;
  /// Tombstones: of these rows, only the join keys have values.
  std::vector<bool> is_deleted;
  std::vector<RejectedMessage> rejected;
};

/// Used by one thread at a time.
class MessageDecoder {
 public:
  virtual ~MessageDecoder() = default;

  /// An error only if no message can be decoded for now (a schema registry that does not answer: kIo); then
  /// the same messages are to be tried again.
  virtual Result<DecodedMessages> Decode(std::span<const StreamMessage> messages) = 0;
};

}  // namespace tidemark
