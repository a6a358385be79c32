// Tidemark's C++ API: open a store in a folder, declare features, build training sets, look features up.
//
// Columns go in and out by the Arrow C data interface, so that any Arrow version of the caller will do;
// definitions and descriptions are JSON text (docs/definitions.md). Every call may come from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tidemark/arrow_c.h"
#include "tidemark/datasets.h"
#include "tidemark/error.h"
#include "tidemark/existing.h"
#include "tidemark/online.h"
#include "tidemark/sql.h"
#include "tidemark/streams.h"
#include "tidemark/tables.h"

namespace tidemark {

inline constexpr std::string_view kVersion = "0.1.0";

class PythonWorkers;

struct StoreOptions {
  std::filesystem::path path = {};  // the store's folder; made if it is not there
  std::string project = {};         // empty: that of tidemark.yaml, or else "default"
  bool create = true;               // false: kNotFound if there is no store in the folder
  bool maintain = false;  // keep tables in shape from now on, not only after the first write: for servers
  /// Where the packages of ADBC drivers lie (adbc_driver_postgresql and so on), which sources in warehouses
  /// name; looked at before the environment's TIDEMARK_ADBC_DRIVERS and the folder that Tidemark is installed
  /// in.
  std::vector<std::filesystem::path> adbc_driver_folders = {};
  /// Who runs the Python functions of on-demand feature views (python_workers.h), shared by any stores. Null:
  /// nobody, and features of such functions are kUnsupported.
  std::shared_ptr<PythonWorkers> python_workers = {};
};

/// How far long work has come: "reading driver_stats", 3 of 10. Called from one thread at a time.
struct Progress {
  std::string_view what;
  std::int64_t done = 0;
  std::int64_t total = 0;
};

/// How work that may take long is watched and interrupted. An interrupted call answers kCancelled.
struct WorkOptions {
  std::stop_token stop = {};
  std::function<void(const Progress&)> progress = {};  // may be empty
};

enum class ObjectType : std::uint8_t { kEntity, kFeatureView, kFeatureService, kOnDemandView };

/// "entity", "feature_view", "feature_service", "on_demand_feature_view".
TIDEMARK_EXPORT std::string_view NameOf(ObjectType type);

struct ApplyOptions {
  /// Objects of the project that are not in the definitions are removed, but for feature tables and their
  /// entities: no definition brings their rows back, so they are removed by name only.
  bool remove_missing = false;
  std::vector<std::pair<ObjectType, std::string>> remove = {};  // objects to remove by name
  /// The files of feature tables that are removed stay where they are, out of the catalog: nothing reads them
  /// here, and erasing does not reach them. Rows that are only in the log are not in them: Flush first.
  bool keep_files = false;
  /// Sources that are new may only be files in these folders: kPermissionDenied for others. Not set:
  /// anything. For servers, of callers that are not to name any file of the machine; a store at a URL decides
  /// by itself.
  std::optional<std::vector<std::filesystem::path>> source_folders = {};
  WorkOptions work =
      {};  // interrupted before the transaction, an apply changes nothing; later it is finished
};

/// One step of a plan. `details` are lines such as "ttl: 1d -> 2d".
struct Change {
  enum class Action : std::uint8_t { kAdd, kChange, kRename, kRemove } action = Action::kAdd;
  ObjectType type = ObjectType::kEntity;
  std::string name;
  std::string from_name;  // kRename
  std::vector<std::string> details;
};

/// "add", "change", "rename", "remove".
TIDEMARK_EXPORT std::string_view NameOf(Change::Action action);

/// Entity rows: exactly one of the two, or none for a request with a range. A stream is taken over (released)
/// by the call.
struct EntityRows {
  ArrowArrayStream* stream = nullptr;
  std::filesystem::path path = {};  // a Parquet or CSV file
};

/// What a request without entity rows is about: the latest row of each entity between two event times, both
/// included.
struct EventRange {
  std::optional<std::int64_t> start_us = {};  // nothing: as far back as the views' ttl reaches
  std::optional<std::int64_t> end_us = {};    // nothing: now
};

struct HistoricalReport {
  std::int64_t rows = 0;
  std::vector<std::string> warnings;  // "view x: timestamps finer than a microsecond were cut"
};

struct HistoricalOptions {
  std::vector<std::string> features = {};   // "view:feature" or "view"; or else
  std::string service = {};                 // the name of a feature service; or else
  std::string selection = {};               // JSON: a list as a feature service's "features"
  std::string event_timestamp_column = {};  // empty: "event_timestamp", or else the only timestamp column
  bool full_feature_names = false;          // view__feature
  bool include_status = false;              // a column <feature>__status behind each feature
  std::optional<std::int64_t> known_by_us = {};  // only rows created by then count
  bool known_by_event = false;                   // only rows created by each entity row's own time count
  TableReadOptions reading = {};                 // of views whose rows Tidemark keeps
  std::optional<EventRange> range = {};          // instead of entity rows
  std::function<void(const HistoricalReport&)> ended =
      {};  // called once, in the get_next that ends the stream
  WorkOptions work;
};

struct MaterializeOptions {
  std::vector<std::string> views = {};        // empty: all that are online
  std::optional<std::int64_t> start_us = {};  // nothing: incremental, going on from what was loaded
  std::int64_t end_us = 0;
  /// What was loaded before is loaded again, and damaged online rows are replaced, or removed where the
  /// source has no row for them.
  bool reload = false;
  WorkOptions work;
};

struct MaterializeReport {
  struct View {
    std::string view;
    std::int64_t rows_read = 0;
    std::int64_t rows_written = 0;  // keys whose online row changed
    std::int64_t files_read = 0;
    std::int64_t files_skipped = 0;  // unchanged and loaded already
    double seconds = 0;
    double put_seconds = 0;  // of that, writing to the online store
    std::vector<std::string> warnings;
  };
  std::vector<View> views;
};

/// Which rows of a view that a query computes are computed: event times in [start, end), step by step.
struct BackfillOptions {
  std::optional<std::int64_t> start_us = {};  // nothing: where the last range that was computed ends
  std::optional<std::int64_t> end_us = {};    // nothing: the last whole step that is over by now
  std::int64_t step_us = 24 * std::int64_t{3'600'000'000};  // computed and committed at a time
  WriteTarget to = WriteTarget::kUsual;                     // not kOnline
  bool restart = false;  // computes all of it, also what was done before; asks for a start
  WorkOptions work;      // interrupted, what was committed stays, and the next call goes on from there
};

struct BackfillReport {
  std::int64_t start_us = 0;
  std::int64_t end_us = 0;
  std::int64_t ranges = 0;         // that were computed
  std::int64_t ranges_before = 0;  // that were done before, and were left alone
  std::int64_t rows = 0;
  std::int64_t deletions = 0;  // of rows that the query gives no more
  std::int64_t online_rows = 0;
  std::vector<std::string> warnings;
};

struct OnlineWriteReport {
  std::int64_t written = 0;
  std::int64_t kept = 0;  // the store held a later row
};

struct OnlineOptions {
  std::vector<std::string> features = {};  // "view:feature" or "view"; or else
  std::string service = {};                // or else
  std::string selection = {};              // JSON: a list as a feature service's "features"
  bool full_feature_names = false;
  std::string at_least = {};  // the token of a write to one of the views, which must be seen
};

/// Which online rows of a view a page has.
struct OnlineRowsOptions {
  std::string after = {};     // `next` of the page before; empty: the first page
  std::int64_t limit = 1000;  // rows of the page
  bool deleted = false;       // also keys whose latest row is a deletion
};

struct OnlineRowsPage {
  std::int64_t rows = 0;
  std::string next;  // empty: there are no more rows
};

struct ProjectDefinitions {
  std::int64_t revision = 0;
  std::string json;  // docs/definitions.md; passwords are left out
};

struct ExplainOptions {
  std::optional<std::int64_t> t_us = {};  // nothing: now
  WorkOptions work = {};
};

/// A store opened in a folder.
class TIDEMARK_EXPORT Store {
 public:
  static Result<std::unique_ptr<Store>> Open(const StoreOptions& options);
  virtual ~Store() = default;

