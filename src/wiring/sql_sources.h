// The files of sources as SQL reads them, listed anew for each statement and opened when they have changed.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "engine/sql/sql_tables.h"
#include "model/definition.h"

namespace tidemark {

/// Thread safe.
class SqlSources {
 public:
  /// Where the metadata of a table of the store's catalog lies.
  using TableFinder = std::function<Result<std::filesystem::path>(const std::string& name)>;

  SqlSources(std::filesystem::path store_folder, TableFinder find_table, std::size_t threads)
      : folder_(std::move(store_folder)), find_table_(std::move(find_table)), threads_(threads) {}

  /// As SqlSourceOpener.
  Result<SqlSource> Open(const BatchSource& source, const std::map<std::string, DataType>& types,
                         const std::stop_token& stop);

 private:
  Result<SqlSource> Read(const BatchSource& source, const std::map<std::string, DataType>& types,
                         const std::stop_token& stop) const;
  Result<std::string> StateOf(const BatchSource& source) const;
  Result<std::filesystem::path> IcebergPath(const BatchSource& source) const;

  const std::filesystem::path folder_;
  const TableFinder find_table_;
  const std::size_t threads_;
  std::mutex mutex_;
  std::map<std::string, SqlSource> known_;  // by what was asked
};

}  // namespace tidemark
