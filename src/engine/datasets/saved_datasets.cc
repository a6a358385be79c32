// Saving, reading, making again and forgetting; erase_datasets.cc is what erasures do.
#include "engine/datasets/saved_datasets.h"

#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/result.h"
#include "engine/datasets/used_definitions.h"
#include "engine/datasets/used_sources.h"
#include "engine/entity_range.h"
#include "engine/on_demand.h"
#include "engine/selection.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::string_view kDatasetDataFile = "data.parquet";

std::string DatasetPlace(std::string_view name) {
  return fmt::format("saved dataset {}", name);
}

/// What a user sees of what was asked for.
void Describe(const Selection& selection, SavedDataset& dataset) {
  if (selection.on_demand != nullptr) {
    for (const OnDemandPlan::Output& output : selection.on_demand->outputs)
      dataset.features.push_back(output.name);
  } else {
    for (const Selection::Column& column : selection.columns)
      dataset.features.push_back(selection.feature(column).output_name);
  }
  for (const SelectedView& selected : selection.views) {
    for (const std::string& column : selected.key_columns) {
      if (std::ranges::find(dataset.join_keys, column) == dataset.join_keys.end())
        dataset.join_keys.push_back(column);
    }
  }
}

/// The feature tables of a selection, not pinned yet.
std::vector<UsedTable> TablesOf(const Selection& selection) {
  std::vector<UsedTable> tables;
  for (const SelectedView& selected : selection.views) {
    const CatalogView& view = *selected.view;
    if (!view.definition.is_table()) continue;
    auto found = std::ranges::find(tables, view.id, &UsedTable::view_id);
    if (found == tables.end()) {
      tables.push_back({.view = view.definition.name, .view_id = view.id});
      found = tables.end() - 1;
    }
    if (std::ranges::find(found->key_columns, selected.key_columns) == found->key_columns.end())
      found->key_columns.push_back(selected.key_columns);
  }
  return tables;
}

Result<void> CheckSnapshotChoice(const SaveDatasetRequest& request, const std::vector<UsedTable>& tables,
                                 const Selection& selection) {
  if (!request.snapshot_id && !request.what.as_of_us) return {};
  if (tables.size() == selection.views.size() && (tables.size() == 1 || !request.snapshot_id)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "as_of is for feature tables, and a snapshot for one: nothing says when rows of files were "
              "written");
}

Error Differs(const SavedDataset& dataset, const std::string& writer, bool has_functions) {
  std::vector<std::string> warehouses;
  for (const UsedSource& source : dataset.sources) {
    if (source.is_warehouse) warehouses.push_back(source.view);
  }
  std::string why;
  if (!warehouses.empty()) {
    why = fmt::format(
        "the warehouse of view '{}' does not answer any more what it did, and nothing keeps its rows",
        fmt::join(warehouses, "', '"));
  } else if (dataset.writer != writer) {
    why = fmt::format("it was written by Tidemark {}, and this is {}: make it again with that",
                      dataset.writer, writer);
  } else if (has_functions) {
    why =
        "its Python functions do not give any more what they did: the Python that runs them, or a package "
        "that they use, is another one";
  } else {
    why = "what it was made of has been changed behind Tidemark's back";
  }
  return {ErrorCode::kInvalidData, "made again it is not the same: " + why, {}};
}

}  // namespace

/// One dataset being made. What it has done so far is undone with it, unless it was settled.
class SavedDatasets::Making {
 public:
  Making(const SavedDatasets& owner, const SaveDatasetRequest& request, const DatasetWork& work)
      : owner_(owner), parts_(owner.parts_), request_(request), work_(work) {}
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;
  ~Making() {
    if (is_settled_ || !begun_) return;
    // What cannot be undone now is by the next one, who finds it in the registry.
    if (!owner_.Unpin(dataset_) || !parts_.files->RemoveFolder(dataset_.id)) return;
    [[maybe_unused]] const auto removed = owner_.register_.Remove(begun_->object_id);
  }

