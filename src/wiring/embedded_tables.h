// Feature tables of an embedded store: the engine's part with its adapters (Iceberg, log, ledger) put in.
#pragma once

#include <arrow/record_batch.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/tables/feature_tables.h"
#include "engine/view_source.h"
#include "store/registry.h"
#include "store/table_catalog.h"
#include "tidemark/tables.h"
#include "wiring/config.h"

namespace tidemark {

struct EmbeddedTablesParts {
  std::filesystem::path folder;  // the store's own, `.tidemark`
  std::shared_ptr<SourceFolders> folders;
  std::shared_ptr<Dumps> dumps = {};
  KeptRowsEraser datasets = {};
  Config config;
  std::shared_ptr<Registry> registry;
  std::shared_ptr<const Clock> clock;
  OnlineOpener online;
  std::function<Result<std::shared_ptr<WriteTimes>>()> write_times;
  std::int64_t flush_bytes = std::int64_t{64} << 20;  // as FeatureTablesParts has it
  std::size_t threads = 1;
  std::function<void(std::string_view step)> at_erase_step = {};  // for tests
};

/// The name that the tables of a project are known by to SQL and other engines: its own, and "feature_store"
/// for the default project.
std::string DatabaseOf(const std::string& project);

/// Opens what it needs when it is first needed. Thread safe.
class EmbeddedTables {
 public:
  explicit EmbeddedTables(EmbeddedTablesParts parts) : parts_(std::move(parts)) {}

  Result<std::shared_ptr<FeatureTables>> Open();
  /// Also of a store that was moved, whose tables cannot be opened yet.
  Result<std::shared_ptr<TableCatalog>> Catalog();

  /// For ViewSource: tables as `reading` says.
  TableOpener Opener(const TableReadOptions& reading);

  /// An error that says what to do if the store was moved or copied and its tables are not right yet: asked
  /// before definitions are changed, so that these and the tables stay of one mind.
  Result<void> CheckHere();
  /// Finishes what writers began that are gone: their logged rows come online and into the folders of batch
  /// sources. Nothing happens where there are no logs, or this process may not write.
  Result<void> Repair();

  /// False as long as no table can have rows.
  bool HasTables() const;

  /// Makes the tables that views have and gives them their names; views that are not typed yet wait. `load`
  /// gives the definitions as they are now: where they change meanwhile, so that a table that is to be
  /// followed is gone, they are followed anew a few times, and then kBusy.
  using CatalogLoader = std::function<Result<std::shared_ptr<const tidemark::Catalog>>()>;
  Result<void> Follow(const CatalogLoader& load);
  /// `keep_files`: the tables' files stay, out of the catalog.
  Result<void> Drop(const std::vector<std::uint32_t>& view_ids, bool keep_files);

  Result<tidemark::FlushReport> Flush(const std::vector<const CatalogView*>& views);

 private:
  std::filesystem::path LogFolder() const { return parts_.folder / "log"; }
  std::filesystem::path ReceiptFolder() const { return parts_.folder / "erasures"; }
  Result<void> FollowOnce(const tidemark::Catalog& catalog);
  Result<void> OpenLocked();
  Result<void> OpenCatalogLocked();

  const EmbeddedTablesParts parts_;
  std::mutex mutex_;  // guards those below
  std::shared_ptr<TableCatalog> catalog_;
  std::shared_ptr<OfflineStore> offline_;
  std::shared_ptr<FeatureTables> tables_;
};

}  // namespace tidemark
