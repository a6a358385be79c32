// Opening segments while they are trimmed, and walking their frames.
#include "adapters/wal/log_snapshot_internal.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "adapters/wal/log_error_internal.h"
#include "adapters/wal/segment_reader_internal.h"
#include "base/lock_file.h"

namespace tidemark::wal {
namespace {

constexpr int kListingsMax = 100;

struct OpenSegment {
  std::string path;
  OpenFile file;
  SegmentHeader header;
  std::int64_t bytes = 0;  // when it was opened
};

std::unexpected<Error> UnreadableLog(const std::string& path, std::string_view what) {
  return std::unexpected(Error{ErrorCode::kCorruption,
                               fmt::format("{}: it is not read; restore the file from a backup", what),
                               fmt::format("log {}", path)});
}

class Snapshot final : public LogSnapshot {
 public:
  Snapshot(LogId id, std::uint64_t durable_lsn, std::vector<OpenSegment> segments)
      : id_(id), durable_lsn_(durable_lsn), segments_(std::move(segments)) {}

  LogId id() const override { return id_; }
  std::uint64_t durable_lsn() const override { return durable_lsn_; }
  std::uint64_t trimmed_lsn() const override {
    return segments_.empty() ? durable_lsn_ : segments_.front().header.first_lsn - 1;
  }
  bool is_unrecovered() const override { return is_unrecovered_; }

  Result<void> Read(std::uint64_t from, std::optional<std::uint32_t> table_id, Visitor visit) const override {
    from = std::max(from, trimmed_lsn());
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      const bool is_last = i + 1 == segments_.size();
      const std::uint64_t last_lsn =
          is_last ? durable_lsn_ : std::min(durable_lsn_, segments_[i + 1].header.first_lsn - 1);
      if (last_lsn <= from) continue;
      TM_TRY(ReadSegment(segments_[i], from, last_lsn, table_id, visit));
    }
    return {};
  }

  /// Looks whether there is something behind the last durable frame.
  Result<void> LookBehind() {
    if (segments_.empty()) return {};
    const OpenSegment& last = segments_.back();
    TM_ASSIGN(const std::int64_t end, ReadSegment(last, durable_lsn_, durable_lsn_, std::nullopt,
                                                  [](const LogFrame&) { return Result<void>{}; }));
    TM_ASSIGN(const bool is_blank, IsBlank(ReadFrom(last.file.fd(), last.path), end, last.bytes));
    is_unrecovered_ = !is_blank || last.header.first_lsn > durable_lsn_ + 1;
    return {};
  }

 private:
  // Visits the frames with from < lsn <= last_lsn; answers where the last one ends.
  Result<std::int64_t> ReadSegment(const OpenSegment& segment, std::uint64_t from, std::uint64_t last_lsn,
                                   std::optional<std::uint32_t> table_id, Visitor visit) const {
    SegmentReader reader(ReadFrom(segment.file.fd(), segment.path), segment.bytes);
    TM_ASSIGN(const std::optional<SegmentHeader> header, reader.ReadHeader());
    if (!header) return UnreadableLog(segment.path, "its header does not hold");
    const auto is_asked_for = [&](const LogFrame& frame) {
      return frame.lsn > from && (!table_id || frame.record.table_id == *table_id);
    };
    while (reader.next_lsn() <= last_lsn) {
      LogFrame frame;
      TM_ASSIGN(const SegmentReader::Step step, reader.Next(is_asked_for, frame));
      if (step != SegmentReader::Step::kFrame) {
        return UnreadableLog(
            segment.path,
            fmt::format("frame {} at byte {}, which was durable, {}", reader.next_lsn(), reader.offset(),
                        step == SegmentReader::Step::kEnd ? "is missing" : "does not hold"));
      }
      if (!is_asked_for(frame)) continue;
      TM_TRY(CheckKind(segment.path, frame));
      TM_TRY(visit(frame));
    }
    return reader.offset();
  }

