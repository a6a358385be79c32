// Frames and headers as bytes, and back.
#include <bit>
#include <cstring>
#include <string_view>

#include "adapters/wal/frame_codec_internal.h"
#include "base/crc32c.h"

namespace tidemark::wal {
namespace {

static_assert(std::endian::native == std::endian::little, "logs are written in the machine's byte order");

constexpr char kSegmentMagic[8] = {'T', 'M', 'R', 'K', 'L', 'O', 'G', 2};
constexpr std::size_t kNameBytes = sizeof(kSegmentMagic) - 1;
constexpr char kOldestFormat = 1;
constexpr char kFrameMagic[4] = {'T', 'M', 'F', 'R'};

struct RawSegmentHeader {
  char magic[8];
  std::uint64_t log;
  std::uint64_t first_lsn;
  std::uint64_t number;
  std::uint32_t reserved;
  std::uint32_t checksum;
};
static_assert(sizeof(RawSegmentHeader) == kSegmentHeaderBytes);

struct RawFrame {
  char magic[4];
  std::uint32_t checksum;
  std::uint32_t payload_bytes;
  std::uint32_t payload_checksum;
  std::uint64_t lsn;
  std::uint64_t durable_lsn;
  std::int64_t write_time_us;
  std::uint32_t table_id;
  std::uint32_t schema_version;
  std::uint8_t kind;
  std::uint8_t targets;
  std::uint16_t batch_key_bytes;
  std::uint16_t stream_offsets_bytes;
  std::uint16_t behind;
};
static_assert(sizeof(RawFrame) == kFrameFixedBytes);
constexpr std::size_t kCheckedFrom = offsetof(RawFrame, payload_bytes);

template <typename Raw>
std::span<const std::byte> BytesOf(const Raw& raw) {
  return std::as_bytes(std::span(&raw, 1));
}

void Add(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint32_t HeadChecksum(const SegmentPlace& place, std::int64_t offset, std::span<const std::byte> head) {
  const std::uint64_t where[3] = {place.log, place.number, static_cast<std::uint64_t>(offset)};
  return Crc32c(head.subspan(kCheckedFrom), Crc32c(std::as_bytes(std::span(where))));
}

std::size_t HeadBytes(std::size_t batch_key_bytes, std::size_t stream_offsets_bytes) {
  return Padded(kFrameFixedBytes + batch_key_bytes + stream_offsets_bytes);
}

bool HasName(std::span<const std::byte> bytes) {
  return std::memcmp(bytes.data(), kSegmentMagic, kNameBytes) == 0;
}

bool IsFormatRead(std::byte format) {
  const auto number = static_cast<char>(format);
  return number >= kOldestFormat && number <= kSegmentMagic[kNameBytes];
}

RawFrame ReadRaw(std::span<const std::byte> bytes) {
  RawFrame raw;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  return raw;
}

}  // namespace

std::vector<std::byte> EncodeSegmentHeader(const SegmentHeader& header) {
  RawSegmentHeader raw{};
  std::memcpy(raw.magic, kSegmentMagic, sizeof(raw.magic));
  raw.log = header.place.log;
  raw.first_lsn = header.first_lsn;
  raw.number = header.place.number;
  raw.checksum = Crc32c(BytesOf(raw).first(offsetof(RawSegmentHeader, checksum)));
  std::vector<std::byte> out;
  Add(out, BytesOf(raw));
  return out;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::span<const std::byte> bytes) {
  RawSegmentHeader raw;
  if (bytes.size() < sizeof(raw)) return std::nullopt;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  if (!HasName(bytes) || !IsFormatRead(bytes[kNameBytes]) || raw.reserved != 0 ||
      raw.checksum != Crc32c(bytes.first(offsetof(RawSegmentHeader, checksum))) || raw.first_lsn == 0) {
    return std::nullopt;
  }
  return SegmentHeader{.place = {.log = raw.log, .number = raw.number}, .first_lsn = raw.first_lsn};
}

bool IsForeignFormat(std::span<const std::byte> bytes) {
  RawSegmentHeader raw;
  if (bytes.size() < sizeof(raw) || !HasName(bytes) || IsFormatRead(bytes[kNameBytes])) return false;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  return raw.checksum == Crc32c(bytes.first(offsetof(RawSegmentHeader, checksum)));
}

std::size_t FrameBytes(const LogRecord& record) {
  return HeadBytes(record.batch_key.size(), record.stream_offsets.size()) + Padded(record.payload.size());
}

std::uint32_t PayloadChecksum(std::span<const std::byte> payload) {
  constexpr std::byte kZeros[kFrameAlign]{};
  return Crc32c(std::span(kZeros).first(Padded(payload.size()) - payload.size()), Crc32c(payload));
}

void EncodeFrame(const SegmentPlace& place, std::int64_t offset, const LogFrame& frame,
                 std::uint32_t payload_checksum, std::vector<std::byte>& out) {
  const LogRecord& record = frame.record;
  RawFrame raw{};
  std::memcpy(raw.magic, kFrameMagic, sizeof(raw.magic));
  raw.payload_bytes = static_cast<std::uint32_t>(record.payload.size());
  raw.payload_checksum = payload_checksum;
  raw.lsn = frame.lsn;
  raw.durable_lsn = frame.durable_lsn;
  raw.write_time_us = record.write_time_us;
  raw.table_id = record.table_id;
  raw.schema_version = record.schema_version;
  raw.kind = static_cast<std::uint8_t>(record.kind);
  raw.targets = record.targets;
  raw.batch_key_bytes = static_cast<std::uint16_t>(record.batch_key.size());
  raw.stream_offsets_bytes = static_cast<std::uint16_t>(record.stream_offsets.size());
  raw.behind = frame.behind;
  const std::size_t begin = out.size();
  Add(out, BytesOf(raw));
  Add(out, std::as_bytes(std::span(record.batch_key)));
  Add(out, record.stream_offsets);
  out.resize(begin + HeadBytes(record.batch_key.size(), record.stream_offsets.size()));
  const std::uint32_t checksum = HeadChecksum(place, offset, std::span(out).subspan(begin));
  std::memcpy(out.data() + begin + offsetof(RawFrame, checksum), &checksum, sizeof(checksum));
  Add(out, record.payload);
  out.resize(begin + FrameBytes(record));
}

std::optional<FrameHead> DecodeFrameSizes(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(RawFrame)) return std::nullopt;
  const RawFrame raw = ReadRaw(bytes);
  if (std::memcmp(raw.magic, kFrameMagic, sizeof(raw.magic)) != 0 ||
      raw.batch_key_bytes > kBatchKeyBytesMax || raw.stream_offsets_bytes > kStreamOffsetsBytesMax ||
      raw.payload_bytes > kLogPayloadBytesMax) {
    return std::nullopt;
  }
  return FrameHead{.head_bytes = HeadBytes(raw.batch_key_bytes, raw.stream_offsets_bytes),
                   .payload_bytes = raw.payload_bytes,
                   .payload_checksum = raw.payload_checksum};
}

std::optional<FrameHead> DecodeFrameHead(const SegmentPlace& place, std::int64_t offset,
                                         std::span<const std::byte> bytes, LogFrame& frame) {
  const std::optional<FrameHead> head = DecodeFrameSizes(bytes);
  if (!head || bytes.size() < head->head_bytes) return std::nullopt;
  const RawFrame raw = ReadRaw(bytes);
  if (raw.checksum != HeadChecksum(place, offset, bytes.first(head->head_bytes))) return std::nullopt;
  const auto offsets_at = bytes.subspan(kFrameFixedBytes + raw.batch_key_bytes);
  frame = {
      .lsn = raw.lsn,
      .durable_lsn = raw.durable_lsn,
      .behind = raw.behind,
      .record = {.kind = static_cast<FrameKind>(raw.kind),
                 .targets = raw.targets,
                 .table_id = raw.table_id,
                 .schema_version = raw.schema_version,
                 .write_time_us = raw.write_time_us,
                 .batch_key = {reinterpret_cast<const char*>(bytes.data() + kFrameFixedBytes),
                               raw.batch_key_bytes},
                 .stream_offsets = offsets_at.first(raw.stream_offsets_bytes),
                 .payload = {}},
  };
  return head;
}

bool PayloadHolds(const FrameHead& head, std::span<const std::byte> padded_payload) {
  return Crc32c(padded_payload) == head.payload_checksum;
}

}  // namespace tidemark::wal
