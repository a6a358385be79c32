// Tables of rows that Tidemark keeps itself: appended to in commits, read in snapshots.
//
// A table is a sequence of snapshots, each a set of immutable data files. A writer stages rows (data files
// that nobody sees yet) and commits them; a commit that finds that another one was first is tried again on
// top of it, after its rule was asked again. Properties are changed in the same commit, so that what the rows
// mean to the caller (how far a log is flushed, which offsets were read) is never apart from the rows.
//
//   rows -> Stage -> StagedRows --Append(rule)--> snapshot n+1 -> Snapshot -> OpenSource -> Source
//
// Names of tables and columns never reach a path: a table's folder is named after its id.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/type.h"
#include "store/source.h"
#include "store/table_catalog.h"

namespace tidemark {

struct TableColumn {
  std::string name;
  DataType type;
  bool required = false;  // no nulls
  std::int32_t id = 0;    // given by the store, stable under renaming; 0 before
  bool operator==(const TableColumn&) const = default;
};

/// How rows are divided over data files. Values of the partition are not needed for reading: all columns are
/// in the files.
struct PartitionField {
  enum class Transform : std::uint8_t { kIdentity, kBucket, kDay };
  std::string column;
  Transform transform = Transform::kIdentity;
  std::int32_t buckets = 0;  // kBucket only
  bool operator==(const PartitionField&) const = default;
};

using TableProperties = std::map<std::string, std::string>;

struct TableLayout {
  std::vector<TableColumn> columns = {};
  std::vector<std::string> sort_columns = {};  // each data file is sorted by these, ascending, nulls first
  std::vector<PartitionField> partitions = {};
  SystemColumns system = {};  // which columns the rule asks for
  TableProperties properties = {};
};

/// What a commit finds at the newest state of a table.
struct TableHead {
  std::int64_t snapshot_id = 0;  // 0: the table has none yet
  const TableProperties& properties;
};

/// What is to become of a commit. `properties` are set (or removed, if empty) with it.
struct CommitDecision {
  bool commit = true;  // false: drop it, staged files included; that is no error
  std::map<std::string, std::optional<std::string>> properties = {};
};

/// Asked for every head that a commit is tried on, so more than once when others commit too: it must not
/// keep what it answered before. An error ends the commit and is returned.
using CommitRule = std::function<Result<CommitDecision>(const TableHead& head)>;

/// The rule of a commit that depends on nothing.
inline Result<CommitDecision> CommitAlways(const TableHead& /*head*/) {
  return CommitDecision{};
}

struct CommitOutcome {
  bool committed = false;        // false: the rule said so, or an input of a rewrite is gone
  std::int64_t snapshot_id = 0;  // the new one; the head's when it was not committed
};

struct StageOptions {
  std::size_t threads = 0;                            // 0: one per processor
  std::int64_t file_bytes = std::int64_t{128} << 20;  // about how large data files become
  std::int64_t sort_bytes = std::int64_t{1}
                            << 30;  // rows are sorted in runs of about so many bytes in memory
  std::stop_token stop = {};
  std::function<void(std::int64_t rows)> progress = {};  // how many rows are written by now; may be empty
};

/// Data files that were written and synced and that no snapshot has yet. Their files are removed with this
/// object, unless a commit took them or may have.
class StagedRows {
 public:
  virtual ~StagedRows() = default;
  virtual std::int64_t rows() const = 0;
  virtual std::int64_t bytes() const = 0;
  virtual std::size_t files() const = 0;
};

struct SnapshotInfo {
  std::int64_t id = 0;
  std::int64_t parent_id = 0;     // 0: none, or it is gone
  std::int64_t committed_us = 0;  // whole milliseconds
  std::string operation = {};     // append, replace, overwrite, delete
  std::int64_t rows = 0;          // of all its files
  std::int64_t files = 0;
  std::vector<std::string> tags = {};
};

struct DataFileInfo {
  std::string path;  // absolute; also what a rewrite is told
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::int64_t added_by = 0;  // snapshot
  std::vector<ColumnRange> ranges =
      {};                      // bounds of the columns that have them; text may be cut, and bounds still
  std::string partition = {};  // opaque: files of one partition have the same
};

/// Which data files to read; all if it is empty. Answers false for one whose bounds say that it has no row
/// that is asked for.
using FileFilter = std::function<bool(const DataFileInfo& file)>;

struct SourceOptions {
  FileFilter filter = {};
  bool columns_of_now = false;  // those the table had when the snapshot was opened, not those of the snapshot
  std::optional<std::int32_t> columns_number = {};  // those the table had when they had this number
  std::size_t threads = 0;                          // to open files with; 0: one per processor
  std::stop_token stop = {};
};

/// One state of a table. While it or a source from it lives, its files stay, whatever other processes expire
/// or rewrite. Thread safe.
class TableSnapshot {
 public:
  virtual ~TableSnapshot() = default;

  virtual std::int64_t id() const = 0;  // 0: the table had no rows yet
  virtual std::int64_t committed_us() const = 0;
  /// The table's, read together with the snapshot; those of an older snapshot are not kept.
  virtual const TableProperties& properties() const = 0;
  virtual const SystemColumns& system_columns() const = 0;
  /// As they were at this snapshot.
  virtual const std::vector<TableColumn>& columns() const = 0;
  /// Of the columns that the table had when this was opened: they are kept, and found again by this number.
  virtual std::int32_t columns_number() const = 0;
  virtual Result<std::vector<DataFileInfo>> Files() const = 0;

