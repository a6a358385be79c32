// What lies in the folder of one log, and the parts that its owner, its readers and its recovery share.
//
//   <logs>/creating          locked while a log is made or taken over
//   <logs>/<id>/owner        byte 0 is locked by the log's owner, byte 1 by whoever recovers it
//   <logs>/<id>/durable      the greatest lsn known to be on the disk: uint64, mapped by all who look at it
//   <logs>/<id>/trimmed      the greatest lsn whose segment may be gone: see TrimmedMark
//   <logs>/<id>/00000001.log segments (frame_codec_internal.h), without a gap in their numbers
//   <logs>/<id>.removed/     a log that is being removed
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/wal/frame_codec_internal.h"
#include "adapters/wal/log_disk.h"
#include "base/result.h"
#include "store/write_log.h"

namespace tidemark::wal {

inline constexpr int kOwnedByte = 0;
inline constexpr int kRecoveringByte = 1;

std::string CreatingPath(const std::string& logs);
std::string LogFolder(const std::string& logs, LogId id);
std::string OwnerPath(const std::string& folder);
std::string DurablePath(const std::string& folder);
std::string TrimmedPath(const std::string& folder);
std::string SegmentPath(const std::string& folder, std::uint64_t number);

/// The numbers of the segments that are there, ascending. Empty if the folder is not there.
Result<std::vector<std::uint64_t>> ListSegments(const std::string& folder);

/// The ids of the logs that are there, ascending. Empty if the folder is not there.
Result<std::vector<LogId>> ListLogs(const std::string& logs);

/// An open file, closed in the end.
class OpenFile {
 public:
  explicit OpenFile(int fd = -1) : fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenFile();
  int fd() const { return fd_; }
  Result<std::int64_t> Bytes(const std::string& path) const;

 private:
  int fd_;
};

Result<OpenFile> Open(LogDisk& disk, const std::string& path, int flags);

/// Writes all of `bytes`; answers 0 or an errno.
int WriteAll(LogDisk& disk, int fd, std::span<const std::byte> bytes, std::int64_t offset);

/// The word of a log's file `durable`, mapped.
class DurableWord {
 public:
  /// To be stored to as well; made if it is not there.
  static Result<DurableWord> OpenToWrite(LogDisk& disk, const std::string& folder);
  /// Its value now; 0 if the file is not there, or not whole.
  static Result<std::uint64_t> Look(LogDisk& disk, const std::string& folder);

  DurableWord(DurableWord&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}
  DurableWord& operator=(DurableWord&&) = delete;
  ~DurableWord();
  std::uint64_t load() const { return std::atomic_ref<std::uint64_t>(*word_).load(); }
  void store(std::uint64_t lsn) { std::atomic_ref<std::uint64_t>(*word_).store(lsn); }

 private:
  explicit DurableWord(std::uint64_t* word) : word_(word) {}
  std::uint64_t* word_;
};

/// What a log's file `trimmed` says, so that a segment that somebody deleted is not taken for one that was
/// trimmed. It is on the disk before a segment is removed.
///
///    0  lsn: frames up to this one may be gone, later ones may not
///    8  CRC32C of the log id, 8 bytes, and bytes 0 to 7
///   12  reserved, 0
struct TrimmedMark {
  static Result<void> Write(LogDisk& disk, const std::string& folder, LogId id, std::uint64_t lsn);
  /// None if the file is not there, or does not hold: then nothing is known. Looked at after the segments
  /// were listed.
  static Result<std::optional<std::uint64_t>> Look(LogDisk& disk, const std::string& folder, LogId id);
};

/// What is missing before a log's oldest segment; empty if nothing is.
Result<std::string> MissingBefore(LogDisk& disk, const std::string& folder, const SegmentHeader& oldest);

/// The segments of a log that is owned. Thread safe.
class OwnedSegments {
 public:
  struct Segment {
    std::uint64_t number = 0;
    std::uint64_t first_lsn = 0;
  };

  OwnedSegments(LogDisk& disk, std::string folder, LogId id, std::vector<Segment> segments)
      : disk_(disk), folder_(std::move(folder)), id_(id), segments_(std::move(segments)) {}

  void Add(const Segment& segment);
  /// Lsn of the first frame that was not removed, or would be the next.
  std::uint64_t first_lsn() const;

  /// Removes segments from the oldest on, as long as there is a next one and no frame later than `lsn`.
  Result<void> RemoveUpTo(std::uint64_t lsn);

 private:
  LogDisk& disk_;
  const std::string folder_;
  const LogId id_;
  std::mutex removal_mutex_;  // one removal at a time
  mutable std::mutex mutex_;  // guards segments_
  std::vector<Segment> segments_;
};

/// Removes a whole log, which this process owns: first by another name, so that no half of it is ever seen.
/// May be called again after an error.
Result<void> RemoveLog(LogDisk& disk, const std::string& logs, LogId id);

/// Removes what is left of removals that did not come to their end.
Result<void> FinishRemovals(LogDisk& disk, const std::string& logs);

}  // namespace tidemark::wal
