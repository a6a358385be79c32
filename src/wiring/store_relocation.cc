// Places outside of the folder first, then the tables, one relocation at a time.
#include "wiring/store_relocation.h"

#include <fmt/format.h>

#include "adapters/iceberg/relocation.h"
#include "adapters/sqlite/sqlite_table_catalog.h"
#include "base/lock_file.h"
#include "base/result.h"
#include "model/name.h"
#include "wiring/place_owner.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

/// A registry outside of the folder was not copied with it. If what it speaks of is still there, it is that
/// store's, and must not be pointed elsewhere.
Result<void> CheckOwnRegistry(const fs::path& folder, const Config& config,
                              const std::vector<RelocatedTable>& tables) {
  if (LiesWithin(config.registry_path, folder)) return {};
  for (const RelocatedTable& table : tables) {
    std::error_code failed;
    if (!fs::exists(table.from, failed)) continue;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the registry {} is not in this store's folder, and its table {}.{} still lies in "
                    "{}: it is the registry of the store that was copied. Copy it too, name the copy "
                    "as registry.path in {}, and relocate again",
                    Quoted(config.registry_path.string()), table.name.database, table.name.name,
                    Quoted(table.from.string()), Quoted((folder / kConfigFile).string())));
  }
  return {};
}

}  // namespace

Result<RelocateReport> RelocateStore(const fs::path& folder, const Config& config) {
  TM_ASSIGN(const auto lock, LockFile::Open((folder / kOwnFolder / "relocating").string(),
                                            LockFile::Access::kFull, /*create=*/true));
  TM_ASSIGN(const bool is_ours, lock->TryLock(0));
  if (!is_ours) return Fail(ErrorCode::kBusy, "the store is being relocated by another process just now");
  SqliteTableCatalogOptions options;
  options.path = config.registry_path.string();
  options.busy_timeout_ms = static_cast<int>(config.busy_timeout_ms);
  TM_ASSIGN(const auto catalog, OpenSqliteTableCatalog(options));
  const fs::path root = PlainPath(config.tables_path);
  TM_ASSIGN(const auto elsewhere, TablesElsewhere(*catalog, root));
  TM_TRY(CheckOwnRegistry(folder, config, elsewhere));
  for (const fs::path& place : {config.tables_path, config.online_path}) {
    std::error_code failed;
    if (fs::exists(place, failed)) TM_TRY(TakeOverPlace(place, folder));
  }
  TM_ASSIGN(const auto tables, RelocateTables(*catalog, {.root = root}));
  RelocateReport report;
  for (const RelocatedTable& table : tables) {
    report.tables.push_back({fmt::format("{}.{}", table.name.database, table.name.name), table.from.string(),
                             table.to.string(), table.snapshots});
  }
  return report;
}

}  // namespace tidemark
