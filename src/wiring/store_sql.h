// SQL, snapshots and dumps for the public API.
#pragma once

#include <arrow/record_batch.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/batch/batch_query.h"
#include "engine/sql/sql_queries.h"
#include "engine/view_source.h"
#include "store/registry.h"
#include "tidemark/sql.h"
#include "wiring/config.h"
#include "wiring/embedded_tables.h"
#include "wiring/sql_sources.h"

namespace tidemark {

/// Thread safe.
class StoreSql {
 public:
  struct Parts {
    std::filesystem::path folder;  // the store's
    const Config& config;
    std::size_t threads = 1;
    std::shared_ptr<Registry> registry;
    std::shared_ptr<const Clock> clock;
    std::shared_ptr<Dumps> dumps;
    EmbeddedTables& tables;
    std::function<Result<std::shared_ptr<const Catalog>>()> catalog;
    std::function<SourceOpeners(const std::stop_token& stop, const TableReadOptions& reading)> openers;
    /// As SqlTablesParts::check_folder.
    std::function<Result<void>(const CatalogView& view, const std::string& token)> check_folder;
    /// Tables that are registered beside the definitions; may be empty.
    std::function<Result<std::vector<OtherSqlTable>>()> others = {};
    /// One of them by its full name, which a view may have as its source; nothing if it is none of them.
    std::function<Result<std::optional<SqlTable>>(const std::string& full_name)> registered = {};
  };

  explicit StoreSql(Parts parts);

  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(std::string_view query,
                                                          const SqlQueryOptions& options);
  Result<std::shared_ptr<arrow::RecordBatchReader>> LatestRows(std::string_view table,
                                                               const LatestRowsOptions& options);
  /// What the query of a view gives (engine/batch/batch_query.h). The store's limit of time is for queries
  /// that somebody waits for, and not for these.
  Result<std::shared_ptr<arrow::Schema>> DescribeBatch(const FeatureView& view,
                                                       const std::vector<CatalogView>& inputs,
                                                       const std::stop_token& stop) const;
  Result<std::shared_ptr<arrow::RecordBatchReader>> RunBatch(const std::shared_ptr<const Catalog>& catalog,
                                                             const CatalogView& view, TimeSpan range,
                                                             const std::stop_token& stop) const;
  Result<DumpReport> Dump(std::string_view query, const SqlQueryOptions& options);
  Result<std::string> ListDumps();
  Result<std::string> ListTables();

 private:
  Result<std::shared_ptr<const SqlNames>> Names();
  Result<std::vector<SqlProject>> Projects();
  Result<SqlRequest> RequestOf(const SqlQueryOptions& options) const;
  Result<std::vector<std::string>> ExtraFiles() const;
  SqlOptions BatchOptions(const std::stop_token& stop) const;
  BatchQueryParts BatchParts() const;

  const Parts parts_;
  SqlSources sources_;
  std::mutex mutex_;  // guards those below
  std::map<std::string, std::shared_ptr<const Catalog>> other_projects_;
  std::vector<std::shared_ptr<const Catalog>> named_by_;  // the catalogs that names_ was made of
  std::vector<std::string> named_databases_;
  std::shared_ptr<const SqlNames> names_;
  const SqlQueries queries_;
};

}  // namespace tidemark
