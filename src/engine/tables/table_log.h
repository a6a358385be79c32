// The log as feature tables use it: what is acknowledged is in it, and what is in it reaches the online
// store.
//
// A write is one frame: rows of one table, and where they go. When the frame is durable its online rows are
// merged, and only then is the write acknowledged; so an acknowledged write is in both stores, and one that
// failed in between is repaired from the log. Merging is idempotent, so repair merges all that the log still
// has; a log is trimmed only up to what is flushed to the tables and safe in the online store. Rows of a
// stream, which nobody waits for, may be merged some frames at a time when the log has gone on, and before
// they are logged: if they never are, they are read again (docs/adr/0014).
//
// Rows of a view with a batch source are no table's: they are written as a file of its folder, under a name
// that the frame gives, before they are acknowledged. The ledger knows which frames have got their file, so
// that what the user does with it afterwards is not undone.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/function_ref.h"
#include "base/write_times.h"
#include "engine/catalog.h"
#include "engine/online_rows.h"
#include "store/batch_ledger.h"
#include "store/online_store.h"
#include "store/source_folders.h"
#include "store/write_log.h"

namespace tidemark {

/// The view that a table id stands for at this moment, of whatever project; null if there is none (any more).
using ViewLookup = std::function<Result<std::shared_ptr<const CatalogView>>(std::uint32_t table_id)>;

/// Opens the online store when it is first needed.
using OnlineOpener = std::function<Result<std::shared_ptr<OnlineStore>>()>;

struct TableLogParts {
  std::shared_ptr<WriteLogs> logs;
  std::shared_ptr<BatchLedger> ledger;
  OnlineOpener online;
  std::shared_ptr<SourceFolders> folders;
  ViewLookup view;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<WriteTimes> write_times;  // that frames' rows were given; null if the folder is read-only
  bool is_read_only = false;                // the store's folder: nothing is recovered, nor appended
};

/// Rows of a view with a batch source, as a batch of AsTable(view): what becomes a file.
struct FolderRows {
  const CatalogView& view;
  std::shared_ptr<arrow::RecordBatch> rows;
};

/// Thread safe.
class TableLog {
 public:
  explicit TableLog(TableLogParts parts);

  /// Appends a frame; `online` (may be null) are its rows for the online store, `folder` (may be null) those
  /// for the folder of a batch source. Returns when it is durable, they are merged, and the file is there.
  /// With a batch key that was written within a day nothing is written, and the answer is the first write's
  /// place, with `repeated` set; kAlreadyExists if its `content` was another. Errors as WriteLog::Append;
  /// kUnknownFate if the file could not be written: the next Recover tries again.
  struct Written {
    LogPosition position;
    bool repeated = false;
  };
  Result<Written> Append(const LogRecord& record, const PackedRows* online,
                         const FolderRows* folder = nullptr, const BatchContent& content = {});

  /// The same of frames that count only together: a crash, at whatever moment, leaves all of them or none.
  /// They are of different tables, and have one batch key, or none. Those whose batch was written before are
  /// left out, and have `repeated` set in their answers, which are in the order of `writes`.
  struct Write {
    const LogRecord& record;
    const PackedRows* online = nullptr;
    const FolderRows* folder = nullptr;
    BatchContent content = {};
  };
  Result<std::vector<Written>> AppendTogether(std::span<const Write> writes);

  /// Online rows of a frame that its writer has merged before or after the frame is logged, and maybe others
  /// with it. Until then the log is not trimmed beyond the frame. If it is destroyed before that, the next
  /// Recover merges them. Of one log and one frame; the rows must outlive it.
  class OnlineLater {
   public:
    OnlineLater(TableLog& log, const PackedRows& rows) : log_(log), rows_(rows) {}
    ~OnlineLater();
    OnlineLater(const OnlineLater&) = delete;
    OnlineLater& operator=(const OnlineLater&) = delete;

   private:
    friend class TableLog;
    TableLog& log_;
    const PackedRows& rows_;
    // These are guarded by the log's mutex.
    std::optional<LogPosition> unmerged_;  // of a frame that is durable
    std::optional<bool> was_merged_;       // before that: whether it succeeded
  };

  /// Appends frames without a batch key, which count only together; returns when they are durable. `online`
  /// may be null: no rows of the frame go online.
  struct LaterWrite {
    const LogRecord& record;
    OnlineLater* online = nullptr;
  };
  Result<void> AppendLater(std::span<const LaterWrite> writes);

  /// Merges the rows of frames that are logged, or will be, together. Errors as OnlineStore::Merge; of frames
  /// that are logged the next Recover merges them then.
  Result<void> MergeLater(std::span<OnlineLater* const> rows);

  /// Runs `write`, whose rows go to no log, unless a batch of this key was written within a day; false if it
  /// was. Without a key it always runs. `content` is of the rows: after they are written, or, to be compared
  /// with what was written before, instead; then kAlreadyExists as above.
  Result<bool> Once(std::uint32_t table_id, std::string_view batch_key, FunctionRef<Result<void>()> write,
                    FunctionRef<Result<BatchContent>()> content);