  virtual const std::filesystem::path& path() const = 0;
  virtual const std::string& project() const = 0;

  /// What Apply would do. `definitions` is JSON, or YAML if it does not start with '{'.
  virtual Result<std::vector<Change>> Plan(std::string_view definitions, const ApplyOptions& options) = 0;
  /// Makes the registry state what the definitions say, in one transaction; nothing to do gives no changes.
  virtual Result<std::vector<Change>> Apply(std::string_view definitions, const ApplyOptions& options) = 0;
  /// Removes the project: definitions, versions, and its online rows. Source files are not touched.
  /// Interrupted before the definitions are removed it changes nothing; after that it is finished.
  virtual Result<void> Teardown(const WorkOptions& work) = 0;

  /// The projects of this store that have definitions, by name.
  virtual Result<std::vector<std::string>> Projects() const = 0;
  /// A number that grows with every change of the project's definitions, by any process; looked up anew if
  /// it was last `max_age_ms` ago. For caches of what follows.
  virtual Result<std::int64_t> Revision(std::int64_t max_age_ms) const = 0;
  /// All definitions of the project at one moment, as Apply takes them, and their revision.
  virtual Result<ProjectDefinitions> AllDefinitions() const = 0;
  /// All live objects of a type: a JSON array of their documents, by name.
  virtual Result<std::string> List(ObjectType type) const = 0;
  /// One object as JSON: {"spec", "meta", "definition", "versions", and of a view "online": when and to where
  /// it was loaded and how fresh it is}. kNotFound with the nearest name.
  virtual Result<std::string> Describe(ObjectType type, std::string_view name) const = 0;

