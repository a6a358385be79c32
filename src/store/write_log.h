// The write-ahead log: small writes become durable here before anything else is done with them.
//
// A store's folder holds one log for each process that writes, and a frame of it for each batch of rows. A
// frame is known by its log and its lsn (1, 2, 3 ... within the log). What a frame means is the engine's
// business: here a batch is a table id, a few marks and opaque bytes.
//
// Life of a log: created by a process, appended to, trimmed as its frames reach the tables; when the process
// ends, the log is an orphan until another process adopts it, which recovers it, and trims the rest. A log
// without frames whose owner is gone is removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"

namespace tidemark {

/// Random; shown as 16 hexadecimal digits.
using LogId = std::uint64_t;

/// A frame's place, and what a writer is given as the token of its write. lsn 0 is before the first frame.
struct LogPosition {
  LogId log = 0;
  std::uint64_t lsn = 0;
  bool operator==(const LogPosition&) const = default;
};

std::string FormatLogId(LogId id);
std::optional<LogId> ParseLogId(std::string_view text);

enum class FrameKind : std::uint8_t {
  kRows = 1,      // rows of a table
  kFence = 2,     // rows of one key are being erased: the payload is that key's keyed hash, kFenceBytes long
  kPlainRow = 3,  // one row of a table, in less room
};
constexpr bool HasRows(FrameKind kind) {
  return kind == FrameKind::kRows || kind == FrameKind::kPlainRow;
}
inline constexpr std::size_t kFenceBytes = 32;

/// Where a batch goes; a set of flags.
enum LogTargets : std::uint8_t { kLogToOffline = 1, kLogToOnline = 2 };

inline constexpr std::size_t kBatchKeyBytesMax = 256;
inline constexpr std::size_t kStreamOffsetsBytesMax = 4096;
inline constexpr std::size_t kLogPayloadBytesMax = std::size_t{32} << 20;

/// What is written. The views must stay valid while Append runs; in a frame that is read, during the visit.
struct LogRecord {
  FrameKind kind = FrameKind::kRows;
  std::uint8_t targets = 0;    // of LogTargets
  std::uint32_t table_id = 0;  // the view's id in the registry
  std::uint32_t schema_version = 0;
  std::int64_t write_time_us = 0;  // of the first row, from base/write_times.h
  std::string_view batch_key{};    // idempotency key; empty: none
  std::span<const std::byte> stream_offsets{};
  std::span<const std::byte> payload{};
};

/// A record on the disk.
struct LogFrame {
  std::uint64_t lsn = 0;
  std::uint64_t durable_lsn = 0;  // what the log knew to be durable when it wrote this frame
  std::uint16_t behind = 0;       // frames behind it that were appended together with it
  LogRecord record;
};

/// One of the records that are appended together.
struct LogAppend {
  const LogRecord* record = nullptr;
  void* caller = nullptr;  // the hook is given it
};
inline constexpr std::size_t kLogTogetherMax = 4096;

/// One frame of a group that is on the disk now.
struct LogEntry {
  std::uint64_t lsn = 0;
  const LogRecord* record = nullptr;
  void* caller = nullptr;  // as given to Append
};

/// Called once for each group, in the order of lsn, never twice at the same time, on the thread of one of the
/// group's callers, when the group is durable and before any of it is acknowledged; the next group may be
/// written meanwhile. What was appended together is in one group. An error makes the outcome of all of the
/// group kUnknownFate: its frames stay, and whoever recovers the log will see them. The log goes on with the
/// next group, so a watermark that the hook keeps must not pass a group that failed. Must not throw, nor call
/// the log.
using LogGroupHook = std::function<Result<void>(LogId log, std::span<const LogEntry> group)>;

/// A log that this process holds the lock of.
class OwnedLog {
 public:
  virtual ~OwnedLog() = default;

  virtual LogId id() const = 0;

  /// The greatest lsn known to be on the disk.
  virtual std::uint64_t durable_lsn() const = 0;