  Result<SavedDataset> Run(std::shared_ptr<Warnings> warnings) {
    TM_TRY(Begin());
    TM_TRY(Pin());
    TM_TRY(KeepEntityRows());
    TM_ASSIGN(const auto catalog, CatalogOf(dataset_.definitions));
    SourceNotes notes(*catalog, *parts_.files);
    const SourceOpeners open{notes.Noting(parts_.sources(work_.stop)), owner_.PinnedTables(dataset_)};
    std::unique_ptr<UnplacedRows> rows;
    {
      TM_ASSIGN(const auto reader, owner_.RowsOf(dataset_, catalog, open, work_, std::move(warnings)));
      for (const auto& field : reader->schema()->fields())
        dataset_.columns.push_back(fmt::format("{}: {}", field->name(), field->type()->ToString()));
      TM_ASSIGN(rows, parts_.files->Write(*reader, owner_.PathOf(dataset_)));
    }
    TM_ASSIGN(dataset_.sources, notes.Finish());
    TM_ASSIGN(const bool has_functions, owner_.HasFunctions(dataset_, *catalog));
    if (has_functions) TM_TRY(CheckFunctions(catalog, rows->sum()));
    TM_TRY(owner_.CheckNotErased(dataset_, *catalog));
    dataset_.rows = rows->rows();
    dataset_.sum = rows->sum();
    dataset_.state = SavedDataset::State::kReady;
    TM_TRY(Settle(*rows));
    return dataset_;
  }

 private:
  Result<void> Begin() {
    TM_ASSIGN(const auto catalog, parts_.catalog());
    TM_ASSIGN(const auto wanted, SelectionsOf(*catalog, request_.what.features));
    TM_ASSIGN(const Selection selection,
              Resolve(*catalog, wanted, request_.what.full_feature_names, parts_.functions));
    dataset_.id = NewDatasetId();
    dataset_.name = request_.name;
    dataset_.created_us = parts_.clock->now_us();
    dataset_.tags = request_.tags;
    dataset_.feature_service = request_.feature_service;
    dataset_.request = request_.what;
    dataset_.storage = request_.storage.string();
    dataset_.writer = parts_.writer;
    dataset_.memory_bytes_max = parts_.memory_bytes_max;
    if (request_.what.range) {
      TM_ASSIGN(const TimeRange range, RangeOf(selection, request_.what.range->start_us,
                                               request_.what.range->end_us, dataset_.created_us));
      dataset_.request.range = DatasetRequest::Range{range.start_us, range.end_us};
    }
    Describe(selection, dataset_);
    dataset_.definitions = DefinitionsUsed(*catalog, selection, request_.what.features.service);
    dataset_.tables = TablesOf(selection);
    TM_TRY(CheckSnapshotChoice(request_, dataset_.tables, selection));
    TM_ASSIGN(claim_, parts_.files->Claim(dataset_.id));
    // From here on an erasure knows of it, whichever comes first.
    TM_ASSIGN(begun_, owner_.register_.Begin(dataset_));
    return {};
  }

  Result<void> Pin() {
    if (dataset_.tables.empty()) return {};
    // The log is flushed for it, which goes by the table's newest columns.
    TM_ASSIGN(const auto catalog, parts_.catalog());
    TM_ASSIGN(const auto tables, parts_.tables());
    for (UsedTable& table : dataset_.tables) {
      TM_ASSIGN(const CatalogView* view, catalog->View(table.view));
      TM_ASSIGN(table.pinned, tables->Pin(*view, dataset_.tag(), request_.snapshot_id));
    }
    return owner_.register_.Tell(*begun_, dataset_);
  }

  Result<void> KeepEntityRows() {
    if (request_.entity_rows == nullptr) return {};
    TM_ASSIGN(const auto kept, parts_.files->Write(*request_.entity_rows,
                                                   parts_.files->OwnPath(dataset_.id, kEntityRowsFile)));
    dataset_.entity_rows = kept->sum();
    return kept->Put(false);
  }

  /// What functions make of the same rows must be the same, or it could not be made again.
  Result<void> CheckFunctions(const std::shared_ptr<const Catalog>& catalog, const FileSum& first) {
    const SourceOpeners open{
        OpenerOfUsed(dataset_.sources, *catalog, *parts_.files, parts_.sources(work_.stop)),
        owner_.PinnedTables(dataset_)};
    TM_ASSIGN(const auto reader, owner_.RowsOf(dataset_, catalog, open, work_, std::make_shared<Warnings>()));
    TM_ASSIGN(const auto again, parts_.files->Write(*reader, owner_.PathOf(dataset_)));
    if (again->sum() == first) return {};
    return Fail(ErrorCode::kInvalidData,
                "the Python functions gave other values for the same rows when they were asked a second "
                "time, so that it could not be made again: let them use nothing that changes, such as the "
                "clock or random numbers without a seed");
  }

