// Files that were there before as tables of a store: registered, extended, refreshed, listed.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/catalog.h"
#include "engine/registered_tables.h"
#include "engine/sql/sql_names.h"
#include "store/registry.h"
#include "store/source.h"
#include "store/sql_engine.h"
#include "store/table_catalog.h"
#include "tidemark/existing.h"
#include "wiring/config.h"

namespace tidemark {

/// Opens what it needs when it is first needed. Thread safe.
class ExistingData {
 public:
  struct Parts {
    std::filesystem::path folder;  // the store's
    Config config;
    std::shared_ptr<Registry> registry;
    std::shared_ptr<const Clock> clock;
    std::function<Result<std::shared_ptr<TableCatalog>>()> catalog;
    std::function<Result<std::shared_ptr<const Catalog>>()> views;
    std::function<SourceOpener(const std::stop_token& stop)> opener;  // of views' sources
    std::size_t threads = 0;
  };

  explicit ExistingData(Parts parts) : parts_(std::move(parts)) {}

  /// As the functions of Store.
  Result<std::string> Register(std::string_view database, std::string_view table, std::string_view path,
                               const RegisterOptions& options);
  Result<std::string> AddPartitions(std::string_view database, std::string_view table,
                                    const std::vector<std::string>& partitions, const std::stop_token& stop);
  Result<std::string> Refresh(const std::vector<std::string>& tables, const std::stop_token& stop);
  /// `listed` is what SQL can name, JSON; gets what is known of registered tables.
  Result<std::string> Tables(const std::string& listed, std::string_view database);
  Result<bool> Drop(std::string_view name);
  /// What was registered.
  Result<std::vector<RegisteredTable>> Registered();
  /// Where a registered table's files lie, as it was said; nothing if there is none of that name.
  Result<std::optional<std::string>> PathOf(std::string_view name);

  /// The rows of a registered CSV table; nothing if the source names no such table.
  Result<std::unique_ptr<Source>> OpenCsv(const BatchSource& source,
                                          const std::map<std::string, DataType>& column_types,
                                          bool guesses_types, const std::stop_token& stop);

  /// That no file of a registered table of Parquet is gone or was written over since the table saw it, by its
  /// size and time; a source that names no such table passes. Iceberg's own lists say only the sizes.
  Result<void> CheckParquet(const BatchSource& source);

  /// All registered tables, opened when a statement reads them.
  Result<std::vector<OtherSqlTable>> SqlTables();
  /// A registered table for queries, by its full name in any case; nothing if there is none. kNotFound for
  /// files that are gone.
  Result<std::optional<SqlTable>> ForSql(std::string_view full_name);

 private:
  Result<std::shared_ptr<RegisteredTables>> Open();

  const Parts parts_;
  std::mutex mutex_;  // guards those below
  std::shared_ptr<TableCatalog> catalog_;
  std::shared_ptr<RegisteredTables> tables_;
};

}  // namespace tidemark
