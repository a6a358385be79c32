// Each call goes to the adapter that knows the kind of source.
#include "wiring/source_places.h"

#include <utility>

#include "adapters/adbc/warehouse_tables.h"
#include "adapters/files/source_folders.h"

namespace tidemark {
namespace {

class SourcePlaces final : public SourceFolders {
 public:
  SourcePlaces(std::shared_ptr<SourceFolders> files, std::shared_ptr<SourceFolders> warehouses)
      : files_(std::move(files)), warehouses_(std::move(warehouses)) {}

  Result<void> Check(const BatchSource& source, const arrow::Schema& rows) const override {
    return Of(source).Check(source, rows);
  }
  Result<std::optional<std::int64_t>> Add(const BatchSource& source, const SourceFileName& name,
                                          arrow::RecordBatchReader& rows) const override {
    return Of(source).Add(source, name, rows);
  }
  Result<std::vector<std::string>> Names(const BatchSource& source) const override {
    return Of(source).Names(source);
  }
  Result<void> RemoveRemains(const BatchSource& source, const std::string& name) const override {
    return Of(source).RemoveRemains(source, name);
  }

 private:
  const SourceFolders& Of(const BatchSource& source) const {
    return source.warehouse ? *warehouses_ : *files_;
  }

  const std::shared_ptr<SourceFolders> files_;
  const std::shared_ptr<SourceFolders> warehouses_;
};

}  // namespace

std::shared_ptr<SourceFolders> OpenSourcePlaces(std::filesystem::path folder, std::size_t threads,
                                                std::vector<std::filesystem::path> adbc_driver_folders) {
  return std::make_shared<SourcePlaces>(OpenSourceFolders(std::move(folder), threads),
                                        OpenWarehouseTables(std::move(adbc_driver_folders)));
}

}  // namespace tidemark
