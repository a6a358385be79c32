// What keeps tables in shape, for the public API: compaction, expiry, erasure.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/tables/feature_tables.h"
#include "tidemark/store.h"
#include "wiring/table_writes.h"

namespace tidemark {

/// Thread safe.
class TableUpkeep {
 public:
  using Views = std::vector<const CatalogView*>;
  using Opener = std::function<Result<std::shared_ptr<FeatureTables>>()>;

  TableUpkeep(Opener tables, std::size_t threads) : tables_(std::move(tables)), threads_(threads) {}

  Result<CompactReport> Compact(const Views& views, const WorkOptions& work) const;
  Result<ExpireSnapshotsReport> ExpireSnapshots(const Views& views,
                                                const ExpireSnapshotsOptions& options) const;
  /// `keys` have the view's join keys as columns.
  Result<std::string> Erase(const CatalogView& view, const GivenRows& keys, const WorkOptions& work) const;
  Result<std::string> Erasures(const Views& views) const;

 private:
  const Opener tables_;
  const std::size_t threads_;
};

}  // namespace tidemark