  Result<void> Settle(UnplacedRows& rows) {
    const std::filesystem::path place = owner_.PathOf(dataset_);
    // Over another file only when the registry says whose it is; a crash between the two leaves a dataset
    // whose rows are made again.
    const bool is_taken = request_.allow_overwrite && parts_.files->IsThere(place);
    if (!is_taken) TM_TRY(rows.Put(false));
    auto settled = owner_.register_.Settle(*begun_, dataset_, request_.allow_overwrite);
    if (!settled) {
      if (!is_taken) TM_TRY(parts_.files->Remove(place));
      return std::unexpected(std::move(settled).error());
    }
    is_settled_ = true;
    if (is_taken) TM_TRY_IN(rows.Put(true), "it is saved, and its rows are made again by rebuild");
    if (!*settled) return {};
    const auto let_go = [&]() -> Result<void> {
      TM_TRY(owner_.Unpin(**settled));
      return parts_.files->RemoveFolder((*settled)->id);
    };
    TM_TRY_IN(let_go(), "it is saved; letting the former one go");
    return {};
  }

  const SavedDatasets& owner_;
  const SavedDatasetsParts& parts_;
  const SaveDatasetRequest& request_;
  const DatasetWork& work_;
  SavedDataset dataset_;
  std::unique_ptr<DatasetClaim> claim_;
  std::optional<DatasetRegister::Entry> begun_;
  bool is_settled_ = false;
};

SavedDatasets::SavedDatasets(SavedDatasetsParts parts)
    : parts_(std::move(parts)), register_(parts_.registry, parts_.clock, parts_.project) {}

Result<SavedDataset> SavedDatasets::Save(const SaveDatasetRequest& request, const DatasetWork& work,
                                         std::shared_ptr<Warnings> warnings) {
  const auto save = [&]() -> Result<SavedDataset> {
    TM_TRY(CheckName("saved dataset", request.name));
    TM_TRY(RemoveRemains());
    TM_ASSIGN(const auto former, register_.Find(request.name));
    if (former && !request.allow_overwrite)
      return Fail(ErrorCode::kAlreadyExists, "it is there already: give another name, or allow_overwrite");
    if (!request.allow_overwrite && !request.storage.empty() && parts_.files->IsThere(request.storage)) {
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("there is a file '{}' already: name another one, or allow_overwrite",
                              request.storage.string()));
    }
    return Making(*this, request, work).Run(warnings == nullptr ? std::make_shared<Warnings>() : warnings);
  };
  auto saved = save();
  if (!saved) return std::unexpected(std::move(saved).error().In(DatasetPlace(request.name)));
  return saved;
}

Result<std::vector<SavedDataset>> SavedDatasets::List() const {
  TM_ASSIGN(const auto all, register_.All());
  std::vector<SavedDataset> datasets;
  for (const DatasetRegister::Entry& entry : all) {
    if (entry.is_settled) datasets.push_back(entry.dataset);
  }
  return datasets;
}

Result<SavedDataset> SavedDatasets::Get(std::string_view name) const {
  TM_ASSIGN(auto entry, register_.Get(name));
  return std::move(entry.dataset);
}

std::filesystem::path SavedDatasets::PathOf(const SavedDataset& dataset) const {
  return dataset.storage.empty() ? parts_.files->OwnPath(dataset.id, kDatasetDataFile)
                                 : std::filesystem::path(dataset.storage);
}

Result<std::filesystem::path> SavedDatasets::WholeFile(std::string_view name, DatasetFile file,
                                                       const std::stop_token& stop) const {
  const auto find = [&]() -> Result<std::filesystem::path> {
    TM_ASSIGN(const SavedDataset dataset, Get(name));
    if (file == DatasetFile::kEntityRows) return WholeEntityRows(dataset, stop);
    if (dataset.are_rows_removed) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("its rows were removed by {}: delete it, and save another", dataset.erasure));
    }
    const std::filesystem::path path = PathOf(dataset);
    if (!parts_.files->IsThere(path)) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("its file '{}' is gone: rebuild makes it again", path.string()));
    }
    TM_ASSIGN(const FileSum sum, parts_.files->SumOf(path, stop));
    if (sum == dataset.sum) return path;
    return Fail(ErrorCode::kCorruption,
                fmt::format("its file '{}' is not what was saved: rebuild makes that again", path.string()));
  };
  auto found = find();
  if (!found) return std::unexpected(std::move(found).error().In(DatasetPlace(name)));
  return found;
}