  /// Its rows. Columns that a file does not have read as null, and narrower ones as what they became. The
  /// source keeps what it needs, and may outlive this. Errors of reading name the file.
  virtual Result<std::unique_ptr<Source>> OpenSource(const SourceOptions& options) const = 0;
};

/// Which snapshot: the newest if nothing is set; at most one is.
struct SnapshotChoice {
  std::optional<std::int64_t> id = std::nullopt;
  std::optional<std::int64_t> as_of_us = std::nullopt;  // the last one committed up to then
  std::string tag = {};
};

/// One change of a table's columns. Everything else is refused with the reason.
struct ColumnChange {
  enum class Kind : std::uint8_t { kAdd, kWiden, kRename };
  Kind kind = Kind::kAdd;
  std::string column;         // that is added, widened, or renamed
  DataType type = {};         // kAdd; kWiden: int64 (of int32) or float64 (of float32)
  std::string new_name = {};  // kRename
};

struct RewriteOptions {
  std::vector<std::string> inputs = {};  // paths of data files that go
  bool erases = false;                   // rows are gone afterwards: not a mere compaction
};

struct ExpireOptions {
  std::int64_t older_than_us = 0;  // snapshots committed before this may go
  std::size_t keep = 1;            // of the newest, at least so many
};

struct CleanupReport {
  std::int64_t snapshots = 0;
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::int64_t leased = 0;  // snapshots that would have gone, but are being read
};

/// A table. Thread safe; several processes may write one table at the same time and lose nothing. Errors
/// besides those named: kCorruption for metadata that is damaged, kIo, kOutOfSpace, kBusy; kUnknownFate if a
/// commit may have happened and it cannot be found out (the catalog cannot be read): then look at the table.
class OfflineTable {
 public:
  virtual ~OfflineTable() = default;

  virtual TableId id() const = 0;

  /// Columns with their ids, and properties, as they are now.
  virtual Result<TableLayout> Layout() const = 0;

  /// As they are now: the same object as before if nobody has committed since, and then cheap.
  virtual Result<std::shared_ptr<const TableProperties>> Properties() const = 0;

  /// kNotFound for a snapshot or tag that is not there (any more).
  virtual Result<std::unique_ptr<TableSnapshot>> Snapshot(const SnapshotChoice& choice) const = 0;
  /// Oldest first.
  virtual Result<std::vector<SnapshotInfo>> Snapshots() const = 0;

  /// Writes rows to new data files, synced. `rows` has the table's columns, by name in any order, each as
  /// ToArrow of its type (pit/columns.h); those that are absent and not required are null. Rows of one run
  /// that are not in sort order are sorted, equal ones keeping their order. kInvalidArgument for unknown or
  /// missing columns, kTypeMismatch, kInvalidData for a null in a required column (names column and row).
  virtual Result<std::unique_ptr<StagedRows>> Stage(arrow::RecordBatchReader& rows,
                                                    const StageOptions& options) = 0;

  /// Adds staged rows in one commit. Without rows it is a commit of the rule's properties only, and makes no
  /// snapshot.
  virtual Result<CommitOutcome> Append(std::unique_ptr<StagedRows> rows, const CommitRule& rule) = 0;

  /// Replaces data files by staged rows (null: by none) in one commit. Not committed when an input is not
  /// live any more.
  virtual Result<CommitOutcome> Rewrite(const RewriteOptions& options, std::unique_ptr<StagedRows> rows,
                                        const CommitRule& rule) = 0;

  /// Applies all changes or none. kInvalidArgument with the reason for what cannot be changed.
  virtual Result<void> Evolve(std::span<const ColumnChange> changes) = 0;

  /// A tagged snapshot is kept until it is untagged. kNotFound; kAlreadyExists if it names another one.
  virtual Result<void> Tag(const std::string& tag, std::int64_t snapshot_id) = 0;
  virtual Result<void> Untag(const std::string& tag) = 0;

  /// Forgets old snapshots and removes the files that only they have. The newest, tagged and leased ones
  /// stay.
  virtual Result<CleanupReport> ExpireSnapshots(const ExpireOptions& options) = 0;

  /// Removes files that no snapshot has and that were last written before `older_than_us`: what crashed
  /// writers left. Must be older than any writer may take from staging to commit.
  virtual Result<CleanupReport> RemoveOrphans(std::int64_t older_than_us) = 0;
};

/// All tables of a store. Thread safe.
class OfflineStore {
 public:
  virtual ~OfflineStore() = default;

  /// kAlreadyExists if the id or the name is taken; kInvalidArgument for a layout that cannot be.
  virtual Result<std::unique_ptr<OfflineTable>> Create(TableId id, const TableName& name,
                                                       const TableLayout& layout) = 0;
  virtual Result<std::unique_ptr<OfflineTable>> Open(TableId id) = 0;
  virtual Result<void> Rename(TableId id, const TableName& name) = 0;
  /// Forgets the table and removes its folder; nothing happens if it is not there.
  virtual Result<void> Drop(TableId id) = 0;
  /// Forgets the table; its files stay for others, and nothing here writes, reads or erases them any more.
  virtual Result<void> Release(TableId id) = 0;
  virtual Result<std::vector<CatalogEntry>> List() const = 0;
};

}  // namespace tidemark
