// A catalog in memory for stores of Iceberg tables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/iceberg/iceberg_store.h"
#include "base/clock.h"
#include "store/offline_store_testing.h"

namespace tidemark::testing_support {

/// A catalog in memory; what an adapter's must do, in its plainest form.
class MemoryTableCatalog final : public TableCatalog {
 public:
  Result<void> Add(const CatalogEntry& entry) override;
  Result<CatalogEntry> Get(TableId id) const override;
  Result<std::vector<CatalogEntry>> List() const override;
  Result<std::string> FindLocation(std::string_view database, std::string_view name) const override;
  Result<bool> Swap(TableId id, std::string_view expected, std::string_view next) override;
  Result<void> Rename(TableId id, const TableName& name) override;
  Result<void> Remove(TableId id) override;
  Result<std::vector<std::string>> Databases() const override;
  Result<void> CreateDatabase(std::string_view name) override;
  Result<void> DropDatabase(std::string_view name) override;

  /// Called before each swap: another writer that is faster, or an error that the swap answers with. With
  /// kUnknownFate `swaps_all_the_same` says whether it happened.
  std::function<Result<void>()> before_swap = {};
  bool swaps_all_the_same = false;

 private:
  bool IsTaken(const TableName& name) const;

  mutable std::mutex mutex_;
  std::map<TableId, CatalogEntry> entries_;
};

}  // namespace tidemark::testing_support
