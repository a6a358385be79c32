// Statements over the tables of a store: names are found, tables opened at one moment, and the engine asked.
#pragma once

#include <arrow/record_batch.h>

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/sql/sql_tables.h"
#include "store/dumps.h"
#include "store/sql_engine.h"

namespace tidemark {

struct SqlQueriesParts {
  std::shared_ptr<SqlEngine> engine;
  std::function<Result<std::shared_ptr<const SqlNames>>()> names;
  SqlTablesParts tables;
  std::shared_ptr<Dumps> dumps;
  std::shared_ptr<const Clock> clock;
};

struct SqlRequest {
  SqlReading reading = {};
  SqlOptions options = {};
  std::shared_ptr<const SqlNames> names = {};  // that the statement may use; null: all of the store
};

/// Thread safe. Errors as SqlEngine, and those of opening tables, which name the table.
class SqlQueries {
 public:
  explicit SqlQueries(SqlQueriesParts parts) : parts_(std::move(parts)) {}

  /// The result, streamed. SHOW TABLES [FROM database] and SHOW DATABASES tell of the store.
  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(std::string_view text,
                                                          const SqlRequest& request) const;

  /// The columns of the result; the statement is not run.
  Result<std::shared_ptr<arrow::Schema>> Describe(std::string_view text, const SqlRequest& request) const;

  /// How tables are opened.
  const SqlTablesParts& tables() const { return parts_.tables; }

  /// Writes the result to a file of its own, whole or not at all. What is erased while it is written is not
  /// in it.
  Result<DumpInfo> Dump(std::string_view text, const SqlRequest& request) const;

 private:
  struct NamedTable {
    SqlTableName name;
    const SqlEntry* entry;
  };
  struct Prepared {
    SqlStatement statement;
    std::shared_ptr<const SqlNames> names;  // what the entries belong to
    std::vector<NamedTable> tables;
  };
  struct Opened {
    std::vector<SqlTable> tables;
    std::vector<OpenedSqlTable> feature_tables;  // what to look at afterwards
  };

  Result<Prepared> Prepare(std::string_view text, const SqlRequest& request) const;
  Result<Opened> Open(const Prepared& prepared, const SqlRequest& request) const;
  Result<bool> IsErasedMeanwhile(const Opened& opened) const;

  const SqlQueriesParts parts_;
};

}  // namespace tidemark