  /// The training set: as many rows as came in, in their order, the columns of the entity rows first, then
  /// the features. `out` streams, and does the work as it is read: `options.ended` tells the report. It must
  /// be released before the store is closed. StreamError tells what went wrong on the way.
  ///
  /// With `options.range` there are no entity rows: every entity with a row in the range, in any of the
  /// views, is one, at the end of the range; the column of that time is named as `event_timestamp_column`
  /// says. An entity whose latest rows are deletions is left out. The views must have the same join keys.
  virtual Result<void> GetHistorical(EntityRows rows, const HistoricalOptions& options,
                                     ArrowArrayStream* out) = 0;
  /// The same into a Parquet or CSV file (by its ending), written under another name and put in place when
  /// whole.
  virtual Result<HistoricalReport> WriteHistorical(EntityRows rows, const HistoricalOptions& options,
                                                   const std::filesystem::path& out) = 0;

  /// Computes rows of a view by its query (docs/batch-views.md), range by range, each range in one commit
  /// that also notes that it is done: what a call that was killed has committed is not computed again. A
  /// range that is computed replaces what the view has in it: rows that the query gives no more are deleted.
  /// Errors name the range. kInvalidArgument for a view without a query.
  virtual Result<BackfillReport> Backfill(std::string_view view, const BackfillOptions& options) = 0;

