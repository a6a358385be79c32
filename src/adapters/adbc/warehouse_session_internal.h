// A connection to the warehouse that a definition names: variables resolved, time limits kept, errors worded.
// Private to this folder.
#pragma once

#include <arrow/record_batch.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/adbc/connection.h"
#include "adapters/adbc/sql_dialect_internal.h"
#include "base/result.h"
#include "model/warehouse.h"

namespace tidemark {

/// `text` with the values of environment variables in the place of "${NAME}". Within a URI ("scheme://") a
/// value is written with %xx, so that a password may have any characters; a text that is nothing but one
/// variable is its value. kInvalidArgument: one that is not set.
Result<std::string> ResolveVariables(const std::string& text);

/// What the driver's database is opened with: `uri` and options, resolved.
Result<AdbcDatabaseOptions> DatabaseOptionsOf(const Warehouse& warehouse,
                                              const std::vector<std::filesystem::path>& driver_folders);

/// One session. Its errors: kUnavailable (cannot be reached, was lost, or took longer than `timeout`),
/// kPermissionDenied, kNotFound (with the tables there are, where that can be asked), kCancelled by `stop`,
/// and those of SQL. All name the warehouse, and none shows a secret.
class WarehouseSession {
 public:
  static Result<std::unique_ptr<WarehouseSession>> Open(
      const Warehouse& warehouse, const std::vector<std::filesystem::path>& driver_folders,
      std::stop_token stop);

  SqlDialect dialect() const { return dialect_; }

  /// The time of `timeout` begins anew: for a session that is used again.
  void Restart() { begin_ = std::chrono::steady_clock::now(); }

  /// Rows of a table come in the order in which they lie, where the server can be told so; nothing is
  /// written.
  Result<void> PrepareReading();

  Result<std::shared_ptr<arrow::Schema>> SchemaOf(const std::string& sql);
  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(const std::string& sql);
  /// The next batch of a reader that Query gave; null at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> Next(arrow::RecordBatchReader& reader) const;
  Result<std::int64_t> Execute(const std::string& sql);
  Result<std::int64_t> Ingest(const AdbcIngest& into, const std::shared_ptr<arrow::RecordBatchReader>& rows);

  /// All rows of a small result.
  Result<std::shared_ptr<arrow::Table>> Ask(const std::string& sql);

  /// What a message is about: "postgresql sales.trips".
  const std::string& place() const { return place_; }

 private:
  WarehouseSession(const Warehouse& warehouse, std::stop_token stop);

  AdbcLimits limits() const;
  std::unexpected<Error> Worded(Error error) const;
  /// An error of a table that is not there, with those that are.
  Error WithTables(Error error);

  const Warehouse warehouse_;
  const SqlDialect dialect_;
  const std::stop_token stop_;
  const std::string place_;
  std::chrono::steady_clock::time_point begin_;
  std::shared_ptr<AdbcConnection> connection_;
};

}  // namespace tidemark
