// Feature tables: the rows that Tidemark keeps itself.
//
// Few rows go through the log: durable when the write returns, readable at once, and flushed to the table's
// files later. Many go straight to files, in one commit. Reading sees both, in every process.
//
//   rows -> ReadTableRows -> log frame -> online store        (few; then Flush: frames -> files)
//                         -> sorted, stamped -> files          (many; then the online store from the files)
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/keyed_hash.h"
#include "base/write_times.h"
#include "engine/tables/log_tails.h"
#include "engine/tables/plain_row.h"
#include "engine/tables/range_marks.h"
#include "engine/tables/stream_marks.h"
#include "engine/tables/stream_owners.h"
#include "engine/tables/stream_rows.h"
#include "engine/tables/table_log.h"
#include "engine/tables/table_rows.h"
#include "engine/tables/table_shape.h"
#include "engine/tables/table_state.h"
#include "engine/view_source.h"
#include "store/dumps.h"
#include "store/erasure_receipts.h"
#include "store/offline_store.h"

namespace tidemark {

enum class WriteTo : std::uint8_t { kOnline = kLogToOnline, kOffline = kLogToOffline, kBoth = 3 };

/// Rows that are all there are in a range of event times: what the table has there besides is deleted. They
/// go to files, in one commit, which also notes the range as done (range_marks.h).
struct WrittenRange {
  TimeSpan range;
  std::string query;  // what the query that they come from is known by
};

struct IngestRequest {
  WriteTo to = WriteTo::kBoth;
  bool dry_run = false;                  // check everything, write nothing
  bool skip_bad_rows = false;            // rows that do not fit are given back instead of failing all
  bool is_text = false;                  // rows come as text (text_rows.h)
  std::int64_t first_row = 0;            // how messages number the first one
  bool others_allowed = false;           // columns that the table does not have are passed over
  bool is_deletion = false;              // of each row only keys and event time count: deletions are appended
  std::optional<std::int64_t> event_us;  // of deletions without a column of event times; nothing: now
  std::string batch_key;                 // the same one again within a day changes nothing; empty: none
  std::optional<WrittenRange> range;     // of a feature table, offline or to both
  std::stop_token stop;
  std::function<void(std::int64_t rows)> progress;  // rows written by now
  /// Called before rows that went past the log appear in files: the online store is to be loaded from them.
  std::function<Result<void>()> before_files;
};

struct IngestedRows {
  std::int64_t rows = 0;         // that were taken
  std::int64_t online_rows = 0;  // of them, how many went to the online store
  std::int64_t ahead = 0;        // too far ahead of the clock to be online yet: materialize brings them
  std::int64_t deletions = 0;    // of rows that a range has no more; not among `rows`
  bool repeated = false;         // this batch was written before, nothing changed; of a range: it is done
  bool to_files = false;         // straight to files: the online store is to be loaded from them
  std::string token;             // what a read can ask to see: `at_least`
  std::shared_ptr<arrow::Table> rejected;  // rows that did not fit, with a column "error"; null: none
  std::vector<std::string> warnings;
};

/// What of a table is read.
struct TableReading {
  std::optional<std::int64_t> snapshot_id = {};  // this snapshot, without the logs
  std::string at_least = {};                     // a token: that write must be seen, or it is an error
};

struct FlushedTable {
  std::int64_t rows = 0;
  std::int64_t snapshot_id = 0;  // 0: there was nothing to flush
};

struct CompactedTable {
  std::int64_t files_before = 0;  // that were rewritten
  std::int64_t files_after = 0;   // that took their place
  std::int64_t rows = 0;          // in them
  std::int64_t bytes = 0;
};

/// A snapshot that is kept under a tag, with all that it takes to read it again as it was.
struct PinnedSnapshot {
  std::int64_t id = 0;  // 0: the table had no rows, and nothing is tagged
  std::int64_t committed_us = 0;
  std::int32_t columns_number = 0;                 // of the columns that it is read with
  std::map<std::string, std::uint64_t> logs = {};  // how far each log is in it, by the log's id
};

/// What an erasure asks of those who keep things made of a table's rows.
struct KeptRowsErasure {
  const CatalogView& view;
  std::span<const ErasureReceipt> receipts;  // those that are pending, of the view
  std::shared_ptr<const KeyedHash> hash;     // of the receipts' marks
  /// True if the rows of the table that are tagged so have erased ones; false if the tag is not there.
  std::function<Result<bool>(const std::string& tag)> holds_erased;
  std::stop_token stop;
};
struct ErasedKeptRows {
  std::vector<std::string> touched = {};  // names
  std::vector<std::string> pending = {};  // what is still to be done, and by whom
};
using KeptRowsEraser = std::function<Result<ErasedKeptRows>(const KeptRowsErasure& erasure)>;

struct FeatureTablesParts {
  std::shared_ptr<OfflineStore> offline;
  std::shared_ptr<SourceFolders> folders;
  std::shared_ptr<TableLog> log;
  std::shared_ptr<WriteTimes> write_times;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<const KeyedHashFile> key_hash;  // what stands for keys that are erased
  std::shared_ptr<ErasureReceipts> receipts;
  std::shared_ptr<Dumps> dumps = {};  // that may have rows of the tables; null: none
  KeptRowsEraser datasets = {};       // saved datasets that pin snapshots of the tables; empty: none
  OnlineOpener online;
  // Called at named steps of erasing and of streams' frames; for tests.
  std::function<void(std::string_view step)> at_step = {};
  std::string place;     // of all tables, in this process: those who rewrite one of them take turns
  std::string database;  // of the project's tables, for other engines
  std::int64_t flush_bytes = std::int64_t{64} << 20;  // of a log that are flushed at a time, about
  std::size_t threads = 1;
  bool is_read_only = false;  // the store's folder: every write is kIo
};

/// Thread safe. Errors name the view.
class FeatureTables {
 public:
  explicit FeatureTables(FeatureTablesParts parts) : parts_(std::move(parts)) {}

