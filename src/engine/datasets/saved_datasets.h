// Saved datasets: training sets that are kept, and made again to the byte.
//
// What makes that possible: entity rows are kept beside them, definitions as they were, snapshots of feature
// tables by a tag of Iceberg's, and of files of others what they were like. Every making reads from those
// alone, the first one too.
//
//   begun in the registry -> snapshots tagged -> entity rows kept -> rows made -> settled -> rows in place
//
// What a killed maker leaves is removed by the next one that saves, deletes or erases.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/datasets/dataset_register.h"
#include "engine/datasets/saved_dataset.h"
#include "engine/historical.h"
#include "engine/tables/feature_tables.h"
#include "store/dataset_files.h"
#include "store/function_runner.h"
#include "store/registry.h"
#include "tidemark/datasets.h"

namespace tidemark {

/// How long work on a dataset is watched and interrupted.
struct DatasetWork {
  std::stop_token stop = {};
  std::function<void(std::string_view what, std::int64_t done, std::int64_t total)> progress = {};
};

struct SaveDatasetRequest {
  std::string name;
  DatasetRequest what = {};
  std::shared_ptr<arrow::RecordBatchReader> entity_rows = {};  // null for a request with a range
  std::optional<std::int64_t> snapshot_id = {};  // of the one table that is read: this one, not the newest
  std::filesystem::path storage = {};            // absolute; empty: in the store's folder
  std::map<std::string, std::string> tags = {};
  std::string feature_service = {};
  bool allow_overwrite = false;
};

struct RebuiltDataset {
  SavedDataset dataset;
  std::filesystem::path path;  // where the rows are
};

/// True if a row has an erased key in one of the lists of columns, each in the order of the view's join keys;
/// rows with a null there have none, and so have rows without one of the columns.
Result<bool> HaveErasedKey(arrow::RecordBatchReader& rows,
                           const std::vector<std::vector<std::string>>& key_columns,
                           const KeptRowsErasure& erasure);

struct SavedDatasetsParts {
  std::string project;
  std::shared_ptr<Registry> registry;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<DatasetFiles> files;
  std::function<Result<std::shared_ptr<const Catalog>>()> catalog;
  std::function<Result<std::shared_ptr<FeatureTables>>()> tables;
  std::function<SourceOpener(const std::stop_token& stop)> sources;
  std::shared_ptr<FunctionRunner> functions;  // null: features of Python functions are refused
  std::string writer;                         // the version of Tidemark
  std::size_t threads = 1;
  std::int64_t memory_bytes_max = 0;
};

/// Thread safe; several processes may use it. Errors name the dataset.
class SavedDatasets {
 public:
  explicit SavedDatasets(SavedDatasetsParts parts);

  /// Makes the training set, and keeps it: whole or not at all. kAlreadyExists for a name or a file that is
  /// there, unless it may be overwritten; kInvalidData if rows that it is made of are erased meanwhile, or if
  /// functions give other values when they are asked a second time; else as GetHistorical. `warnings` may be
  /// null.
  Result<SavedDataset> Save(const SaveDatasetRequest& request, const DatasetWork& work,
                            std::shared_ptr<Warnings> warnings);
  /// By name, without those that are being made.
  Result<std::vector<SavedDataset>> List() const;
  Result<SavedDataset> Get(std::string_view name) const;
  /// Where its rows are, or would be.
  std::filesystem::path PathOf(const SavedDataset& dataset) const;
  /// Its rows, once they are known to be what was saved. kNotFound if they are gone, kCorruption if they are
  /// others; both say how to make them again.
  Result<std::shared_ptr<arrow::RecordBatchReader>> Read(std::string_view name,
                                                         const std::stop_token& stop) const;
  /// One of its files, once it is known to be what was kept; errors as of Read.
  Result<std::filesystem::path> WholeFile(std::string_view name, DatasetFile file,
                                          const std::stop_token& stop) const;
  /// Makes its rows again and puts them to `path` (empty: to their place), over what is there. kInvalidData
  /// if they would not be the same to the byte: rows were erased (which erasure), a file has changed (which
  /// one), a warehouse answers otherwise; kNotFound for a table or file that is gone.
  Result<RebuiltDataset> Rebuild(std::string_view name, const std::filesystem::path& path,
                                 const DatasetWork& work) const;
  /// Forgets it with its tags and what is kept in the store's folder. Rows that lie elsewhere stay.
  Result<void> Delete(std::string_view name);
  /// Removes what datasets of a project that is gone have in the store's folder.
  Result<void> RemoveFolders(const std::vector<SavedDataset>& datasets);

  /// The step of an erasure: datasets that have erased rows let go of their snapshots, can be rebuilt no
  /// more, and lose rows of theirs that have an erased key in the columns of the view's keys.
  Result<ErasedKeptRows> Erase(const KeptRowsErasure& erasure);

 private:
  class Making;

  Result<std::filesystem::path> WholeEntityRows(const SavedDataset& dataset,
                                                const std::stop_token& stop) const;
  Result<bool> HasFunctions(const SavedDataset& dataset, const Catalog& catalog) const;
  Result<std::shared_ptr<arrow::RecordBatchReader>> RowsOf(const SavedDataset& dataset,
                                                           const std::shared_ptr<const Catalog>& catalog,
                                                           const SourceOpeners& open, const DatasetWork& work,
                                                           std::shared_ptr<Warnings> warnings) const;
  TableOpener PinnedTables(const SavedDataset& dataset) const;
  Result<void> CheckNotErased(const SavedDataset& dataset, const Catalog& catalog) const;
  Result<void> Unpin(const SavedDataset& dataset) const;
  Result<void> UnpinFormer(std::uint32_t object_id) const;
  Result<void> RemoveRemains() const;
  Result<bool> EraseFrom(const DatasetRegister::Entry& entry, const KeptRowsErasure& erasure, bool& is_stale);
  Result<void> RemoveRows(const SavedDataset& dataset) const;
  Result<bool> RowsHoldErased(const SavedDataset& dataset, const UsedTable& table,
                              const KeptRowsErasure& erasure) const;

  const SavedDatasetsParts parts_;
  const DatasetRegister register_;
};

}  // namespace tidemark
