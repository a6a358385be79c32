// The store in a folder, as the public API sees it. Each of its files implements what its name says; this one
// is their common class. Private to src/wiring.
#pragma once

#include <arrow/record_batch.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/files/dataset_folder.h"
#include "adapters/files/dump_folder.h"
#include "adapters/files/table_file.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/result.h"
#include "base/write_times.h"
#include "engine/apply.h"
#include "engine/batch/backfill.h"
#include "engine/catalog.h"
#include "engine/datasets/saved_datasets.h"
#include "engine/historical.h"
#include "engine/online_write.h"
#include "engine/selection.h"
#include "store/online_store.h"
#include "store/registry.h"
#include "tidemark/store.h"
#include "wiring/config.h"
#include "wiring/embedded_tables.h"
#include "wiring/existing_data.h"
#include "wiring/place_owner.h"
#include "wiring/revision_check.h"
#include "wiring/store_sql.h"
#include "wiring/store_streams.h"
#include "wiring/table_maintenance.h"
#include "wiring/table_upkeep.h"
#include "wiring/table_writes.h"
#include "wiring/unfinished_loads.h"

namespace tidemark {

/// Takes a stream over, so that it is released whatever comes of the request.
Result<std::shared_ptr<arrow::RecordBatchReader>> TakeOver(ArrowArrayStream* stream);

Result<void> MakeFolder(const std::filesystem::path& folder);

class EmbeddedStore final : public Store {
 public:
  EmbeddedStore(std::filesystem::path path, Config config, std::shared_ptr<Registry> registry)
      : path_(std::move(path)),
        config_(std::move(config)),
        threads_(ThreadCount(config_.threads)),
        registry_(std::move(registry)),
        tables_(TableParts()) {}

  const std::filesystem::path& path() const override { return path_; }
  const std::string& project() const override { return config_.project; }

  // store_definitions.cc
  Result<std::vector<Change>> Plan(std::string_view definitions, const ApplyOptions& options) override;
  Result<std::vector<Change>> Apply(std::string_view definitions, const ApplyOptions& options) override;
  Result<void> Teardown(const WorkOptions& work) override;
  Result<std::vector<std::string>> Projects() const override { return registry_->Projects(); }
  Result<std::int64_t> Revision(std::int64_t max_age_ms) const override;
  Result<ProjectDefinitions> AllDefinitions() const override;
  Result<std::string> List(ObjectType type) const override;
  Result<std::string> Describe(ObjectType type, std::string_view name) const override;
  Result<void> CreateTable(std::string_view schema, const CreateTableOptions& options) override;
  Result<std::vector<std::string>> Databases() override;
  Result<void> CreateDatabase(std::string_view name) override;
  Result<void> DropDatabase(std::string_view name) override;

  // store_reads.cc
  Result<void> GetHistorical(EntityRows rows, const HistoricalOptions& options,
                             ArrowArrayStream* out) override;
  Result<HistoricalReport> WriteHistorical(EntityRows rows, const HistoricalOptions& options,
                                           const std::filesystem::path& out) override;
  Result<std::shared_ptr<const OnlineReader>> PrepareOnline(const OnlineOptions& options) override;
  Result<OnlineRowsPage> ReadOnlineRows(std::string_view view, const OnlineRowsOptions& options,
                                        ArrowArrayStream* out) override;
  Result<void> ReadTable(std::string_view view, const ReadTableOptions& options,
                         ArrowArrayStream* out) override;
  Result<std::string> Explain(std::string_view feature, std::string_view key,
                              const ExplainOptions& options) override;
  Result<std::string> OnlineStats() const override;
  Result<std::string> Stats() override;

  // store_datasets.cc
  Result<std::string> SaveDataset(std::string_view name, EntityRows rows, const HistoricalOptions& what,
                                  const SaveDatasetOptions& options) override;
  Result<std::string> SavedDatasets() override;
  Result<std::string> SavedDataset(std::string_view name) override;
  Result<void> ReadSavedDataset(std::string_view name, const std::stop_token& stop,
                                ArrowArrayStream* out) override;
  Result<std::filesystem::path> RebuildDataset(std::string_view name, const std::filesystem::path& out,
                                               const WorkOptions& work) override;
  Result<void> FetchSavedDataset(std::string_view name, DatasetFile file, const std::filesystem::path& out,
                                 const std::stop_token& stop) override;
  Result<void> DeleteSavedDataset(std::string_view name) override;
  Result<std::string> SaveTable(std::string_view table, ArrowArrayStream* rows,
                                const SaveTableOptions& options, const std::stop_token& stop) override;
  Result<bool> DropRegisteredTable(std::string_view name) override;

