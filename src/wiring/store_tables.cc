// Tables as wholes: their upkeep and snapshots, SQL over them, dumps, files registered as tables, the
// folder's move.
#include <fmt/format.h>

#include "base/json.h"
#include "model/time.h"
#include "pit/stream_export.h"
#include "wiring/embedded_store_internal.h"
#include "wiring/source_bounds.h"
#include "wiring/store_relocation.h"

namespace tidemark {

Result<FlushReport> EmbeddedStore::Flush(const std::vector<std::string>& views) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
  return tables_.Flush(tables);
}

Result<CompactReport> EmbeddedStore::Compact(const std::vector<std::string>& views, const WorkOptions& work) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
  return upkeep_.Compact(tables, work);
}

Result<ExpireSnapshotsReport> EmbeddedStore::ExpireSnapshots(const std::vector<std::string>& views,
                                                             const ExpireSnapshotsOptions& options) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
  return upkeep_.ExpireSnapshots(tables, options);
}

Result<std::string> EmbeddedStore::Erase(std::string_view view, EntityRows keys, const WorkOptions& work) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const std::string name, ViewName(*catalog, view));
  TM_ASSIGN(const CatalogView* found, catalog->View(name));
  TM_TRY(StartMaintenance());  // what stays pending is completed by it
  return upkeep_.Erase(*found, Rows(keys), work);
}

Result<std::string> EmbeddedStore::Erasures(const std::vector<std::string>& views) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto tables, TablesNamed(*catalog, views));
  return upkeep_.Erasures(tables);
}

Result<std::string> EmbeddedStore::Snapshots(std::string_view view) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto found, TablesNamed(*catalog, {std::string(view)}));
  TM_ASSIGN(const auto tables, tables_.Open());
  TM_TRY(tables->Prepare(*found[0]));
  TM_ASSIGN(const auto table, tables->offline().Open(found[0]->id));
  TM_ASSIGN(const auto snapshots, table->Snapshots());
  auto list = Json::array();
  for (const SnapshotInfo& each : snapshots) {
    list.push_back({{"id", each.id},
                    {"parent", each.parent_id},
                    {"committed", FormatTimestampUs(each.committed_us)},
                    {"operation", each.operation},
                    {"rows", each.rows},
                    {"files", each.files},
                    {"tags", each.tags}});
  }
  return list.dump();
}

Result<std::string> EmbeddedStore::DataFolder(std::string_view view) {
  TM_ASSIGN(const auto catalog, LoadCatalog());
  TM_ASSIGN(const auto found, TablesNamed(*catalog, {std::string(view)}));
  TM_ASSIGN(const auto tables, tables_.Open());
  TM_TRY(tables->Prepare(*found[0]));
  TM_ASSIGN(const auto places, tables_.Catalog());
  TM_ASSIGN(const CatalogEntry entry, places->Get(found[0]->id));
  const std::filesystem::path metadata(entry.metadata_location);
  return (metadata.parent_path().parent_path() / "data").string();
}

Result<std::vector<const CatalogView*>> EmbeddedStore::TablesNamed(
    const Catalog& catalog, const std::vector<std::string>& names) const {
  std::vector<const CatalogView*> tables;
  for (const std::string& given : names) {
    TM_ASSIGN(const std::string name, ViewName(catalog, given));
    TM_ASSIGN(const CatalogView* view, catalog.View(name));
    if (!view->definition.is_table()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("view '{}' has a batch source: Tidemark keeps no table of it", name));
    }
    tables.push_back(view);
  }
  if (!names.empty()) return tables;
  for (const auto& [name, view] : catalog.views()) {
    if (view.definition.is_table() && view.is_typed()) tables.push_back(&view);
  }
  return tables;
}

Result<void> EmbeddedStore::Sql(std::string_view query, const SqlQueryOptions& options,
                                ArrowArrayStream* out) {
  TM_ASSIGN(auto reader, sql_.Query(query, options));
  ExportStream(std::move(reader), {}, out);
  return {};
}

Result<std::int64_t> EmbeddedStore::WriteSql(std::string_view query, const SqlQueryOptions& options,
                                             const std::filesystem::path& out) {
  TM_ASSIGN(const auto reader, sql_.Query(query, options));
  return WriteTableFile(*reader, out, FileWriting());
}

Result<void> EmbeddedStore::LatestRows(std::string_view table, const LatestRowsOptions& options,
                                       ArrowArrayStream* out) {
  TM_ASSIGN(auto reader, sql_.LatestRows(table, options));
  ExportStream(std::move(reader), {}, out);
  return {};
}

Result<DumpReport> EmbeddedStore::Dump(std::string_view query, const SqlQueryOptions& options) {
  return sql_.Dump(query, options);
}

Result<void> EmbeddedStore::ReadDump(std::string_view id, const std::stop_token& stop,
                                     ArrowArrayStream* out) {
  TM_ASSIGN(auto reader, dumps_->Read(id, stop));
  ExportStream(std::move(reader), {}, out);
  return {};
}

Result<std::string> EmbeddedStore::RegisterTable(std::string_view database, std::string_view table,
                                                 std::string_view path, const RegisterOptions& options) {
  if (options.source_folders) {
    TM_TRY(CheckFiles(path, {.store_folder = PlainFolder(), .folders = *options.source_folders}));
  }
  return existing_.Register(database, table, path, options);
}

Result<std::string> EmbeddedStore::AddPartitions(std::string_view database, std::string_view table,
                                                 const std::vector<std::string>& partitions,
                                                 const std::stop_token& stop) {
  return existing_.AddPartitions(database, table, partitions, stop);
}

Result<std::string> EmbeddedStore::Refresh(const std::vector<std::string>& tables,
                                           const std::stop_token& stop) {
  return existing_.Refresh(tables, stop);
}

Result<std::string> EmbeddedStore::Tables(std::string_view database) {
  TM_ASSIGN(const std::string listed, sql_.ListTables());
  return existing_.Tables(listed, database);
}

Result<RelocateReport> EmbeddedStore::Relocate() {
  TM_TRY(MakeFolder(path_ / kOwnFolder));
  return RelocateStore(path_, config_);
}

}  // namespace tidemark