  /// Frames up to `upto` are needed no more: removes the segments that have no other, from the oldest on.
  /// When this returns, the bytes of these frames are gone if there is no later frame among them in a
  /// segment; a trim up to durable_lsn() leaves none. An adopted log is removed as a whole then. `upto.log`
  /// must be id(). kIo when a segment cannot be removed (it can be tried again). Readers that have segments
  /// open are not disturbed.
  virtual Result<void> Trim(LogPosition upto) = 0;
};

/// This process's log. Thread safe. A forked child that appends gets a log of its own, with the same hook;
/// id() is that log's from then on.
class WriteLog : public OwnedLog {
 public:
  /// Appends a frame and returns its place when it is durable and the hook has had it. Concurrent calls share
  /// one write and one sync. Waits while too many bytes of other calls are waiting.
  Result<LogPosition> Append(const LogRecord& record, void* caller) {
    const LogAppend append{&record, caller};
    return Append({&append, 1});
  }

  /// Appends a frame for each of 1 to kLogTogetherMax records, one behind the other, and returns the place of
  /// the first. They count only together: readers, and whoever recovers the log, find all of them or none.
  ///
  /// kInvalidArgument: a field is over its limit; nothing was written. kOutOfSpace: the disk is full, nothing
  /// was written, and it may be tried again when there is room. kUnknownFate: the frame may be in the log or
  /// not (a write or sync failed), or is, but the hook failed. After a failed write or sync the log
  /// acknowledges nothing more: each later call is kIo, nothing was written, and the store must be opened
  /// again, which recovers what the log has.
  virtual Result<LogPosition> Append(std::span<const LogAppend> together) = 0;
};

/// The durable frames of one log at one moment. Its segments are open: trimming does no harm from then on.
/// Thread safe; may outlive everything else.
class LogSnapshot {
 public:
  virtual ~LogSnapshot() = default;

  virtual LogId id() const = 0;

  /// Frames up to this one are shown.
  virtual std::uint64_t durable_lsn() const = 0;

  /// Frames up to this one had been trimmed: who looks at the tables after taking this finds their rows
  /// there.
  virtual std::uint64_t trimmed_lsn() const = 0;

  /// True if the log's owner is gone and there is more in it than is known to be durable: after a loss of
  /// power that may include acknowledged frames. Adopt the log to see them; whoever cannot write to the
  /// folder must be told that the newest rows may be missing.
  virtual bool is_unrecovered() const = 0;

  /// Visits the frames that it has with lsn > `from`, of `table_id` or of all tables, in the order of lsn. An
  /// error of `visit` ends it and is returned. kCorruption, with file and offset, for a damaged frame: frames
  /// before it have been visited then. The payloads of other tables are not read.
  using Visitor = FunctionRef<Result<void>(const LogFrame& frame)>;
  virtual Result<void> Read(std::uint64_t from, std::optional<std::uint32_t> table_id,
                            Visitor visit) const = 0;
};

/// All logs of a store. Thread safe.
class WriteLogs {
 public:
  virtual ~WriteLogs() = default;

  /// A new log, owned by this process until the object is destroyed (then it is removed if nothing is in it,
  /// and an orphan otherwise). kIo or kOutOfSpace if its files cannot be made.
  virtual Result<std::unique_ptr<WriteLog>> Create(LogGroupHook hook) = 0;

  /// Logs whose owner is gone.
  virtual Result<std::vector<LogId>> Orphans() const = 0;

  /// Takes an orphan over and recovers it: every frame is checked, a torn tail is cut, and what remains is
  /// durable. Null if another process owns or has removed it; one that recovers it just now is waited for.
  /// kCorruption, with file, offset and what to do, if a frame that was durable is damaged or missing: the
  /// log is left as it is.
  virtual Result<std::unique_ptr<OwnedLog>> Adopt(LogId id) = 0;

  /// All logs as they are now, in the order of their ids. Take this first and look at what is flushed after
  /// it. Waits for a recovery that is going on.
  virtual Result<std::vector<std::unique_ptr<LogSnapshot>>> Snapshots() const = 0;
};

}  // namespace tidemark