Result<std::filesystem::path> SavedDatasets::WholeEntityRows(const SavedDataset& dataset,
                                                             const std::stop_token& stop) const {
  if (!dataset.entity_rows)
    return Fail(ErrorCode::kNotFound, "it was made of a range of times, and has no entity rows");
  const auto path = parts_.files->OwnPath(dataset.id, kEntityRowsFile);
  TM_ASSIGN(const FileSum sum, parts_.files->SumOf(path, stop));
  if (sum == dataset.entity_rows) return path;
  return Fail(
      ErrorCode::kCorruption,
      fmt::format("its entity rows, '{}', are not what was kept: restore them from a backup", path.string()));
}

Result<std::shared_ptr<arrow::RecordBatchReader>> SavedDatasets::Read(std::string_view name,
                                                                      const std::stop_token& stop) const {
  TM_ASSIGN(const auto path, WholeFile(name, DatasetFile::kRows, stop));
  auto rows = parts_.files->Read(path, stop);
  if (!rows) return std::unexpected(std::move(rows).error().In(DatasetPlace(name)));
  return rows;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> SavedDatasets::RowsOf(
    const SavedDataset& dataset, const std::shared_ptr<const Catalog>& catalog, const SourceOpeners& open,
    const DatasetWork& work, std::shared_ptr<Warnings> warnings) const {
  const DatasetRequest& asked = dataset.request;
  TM_ASSIGN(const auto wanted, SelectionsOf(*catalog, asked.features));
  HistoricalRequest request;
  TM_ASSIGN(request.selection, Resolve(*catalog, wanted, asked.full_feature_names, parts_.functions));
  request.event_timestamp_column = asked.event_timestamp_column;
  request.include_status = asked.include_status;
  request.known_by = asked.known_by;
  request.threads = parts_.threads;
  request.memory_bytes_max = asked.range ? dataset.memory_bytes_max : parts_.memory_bytes_max;
  request.stop = work.stop;
  request.progress = work.progress;
  std::shared_ptr<arrow::RecordBatchReader> entity_rows;
  if (asked.range) {
    TM_ASSIGN(request.range,
              RangeOf(request.selection, asked.range->start_us, asked.range->end_us, dataset.created_us));
  } else {
    TM_ASSIGN(const auto path, WholeEntityRows(dataset, work.stop));
    TM_ASSIGN(entity_rows, parts_.files->Read(path, work.stop));
  }
  return GetHistorical(catalog, std::move(entity_rows), std::move(request), open, std::move(warnings));
}

Result<bool> SavedDatasets::HasFunctions(const SavedDataset& dataset, const Catalog& catalog) const {
  TM_ASSIGN(const auto wanted, SelectionsOf(catalog, dataset.request.features));
  TM_ASSIGN(const Selection selection,
            Resolve(catalog, wanted, dataset.request.full_feature_names, parts_.functions));
  return selection.on_demand != nullptr && selection.on_demand->has_functions();
}

TableOpener SavedDatasets::PinnedTables(const SavedDataset& dataset) const {
  return [this, &dataset](const CatalogView& view) -> Result<TableToRead> {
    const auto found = std::ranges::find(dataset.tables, view.id, &UsedTable::view_id);
    if (found == dataset.tables.end())
      return Fail(ErrorCode::kCorruption, "the dataset does not say which snapshot it was made of");
    TM_ASSIGN(const auto tables, parts_.tables());
    TM_ASSIGN(TableToRead read, tables->OpenPinned(view, dataset.tag(), found->pinned));
    read.as_of_us = dataset.request.as_of_us;
    return read;
  };
}

Result<void> SavedDatasets::CheckNotErased(const SavedDataset& dataset, const Catalog& catalog) const {
  if (dataset.tables.empty()) return {};
  TM_ASSIGN(const auto tables, parts_.tables());
  for (const UsedTable& table : dataset.tables) {
    if (table.pinned.id == 0) continue;
    TM_ASSIGN(const CatalogView* view, catalog.View(table.view));
    auto holds_erased = tables->PinnedHoldsErased(*view, dataset.tag());
    if (!holds_erased && holds_erased.error().code == ErrorCode::kNotFound) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("view {}: the snapshot that it was made of is gone, with the table or with tag "
                              "'{}'",
                              table.view, dataset.tag()));
    }
    if (!holds_erased) return std::unexpected(std::move(holds_erased).error());
    if (!*holds_erased) continue;
    return Fail(
        ErrorCode::kInvalidData,
        fmt::format("view {}: rows that it was made of are being erased: `tidemark erasures` lists by "
                    "what",
                    table.view));
  }
  return {};
}

