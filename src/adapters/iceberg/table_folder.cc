#include "adapters/iceberg/table_folder.h"

#include <fmt/format.h>

#include <random>
#include <system_error>
#include <utility>

#include "adapters/iceberg/named_file.h"

namespace tidemark::iceberg {
namespace {

namespace fs = std::filesystem;

Result<void> MakeFolder(const fs::path& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return std::unexpected(SystemError("make the folder", path, failed.value()));
  return SyncFolder(path.parent_path());
}

}  // namespace

Result<IcebergStoreOptions> WithPlainRoot(IcebergStoreOptions options) {
  if (!options.root.is_absolute())
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the folder of the tables, '{}', is not absolute", options.root.string()));
  options.root = options.root.lexically_normal();
  if (!options.root.has_filename()) options.root = options.root.parent_path();
  return options;
}

fs::path NewTableFolder(const IcebergStoreOptions& options, TableId id) {
  std::random_device random;
  return options.root / fmt::format("{}-{:08x}", id, random());
}

Result<void> MakeTableFolders(const TablePlace& place) {
  for (const fs::path& folder : {place.folder, place.data(), place.metadata(), place.leases()})
    TM_TRY(MakeFolder(folder));
  return {};
}

Result<fs::path> FolderOfTable(const TableCatalog& catalog, const IcebergStoreOptions& options, TableId id) {
  TM_ASSIGN(const CatalogEntry entry, catalog.Get(id));
  TM_ASSIGN(const fs::path path, ToPath(entry.metadata_location));
  const fs::path folder = path.parent_path().parent_path();
  if (folder.parent_path() == options.root) return folder;
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("table '{}.{}' lies in '{}', which is not in this store's folder '{}': the store was moved "
                  "or copied. Run `tidemark relocate`",
                  entry.name.database, entry.name.name, folder.string(), options.root.string()));
}

Result<void> DropTable(TableCatalog& catalog, const IcebergStoreOptions& options, TableId id) {
  auto folder = FolderOfTable(catalog, options, id);
  TM_TRY(catalog.Remove(id));
  // A table that is not there, or that another program took out of the catalog, has no folder to remove.
  if (!folder && folder.error().code == ErrorCode::kNotFound) return {};
  if (!folder) return std::unexpected(std::move(folder).error());
  std::error_code failed;
  fs::remove_all(*folder, failed);
  if (failed) return std::unexpected(SystemError("remove the folder", *folder, failed.value()));
  return {};
}

}  // namespace tidemark::iceberg