  /// Makes a training set and keeps it with what it was made of: entity rows, definitions, and tags on the
  /// snapshots of feature tables, which then no expiry forgets. Whole or not at all; what it is comes as one
  /// of SavedDatasets. Features of Python functions (StoreOptions::python_workers) are made twice:
  /// kInvalidData if the second time they are others. kAlreadyExists for a name or file that is taken,
  /// kInvalidData if rows of it are erased meanwhile. A store that is reached over a network keeps it in its
  /// own folder, and `storage` is a copy on this machine.
  virtual Result<std::string> SaveDataset(std::string_view name, EntityRows rows,
                                          const HistoricalOptions& what,
                                          const SaveDatasetOptions& options) = 0;
  /// All saved datasets, by name: a JSON array of {"name", "state": "ready" or "erased", "created", "tags",
  /// "feature_service", "features", "join_keys", "full_feature_names", "event_timestamp", "known_by",
  /// "as_of", "start", "end", "columns", "rows", "bytes", "sha256", "path", "entity_rows": its file or null,
  /// "entity_rows_sha256": or null, "writer", "definitions": [{"type", "name", "version"}], "tables":
  /// [{"view", "snapshot", "tag", "committed", "logs"}], "files": [{"view", "path", "bytes"}], "warehouses":
  /// names of views, "erasure"}.
  virtual Result<std::string> SavedDatasets() = 0;
  /// One of them; kNotFound with the nearest name.
  virtual Result<std::string> SavedDataset(std::string_view name) = 0;
  /// Its rows, as they were saved. kNotFound if they are gone, kCorruption if they are others: Rebuild makes
  /// them again.
  virtual Result<void> ReadSavedDataset(std::string_view name, const std::stop_token& stop,
                                        ArrowArrayStream* out) = 0;
  /// Makes its rows again, the same to the byte, at their place or in `out`, whatever was ingested, deleted,
  /// compacted, expired or defined since. kInvalidData with the reason if that cannot be: which erasure has
  /// taken rows, which file has changed, which warehouse answers otherwise. The file that was written.
  virtual Result<std::filesystem::path> RebuildDataset(std::string_view name,
                                                       const std::filesystem::path& out,
                                                       const WorkOptions& work) = 0;
  /// Copies one of its files to `out`, a Parquet file, over what is there, once it is known to be what was
  /// kept: kNotFound if it is gone, kCorruption if it is another.
  virtual Result<void> FetchSavedDataset(std::string_view name, DatasetFile file,
                                         const std::filesystem::path& out, const std::stop_token& stop) = 0;
  /// Forgets it, with its tags. A file outside the store's folder stays.
  virtual Result<void> DeleteSavedDataset(std::string_view name) = 0;
  /// Keeps rows as a table `database.table` that SQL and other engines read: whole or not at all. As
  /// RegisterTable, but that its files are in the store's folder and go with the table. kAlreadyExists.
  virtual Result<std::string> SaveTable(std::string_view table, ArrowArrayStream* rows,
                                        const SaveTableOptions& options, const std::stop_token& stop) = 0;

  virtual Result<MaterializeReport> Materialize(const MaterializeOptions& options) = 0;
  /// Merges rows (join keys, features, the source's timestamp columns) into the online store.
  virtual Result<OnlineWriteReport> WriteToOnlineStore(std::string_view view, ArrowArrayStream* rows) = 0;
  virtual Result<std::shared_ptr<const OnlineReader>> PrepareOnline(const OnlineOptions& options) = 0;

  /// The keys that lookups of a view find, in the order of their bytes, page by page: columns are its join
  /// keys, then event_timestamp, write_time, is_deleted and expires_at (null: never). Rows past their own
  /// expiry, deletions too, or the view's ttl are left out. Between pages rows may come and go. `after` of
  /// another view is kInvalidArgument. A store that is reached over a network has no such pages:
  /// kUnsupported.
  virtual Result<OnlineRowsPage> ReadOnlineRows(std::string_view /*view*/,
                                                const OnlineRowsOptions& /*options*/,
                                                ArrowArrayStream* /*out*/) {
    return Fail(ErrorCode::kUnsupported, "only a store in a folder lists its online rows");
  }

  /// The folder that the data files of a feature table lie in, as a file:// URI. kInvalidArgument for a view
  /// with a batch source. A store that is reached over a network does not say: kUnsupported.
  virtual Result<std::string> DataFolder(std::string_view /*view*/) {
    return Fail(ErrorCode::kUnsupported, "only a store in a folder says where its tables lie");
  }

  /// Makes a feature table of a schema, JSON: {"name", "entities": ["id"], "schema": [{"name", "type"}]}, the
  /// time column among it. Each entity is one join key; one that the schema does not list gets its type from
  /// the first rows. kAlreadyExists if there is a view of that name.
  virtual Result<void> CreateTable(std::string_view schema, const CreateTableOptions& options) = 0;

