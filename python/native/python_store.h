// The store for Python: every method of tidemark::Store with Python values.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrow_capsules.h"
#include "interruptible.h"
#include "online_rows.h"
#include "tidemark/remote.h"
#include "tidemark/store.h"

namespace tidemark::python {

using NamedObjects = std::vector<std::pair<std::string, std::string>>;  // (type, name)

class PythonStore {
 public:
  /// With `python`, an interpreter, a process of it runs Python functions for the engine.
  static PythonStore Open(const std::string& path, const std::string& project, bool create,
                          const std::vector<std::string>& adbc_driver_folders, const std::string& python);
  /// A store on a server.
  static PythonStore Connect(const ConnectOptions& options);

  bool is_remote() const { return is_remote_; }
  std::string path() const { return store_->path().string(); }
  const std::string& project() const { return store_->project(); }

  std::vector<Change> Plan(const std::string& definitions, bool remove_missing, const NamedObjects& remove,
                           const CancelToken* token) const;
  std::vector<Change> Apply(const std::string& definitions, bool remove_missing, const NamedObjects& remove,
                            const CancelToken* token) const;
  void Teardown(const CancelToken* token) const;
  std::string List(const std::string& type) const;
  std::string Describe(const std::string& type, const std::string& name) const;

  /// `rows` is the path of a file, or exports an Arrow stream.
  std::unique_ptr<ResultStream> Historical(const nanobind::object& rows, HistoricalOptions options,
                                           const CancelToken* token, nanobind::object progress) const;
  HistoricalReport WriteHistorical(const nanobind::object& rows, HistoricalOptions options,
                                   const std::string& path, const CancelToken* token,
                                   nanobind::object progress) const;
  /// Datasets are JSON. `rows` as of Historical.
  std::string SaveDataset(const std::string& name, const nanobind::object& rows, HistoricalOptions what,
                          SaveDatasetOptions options, const CancelToken* token,
                          nanobind::object progress) const;
  std::string SavedDatasets() const;
  std::string SavedDataset(const std::string& name) const;
  std::unique_ptr<ResultStream> ReadSavedDataset(const std::string& name, const CancelToken* token) const;
  std::string RebuildDataset(const std::string& name, const std::string& out, const CancelToken* token,
                             nanobind::object progress) const;
  void FetchSavedDataset(const std::string& name, bool entity_rows, const std::string& out,
                         const CancelToken* token) const;
  void DeleteSavedDataset(const std::string& name) const;
  std::string SaveTable(const std::string& table, const nanobind::object& rows, bool allow_overwrite,
                        const CancelToken* token) const;
  std::vector<MaterializeReport::View> Materialize(std::vector<std::string> views,
                                                   std::optional<std::int64_t> start_us, std::int64_t end_us,
                                                   bool reload, const CancelToken* token,
                                                   nanobind::object progress) const;
  BackfillReport Backfill(const std::string& view, BackfillOptions options, const CancelToken* token,
                          nanobind::object progress) const;
  std::pair<std::int64_t, std::int64_t> WriteToOnlineStore(const std::string& view,
                                                           const nanobind::object& rows,
                                                           const CancelToken* token) const;
  void CreateTable(const std::string& schema, const std::string& time_column, const std::string& time_unit,
                   bool online, bool catalog, const std::string& database) const;
  std::vector<std::string> Databases() const;
  void CreateDatabase(const std::string& name) const;
  void DropDatabase(const std::string& name) const;
  std::vector<RelocateReport::Table> Relocate() const;
  std::string RegisterTable(const std::string& database, const std::string& table, const std::string& path,
                            std::vector<std::string> partitions, const CancelToken* token) const;
  std::string AddPartitions(const std::string& database, const std::string& table,
                            const std::vector<std::string>& partitions, const CancelToken* token) const;
  std::string Refresh(const std::vector<std::string>& tables, const CancelToken* token) const;
  std::string Tables(const std::string& database) const;
  bool DropRegisteredTable(const std::string& name) const;
  void RunStreams(const std::vector<std::string>& views, bool until_end, const std::string& group,
                  double rejected_rate_max, std::int64_t wait_max_us, const CancelToken* token) const;
  std::string StreamStatus(const std::vector<std::string>& views) const;
  std::string RestartStream(const std::string& view, const std::string& from,
                            const std::vector<std::string>& partitions, bool dry_run) const;
  /// Rows of a request as `rows` of Historical; the second is a stream of the rejected ones, or null.
  std::pair<IngestReport, std::unique_ptr<ResultStream>> Ingest(const std::string& view,
                                                                const nanobind::object& rows,
                                                                IngestOptions options,
                                                                const CancelToken* token) const;
  IngestReport Delete(const std::string& view, const nanobind::object& rows,
                      std::optional<std::int64_t> event_us, IngestOptions options,
                      const CancelToken* token) const;
  std::vector<std::pair<std::string, IngestReport>> Push(const std::string& source,
                                                         const nanobind::object& rows, IngestOptions options,
                                                         const CancelToken* token) const;
  std::vector<FlushReport::Table> Flush(const std::vector<std::string>& views) const;
  std::string Snapshots(const std::string& view) const;
  std::vector<CompactReport::Table> Compact(const std::vector<std::string>& views,
                                            const CancelToken* token) const;
  std::vector<ExpireSnapshotsReport::Table> ExpireSnapshots(const std::vector<std::string>& views,
                                                            std::int64_t older_than_us,
                                                            std::int64_t keep) const;
  /// Rows of the keys as `rows` of Historical.
  std::string Erase(const std::string& view, const nanobind::object& keys, const CancelToken* token) const;
  std::string Erasures(const std::vector<std::string>& views) const;
  /// `entities` exports an Arrow stream, or is None.
  std::unique_ptr<ResultStream> ReadTable(const std::string& view, ReadTableOptions options,
                                          const nanobind::object& entities, const CancelToken* token) const;
  /// The result of a query, which runs from here on.
  std::unique_ptr<ResultStream> Sql(const std::string& query, SqlQueryOptions options,
                                    const CancelToken* token) const;
  std::unique_ptr<ResultStream> LatestRows(const std::string& table, LatestRowsOptions options,
                                           const CancelToken* token) const;
  /// Id, path, rows, bytes.
  std::tuple<std::string, std::string, std::int64_t, std::int64_t> Dump(const std::string& query,
                                                                        SqlQueryOptions options,
                                                                        const CancelToken* token) const;
  std::unique_ptr<ResultStream> ReadDump(const std::string& id, const CancelToken* token) const;
  std::string Dumps() const;
  void RemoveDump(const std::string& id) const;
  PythonReader PrepareOnline(const std::string& selection, const std::string& service,
                             bool full_feature_names, const std::string& at_least) const;
  std::string Explain(const std::string& feature, const std::string& key, std::optional<std::int64_t> t_us,
                      const CancelToken* token) const;
  std::string OnlineStats() const;

 private:
  explicit PythonStore(std::shared_ptr<Store> store, bool is_remote = false)
      : store_(std::move(store)), is_remote_(is_remote) {}

  std::shared_ptr<Store> store_;
  bool is_remote_;
};

}  // namespace tidemark::python