  static Result<void> CheckKind(const std::string& path, const LogFrame& frame) {
    const FrameKind kind = frame.record.kind;
    if (!HasRows(kind) && kind != FrameKind::kFence) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("log {}: frame {} is of kind {}, which this version of Tidemark does not know: use "
                      "a newer one",
                      path, frame.lsn, static_cast<int>(kind)));
    }
    return {};
  }

  const LogId id_;
  const std::uint64_t durable_lsn_;
  const std::vector<OpenSegment> segments_;
  bool is_unrecovered_ = false;
};

enum class Found : std::uint8_t { kWhole, kBeingMade, kGone };

Result<Found> OpenOne(LogDisk& disk, const std::string& folder, std::uint64_t number, OpenSegment& segment) {
  segment.path = SegmentPath(folder, number);
  const int fd = disk.Open(segment.path, O_RDONLY);
  if (fd == -ENOENT) return Found::kGone;
  if (fd < 0) return FailWith(-fd, "open", segment.path);
  segment.file = OpenFile(fd);
  TM_ASSIGN(segment.bytes, segment.file.Bytes(segment.path));
  SegmentReader reader(ReadFrom(fd, segment.path), segment.bytes);
  TM_ASSIGN(const std::optional<SegmentHeader> header, reader.ReadHeader());
  if (!header && segment.bytes <= static_cast<std::int64_t>(kSegmentHeaderBytes)) return Found::kBeingMade;
  if (!header) return UnreadableLog(segment.path, "its header does not hold");
  segment.header = *header;
  return Found::kWhole;
}

// Opens the segments that are there, again if some were trimmed meanwhile. One that is being made while we
// look has no frame that is asked for.
Result<std::vector<OpenSegment>> OpenSegments(LogDisk& disk, const std::string& folder) {
  for (int listing = 0; listing < kListingsMax; ++listing) {
    TM_ASSIGN(const std::vector<std::uint64_t> numbers, ListSegments(folder));
    std::vector<OpenSegment> segments;
    bool is_whole = true;
    for (std::size_t i = 0; i < numbers.size() && is_whole; ++i) {
      OpenSegment segment;
      TM_ASSIGN(const Found found, OpenOne(disk, folder, numbers[i], segment));
      if (found == Found::kBeingMade && i + 1 == numbers.size()) break;
      is_whole = found == Found::kWhole && (i == 0 || numbers[i] == numbers[i - 1] + 1);
      segments.push_back(std::move(segment));
    }
    if (is_whole) return segments;
  }
  return UnreadableLog(folder, "a segment is missing");
}

// Whether somebody owns the log. While `owner` is open nobody can take the log over: its byte is held.
Result<bool> IsOwned(LockFile& owner) {
  TM_TRY(owner.LockShared(kRecoveringByte));
  return owner.IsHeldElsewhere(kOwnedByte);
}

}  // namespace

Result<std::unique_ptr<LogSnapshot>> OpenSnapshot(LogDisk& disk, const std::string& logs, LogId id) {
  const std::string folder = LogFolder(logs, id);
  auto owner = LockFile::Open(OwnerPath(folder), LockFile::Access::kShared, /*create=*/false);
  // The log is being made or removed just now. Or somebody removed the file, which holds nothing.
  const bool has_owner_file = owner.has_value() || owner.error().code != ErrorCode::kNotFound;
  if (!owner && has_owner_file) return std::unexpected(std::move(owner).error());
  bool is_owned = false;
  if (owner) {
    TM_ASSIGN(is_owned, IsOwned(**owner));
  }
  // The word before the segments: every frame that it counts is in one of them, or was trimmed.
  TM_ASSIGN(const std::uint64_t durable_lsn, DurableWord::Look(disk, folder));
  TM_ASSIGN(std::vector<OpenSegment> segments, OpenSegments(disk, folder));
  if (segments.empty()) {
    std::error_code error;
    if (durable_lsn == 0 || !std::filesystem::exists(folder, error)) return nullptr;
    return UnreadableLog(folder, "its segments are missing");
  }
  TM_ASSIGN(const std::string missing, MissingBefore(disk, folder, segments.front().header));
  if (!missing.empty()) return UnreadableLog(segments.front().path, missing);
  auto snapshot = std::make_unique<Snapshot>(id, durable_lsn, std::move(segments));
  if (!is_owned) TM_TRY(snapshot->LookBehind());
  return snapshot;
}

}  // namespace tidemark::wal
