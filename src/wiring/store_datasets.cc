// Training sets that are kept, for the public API.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/new_file.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/stream_export.h"
#include "wiring/embedded_store_internal.h"

namespace tidemark {
namespace {

constexpr std::string_view kKeptTableFile = "part-00000.parquet";

Json TimeJson(const std::optional<std::int64_t>& us) {
  return us ? Json(FormatTimestampUs(*us)) : Json();
}

Json KnownByJson(const KnownBy& known_by) {
  if (known_by.kind == KnownBy::Kind::kTime) return FormatTimestampUs(known_by.time_us);
  if (known_by.kind == KnownBy::Kind::kEntityRow) return "event";
  return {};
}

Json DefinitionsJson(const std::vector<UsedDefinition>& definitions) {
  Json list = Json::array();
  for (const UsedDefinition& each : definitions) {
    Json one = Json::object();
    one["type"] = ObjectKindName(each.kind);
    one["name"] = each.name;
    one["version"] = each.version;
    list.push_back(std::move(one));
  }
  return list;
}

Json TablesJson(const tidemark::SavedDataset& dataset) {
  Json list = Json::array();
  for (const UsedTable& table : dataset.tables) {
    Json one = Json::object();
    one["view"] = table.view;
    one["snapshot"] = table.pinned.id;
    one["tag"] = dataset.tag();
    one["committed"] = FormatTimestampUs(table.pinned.committed_us);
    one["logs"] = table.pinned.logs;
    list.push_back(std::move(one));
  }
  return list;
}

Json FilesJson(const tidemark::SavedDataset& dataset) {
  Json list = Json::array();
  for (const UsedSource& source : dataset.sources) {
    for (const UsedFile& file : source.files) {
      Json one = Json::object();
      one["view"] = source.view;
      one["path"] = file.path;
      one["bytes"] = file.look.bytes;
      list.push_back(std::move(one));
    }
  }
  return list;
}

Json DatasetJson(const tidemark::SavedDataset& dataset, const std::filesystem::path& path,
                 const std::filesystem::path& entity_rows) {
  const DatasetRequest& request = dataset.request;
  Json warehouses = Json::array();
  for (const UsedSource& source : dataset.sources) {
    if (source.is_warehouse) warehouses.push_back(source.view);
  }
  const auto range = request.range.value_or(DatasetRequest::Range{});
  Json json = Json::object();
  json["name"] = dataset.name;
  json["state"] = StateName(dataset.state);
  json["created"] = FormatTimestampUs(dataset.created_us);
  json["tags"] = dataset.tags;
  json["feature_service"] = dataset.feature_service;
  json["features"] = dataset.features;
  json["join_keys"] = dataset.join_keys;
  json["full_feature_names"] = request.full_feature_names;
  json["event_timestamp"] = request.event_timestamp_column;
  json["known_by"] = KnownByJson(request.known_by);
  json["as_of"] = TimeJson(request.as_of_us);
  json["start"] = TimeJson(range.start_us);
  json["end"] = TimeJson(range.end_us);
  json["columns"] = dataset.columns;
  json["rows"] = dataset.rows;
  json["bytes"] = dataset.sum.bytes;
  json["sha256"] = dataset.sum.hash;
  json["path"] = path.string();
  json["entity_rows"] = dataset.entity_rows ? Json(entity_rows.string()) : Json();
  json["entity_rows_sha256"] = dataset.entity_rows ? Json(dataset.entity_rows->hash) : Json();
  json["writer"] = dataset.writer;
  json["definitions"] = DefinitionsJson(dataset.definitions);
  json["tables"] = TablesJson(dataset);
  json["files"] = FilesJson(dataset);
  json["warehouses"] = std::move(warehouses);
  json["erasure"] = dataset.erasure;
  return json;
}

}  // namespace

Result<std::string> EmbeddedStore::SaveDataset(std::string_view name, EntityRows rows,
                                               const HistoricalOptions& what,
                                               const SaveDatasetOptions& options) {
  SaveDatasetRequest request;
  if (rows.stream != nullptr) {
    TM_ASSIGN(request.entity_rows, TakeOver(rows.stream));
  }
  request.name = name;
  request.what.features = {what.features, what.service, what.selection};
  request.what.event_timestamp_column = what.event_timestamp_column;
  request.what.full_feature_names = what.full_feature_names;
  request.what.include_status = what.include_status;
  request.what.as_of_us = what.reading.as_of_us;
  if (what.range) request.what.range = DatasetRequest::Range{what.range->start_us, what.range->end_us};
  request.snapshot_id = what.reading.snapshot_id;
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto wanted, SelectionsOf(*catalog, request.what.features));
  TM_ASSIGN(const Selection selection, Resolve(*catalog, wanted, what.full_feature_names, config_.functions));
  TM_ASSIGN(const auto file, OpenEntityFile(rows, what, selection));
  if (file != nullptr) request.entity_rows = file;
  TM_ASSIGN(request.what.known_by, KnownByOf(what));
  TM_TRY(CheckSeen(selection, what.reading));
  if (!options.storage.empty()) request.storage = std::filesystem::absolute(options.storage);
  request.tags = options.tags;
  request.feature_service = options.feature_service;
  request.allow_overwrite = options.allow_overwrite;
  TM_TRY(StartMaintenance());
  const auto warnings = std::make_shared<Warnings>();
  const DatasetWork work{what.work.stop, ProgressOf(what.work)};
  TM_ASSIGN(const tidemark::SavedDataset saved, datasets_.Save(request, work, warnings));
  if (what.ended) what.ended({saved.rows, warnings->Texts()});
  return DatasetJson(saved, datasets_.PathOf(saved), dataset_files_->OwnPath(saved.id, kEntityRowsFile))
      .dump();
}