  /// Appends rows to a feature table: join keys, the event time, all of its features, and if they are there
  /// the created time and `expires_at`. All are written, durably, or none; readable at once, in every
  /// process. Rows that are skipped come out of `rejected` (may be null; empty if there are none) with a
  /// column "error". Of a view with a batch source the rows become a new file of it: kUnsupported for a
  /// source of a single file.
  virtual Result<IngestReport> Ingest(std::string_view view, EntityRows rows, const IngestOptions& options,
                                      ArrowArrayStream* rejected) = 0;
  /// Appends deletions: of each row only the join keys and the event time are looked at; rows without a
  /// column of event times are deleted as of `event_us` (nothing: now).
  virtual Result<IngestReport> Delete(std::string_view view, EntityRows rows,
                                      std::optional<std::int64_t> event_us, const IngestOptions& options) = 0;
  /// Ingests rows into every view that has the push source, or into none; other columns are passed over. A
  /// name that is no push source may be that of a view. One report for each view.
  virtual Result<std::vector<std::pair<std::string, IngestReport>>> Push(std::string_view source,
                                                                         EntityRows rows,
                                                                         const IngestOptions& options) = 0;
  /// Brings the logged rows of tables (empty: of all) into their files, where other engines see them.
  virtual Result<FlushReport> Flush(const std::vector<std::string>& views) = 0;
  /// The snapshots of a table, oldest first: a JSON array of {"id", "parent", "committed", "operation",
  /// "rows", "files", "tags"}.
  virtual Result<std::string> Snapshots(std::string_view view) = 0;
  /// Rewrites small data files of tables (empty: of all) as few large ones. Rows stay what they are.
  virtual Result<CompactReport> Compact(const std::vector<std::string>& views, const WorkOptions& work) = 0;
  /// Forgets old snapshots of tables (empty: of all) with the files that only they have, and what writers
  /// that died have left. The newest snapshots, tagged ones and those that are being read stay.
  virtual Result<ExpireSnapshotsReport> ExpireSnapshots(const std::vector<std::string>& views,
                                                        const ExpireSnapshotsOptions& options) = 0;
  /// Removes all rows of some entities that were written until now: from data files, log, online store and
  /// old snapshots, bytes included. `keys` are rows of the join keys. The receipt is JSON: {"id", "table",
  /// "keys", "fence", "state": "done" or "pending", "rows_removed", "files_rewritten", "pending": what is
  /// still to be removed and by whom, "out_of_reach"}. From the first moment on no read sees the rows;
  /// erasing again, flushing, or the work in the background completes what is pending. Rows that are written
  /// later are not touched.
  virtual Result<std::string> Erase(std::string_view view, EntityRows keys, const WorkOptions& work) = 0;
  /// The receipts of all erasures of tables (empty: of all), oldest first: a JSON array.
  virtual Result<std::string> Erasures(const std::vector<std::string>& views) = 0;
  /// The rows of a table as they were written.
  virtual Result<void> ReadTable(std::string_view view, const ReadTableOptions& options,
                                 ArrowArrayStream* out) = 0;

  /// Runs one query, SELECT and what is like it, over feature tables and file sources, named `project.table`
  /// (also "feature_store.table" for the default project) or `table`, in any case. It reads the files of
  /// these and nothing else, on disk or network, but what the store's settings open. What is wrong with the
  /// query is said here; `out` streams, and may fail too (StreamError). It must be released before the store
  /// is closed. SHOW TABLES [FROM database] and SHOW DATABASES are known.
  virtual Result<void> Sql(std::string_view query, const SqlQueryOptions& options, ArrowArrayStream* out) = 0;
  /// The same into a Parquet or CSV file, by its ending, which appears whole or not at all: its rows.
  virtual Result<std::int64_t> WriteSql(std::string_view query, const SqlQueryOptions& options,
                                        const std::filesystem::path& out) = 0;
  /// The latest row of each key of a feature table or view, with the columns that SQL shows of it.
  virtual Result<void> LatestRows(std::string_view table, const LatestRowsOptions& options,
                                  ArrowArrayStream* out) = 0;
  /// Writes the result of a query to the store's folder, to be read again by its id: whole or not at all.
  virtual Result<DumpReport> Dump(std::string_view query, const SqlQueryOptions& options) = 0;
  /// kNotFound for an id of no dump, kCorruption for one that is not what was written.
  virtual Result<void> ReadDump(std::string_view id, const std::stop_token& stop, ArrowArrayStream* out) = 0;
  /// All dumps, oldest first: a JSON array of {"id", "sql", "time", "rows", "bytes", "path", "tables",
  /// "columns": [{"name", "type"}], "damage": why it cannot be read, or empty}.
  virtual Result<std::string> Dumps() = 0;
  virtual Result<void> RemoveDump(std::string_view id) = 0;

