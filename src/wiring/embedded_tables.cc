// Puts Iceberg tables, the log and the ledger together.
#include "wiring/embedded_tables.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "adapters/files/receipt_folder.h"
#include "adapters/iceberg/iceberg_store.h"
#include "adapters/iceberg/relocation.h"
#include "adapters/lmdb/lmdb_batch_ledger.h"
#include "adapters/sqlite/sqlite_table_catalog.h"
#include "adapters/wal/write_logs.h"
#include "base/result.h"
#include "wiring/place_owner.h"

namespace tidemark {
namespace {

/// Finds a view by its id in whatever project: what a log of another process holds rows of.
ViewLookup LookupIn(std::shared_ptr<Registry> registry) {
  return
      [registry = std::move(registry)](std::uint32_t table_id) -> Result<std::shared_ptr<const CatalogView>> {
        TM_ASSIGN(const auto projects, registry->Projects());
        for (const std::string& project : projects) {
          TM_ASSIGN(const auto catalog, Catalog::Load(*registry, project));
          for (const auto& [name, view] : catalog->views()) {
            if (view.id == table_id && view.is_typed()) return std::make_shared<const CatalogView>(view);
          }
        }
        return nullptr;
      };
}

constexpr int kFollowAttemptsMax = 5;

}  // namespace

std::string DatabaseOf(const std::string& project) {
  return project == "default" ? "feature_store" : project;
}

Result<void> EmbeddedTables::OpenCatalogLocked() {
  if (catalog_ != nullptr) return {};
  SqliteTableCatalogOptions options;
  options.path = parts_.config.registry_path.string();
  options.busy_timeout_ms = static_cast<int>(parts_.config.busy_timeout_ms);
  TM_ASSIGN(catalog_, OpenSqliteTableCatalog(options));
  return {};
}

Result<void> EmbeddedTables::OpenLocked() {
  if (tables_ != nullptr) return {};
  TM_TRY(OpenCatalogLocked());
  TM_TRY(ClaimPlace(parts_.config.tables_path, parts_.folder.parent_path()));
  // Locations are in full, so they must be the same by whatever link the store is reached.
  TM_ASSIGN(offline_,
            OpenIcebergStore(*catalog_, *parts_.clock, {.root = PlainPath(parts_.config.tables_path)}));
  // In a folder that cannot be written there is nothing to repair, and nobody writes.
  const bool is_read_only = access(parts_.folder.c_str(), W_OK) != 0 && errno != ENOENT;
  std::shared_ptr<BatchLedger> ledger;
  std::shared_ptr<WriteTimes> write_times;
  if (!is_read_only) {
    TM_ASSIGN(ledger, OpenLmdbBatchLedger({.folder = (parts_.folder / "batches").string()}));
    TM_ASSIGN(write_times, parts_.write_times());
  }
  TableLogParts log;
  log.is_read_only = is_read_only;
  log.logs = OpenWriteLogs({.folder = LogFolder().string()});
  log.folders = parts_.folders;
  log.ledger = std::move(ledger);
  log.online = parts_.online;
  log.view = LookupIn(parts_.registry);
  log.clock = parts_.clock;
  log.write_times = write_times;
  FeatureTablesParts tables;
  tables.offline = offline_;
  tables.folders = parts_.folders;
  tables.log = std::make_shared<TableLog>(std::move(log));
  tables.is_read_only = is_read_only;
  tables.write_times = std::move(write_times);
  tables.clock = parts_.clock;
  tables.key_hash = std::make_shared<KeyedHashFile>((parts_.folder / kEraseKeyFile).string());
  tables.receipts = OpenReceiptFolder(ReceiptFolder());
  tables.dumps = parts_.dumps;
  tables.datasets = parts_.datasets;
  tables.online = parts_.online;
  tables.at_step = parts_.at_erase_step;
  tables.place = PlainPath(parts_.config.tables_path);
  tables.database = DatabaseOf(parts_.config.project);
  tables.flush_bytes = parts_.flush_bytes;
  tables.threads = parts_.threads;
  tables_ = std::make_shared<FeatureTables>(std::move(tables));
  return {};
}

Result<std::shared_ptr<FeatureTables>> EmbeddedTables::Open() {
  const std::lock_guard lock(mutex_);
  TM_TRY(OpenLocked());
  return tables_;
}

Result<std::shared_ptr<TableCatalog>> EmbeddedTables::Catalog() {
  const std::lock_guard lock(mutex_);
  TM_TRY(OpenCatalogLocked());
  return catalog_;
}

TableOpener EmbeddedTables::Opener(const TableReadOptions& reading) {
  return [this, reading](const CatalogView& view) -> Result<TableToRead> {
    TM_ASSIGN(const auto tables, Open());
    TM_ASSIGN(auto read,
              tables->OpenSource(view, {.snapshot_id = reading.snapshot_id, .at_least = reading.at_least}));
    read.as_of_us = reading.as_of_us;
    return read;
  };
}

Result<void> EmbeddedTables::CheckHere() {
  if (!HasTables()) return {};
  const std::lock_guard lock(mutex_);
  TM_TRY(OpenLocked());
  TM_ASSIGN(const auto elsewhere, TablesElsewhere(*catalog_, PlainPath(parts_.config.tables_path)));
  if (!elsewhere.empty()) TM_TRY(offline_->Open(elsewhere.front().id));
  return {};
}

Result<void> EmbeddedTables::Repair() {
  const bool has_logs = access(LogFolder().c_str(), W_OK) == 0;
  const bool has_receipts = access(ReceiptFolder().c_str(), W_OK) == 0;
  if (!has_logs && !has_receipts) return {};
  TM_ASSIGN(const auto tables, Open());
  TM_TRY(tables->log().RecoverToRead());
  return tables->HideErased();
}

bool EmbeddedTables::HasTables() const {
  std::error_code error;
  return std::filesystem::exists(parts_.config.tables_path, error);
}

Result<void> EmbeddedTables::Follow(const CatalogLoader& load) {
  TM_ASSIGN(auto catalog, load());
  for (int attempt = 1;; ++attempt) {
    auto followed = FollowOnce(*catalog);
    if (followed) return {};
    TM_ASSIGN(auto newer, load());
    if (newer->serial() == catalog->serial()) return followed;
    if (attempt == kFollowAttemptsMax) {
      return Fail(ErrorCode::kBusy, fmt::format("others change the definitions all the time, and so: {}; "
                                                "apply them again",
                                                followed.error().ToString()));
    }
    catalog = std::move(newer);
  }
}

Result<void> EmbeddedTables::FollowOnce(const tidemark::Catalog& catalog) {
  for (const auto& [name, view] : catalog.views()) {
    if (!view.definition.is_table() || !view.is_typed()) continue;
    TM_ASSIGN(const auto tables, Open());
    TM_TRY(tables->Prepare(view));
    TM_TRY(tables->Rename(view));
  }
  return {};
}

Result<void> EmbeddedTables::Drop(const std::vector<std::uint32_t>& view_ids, bool keep_files) {
  if (view_ids.empty() || !HasTables()) return {};
  TM_ASSIGN(const auto tables, Open());
  for (const std::uint32_t id : view_ids)
    TM_TRY(keep_files ? tables->Release(id) : tables->Drop(id));
  return {};
}

Result<tidemark::FlushReport> EmbeddedTables::Flush(const std::vector<const CatalogView*>& views) {
  tidemark::FlushReport report;
  TM_ASSIGN(const auto tables, Open());
  for (const CatalogView* view : views) {
    TM_ASSIGN(const FlushedTable flushed, tables->Flush(*view));
    if (flushed.snapshot_id != 0)
      report.tables.push_back({view->definition.name, flushed.rows, flushed.snapshot_id});
  }
  TM_TRY(tables->TrimLogs());
  for (const CatalogView* view : views)
    TM_TRY(tables->CompleteErasures(*view, {}));
  return report;
}

}  // namespace tidemark
