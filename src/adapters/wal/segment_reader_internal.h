// Walks the frames of one segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "adapters/wal/frame_codec_internal.h"
#include "base/function_ref.h"
#include "base/result.h"

namespace tidemark::wal {

/// Fills `into` with the bytes at `offset`, and answers how many: `needed` at least, and fewer than all only
/// if no more are there. Zeros behind the last frame may be cut at any time by the log's owner.
using ReadBytes =
    std::function<Result<std::size_t>(std::int64_t offset, std::span<std::byte> into, std::size_t needed)>;

/// Reads from an open file; errors name `path`.
ReadBytes ReadFrom(int fd, std::string path);

/// True if there are only zeros from `begin` to `end`.
Result<bool> IsBlank(const ReadBytes& read, std::int64_t begin, std::int64_t end);

/// Not thread safe.
class SegmentReader {
 public:
  SegmentReader(ReadBytes read, std::int64_t bytes) : read_(std::move(read)), bytes_(bytes) {}

  /// To be called first. None if the header is missing or damaged.
  Result<std::optional<SegmentHeader>> ReadHeader();

  enum class Step : std::uint8_t {
    kFrame,
    kEnd,  // of the bytes, after a whole frame
    kBad,  // something is at offset(), but not the next frame, or not all of it
  };

  /// The next frame. `wants_payload(frame)` is asked when the head is known: if not, the payload is neither
  /// read nor checked, and stays empty. The views of `frame` are valid until the next call. After kEnd and
  /// kBad it stays where it is.
  using WantsPayload = FunctionRef<bool(const LogFrame& frame)>;
  Result<Step> Next(WantsPayload wants_payload, LogFrame& frame);

  /// Where the next frame begins, and which one it is.
  std::int64_t offset() const { return offset_; }
  std::uint64_t next_lsn() const { return next_lsn_; }

  /// The same of the first frame of those that belong together, if not all of them have been read.
  std::int64_t whole_offset() const { return whole_offset_; }
  std::uint64_t whole_lsn() const { return whole_lsn_; }

  /// The greatest durable lsn in any head behind offset() that holds and has a later lsn than the next; 0 if
  /// there is none.
  Result<std::uint64_t> DurableSaidLater();

 private:
  Result<std::span<const std::byte>> Load(std::int64_t offset, std::size_t bytes);

  const ReadBytes read_;
  const std::int64_t bytes_;
  SegmentPlace place_;
  std::int64_t offset_ = 0;
  std::uint64_t next_lsn_ = 0;
  std::int64_t whole_offset_ = 0;
  std::uint64_t whole_lsn_ = 0;
  std::vector<std::byte> window_;  // a piece of the segment
  std::int64_t window_offset_ = 0;
};

}  // namespace tidemark::wal