  /// Databases that feature tables and tables of other engines lie in, by name; the project's own is among
  /// them: "feature_store", or of another than the default project its name. Tables are named `table` or
  /// `database.table`.
  virtual Result<std::vector<std::string>> Databases() = 0;
  /// Nothing happens if it is there. kInvalidArgument for what is no name, or differs from one only in case.
  virtual Result<void> CreateDatabase(std::string_view name) = 0;
  /// kInvalidArgument if there are tables in it, or it is the project's own; kNotFound.
  virtual Result<void> DropDatabase(std::string_view name) = 0;

  /// Makes a table of Parquet or CSV files where they lie: nothing is copied, and no file is ever changed or
  /// removed. `path` is a file, a folder, or a pattern; of one deep in folders `name=value` the table begins
  /// above them, and that partition is registered. Columns are those of the files. kNotFound for the database
  /// or the path, kAlreadyExists for the table. What was made is JSON, as one of Tables.
  virtual Result<std::string> RegisterTable(std::string_view database, std::string_view table,
                                            std::string_view path, const RegisterOptions& options) = 0;
  /// Adds partitions ("y=2019/m=07/d=01") to a registered table, any number, in commits of at most 99. All
  /// are looked into before the first: kNotFound for one that is missing, kInvalidArgument for what is no
  /// partition, kTypeMismatch for one of another schema; then nothing is changed. Those that are there are
  /// passed over. JSON: {"table", "added", "present", "files", "commits", "columns_added", "columns_widened",
  /// "warnings"}.
  virtual Result<std::string> AddPartitions(std::string_view database, std::string_view table,
                                            const std::vector<std::string>& partitions,
                                            const std::stop_token& stop) = 0;
  /// Brings registered tables (`database.table`; empty: all) up to what lies in their folders. JSON:
  /// {"tables": [{"table", "files_added", "files_removed", "files_changed", "partitions_added",
  /// "columns_added", "columns_widened", "warnings", "error"}], "views": [{"view", "new_columns", "error"}]}:
  /// columns that views' sources have and the views have not are told of, and left to apply.
  virtual Result<std::string> Refresh(const std::vector<std::string>& tables,
                                      const std::stop_token& stop) = 0;
  /// What SQL can name, of a database (empty: of all): a JSON array of {"database", "name", "kind"}; those of
  /// the kind "registered table" also say "format", "path", "columns", "partition_columns", "partitions",
  /// "files", "bytes", "rows" (null: not known) and "warnings".
  virtual Result<std::string> Tables(std::string_view database) = 0;
  /// Forgets a registered table (`database.table`) and leaves its files alone. False if there is none of that
  /// name; kInvalidArgument while a feature view reads it.
  virtual Result<bool> DropRegisteredTable(std::string_view name) = 0;

  /// Makes the feature tables right after the store's folder was moved or copied: their metadata says where
  /// their files lie. The place that it came from is left alone. What this needs and changes is said in
  /// docs/feature-tables.md; until then reading and writing tables fails and names this command. Interrupted,
  /// it can be called again. kBusy while another process does it.
  virtual Result<RelocateReport> Relocate() = 0;