  /// Whether the file of a frame, rows for a folder, was written within a day.
  Result<bool> HasFile(std::uint32_t table_id, LogPosition position) const;

  /// Takes over the logs of processes that are gone, and brings the online store, the folders of batch
  /// sources and the ledger up to date with them, and with frames of this process's log that failed to reach
  /// them. Called before anything is read or written; cheap if there is nothing to do. A folder that cannot
  /// be written to is no error here, as it is nobody's but its view's: FolderError tells of it, and after a
  /// second it is tried again.
  Result<void> Recover();

  /// The same before something is read. On a disk that is full nothing can be brought up to date: what waits
  /// of this process's own log was never acknowledged, so reading goes on without it, and after a second it
  /// is tried again. Of logs of processes that are gone that cannot be known: kOutOfSpace.
  Result<void> RecoverToRead();

  /// Why files of batch sources that should be there are not; the first of them.
  Result<void> FolderError() const;

  /// All logs as they are now; recovered ones are among them.
  Result<std::vector<std::unique_ptr<LogSnapshot>>> Snapshots() const { return parts_.logs->Snapshots(); }

  /// What this process has logged of a table and nobody has flushed since.
  struct UnflushedRows {
    std::int64_t bytes = 0;
    std::int64_t oldest_us = 0;  // when the first of them was logged
  };
  std::map<std::uint32_t, UnflushedRows> Unflushed() const;
  /// Called before a flush, so that what is logged meanwhile counts anew; nothing if none is waiting.
  std::optional<UnflushedRows> TakeUnflushed(std::uint32_t table_id);
  /// After a flush that failed.
  void PutBack(std::uint32_t table_id, const UnflushedRows& rows);

  /// True while there are logs of processes that are gone, which this one has taken over.
  bool HasAdopted() const;

  /// True for this process's log, and those that it has taken over.
  bool IsOwned(LogId log) const;
  /// The view of a table that a log has rows of; null if there is none (any more).
  Result<std::shared_ptr<const CatalogView>> ViewOf(std::uint32_t table_id) const {
    return parts_.view(table_id);
  }

  /// How far a log is flushed to a table.
  using FlushedUpTo = std::function<Result<std::uint64_t>(std::uint32_t table_id, LogId log)>;
  /// Removes what is needed no more of the logs that this process owns.
  Result<void> Trim(const FlushedUpTo& flushed);

 private:
  /// By table: the first frame whose file could not be written, and why.
  struct FolderFailure {
    std::uint64_t lsn = 0;
    Error error;
  };
  using FolderErrors = std::map<std::uint32_t, FolderFailure>;

  Result<WriteLog*> Own();
  Result<void> FinishFile(const FolderRows& folder, const LogRecord& record, LogPosition position);
  Result<void> RequireFile(std::uint32_t table_id, LogPosition position);
  Result<void> OnGroup(LogId log, std::span<const LogEntry> group);
  // With the mutex held.
  void Settle(OnlineLater& online, bool is_merged);
  void FailFrom(LogPosition position);
  Result<FolderErrors> Replay(const LogSnapshot& log);
  struct Replayed;
  Result<void> ReplayFrame(const LogFrame& frame, const CatalogView& view, LogPosition position,
                           Replayed& replayed);
  Result<void> Settle(Replayed& replayed);
  Result<void> AddFile(const FolderRows& rows, const LogRecord& record, LogPosition position);
  Result<void> AddMissingFile(const FolderRows& rows, const LogRecord& record, LogPosition position);
  /// The last frame that is safe, as far as the online store and the folders are concerned.
  std::uint64_t SafeUpTo(const LogSnapshot& log);
  Result<void> TrimLog(OwnedLog& owned, const LogSnapshot& log, const FlushedUpTo& flushed);

  const TableLogParts parts_;
  std::mutex trim_mutex_;          // one trims at a time
  mutable std::mutex mutex_;       // guards those below; held shortly
  std::unique_ptr<WriteLog> own_;  // made with the first write, then never another
  std::vector<std::unique_ptr<OwnedLog>> adopted_;
  std::map<std::uint32_t, UnflushedRows> unflushed_;  // by table
  LogPosition applied_;  // of this process's log: groups up to here are done with, well or not
  std::map<LogId, std::uint64_t> failed_from_;  // frames from here on may not be where they should be
  // Frames whose file is being written, or whose rows are not merged yet.
  std::map<LogId, std::set<std::uint64_t>> unfinished_;
  std::map<LogId, FolderErrors> folder_errors_;  // of logs that lack nothing else
  std::map<LogId, std::int64_t> retry_us_;       // when these are tried again
  std::int64_t read_retry_us_ = 0;  // until then readers do without what this process failed to bring there
};

/// The rows of a frame for the online store: those of a batch of TableSchema that are not further ahead of
/// `now_us` than the tolerance. `layout` is CurrentLayout(view).
struct FrameOnlineRows {
  PackedRows rows;
  std::int64_t ahead = 0;  // rows that were left out
};
Result<FrameOnlineRows> OnlineRowsOf(const CatalogView& view, const PackedLayout& layout,
                                     const arrow::RecordBatch& batch, std::int64_t now_us);

}  // namespace tidemark
