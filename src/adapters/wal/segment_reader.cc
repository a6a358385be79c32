// A window that moves over the segment.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "adapters/wal/log_error_internal.h"
#include "adapters/wal/segment_reader_internal.h"

namespace tidemark::wal {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{256} << 10;

}  // namespace

ReadBytes ReadFrom(int fd, std::string path) {
  return [fd, path = std::move(path)](std::int64_t offset, std::span<std::byte> into,
                                      std::size_t needed) -> Result<std::size_t> {
    std::size_t read = 0;
    while (read < into.size()) {
      const ssize_t got =
          ::pread(fd, into.data() + read, into.size() - read, offset + static_cast<std::int64_t>(read));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailWith(errno, "read", path);
      if (got == 0) break;
      read += static_cast<std::size_t>(got);
    }
    if (read < needed)
      return Fail(ErrorCode::kCorruption, "log segment " + path + " was cut while it was read");
    return read;
  };
}

Result<bool> IsBlank(const ReadBytes& read, std::int64_t begin, std::int64_t end) {
  std::vector<std::byte> bytes;
  for (std::int64_t at = begin; at < end; at += std::ssize(bytes)) {
    bytes.resize(std::min(static_cast<std::size_t>(end - at), kWindowBytes));
    TM_TRY(read(at, bytes, bytes.size()));
    if (std::ranges::any_of(bytes, [](std::byte byte) { return byte != std::byte{0}; })) return false;
  }
  return true;
}

// The window moves on to where it is asked for, and grows for a frame that is larger.
Result<std::span<const std::byte>> SegmentReader::Load(std::int64_t offset, std::size_t bytes) {
  const auto loaded = static_cast<std::int64_t>(window_.size());
  if (offset < window_offset_ || offset + static_cast<std::int64_t>(bytes) > window_offset_ + loaded) {
    const auto left = static_cast<std::size_t>(bytes_ - offset);
    window_.resize(std::min(left, std::max(bytes, kWindowBytes)));
    window_offset_ = offset;
    Result<std::size_t> read = read_(offset, window_, bytes);
    window_.resize(read.value_or(0));
    if (!read) return std::unexpected(std::move(read).error());
  }
  return std::span<const std::byte>(window_).subspan(static_cast<std::size_t>(offset - window_offset_));
}

Result<std::optional<SegmentHeader>> SegmentReader::ReadHeader() {
  if (bytes_ < static_cast<std::int64_t>(kSegmentHeaderBytes)) return std::nullopt;
  TM_ASSIGN(const std::span<const std::byte> bytes, Load(0, kSegmentHeaderBytes));
  if (IsForeignFormat(bytes)) {
    return Fail(ErrorCode::kUnsupported,
                "a log segment has another format: use the version of Tidemark that wrote it");
  }
  const std::optional<SegmentHeader> header = DecodeSegmentHeader(bytes);
  if (header) {
    place_ = header->place;
    next_lsn_ = header->first_lsn;
    offset_ = kSegmentHeaderBytes;
    whole_lsn_ = next_lsn_;
    whole_offset_ = offset_;
  }
  return header;
}

Result<SegmentReader::Step> SegmentReader::Next(WantsPayload wants_payload, LogFrame& frame) {
  const auto left = static_cast<std::size_t>(bytes_ - offset_);
  if (left == 0) return Step::kEnd;
  if (left < kFrameFixedBytes) return Step::kBad;
  TM_ASSIGN(std::span<const std::byte> bytes, Load(offset_, kFrameFixedBytes));
  const std::optional<FrameHead> sizes = DecodeFrameSizes(bytes);
  if (!sizes || sizes->frame_bytes() > left) return Step::kBad;
  TM_ASSIGN(bytes, Load(offset_, sizes->head_bytes));
  std::optional<FrameHead> head = DecodeFrameHead(place_, offset_, bytes, frame);
  if (!head || frame.lsn != next_lsn_) return Step::kBad;
  if (wants_payload(frame)) {
    TM_ASSIGN(bytes, Load(offset_, head->frame_bytes()));
    head = DecodeFrameHead(place_, offset_, bytes, frame);  // its views may have moved
    if (!head || !PayloadHolds(*head, bytes.subspan(head->head_bytes, Padded(head->payload_bytes)))) {
      return Step::kBad;
    }
    frame.record.payload = bytes.subspan(head->head_bytes, head->payload_bytes);
  }
  offset_ += static_cast<std::int64_t>(head->frame_bytes());
  ++next_lsn_;
  if (frame.behind == 0) {
    whole_lsn_ = next_lsn_;
    whole_offset_ = offset_;
  }
  return Step::kFrame;
}

Result<std::uint64_t> SegmentReader::DurableSaidLater() {
  std::uint64_t durable = 0;
  constexpr std::size_t kHeadBytesMax = Padded(kFrameFixedBytes + kBatchKeyBytesMax + kStreamOffsetsBytesMax);
  for (std::int64_t at = offset_ + std::int64_t{kFrameAlign};
       at + static_cast<std::int64_t>(kFrameFixedBytes) <= bytes_; at += kFrameAlign) {
    const auto left = static_cast<std::size_t>(bytes_ - at);
    TM_ASSIGN(const std::span<const std::byte> bytes, Load(at, std::min(left, kHeadBytesMax)));
    LogFrame frame;
    if (DecodeFrameHead(place_, at, bytes, frame) && frame.lsn > next_lsn_)
      durable = std::max(durable, frame.durable_lsn);
  }
  return durable;
}

}  // namespace tidemark::wal
