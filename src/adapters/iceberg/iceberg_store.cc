#include "adapters/iceberg/iceberg_store.h"

#include <fmt/format.h>

#include <random>

#include "adapters/iceberg/iceberg_table.h"
#include "adapters/iceberg/named_file.h"
#include "model/name.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

using iceberg::TablePlace;

Result<void> MakeFolder(const fs::path& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return std::unexpected(iceberg::SystemError("make the folder", path, failed.value()));
  return iceberg::SyncFolder(path.parent_path());
}

class IcebergStore final : public OfflineStore {
 public:
  IcebergStore(TableCatalog& catalog, const Clock& clock, IcebergStoreOptions options)
      : catalog_(catalog), clock_(clock), options_(std::move(options)) {}

  Result<std::unique_ptr<OfflineTable>> Create(TableId id, const TableName& name,
                                               const TableLayout& layout) override {
    TM_TRY(CheckName("table", name.name));
    TM_TRY(CheckName("database", name.database));
    std::random_device random;
    const TablePlace place = At(id, options_.root / fmt::format("{}-{:08x}", id, random()));
    TM_ASSIGN(const iceberg::TableMetadata metadata,
              iceberg::MakeMetadata(layout, place.folder, clock_.now_us() / 1000));
    auto made = MakeFiles(place, name, metadata);
    if (!made && made.error().code != ErrorCode::kUnknownFate) {
      std::error_code ignored;
      fs::remove_all(place.folder, ignored);
    }
    if (!made) return std::unexpected(std::move(made).error());
    return iceberg::OpenIcebergTable(place);
  }

  Result<std::unique_ptr<OfflineTable>> Open(TableId id) override {
    TM_ASSIGN(const fs::path folder, FolderOf(id));
    return iceberg::OpenIcebergTable(At(id, folder));
  }

  Result<void> Rename(TableId id, const TableName& name) override {
    TM_TRY(CheckName("table", name.name));
    return catalog_.Rename(id, name);
  }

  Result<void> Drop(TableId id) override {
    auto folder = FolderOf(id);
    TM_TRY(catalog_.Remove(id));
    // A table that is not there, or that another program took out of the catalog, has no folder to remove.
    if (!folder && folder.error().code == ErrorCode::kNotFound) return {};
    if (!folder) return std::unexpected(std::move(folder).error());
    std::error_code failed;
    fs::remove_all(*folder, failed);
    if (failed) return std::unexpected(iceberg::SystemError("remove the folder", *folder, failed.value()));
    return {};
  }

  Result<std::vector<CatalogEntry>> List() const override { return catalog_.List(); }

 private:
  TablePlace At(TableId id, fs::path folder) const {
    return {.catalog = catalog_,
            .clock = clock_,
            .id = id,
            .folder = std::move(folder),
            .at_step = options_.at_step};
  }

  Result<void> MakeFiles(const TablePlace& place, const TableName& name,
                         const iceberg::TableMetadata& metadata) {
    for (const fs::path& folder : {place.folder, place.data(), place.metadata(), place.leases()})
      TM_TRY(MakeFolder(folder));
    TM_ASSIGN(const fs::path path, iceberg::WriteMetadataFile(place.metadata(), 0, metadata));
    TM_TRY(iceberg::SyncFolder(place.metadata()));
    TM_TRY(place.Step("created"));
    return catalog_.Add({.id = place.id, .name = name, .metadata_location = iceberg::ToLocation(path)});
  }

  /// The folder that a table's metadata lies in. A store that was copied must not write into the first one's.
  Result<fs::path> FolderOf(TableId id) const {
    TM_ASSIGN(const CatalogEntry entry, catalog_.Get(id));
    TM_ASSIGN(const fs::path path, iceberg::ToPath(entry.metadata_location));
    const fs::path folder = path.parent_path().parent_path();
    if (folder.parent_path() == options_.root) return folder;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "table '{}.{}' lies in '{}', which is not in this store's folder '{}': the store was moved "
            "or copied. Run `tidemark relocate`",
            entry.name.database, entry.name.name, folder.string(), options_.root.string()));
  }

  TableCatalog& catalog_;
  const Clock& clock_;
  const IcebergStoreOptions options_;
};

}  // namespace

Result<std::unique_ptr<OfflineStore>> OpenIcebergStore(TableCatalog& catalog, const Clock& clock,
                                                       const IcebergStoreOptions& options) {
  if (!options.root.is_absolute())
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the folder of the tables, '{}', is not absolute", options.root.string()));
  IcebergStoreOptions normal = options;
  normal.root = options.root.lexically_normal();
  if (!normal.root.has_filename()) normal.root = normal.root.parent_path();
  return std::make_unique<IcebergStore>(catalog, clock, std::move(normal));
}

}  // namespace tidemark
