#include "adapters/iceberg/iceberg_store.h"

#include "adapters/iceberg/iceberg_table.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/table_folder.h"
#include "model/name.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

using iceberg::TablePlace;

class IcebergStore final : public OfflineStore {
 public:
  IcebergStore(TableCatalog& catalog, const Clock& clock, IcebergStoreOptions options)
      : catalog_(catalog), clock_(clock), options_(std::move(options)) {}

  Result<std::unique_ptr<OfflineTable>> Create(TableId id, const TableName& name,
                                               const TableLayout& layout) override {
    TM_TRY(CheckName("table", name.name));
    TM_TRY(CheckName("database", name.database));
    const TablePlace place = At(id, iceberg::NewTableFolder(options_, id));
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
    TM_ASSIGN(const fs::path folder, iceberg::FolderOfTable(catalog_, options_, id));
    return iceberg::OpenIcebergTable(At(id, folder));
  }

  Result<void> Rename(TableId id, const TableName& name) override {
    TM_TRY(CheckName("table", name.name));
    return catalog_.Rename(id, name);
  }

  Result<void> Drop(TableId id) override { return iceberg::DropTable(catalog_, options_, id); }
  Result<void> Release(TableId id) override { return catalog_.Remove(id); }

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
    TM_TRY(iceberg::MakeTableFolders(place));
    TM_ASSIGN(const fs::path path, iceberg::WriteMetadataFile(place.metadata(), 0, metadata));
    TM_TRY(iceberg::SyncFolder(place.metadata()));
    TM_TRY(place.Step("created"));
    return catalog_.Add({.id = place.id, .name = name, .metadata_location = iceberg::ToLocation(path)});
  }

  TableCatalog& catalog_;
  const Clock& clock_;
  const IcebergStoreOptions options_;
};

}  // namespace

Result<std::unique_ptr<OfflineStore>> OpenIcebergStore(TableCatalog& catalog, const Clock& clock,
                                                       const IcebergStoreOptions& options) {
  TM_ASSIGN(IcebergStoreOptions normal, iceberg::WithPlainRoot(options));
  return std::make_unique<IcebergStore>(catalog, clock, std::move(normal));
}

}  // namespace tidemark