Result<RebuiltDataset> SavedDatasets::Rebuild(std::string_view name, const std::filesystem::path& path,
                                              const DatasetWork& work) const {
  const auto rebuild = [&]() -> Result<RebuiltDataset> {
    TM_ASSIGN(const DatasetRegister::Entry entry, register_.Get(name));
    const SavedDataset& dataset = entry.dataset;
    const auto check = [&]() -> Result<void> {
      TM_ASSIGN(const DatasetRegister::Entry now, register_.Get(name));
      if (now.dataset.id != dataset.id)
        return Fail(ErrorCode::kBusy, "it was saved anew meanwhile: rebuild that");
      if (now.dataset.state == SavedDataset::State::kErased) {
        return Fail(ErrorCode::kInvalidData,
                    fmt::format("rows that it was made of were erased, by {}: it cannot be made again",
                                now.dataset.erasure));
      }
      return {};
    };
    TM_TRY(check());
    TM_ASSIGN(const auto catalog, CatalogOf(dataset.definitions));
    TM_ASSIGN(const bool has_functions, HasFunctions(dataset, *catalog));
    TM_TRY(CheckNotErased(dataset, *catalog));
    const SourceOpeners open{
        OpenerOfUsed(dataset.sources, *catalog, *parts_.files, parts_.sources(work.stop)),
        PinnedTables(dataset)};
    RebuiltDataset rebuilt{dataset, path.empty() ? PathOf(dataset) : path};
    std::unique_ptr<UnplacedRows> rows;
    {
      TM_ASSIGN(const auto reader, RowsOf(dataset, catalog, open, work, std::make_shared<Warnings>()));
      TM_ASSIGN(rows, parts_.files->Write(*reader, rebuilt.path));
    }
    if (rows->sum() != dataset.sum) return std::unexpected(Differs(dataset, parts_.writer, has_functions));
    // An erasure that came meanwhile is not to find them where they are not looked for.
    TM_TRY(check());
    TM_TRY(CheckNotErased(dataset, *catalog));
    TM_TRY(rows->Put(true));
    return rebuilt;
  };
  auto rebuilt = rebuild();
  if (!rebuilt) return std::unexpected(std::move(rebuilt).error().In(DatasetPlace(name)));
  return rebuilt;
}

Result<void> SavedDatasets::Delete(std::string_view name) {
  TM_TRY(RemoveRemains());
  TM_ASSIGN(const DatasetRegister::Entry entry, register_.Get(name));
  const auto remove = [&]() -> Result<void> {
    // The object last: as long as it is there, deleting again finds the rest.
    TM_TRY(Unpin(entry.dataset));
    TM_TRY(UnpinFormer(entry.object_id));
    TM_TRY(parts_.files->RemoveFolder(entry.dataset.id));
    return register_.Remove(entry.object_id);
  };
  TM_TRY_IN(remove(), DatasetPlace(name));
  return {};
}

Result<void> SavedDatasets::RemoveFolders(const std::vector<SavedDataset>& datasets) {
  for (const SavedDataset& dataset : datasets)
    TM_TRY(parts_.files->RemoveFolder(dataset.id));
  return {};
}

Result<void> SavedDatasets::Unpin(const SavedDataset& dataset) const {
  if (dataset.tables.empty()) return {};
  TM_ASSIGN(const auto tables, parts_.tables());
  for (const UsedTable& table : dataset.tables)
    TM_TRY(tables->Unpin(table.view_id, dataset.tag()));
  return {};
}

/// Of a process that was killed after it saved a dataset in the place of another one.
Result<void> SavedDatasets::UnpinFormer(std::uint32_t object_id) const {
  TM_ASSIGN(const auto versions, parts_.registry->Versions(object_id));
  for (const RegistryObject& version : versions) {
    if (version.removed) continue;
    TM_ASSIGN(const SavedDataset former, SavedDatasetFromJson(version.document));
    TM_TRY(Unpin(former));
    TM_TRY(parts_.files->RemoveFolder(former.id));
  }
  return {};
}

Result<void> SavedDatasets::RemoveRemains() const {
  TM_ASSIGN(const auto all, register_.All());
  for (const DatasetRegister::Entry& entry : all) {
    if (entry.is_settled) continue;
    TM_ASSIGN(const bool is_claimed, parts_.files->IsClaimed(entry.dataset.id));
    if (is_claimed) continue;
    TM_TRY(Unpin(entry.dataset));
    TM_TRY(parts_.files->RemoveFolder(entry.dataset.id));
    TM_TRY(register_.Remove(entry.object_id));
  }
  return {};
}

}  // namespace tidemark