  /// Makes the view's table, or adds and widens the columns that the view has got since. kInvalidArgument for
  /// what cannot be changed.
  Result<void> Prepare(const CatalogView& view) const;
  Result<void> Drop(std::uint32_t view_id) const {
    tails_.Forget(view_id);
    return parts_.offline->Drop(view_id);
  }
  /// As Drop, but the files stay, out of the catalog.
  Result<void> Release(std::uint32_t view_id) const {
    tails_.Forget(view_id);
    return parts_.offline->Release(view_id);
  }
  Result<void> Rename(const CatalogView& view) const;

  /// Appends rows, all or none (but for bad ones where they are skipped). Errors as ReadTableRows, with the
  /// row counted from the first of all; kInvalidArgument for rows ahead of the clock that are to go online
  /// only. Rows of a view with a batch source become one more file of its folder; kUnsupported, with the
  /// reason, where none can be added.
  Result<IngestedRows> Ingest(const CatalogView& view, std::shared_ptr<arrow::RecordBatchReader> rows,
                              const IngestRequest& request) const;

  /// Whether rows of such a request can be written to the view: makes its table ready for them.
  Result<void> CheckTakes(const CatalogView& view, const IngestRequest& request) const;

  /// The table's rows: files and logs.
  Result<TableToRead> OpenSource(const CatalogView& view, const TableReading& reading) const;

  /// The same for those who read the data files by themselves: the logs of this machine first, then the
  /// newest snapshot, without what is flushed.
  Result<TableState> State(const CatalogView& view, const TableReading& reading) const;

  /// Tags a snapshot that has all rows up to now, or the one of `snapshot_id`, and no erased one.
  /// kInvalidArgument for one that has; kNotFound for one that is gone.
  Result<PinnedSnapshot> Pin(const CatalogView& view, const std::string& tag,
                             std::optional<std::int64_t> snapshot_id) const;
  /// Nothing happens if the table or the tag is not there.
  Result<void> Unpin(std::uint32_t view_id, const std::string& tag) const;
  /// The rows of a pinned snapshot, as `view` was defined then. kNotFound if the table or the tag is gone.
  Result<TableToRead> OpenPinned(const CatalogView& view, const std::string& tag,
                                 const PinnedSnapshot& pinned) const;
  /// True if a pinned snapshot has rows that are erased; kNotFound as above.
  Result<bool> PinnedHoldsErased(const CatalogView& view, const std::string& tag) const;

  /// Succeeds if lookups of the view see the write that `token` stands for; kNotFound if they do not.
  Result<void> CheckSeenOnline(const CatalogView& view, const std::string& token) const;
  /// The same of reads from the folder of a view with a batch source.
  Result<void> CheckSeenInFolder(const CatalogView& view, const std::string& token) const;

  /// Brings what the logs have of the view into files, in one commit.
  Result<FlushedTable> Flush(const CatalogView& view) const;

  /// Takes partitions of a stream over: brings what the logs have of the view into files, and raises the
  /// partitions' epochs in the same commit. From then on frames of their former owners count no more. Answers
  /// how far the table has read. Of places in `restarts` it has, from then on, read so far as that says;
  /// their epochs there do not count. `made`, what the stream is known by, is noted for places of which
  /// nothing was read, or whose stream is not known.
  Result<StreamMarks> TakeStream(const CatalogView& view, std::span<const std::string> places,
                                 const StreamMarks& restarts = {}, std::string_view made = {}) const;
  /// Makes a frame of rows that were read from a stream, one after another, and of how far it was read;
  /// `parts` are of the rows, in their order, with the epochs of TakeStream, and fit into a frame
  /// (PartsThatFit). Rows may be none. Errors as Ingest. Rows of a view with a batch source, which are those
  /// of AsTable(view), come online only; their parts are not logged with them, and say only whose they are:
  /// by the marks of `marks_table`, which is the view's own table if it is not given.
  Result<std::shared_ptr<StreamFrame>> PrepareStream(const CatalogView& view, std::vector<TableRows> batches,
                                                     std::span<const StreamPart> parts,
                                                     std::optional<std::uint32_t> marks_table = {}) const;
  /// Comes before a frame is logged and merged, which may then be done in any order. kBusy, with `was_outrun`
  /// set, if its rows go online and a partition of theirs was taken since it was prepared.
  Result<void> CheckStream(StreamFrame& frame) const;
  /// Appends frames to the log, in their order; then they are durable, and readable offline. A crash leaves
  /// all or none of them. After kUnknownFate, take the partitions again.
  Result<void> LogStream(std::span<const std::shared_ptr<StreamFrame>> frames) const;
  /// Merges frames; then lookups find them. Those that are never logged are read again as the same messages,
  /// and end in the same rows. What a crash or an error leaves out of those that are is merged from the log
  /// by the next one who opens the store, or writes.
  Result<void> MergeStream(std::span<const std::shared_ptr<StreamFrame>> frames) const;
  /// How far streams were read by files alone: cheap.
  Result<StreamMarks> FlushedStreamMarks(const CatalogView& view) const;
  /// By files and logs.
  Result<StreamMarks> StreamProgress(const CatalogView& view) const;