  // store_writes.cc
  Result<MaterializeReport> Materialize(const MaterializeOptions& options) override;
  Result<OnlineWriteReport> WriteToOnlineStore(std::string_view view, ArrowArrayStream* rows) override;
  Result<IngestReport> Ingest(std::string_view view, EntityRows rows, const IngestOptions& options,
                              ArrowArrayStream* rejected) override;
  Result<IngestReport> Delete(std::string_view view, EntityRows rows, std::optional<std::int64_t> event_us,
                              const IngestOptions& options) override;
  Result<std::vector<std::pair<std::string, IngestReport>>> Push(std::string_view source, EntityRows rows,
                                                                 const IngestOptions& options) override;

  // store_backfill.cc
  Result<BackfillReport> Backfill(std::string_view view, const BackfillOptions& options) override;

  // store_tables.cc
  Result<FlushReport> Flush(const std::vector<std::string>& views) override;
  Result<CompactReport> Compact(const std::vector<std::string>& views, const WorkOptions& work) override;
  Result<ExpireSnapshotsReport> ExpireSnapshots(const std::vector<std::string>& views,
                                                const ExpireSnapshotsOptions& options) override;
  Result<std::string> Erase(std::string_view view, EntityRows keys, const WorkOptions& work) override;
  Result<std::string> Erasures(const std::vector<std::string>& views) override;
  Result<std::string> Snapshots(std::string_view view) override;
  Result<std::string> DataFolder(std::string_view view) override;
  Result<void> Sql(std::string_view query, const SqlQueryOptions& options, ArrowArrayStream* out) override;
  Result<std::int64_t> WriteSql(std::string_view query, const SqlQueryOptions& options,
                                const std::filesystem::path& out) override;
  Result<void> LatestRows(std::string_view table, const LatestRowsOptions& options,
                          ArrowArrayStream* out) override;
  Result<DumpReport> Dump(std::string_view query, const SqlQueryOptions& options) override;
  Result<void> ReadDump(std::string_view id, const std::stop_token& stop, ArrowArrayStream* out) override;
  Result<std::string> Dumps() override { return sql_.ListDumps(); }
  Result<void> RemoveDump(std::string_view id) override { return dumps_->Remove(id); }
  Result<std::string> RegisterTable(std::string_view database, std::string_view table, std::string_view path,
                                    const RegisterOptions& options) override;
  Result<std::string> AddPartitions(std::string_view database, std::string_view table,
                                    const std::vector<std::string>& partitions,
                                    const std::stop_token& stop) override;
  Result<std::string> Refresh(const std::vector<std::string>& tables, const std::stop_token& stop) override;
  Result<std::string> Tables(std::string_view database) override;
  Result<RelocateReport> Relocate() override;
  Result<void> RunStreams(const std::vector<std::string>& views, const RunStreamsOptions& options) override;
  Result<std::string> StreamStatus(const std::vector<std::string>& views) override {
    return streams_.Status(views);
  }
  Result<std::string> RestartStream(std::string_view view, const RestartStreamOptions& options) override {
    return streams_.Restart(std::string(view), options);
  }

  /// As if something had been written.
  Result<void> Maintain() { return StartMaintenance(); }

 private:
  /// What both Plan and Apply work from.
  struct Stated {
    Definitions definitions;
    PlanOptions options;
  };
  /// Whether a source's columns are all of interest, or only those whose types are known.
  enum SourceTypes : bool { kKnownTypes = false, kAllTypes = true };

  // store_definitions.cc
  Result<Stated> Read(std::string_view text, const ApplyOptions& options) const;
  Result<void> CheckDatabases(const Definitions& definitions);
  Result<void> RemoveRows(const std::vector<std::uint32_t>& view_ids, bool keep_files);

  // store_reads.cc
  Result<std::shared_ptr<arrow::RecordBatchReader>> StartHistorical(
      const EntityRows& rows, const HistoricalOptions& options, const std::shared_ptr<Warnings>& warnings);
  /// Entity rows from a file, read as the selection's keys are; null for a stream or a range.
  Result<std::shared_ptr<arrow::RecordBatchReader>> OpenEntityFile(const EntityRows& rows,
                                                                   const HistoricalOptions& options,
                                                                   const Selection& selection) const;
  static Result<KnownBy> KnownByOf(const HistoricalOptions& options);
  static Result<void> CheckReading(const TableReadOptions& reading);
  /// The write was to one of the views that are asked for.
  Result<void> CheckSeenOnline(const Selection& selection, const std::string& token);
  /// The write was to the folder of one of the views that are asked for; tables are asked when they are
  /// opened.
  Result<void> CheckSeenInFolders(const std::vector<const CatalogView*>& views, const std::string& token);
  /// What `at_least` asks for, of views that are opened otherwise.
  Result<void> CheckSeen(const Selection& selection, const TableReadOptions& reading);

