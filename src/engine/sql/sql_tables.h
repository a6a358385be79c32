// Tables of a statement, opened at one moment for the engine that reads them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/sql/sql_names.h"
#include "engine/tables/feature_tables.h"
#include "store/sql_engine.h"

namespace tidemark {

/// The files of a source, and all columns that they have, by their names after the field mapping.
struct SqlSource {
  SqlFiles files;
  std::vector<SqlColumn> columns;
  std::string identity;  // files and columns are the same as long as this is
};

/// Lists a source's files as they are now. `types` are those of columns that are known; other columns of
/// files without types of their own are text, or found out if there are no types at all.
using SqlSourceOpener = std::function<Result<SqlSource>(
    const BatchSource& source, const std::map<std::string, DataType>& types, const std::stop_token& stop)>;

/// What of the tables a statement sees.
struct SqlReading {
  std::optional<std::int64_t> as_of_us = {};     // rows of feature tables written up to then
  std::optional<std::int64_t> snapshot_id = {};  // of the only feature table
  std::string at_least = {};                     // a token: that write must be seen
};

struct SqlTablesParts {
  std::function<Result<std::shared_ptr<FeatureTables>>()> tables;
  SqlSourceOpener source;
  /// Succeeds if what is read of the folder of a view with a batch source sees the write of a token.
  std::function<Result<void>(const CatalogView& view, const std::string& token)> check_folder;
  std::int64_t memory_bytes_max = 0;  // rows that an erasure has left beside erased ones may take so much
};

/// A table as the engine reads it, under no name yet; and of which state, for what was read of it to be
/// checked afterwards.
struct OpenedSqlTable {
  SqlTable table;
  std::uint32_t table_id = 0;  // of a feature table; else 0
  std::shared_ptr<const TableSnapshot> snapshot = {};
  bool has_seen = false;  // the write that at_least asked for
};

/// Errors name the view or source; kInvalidArgument for as_of of what Tidemark does not keep.
Result<OpenedSqlTable> OpenSqlTable(const SqlEntry& entry, const SqlReading& reading,
                                    const SqlTablesParts& parts, const std::stop_token& stop);

/// The columns that a feature table or view shows, in order: join keys, the event time as the user typed it,
/// features, the created time, and of tables what every row has besides.
std::vector<SqlColumn> ShownColumns(const CatalogView& view);

}  // namespace tidemark
