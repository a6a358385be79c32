// Other people's databases through ADBC: a driver is a shared library that is loaded when it is first needed.
//
//   AdbcDatabase (a driver and its options) -> AdbcConnection -> Query: a stream of batches
//
// What is below is kept alive by what is above it: a reader holds its statement and connection, a connection
// its database. Errors of drivers become ours here, once, and never show a secret (base/redaction.h).
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

class AdbcConnection;

struct AdbcDatabaseOptions {
  /// The path of a shared library, or a name such as "postgresql" (see FindAdbcDriver).
  std::string driver;
  std::string entrypoint = {};                             // its init function; empty: the driver's usual one
  std::map<std::string, std::string> options = {};         // "uri", "username", ...: may hold secrets
  std::vector<std::filesystem::path> driver_folders = {};  // searched for names first
};

/// When to stop. Both hold from the call until the last batch is read.
struct AdbcLimits {
  std::optional<std::chrono::milliseconds> time_limit = {};
  std::stop_token stop = {};
  std::optional<std::chrono::steady_clock::time_point> begun = {};  // what is limited; nothing: with the call
  /// Whether the query holds more memory than it may; asked some hundred times a second, by another thread,
  /// until the first batch is there. Null: never.
  std::function<bool()> holds_too_much = {};
};

struct AdbcQuery {
  std::string sql;
  std::shared_ptr<arrow::RecordBatch> parameters = {};  // one row, a column for each; null: none
  std::map<std::string, std::string> options = {};      // of the statement, by the driver's names
};

struct AdbcIngest {
  enum class Mode : std::uint8_t { kCreate, kAppend, kReplace, kCreateOrAppend };
  std::string table;
  std::string schema = {};   // empty: the database's own choice
  std::string catalog = {};  // the same
  Mode mode = Mode::kCreate;
  bool temporary = false;
};

/// The library of the driver called `name` ("postgresql", "snowflake", letters, digits, _ and -): that of the
/// Python package adbc_driver_<name>, looked for in `folders`, then in those of the environment's
/// TIDEMARK_ADBC_DRIVERS (separated by colons), then beside Tidemark's own package (where the wheel lies). A
/// name with a slash is a path and is returned as it is. kNotFound says what to install.
Result<std::filesystem::path> FindAdbcDriver(std::string_view name,
                                             const std::vector<std::filesystem::path>& folders);

/// A driver that was loaded, and its options. Thread safe.
class AdbcDatabase : public std::enable_shared_from_this<AdbcDatabase> {
 public:
  /// Loads the driver; most drivers reach out to the server only in Connect. kNotFound: no such driver.
  /// kInvalidArgument: an option that the driver does not know.
  static Result<std::shared_ptr<AdbcDatabase>> Open(const AdbcDatabaseOptions& options);

  /// `options` are those of the connection, by the driver's names. kPermissionDenied for a wrong password,
  /// kUnavailable for a server that cannot be reached.
  Result<std::shared_ptr<AdbcConnection>> Connect(const std::map<std::string, std::string>& options = {});

  ~AdbcDatabase();
  AdbcDatabase(const AdbcDatabase&) = delete;
  AdbcDatabase& operator=(const AdbcDatabase&) = delete;

 private:
  friend class AdbcConnection;
  struct Driver;  // the driver manager's handle, and the secrets among the options

  explicit AdbcDatabase(std::unique_ptr<Driver> driver);

  std::unique_ptr<Driver> driver_;
};

/// One session. One call, or one reader, at a time; other threads may stop it. Every call can fail with
/// kCancelled (its limits: the message says which), kUnavailable (the connection is gone) and
/// kPermissionDenied.
class AdbcConnection : public std::enable_shared_from_this<AdbcConnection> {
 public:
  /// Runs a query. The batches come as the driver makes them; the reader's errors are statuses that
  /// FromStatus turns back, and closing or dropping the reader ends the query.
  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(const AdbcQuery& query,
                                                          const AdbcLimits& limits = {});

  /// Runs a statement to its end. The number of rows that it changed, or -1 where the driver does not know.
  Result<std::int64_t> Execute(const std::string& sql, const AdbcLimits& limits = {});

  /// What a query would return; it is not run where the driver can tell without (ADBC 1.1), else it is begun
  /// and dropped.
  Result<std::shared_ptr<arrow::Schema>> SchemaOf(const std::string& sql, const AdbcLimits& limits = {});

  /// The columns of a table; empty `catalog` and `schema` mean the session's own. kNotFound.
  Result<std::shared_ptr<arrow::Schema>> TableSchema(const std::string& catalog, const std::string& schema,
                                                     const std::string& table);

  /// Writes all of `rows` into a table. kAlreadyExists and kNotFound by the mode. Its rows, or -1.
  Result<std::int64_t> Ingest(const AdbcIngest& into, const std::shared_ptr<arrow::RecordBatchReader>& rows,
                              const AdbcLimits& limits = {});

  ~AdbcConnection();
  AdbcConnection(const AdbcConnection&) = delete;
  AdbcConnection& operator=(const AdbcConnection&) = delete;

 private:
  friend class AdbcDatabase;
  struct Session;

  AdbcConnection(std::shared_ptr<AdbcDatabase> database, std::unique_ptr<Session> session);

  std::shared_ptr<AdbcDatabase> database_;
  std::unique_ptr<Session> session_;
};

}  // namespace tidemark