  /// Reads the streams of views (empty: of all that have one) into their feature tables, each message once,
  /// until it is stopped, which is no error. Several processes may do it at the same time, and share the
  /// partitions. Messages that are no rows go to the table `<view>__rejected`. A broker that cannot be
  /// reached is waited for, and a line on stderr says so. Another error ends the view's reading and not that
  /// of others: of several views each is told on stderr, and the first is returned when all have ended.
  /// kInvalidData if messages are gone that were to be read, are not those that were there before, or too
  /// many are no rows (nothing of these was written); kUnsupported on a server, which reads streams by
  /// itself. Rows for a view with a batch source come online only.
  virtual Result<void> RunStreams(const std::vector<std::string>& views,
                                  const RunStreamsOptions& options) = 0;
  /// How far streams were read, and who reads them on this machine: a JSON array of {"view", "stream",
  /// "partitions": [{"partition", "read", "end", "lag"}], "lag", "stream_error", "readers", "messages",
  /// "rows", "deletions", "filtered", "rejected", "rows_per_second", "freshness_p50_us", "freshness_p99_us",
  /// "unreachable_since_us", "last_error", "last_error_us"}. "read" is the offset of the last message whose
  /// row is in the table, "lag" the messages that are not; "messages" to "rejected" are of all readers of
  /// this machine that there have been; null: not known. "stream_error" says why the stream cannot be asked,
  /// "unreachable_since_us" since when a reader that runs waits for it; null: none does.
  virtual Result<std::string> StreamStatus(const std::vector<std::string>& views) = 0;
  /// Says anew where the stream of a view is read on, after its messages were lost or its topic was made
  /// anew. Rows that are there stay. Readers that run notice, and go on there. A JSON array of {"partition",
  /// "read", "next", "gives_up"}: the offset of the last message that was read, that of the next that will
  /// be, and what this does in words; null: none, or not known. kNotFound for a partition that there is not,
  /// kInvalidArgument where kContinue cannot be (the stream ends before what was read), kUnsupported for
  /// kLatest of Kinesis, kUnavailable if the stream cannot be asked.
  virtual Result<std::string> RestartStream(std::string_view view, const RestartStreamOptions& options) = 0;

  /// Why a feature has the value it has: JSON with the entity, the moment, the row that was chosen (file,
  /// row, timestamps), the value and status, the ttl decision, and the online row. `key` is a JSON object of
  /// join keys.
  virtual Result<std::string> Explain(std::string_view feature, std::string_view key,
                                      const ExplainOptions& options) = 0;

  /// Rows and bytes of the online store: JSON.
  virtual Result<std::string> OnlineStats() const = 0;
  /// How large the store is, and how fresh, for monitoring; reads metadata only. JSON: {"rows_written": by
  /// ingest, push and delete since it was opened, "online": null or {"rows", "bytes", "bytes_max"}, "log":
  /// {"bytes", "files"}, "tables": [{"view", "rows", "bytes", "files", "small_files": that compaction would
  /// take, "committed_us", "newest_event_us"}], "loads": [{"view", "loaded_us", "newest_event_us"}]: of views
  /// that were materialized, "streams": [{"view", and what StreamStatus says of its readers}]}; times may be
  /// null.
  virtual Result<std::string> Stats() = 0;
};

/// Ends what stores of this process do by themselves (flush, compact, expire), for good: for the end of a
/// process that does not close its stores. A store that is closed ends its own.
TIDEMARK_EXPORT void StopBackgroundWork();

/// The error that a stream of GetHistorical failed with: `error_number` is what its get_next or get_schema
/// answered.
TIDEMARK_EXPORT Error StreamError(ArrowArrayStream* stream, int error_number);

/// Reads definitions in YAML or JSON and gives them back as canonical JSON: checks their form without a
/// store.
TIDEMARK_EXPORT Result<std::string> NormalizeDefinitions(std::string_view text);

/// Reads a point in time, ISO-8601; microseconds since 1970 UTC.
TIDEMARK_EXPORT Result<std::int64_t> ParseTime(std::string_view text);

}  // namespace tidemark
