// Streams of messages that somebody else keeps: topics of Kafka, streams of Kinesis.
//
// A stream is divided into partitions. Messages of one partition have an order and an offset each; what was
// read of a partition is said by the offset of its last message. Tidemark keeps that with the rows, never
// with the stream: whoever gets a partition is asked where to read on from.
//
// Several processes that name the same group share a stream's partitions. One that is taken from a process is
// given up by it first, so that what it has read is written before another reads on.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/stream_source.h"
#include "store/message_decoder.h"

namespace tidemark {

/// The place of a message in its partition: a decimal number of any length, without leading zeros. Later
/// messages have greater ones; those in between may be missing. Where several messages came as one they have
/// its number and their places in it, from 0: `17.2`.
class StreamOffset {
 public:
  StreamOffset() = default;  // "0"
  explicit StreamOffset(std::uint64_t number);
  /// Nothing unless `text` is such a number, of at most 128 digits, or two with a point between.
  static std::optional<StreamOffset> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  /// Without the place in what came as one.
  StreamOffset whole() const;
  /// Nothing if it came by itself.
  std::optional<std::uint64_t> place() const;
  /// `place` in what came as this one, which has no place itself.
  StreamOffset At(std::uint64_t place) const;
  bool operator==(const StreamOffset&) const = default;
  std::strong_ordering operator<=>(const StreamOffset& other) const;

 private:
  std::string text_ = "0";
};

/// Where a partition is read from.
struct StreamStart {
  enum class Kind : std::uint8_t {
    kEarliest,  // the first message that there still is
    kLatest,    // what comes from now on
    kAt,        // the message `at`, itself included
    kAfter,     // the one behind `at`
  } kind = Kind::kEarliest;
  StreamOffset at{};
  /// Nothing up to it is unread, for the last two; nothing: `at` says it. See PolledMessages::End.
  std::optional<StreamOffset> passed = {};
};

/// Messages in the order of their partitions' offsets, partition by partition.
struct PolledMessages {
  struct Run {
    std::string partition;
    std::size_t count = 0;
  };
  /// A partition that has no more messages for now, behind these.
  struct End {
    std::string partition;
    /// The last offset that was passed, if it may be none of a message: streams keep ends of transactions and
    /// what was taken back among their messages, and remove them like these.
    std::optional<StreamOffset> passed = {};
  };
  std::vector<Run> runs;                // of `messages`, one after another
  std::vector<StreamMessage> messages;  // refer to `bytes`
  std::vector<StreamOffset> offsets;    // of each message
  std::vector<End> at_end;
  std::shared_ptr<const void> bytes;
};

struct PollOptions {
  std::size_t messages_max = 10'000;
  std::size_t bytes_max = std::size_t{8} << 20;  // of keys and values; one message may be more
  std::int64_t wait_us = 100'000;  // for the first message; what is there by then is not waited for
};

/// What a stream asks of its reader. Both are called by Poll or Close, on their thread; an error ends the
/// call and is returned.
struct StreamHandlers {
  /// Partitions that are this process's from now on: where each of them is read from, in their order.
  std::function<Result<std::vector<StreamStart>>(std::span<const std::string> partitions)> assigned;
  /// Partitions that are to be given up: what was read of them must be written when this returns. `is_lost`:
  /// another process may have them already, and nothing of them may be written any more.
  std::function<Result<void>(std::span<const std::string> partitions, bool is_lost)> revoked;
};

/// How far behind the end of a partition its reader is.
struct StreamLag {
  std::string partition;
  std::optional<std::int64_t> messages;   // at most so many are unread; nothing: not known
  std::optional<std::int64_t> behind_us;  // how old what is read next is; nothing: not known
  /// The first message that there still is, and the one that will come next; nothing: not known.
  std::optional<StreamOffset> earliest;
  std::optional<StreamOffset> end;
};

/// What a stream is known by beside its messages.
struct StreamIdentity {
  struct Partition {
    std::string id;
    std::vector<std::string> parents;  // those that it came of, whether they are there or not
  };
  /// A word that tells it from a stream of its name that is made after it; empty: its messages alone do.
  std::string made;
  std::vector<Partition> partitions;  // that there are; empty: these say nothing of what was read
};

/// A stream, read by this process as a member of a group. Used by one thread at a time. Errors name the topic
/// or stream, and show no secret: kUnavailable if it cannot be reached for now (call again), kNotFound if
/// there is no such stream, kPermissionDenied, kInvalidArgument for settings that are refused.
class Stream {
 public:
  virtual ~Stream() = default;

  /// The next messages, of the partitions that this process has. Empty if none came in time. Hands partitions
  /// to and fro by `handlers`. kInvalidData, naming the partition, if what was to be read is there no more
  /// (the offset is before the first or behind the last one).
  virtual Result<PolledMessages> Poll(const PollOptions& options, const StreamHandlers& handlers) = 0;

  /// Leaves the group: `handlers.revoked` is called for what this process has.
  virtual Result<void> Close(const StreamHandlers& handlers) = 0;

  /// Of all partitions, in their order: how far behind is who has read, or passed, all up to the offset of
  /// `read`, and that (none: nothing). Asks the stream. Does not join the group.
  virtual Result<std::vector<StreamLag>> Lags(const std::map<std::string, StreamOffset>& read) = 0;

  /// May be asked by `StreamHandlers::assigned`. A stream that has been identified and is another one later
  /// is kInvalidData, from Poll.
  virtual Result<StreamIdentity> Identify() = 0;
};

/// A view's stream source that is read (a push source is written to instead).
using StreamSource = std::variant<KafkaSource, KinesisSource>;

struct StreamOpening {
  std::string group;  // who names the same one shares the partitions
  /// Where a stream knows no groups: who names the same file, on one machine, shares them. Empty: nobody.
  std::string lease_file = {};
  std::size_t bytes_max = std::size_t{64} << 20;  // that may be fetched ahead
};

/// Opens a stream, without waiting for it. kInvalidArgument for settings that are wrong or an environment
/// variable that is not set; kUnsupported for a kind that this build does not read.
using StreamOpener =
    std::function<Result<std::unique_ptr<Stream>>(const StreamSource&, const StreamOpening&)>;

/// What a decoder is made for.
struct DecoderRequest {
  MessageRows rows;
  /// The columns that the view wants, by the names that definitions use, as their table has them: join keys,
  /// fields, the event time, and the created time if the source names it. If `field_mapping` gives a column
  /// the name `is_deleted`, that is among them, a boolean. Values are given in these types, or as the message
  /// has them where these are not known or do not fit; whoever takes the rows checks and casts them.
  std::shared_ptr<arrow::Schema> wanted;
  std::vector<std::string> join_keys;  // of `wanted`: a tombstone's key is decoded to these
  std::string event_column;  // of `wanted`: what `rows.timestamp_field` is read as; empty: messages have none
};

/// kInvalidArgument for a format or schema that is wrong; kUnsupported for what this build does not decode.
using DecoderMaker = std::function<Result<std::unique_ptr<MessageDecoder>>(const DecoderRequest&)>;

}  // namespace tidemark
