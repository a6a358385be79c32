// How far a table has read a stream, which its properties and frames say.
//
//   property  stream.<place>   "<epoch> <offset>[~<passed>] <fingerprint> <when> <made>"
//   frame     one line for each partition that it has rows of, in the order of its rows:
//             "<place> <epoch> <offset>[~<passed>] <fingerprint> <rows>\n"
//
// A place is a partition by its stream: `kafka.<topic>.<partition>`. The offset is that of the last message
// that was read (`-`: none was), the fingerprint is its (`-`: whatever it is). What is behind it up to
// `passed` is no message that anyone will read, as the end of a transaction. `made` tells the stream from
// one of its name that is made after it (`-`, or not there: not known); frames are of the stream that the
// property names, which is written before them. The epoch counts the owners that a partition has had: taking
// it is a commit that raises it. A frame of an older epoch that is not in files by then was written by an
// owner that had lost the partition: nobody reads it, and the new owner reads its messages again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/offline_store.h"
#include "store/stream.h"
#include "store/write_log.h"

namespace tidemark {

struct StreamMark {
  std::uint64_t epoch = 0;
  std::optional<StreamOffset> read;
  std::string fingerprint;  // of that message; empty: it is not looked at again, and reading begins behind it
  std::string made{};       // what the stream is known by, StreamIdentity::made; empty: not known
  std::optional<StreamOffset> passed{};  // greater than `read`; nothing: not known of anything behind it
  /// Up to where nothing is unread.
  std::optional<StreamOffset> reached() const { return passed ? passed : read; }
  bool operator==(const StreamMark&) const = default;
};

/// By place.
using StreamMarks = std::map<std::string, StreamMark>;

/// What a frame has of one partition.
struct StreamPart {
  std::string place;
  StreamMark mark;  // after the rows
  std::int64_t rows = 0;
  bool operator==(const StreamPart&) const = default;
};

/// Where a stream's partition is known by.
std::string StreamPlace(const StreamSource& source, std::string_view partition);
/// The partition of a place of this stream; nothing for another's.
std::optional<std::string> PartitionOfPlace(const StreamSource& source, std::string_view place);

/// What a message is known by: 32 hexadecimal digits of a hash of key, value and broker time.
std::string FingerprintOf(const StreamMessage& message);

std::string StreamMarkName(std::string_view place);
std::string StreamMarkText(const StreamMark& mark, std::int64_t now_us);
/// kCorruption for a mark that cannot be read: messages would be read twice.
Result<StreamMarks> StreamMarksOf(const TableProperties& properties);

std::string StreamPartsText(std::span<const StreamPart> parts);
/// Of a frame; empty if it has none. kCorruption as above.
Result<std::vector<StreamPart>> StreamPartsOf(const LogRecord& record);

/// How many parts, from the first on, a frame has room for.
std::size_t PartsThatFit(std::span<const StreamPart> parts);

/// False for a part of an owner that has lost the partition.
bool StreamPartStands(const StreamPart& part, const StreamMarks& marks);

/// Brings the marks to after the part, unless they are there. What the stream is known by stays.
void ReadOn(StreamMarks& marks, const StreamPart& part);

}  // namespace tidemark