Result<std::string> EmbeddedStore::SavedDatasets() {
  TM_ASSIGN(const auto datasets, datasets_.List());
  Json list = Json::array();
  for (const tidemark::SavedDataset& each : datasets) {
    list.push_back(
        DatasetJson(each, datasets_.PathOf(each), dataset_files_->OwnPath(each.id, kEntityRowsFile)));
  }
  return list.dump();
}

Result<std::string> EmbeddedStore::SavedDataset(std::string_view name) {
  TM_ASSIGN(const tidemark::SavedDataset dataset, datasets_.Get(name));
  return DatasetJson(dataset, datasets_.PathOf(dataset), dataset_files_->OwnPath(dataset.id, kEntityRowsFile))
      .dump();
}

Result<void> EmbeddedStore::ReadSavedDataset(std::string_view name, const std::stop_token& stop,
                                             ArrowArrayStream* out) {
  TM_ASSIGN(auto rows, datasets_.Read(name, stop));
  ExportStream(std::move(rows), {}, out);
  return {};
}

Result<std::filesystem::path> EmbeddedStore::RebuildDataset(std::string_view name,
                                                            const std::filesystem::path& out,
                                                            const WorkOptions& work) {
  const std::filesystem::path path = out.empty() ? out : std::filesystem::absolute(out);
  TM_ASSIGN(const RebuiltDataset rebuilt, datasets_.Rebuild(name, path, {work.stop, ProgressOf(work)}));
  return rebuilt.path;
}

Result<void> EmbeddedStore::FetchSavedDataset(std::string_view name, DatasetFile file,
                                              const std::filesystem::path& out, const std::stop_token& stop) {
  TM_ASSIGN(const auto path, datasets_.WholeFile(name, file, stop));
  std::error_code failed;
  if (std::filesystem::equivalent(path, out, failed)) return {};  // it is there
  std::ifstream from(path, std::ios::binary);
  TM_ASSIGN(const auto copy, NewFile::Begin(out));
  std::vector<char> bytes(std::size_t{1} << 20);
  while (from && !stop.stop_requested()) {
    from.read(bytes.data(), std::ssize(bytes));
    TM_TRY(copy->Append(std::as_bytes(std::span(bytes).first(static_cast<std::size_t>(from.gcount())))));
  }
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
  if (!from.eof()) return Fail(ErrorCode::kIo, fmt::format("'{}' cannot be read", path.string()));
  return copy->Put();
}

Result<void> EmbeddedStore::DeleteSavedDataset(std::string_view name) {
  return datasets_.Delete(name);
}