  /// For which ranges of event times rows were computed.
  Result<tidemark::DoneRanges> DoneRanges(const CatalogView& view) const;
  /// Notes that rows of the range are to be computed anew; the rows stay until then.
  Result<void> ForgetRange(const CatalogView& view, TimeSpan range) const;

  /// Trims the logs after a flush.
  Result<void> TrimLogs() const;

  /// Rewrites small data files as few large ones, sorted, without the rows that are erased; rows keep their
  /// write time. What other writers commit meanwhile is left to the next time. Waits for those of this
  /// process who compact the table, and for a part of its memory; kCancelled if it is asked to stop.
  Result<CompactedTable> Compact(const CatalogView& view, const std::stop_token& stop) const;
  /// How many data files are small, so that compacting them would be of use.
  Result<std::int64_t> SmallFiles(const CatalogView& view) const;

  /// Forgets old snapshots, and removes what writers that died a day ago or more have left.
  Result<CleanupReport> ExpireSnapshots(const CatalogView& view, const ExpireOptions& options) const;

  /// Removes the rows of some entities that were written until now: the steps are in table_erase.cc. `keys`
  /// are canonical, in the order of the view's join keys.
  Result<ErasureReceipt> Erase(const CatalogView& view, const arrow::ArrayVector& keys,
                               const std::stop_token& stop) const;
  /// Goes on with what is pending of the view; cheap if nothing is.
  Result<void> CompleteErasures(const CatalogView& view, const std::stop_token& stop) const;
  /// Makes lookups find nothing of what is being erased, where an eraser was killed before it came so far;
  /// cheap if there is none.
  Result<void> HideErased() const;
  /// Takes fences down that nothing can come behind any more, of all tables.
  Result<void> ForgetErasures() const;

  /// Flushes every table that the logs have rows of, and trims the logs.
  Result<void> FlushLogs() const;

  /// kIo in a folder that cannot be written.
  Result<void> CheckWritable() const;

  /// What writes of the view's rows need of its definition.
  Result<std::shared_ptr<const TableShape>> ShapeOf(const CatalogView& view) const {
    return shapes_.Get(view);
  }

  KnownPlainColumns& plain_columns() const { return plain_columns_; }

  TableLog& log() const { return *parts_.log; }
  OfflineStore& offline() const { return *parts_.offline; }
  const FeatureTablesParts& parts() const { return parts_; }

 private:
  // Somewhat more than a log has of a table when it is flushed.
  static constexpr std::int64_t kTailBytesKept = std::int64_t{80} << 20;

  const FeatureTablesParts parts_;
  mutable TableShapes shapes_;
  mutable StreamOwners owners_;
  mutable KnownPlainColumns plain_columns_;
  mutable std::mutex mutex_;
  mutable std::map<std::uint32_t, TableForm> prepared_;  // by view id: what its table follows from
  mutable LogTails tails_{kTailBytesKept};
};

/// Rows of several views that are written as one: all of them or none, whatever happens. Not thread safe.
class RowsTogether {
 public:
  /// The tables must outlive it.
  explicit RowsTogether(const FeatureTables& tables);
  ~RowsTogether();
  RowsTogether(const RowsTogether&) = delete;
  RowsTogether& operator=(const RowsTogether&) = delete;

  /// Reads the rows of a view, and writes nothing yet; of one view once, and of one batch key. False if they
  /// do not go through the log, because they are too many, none, for a warehouse or only to be checked:
  /// Ingest writes these. Errors as there.
  Result<bool> Add(const CatalogView& view, std::shared_ptr<arrow::RecordBatchReader> rows,
                   const IngestRequest& request);

  /// Writes what was added, and answers a report for each, in that order. Errors as TableLog::Append.
  Result<std::vector<IngestedRows>> Write();

 private:
  struct Part;
  const FeatureTables& tables_;
  std::vector<std::unique_ptr<Part>> parts_;
};

/// The error of a step that comes after the commit of rows that went straight to files: sent again, they
/// would be there twice. `what` says what failed, for instance "bringing them online failed".
Error AfterCommit(std::string_view what, const Error& error);

/// How far a log is flushed to a table, as its properties say.
std::uint64_t FlushedUpTo(const TableProperties& properties, LogId log);

}  // namespace tidemark
