// The bytes of a log's segment: a header, then frames without a space between them, each at a multiple of 8.
// Integers are little-endian.
//
//   segment header, 40 bytes
//    0  "TMRKLOG" and the format, 2; segments of format 1, which had no frames that belong together, are read
//    8  log id
//   16  lsn of the first frame
//   24  number of the segment
//   32  reserved, 0
//   36  CRC32C of bytes 0 to 35
//
//   frame: a head of 56 bytes and more, then the payload
//    0  "TMFR"
//    4  CRC32C of: log id, number of the segment, offset of the frame in it (8 bytes each), and the head from
//       byte 8 to its end
//    8  payload bytes
//   12  CRC32C of the payload and the zeros behind it
//   16  lsn
//   24  greatest lsn of this log that was durable when this frame was written
//   32  write_time, microseconds
//   40  table id
//   44  schema version
//   48  kind (FrameKind)
//   49  targets (LogTargets)
//   50  bytes of the batch key, at most 256
//   52  bytes of the stream offsets, at most 4096
//   54  frames behind this one that belong together with it: they were written in one piece, as one append,
//       into one segment, and count only if all of them are there
//   56  batch key, stream offsets, zeros to a multiple of 8: the end of the head
//   ..  payload, zeros to a multiple of 8
//
// The head's checksum includes its place, so a copy of a frame, in a payload or misplaced by the disk, is not
// taken for one. The two checksums are apart so that a reader can walk heads and skip other tables' payloads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "store/write_log.h"

namespace tidemark::wal {

inline constexpr std::size_t kSegmentHeaderBytes = 40;
inline constexpr std::size_t kFrameFixedBytes = 56;
inline constexpr std::size_t kFrameAlign = 8;

/// Which segment bytes belong to.
struct SegmentPlace {
  LogId log = 0;
  std::uint64_t number = 0;
};

struct SegmentHeader {
  SegmentPlace place;
  std::uint64_t first_lsn = 0;
};

constexpr std::size_t Padded(std::size_t bytes) {
  return (bytes + kFrameAlign - 1) / kFrameAlign * kFrameAlign;
}

std::vector<std::byte> EncodeSegmentHeader(const SegmentHeader& header);

/// None if it is no header, or a damaged one.
std::optional<SegmentHeader> DecodeSegmentHeader(std::span<const std::byte> bytes);

/// True if the bytes are a whole header of a format that is not read, and not a damaged one of ours: headers
/// of all formats are laid out alike.
bool IsForeignFormat(std::span<const std::byte> bytes);

/// Bytes of the whole frame.
std::size_t FrameBytes(const LogRecord& record);

std::uint32_t PayloadChecksum(std::span<const std::byte> payload);

/// Appends a frame to `out`, which will be at `offset` of the segment. `payload_checksum` is of its payload.
void EncodeFrame(const SegmentPlace& place, std::int64_t offset, const LogFrame& frame,
                 std::uint32_t payload_checksum, std::vector<std::byte>& out);

/// What the head of a frame says of its parts.
struct FrameHead {
  std::size_t head_bytes = 0;
  std::size_t payload_bytes = 0;
  std::uint32_t payload_checksum = 0;
  std::size_t frame_bytes() const { return head_bytes + Padded(payload_bytes); }
};

/// The sizes in a head of which at least kFrameFixedBytes are there; none if they cannot be.
std::optional<FrameHead> DecodeFrameSizes(std::span<const std::byte> bytes);

/// Decodes a whole head (`bytes` begins with it) at `offset`: none if its checksum does not hold. The payload
/// of `frame` stays empty; its views point into `bytes`.
std::optional<FrameHead> DecodeFrameHead(const SegmentPlace& place, std::int64_t offset,
                                         std::span<const std::byte> bytes, LogFrame& frame);

/// True if the payload (with the zeros behind it) is what the head says.
bool PayloadHolds(const FrameHead& head, std::span<const std::byte> padded_payload);

}  // namespace tidemark::wal