std::string EmbeddedStore::KeptTableId(const std::filesystem::path& path) const {
  const std::string id = path.filename().string();
  std::error_code failed;  // there is no such folder
  return std::filesystem::equivalent(path, dataset_files_->OwnPath(id, "."), failed) ? id : std::string();
}

Result<std::string> EmbeddedStore::SaveTable(std::string_view table, ArrowArrayStream* rows,
                                             const SaveTableOptions& options, const std::stop_token& stop) {
  TM_ASSIGN(const auto reader, TakeOver(rows));
  const std::size_t dot = table.find('.');
  const std::string_view database = table.substr(0, dot);
  const std::string_view name = dot == std::string_view::npos ? "" : table.substr(dot + 1);
  TM_TRY(CheckName("database", database));
  TM_TRY(CheckName("table", name));
  TM_ASSIGN(const auto former, existing_.PathOf(table));
  if (former && !options.allow_overwrite) {
    return Fail(ErrorCode::kAlreadyExists,
                fmt::format("there is a table '{}' already: give another name, or allow_overwrite", table));
  }
  const std::string former_id = former ? KeptTableId(*former) : std::string();
  if (former && former_id.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("table '{}' is of files that lie elsewhere, which are never written over", table));
  }
  const std::string id = NewDatasetId();
  TM_ASSIGN(const auto claim, dataset_files_->Claim(id));
  const auto remove = [&](Error error) -> Result<std::string> {
    TM_TRY(dataset_files_->RemoveFolder(id));
    return std::unexpected(std::move(error));
  };
  const std::filesystem::path file = dataset_files_->OwnPath(id, kKeptTableFile);
  auto written = dataset_files_->Write(*reader, file);
  if (!written) return remove(std::move(written).error());
  auto placed = (*written)->Put(false);
  if (!placed) return remove(std::move(placed).error());
  if (former) {
    auto dropped = existing_.Drop(table);
    if (!dropped) return remove(std::move(dropped).error());
  }
  const RegisterOptions registering{.partitions = {}, .source_folders = {}, .stop = stop};
  auto registered = existing_.Register(database, name, file.parent_path().string(), registering);
  if (!registered && former) {
    TM_TRY_IN(existing_.Register(database, name, *former, {}), "putting the former table back");
  }
  if (!registered) return remove(std::move(registered).error());
  if (former) TM_TRY(dataset_files_->RemoveFolder(former_id));
  return registered;
}

Result<ErasedKeptRows> EmbeddedStore::EraseKeptRows(const KeptRowsErasure& erasure) {
  TM_ASSIGN(ErasedKeptRows erased, datasets_.Erase(erasure));
  std::vector<std::string> keys;
  for (const JoinKey& key : erasure.view.join_keys)
    keys.push_back(key.name);
  TM_ASSIGN(const auto registered, existing_.Registered());
  for (const RegisteredTable& table : registered) {
    const std::string id = KeptTableId(table.path);
    if (id.empty()) continue;
    const auto file = dataset_files_->OwnPath(id, kKeptTableFile);
    if (!dataset_files_->IsThere(file)) continue;
    TM_ASSIGN(const auto rows, dataset_files_->Read(file, erasure.stop));
    TM_ASSIGN(const bool holds, HaveErasedKey(*rows, {keys}, erasure));
    if (!holds) continue;
    const auto dropped = existing_.Drop(table.full_name());
    if (dropped) {
      TM_TRY(dataset_files_->RemoveFolder(id));
      erased.touched.push_back(table.full_name());
    } else {
      erased.pending.push_back(fmt::format("table '{}' has rows of the keys, and cannot be dropped: {}",
                                           table.full_name(), dropped.error().message));
    }
  }
  return erased;
}

Result<bool> EmbeddedStore::DropRegisteredTable(std::string_view name) {
  TM_ASSIGN(const auto path, existing_.PathOf(name));
  TM_ASSIGN(const bool is_dropped, existing_.Drop(name));
  const std::string id = path ? KeptTableId(*path) : std::string();
  if (is_dropped && !id.empty()) TM_TRY(dataset_files_->RemoveFolder(id));
  return is_dropped;
}

}  // namespace tidemark