  // store_datasets.cc
  /// The id of the folder of rows that SaveTable has kept there; empty for any other path.
  std::string KeptTableId(const std::filesystem::path& path) const;
  /// Saved datasets and tables that SaveTable made, while an erasure takes rows of a feature table away.
  Result<ErasedKeptRows> EraseKeptRows(const KeptRowsErasure& erasure);

  // store_writes.cc
  /// What writes of rows work with, at this moment.
  Result<TableWrites> Writes();
  Result<std::vector<const CatalogView*>> ViewsToLoad(const Catalog& catalog,
                                                      const std::vector<std::string>& names) const;
  /// Loads a view again whose rows came into files, by a writer that is gone, but perhaps not online.
  Result<void> FinishLoads(const CatalogView& view);
  OnlineWriteOptions SpillOptions() const;
  /// Rows that a caller gave, opened once it is known what they are read as.
  static GivenRows Rows(const EntityRows& rows) { return {rows.stream, rows.path}; }

  // store_backfill.cc
  /// Which ranges of a view's rows were computed, as Describe tells them.
  Result<Json> ComputedRanges(const CatalogView& view) const;
  Result<BackfillReport> ComputeRanges(const std::shared_ptr<const Catalog>& catalog, const CatalogView& view,
                                       const BackfillPlan& plan, const BackfillOptions& options);

  // store_tables.cc
  Result<std::vector<const CatalogView*>> TablesNamed(const Catalog& catalog,
                                                      const std::vector<std::string>& names) const;

  // store_sources.cc
  SourceOpener Opener(std::stop_token stop, SourceTypes types = kKnownTypes) const;
  SourceOpeners Openers(std::stop_token stop, const TableReadOptions& reading = {});
  /// A table that another engine keeps, in a folder or in the store's catalog.
  Result<std::unique_ptr<Source>> OpenIceberg(const BatchSource& source, const std::stop_token& stop) const;
  Result<std::unique_ptr<Source>> OpenWarehouse(const BatchSource& source,
                                                const std::map<std::string, DataType>& column_types,
                                                const SourceNeeds& needs, const std::stop_token& stop) const;

  // store.cc
  /// The catalog as it is now; read again only when the registry has moved.
  Result<std::shared_ptr<const Catalog>> LoadCatalog() const;
  /// The view that `table` or `database.table` names.
  Result<std::string> ViewName(const Catalog& catalog, std::string_view name) const;
  /// Opened when it is first needed: defining features and building training sets do without.
  Result<std::shared_ptr<OnlineStore>> Online() const;
  /// False as long as nothing can have been written online.
  bool HasOnline() const;
  /// For writing only: a store in a folder that cannot be written is read without.
  Result<std::shared_ptr<WriteTimes>> OwnWriteTimes() const;
  /// The store's folder as paths of files in it begin.
  std::string PlainFolder() const;
  TableWriteOptions FileWriting() const;
  static std::function<void(std::string_view, std::int64_t, std::int64_t)> ProgressOf(
      const WorkOptions& work);
  /// The tables are opened first: a fork then waits for the work in the background before it takes the locks
  /// of what the tables are made of.
  Result<void> StartMaintenance();
  EmbeddedTablesParts TableParts();
  ExistingData::Parts ExistingParts() const;
  SavedDatasetsParts DatasetParts();
  StoreSql::Parts SqlParts();
  StoreStreams::Parts StreamParts();
  TableMaintenance::Parts MaintenanceParts();

  const std::filesystem::path path_;
  const Config config_;
  const std::size_t threads_;
  const std::shared_ptr<Registry> registry_;
  const std::shared_ptr<Clock> clock_ = std::make_shared<SystemClock>();
  const RevisionCheck revision_;
  std::atomic<std::int64_t> rows_written_ = 0;
  mutable std::mutex mutex_;  // guards those below
  mutable std::shared_ptr<const Catalog> catalog_;
  mutable std::shared_ptr<WriteTimes> write_times_;  // there once something was written
  mutable std::shared_ptr<OnlineStore> online_;
  const std::shared_ptr<tidemark::Dumps> dumps_ = OpenDumpFolder(path_ / "dumps", threads_);
  const std::shared_ptr<DatasetFiles> dataset_files_ = OpenDatasetFolder(path_ / "datasets", threads_);
  UnfinishedLoads loads_{path_ / kOwnFolder / "loads"};
  mutable EmbeddedTables tables_;  // uses those above
  mutable ExistingData existing_{ExistingParts()};
  tidemark::SavedDatasets datasets_{DatasetParts()};  // which tables_ asks while it erases
  StoreSql sql_{SqlParts()};
  StoreStreams streams_{StreamParts()};
  TableUpkeep upkeep_{[this] { return tables_.Open(); }, threads_};
  TableMaintenance maintenance_{MaintenanceParts()};  // last: its thread uses all of those
};

}  // namespace tidemark
