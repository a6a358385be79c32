// The driver manager's calls, typed.
#include "adapters/adbc/connection.h"

#include <arrow-adbc/adbc.h>
#include <arrow/c/bridge.h>

#include <utility>

#include "adapters/adbc/adbc_error_internal.h"
#include "adapters/adbc/call_watch_internal.h"
#include "adapters/adbc/query_stream_internal.h"
#include "base/redaction.h"
#include "pit/arrow_status.h"

namespace tidemark {

struct AdbcDatabase::Driver {
  explicit Driver(std::vector<std::string> hidden) : secrets(std::move(hidden)) {}
  ~Driver() {
    if (handle.private_data == nullptr) return;
    DriverError ignored;  // nothing can be done about a database that does not want to go
    AdbcDatabaseRelease(&handle, ignored.get());
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  Result<void> Set(const std::string& name, const std::string& value) {
    DriverError error;
    const AdbcStatusCode status = AdbcDatabaseSetOption(&handle, name.c_str(), value.c_str(), error.get());
    if (status == ADBC_STATUS_OK) return {};
    return std::unexpected(error.Take(status, secrets).In("option '" + name + "'"));
  }

  struct ::AdbcDatabase handle = {};
  std::vector<std::string> secrets;
};

struct AdbcConnection::Session {
  explicit Session(std::vector<std::string> hidden) : secrets(std::move(hidden)) {}
  ~Session() {
    if (handle.private_data == nullptr) return;
    DriverError ignored;  // nothing can be done about a connection that does not want to go
    AdbcConnectionRelease(&handle, ignored.get());
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  struct ::AdbcConnection handle = {};
  std::vector<std::string> secrets;
};

namespace {

// Ends what a connection does: by the statement where the driver can, or by the connection. Drivers of ADBC
// 1.0 can do neither; then the call ends in its own time, and no other one follows.
void Cancel(struct ::AdbcStatement* statement, struct ::AdbcConnection* connection) {
  DriverError error;
  if (AdbcStatementCancel(statement, error.get()) == ADBC_STATUS_OK) return;
  DriverError ignored;
  AdbcConnectionCancel(connection, ignored.get());
}

const char* ModeName(AdbcIngest::Mode mode) {
  switch (mode) {
    case AdbcIngest::Mode::kAppend:
      return ADBC_INGEST_OPTION_MODE_APPEND;
    case AdbcIngest::Mode::kReplace:
      return ADBC_INGEST_OPTION_MODE_REPLACE;
    case AdbcIngest::Mode::kCreateOrAppend:
      return ADBC_INGEST_OPTION_MODE_CREATE_APPEND;
    case AdbcIngest::Mode::kCreate:
      break;
  }
  return ADBC_INGEST_OPTION_MODE_CREATE;
}

// A statement that is run to its end.
Result<std::int64_t> RunToEnd(StatementHandle& statement, CallWatch& watch) {
  TM_TRY(watch.Begin());
  DriverError error;
  std::int64_t rows = -1;
  const AdbcStatusCode status = AdbcStatementExecuteQuery(statement.get(), nullptr, &rows, error.get());
  if (status != ADBC_STATUS_OK) {
    return std::unexpected(watch.EndFailed(error.Take(status, statement.secrets())));
  }
  watch.End();
  return rows;
}

std::unique_ptr<CallWatch> WatchOf(const AdbcLimits& limits, StatementHandle& statement,
                                   struct ::AdbcConnection* connection) {
  return std::make_unique<CallWatch>(limits,
                                     [handle = statement.get(), connection] { Cancel(handle, connection); });
}

}  // namespace

AdbcDatabase::AdbcDatabase(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}
AdbcDatabase::~AdbcDatabase() = default;

Result<std::shared_ptr<AdbcDatabase>> AdbcDatabase::Open(const AdbcDatabaseOptions& options) {
  TM_ASSIGN(const std::filesystem::path library, FindAdbcDriver(options.driver, options.driver_folders));
  auto driver = std::make_unique<Driver>(SecretsOf(options.options));
  DriverError error;
  AdbcStatusCode status = AdbcDatabaseNew(&driver->handle, error.get());
  if (status != ADBC_STATUS_OK) return std::unexpected(error.Take(status, driver->secrets));
  TM_TRY(driver->Set("driver", library.string()));
  if (!options.entrypoint.empty()) TM_TRY(driver->Set("entrypoint", options.entrypoint));
  for (const auto& [name, value] : options.options)
    TM_TRY(driver->Set(name, value));
  DriverError init_error;
  status = AdbcDatabaseInit(&driver->handle, init_error.get());
  if (status != ADBC_STATUS_OK) {
    return std::unexpected(
        init_error.Take(status, driver->secrets).In("ADBC driver " + library.filename().string()));
  }
  return std::shared_ptr<AdbcDatabase>(new AdbcDatabase(std::move(driver)));
}

Result<std::shared_ptr<AdbcConnection>> AdbcDatabase::Connect(
    const std::map<std::string, std::string>& options) {
  std::vector<std::string> secrets = driver_->secrets;
  for (std::string& secret : SecretsOf(options))
    secrets.push_back(std::move(secret));
  auto session = std::make_unique<AdbcConnection::Session>(std::move(secrets));
  DriverError error;
  AdbcStatusCode status = AdbcConnectionNew(&session->handle, error.get());
  if (status != ADBC_STATUS_OK) return std::unexpected(error.Take(status, session->secrets));
  for (const auto& [name, value] : options) {
    DriverError option_error;
    status = AdbcConnectionSetOption(&session->handle, name.c_str(), value.c_str(), option_error.get());
    if (status != ADBC_STATUS_OK) {
      return std::unexpected(option_error.Take(status, session->secrets).In("option '" + name + "'"));
    }
  }
  DriverError init_error;
  status = AdbcConnectionInit(&session->handle, &driver_->handle, init_error.get());
  if (status != ADBC_STATUS_OK) return std::unexpected(init_error.Take(status, session->secrets));
  return std::shared_ptr<AdbcConnection>(new AdbcConnection(shared_from_this(), std::move(session)));
}

AdbcConnection::AdbcConnection(std::shared_ptr<AdbcDatabase> database, std::unique_ptr<Session> session)
    : database_(std::move(database)), session_(std::move(session)) {}

AdbcConnection::~AdbcConnection() {
  session_.reset();  // before the database that it is a session of
}

Result<std::shared_ptr<arrow::RecordBatchReader>> AdbcConnection::Query(const AdbcQuery& query,
                                                                        const AdbcLimits& limits) {
  auto statement = std::make_unique<StatementHandle>(session_->secrets);
  TM_TRY(statement->Open(&session_->handle));
  TM_TRY(statement->SetText(query.sql));
  for (const auto& [name, value] : query.options)
    TM_TRY(statement->SetOption(name, value));
  if (query.parameters != nullptr) TM_TRY(statement->Bind(query.parameters));
  auto watch = WatchOf(limits, *statement, &session_->handle);
  auto stream = std::make_shared<QueryStream>(shared_from_this(), std::move(statement), std::move(watch));
  TM_TRY(stream->Start());
  return stream;
}

Result<std::int64_t> AdbcConnection::Execute(const std::string& sql, const AdbcLimits& limits) {
  StatementHandle statement(session_->secrets);
  TM_TRY(statement.Open(&session_->handle));
  TM_TRY(statement.SetText(sql));
  const auto watch = WatchOf(limits, statement, &session_->handle);
  return RunToEnd(statement, *watch);
}

Result<std::shared_ptr<arrow::Schema>> AdbcConnection::SchemaOf(const std::string& sql,
                                                                const AdbcLimits& limits) {
  {
    StatementHandle statement(session_->secrets);
    TM_TRY(statement.Open(&session_->handle));
    TM_TRY(statement.SetText(sql));
    const auto watch = WatchOf(limits, statement, &session_->handle);
    TM_TRY(watch->Begin());
    DriverError error;
    struct ArrowSchema schema = {};
    const AdbcStatusCode status = AdbcStatementExecuteSchema(statement.get(), &schema, error.get());
    if (status == ADBC_STATUS_OK) {
      watch->End();
      return FromArrowResult(arrow::ImportSchema(&schema));
    }
    Error failure = watch->EndFailed(error.Take(status, session_->secrets));
    if (status != ADBC_STATUS_NOT_IMPLEMENTED) return std::unexpected(std::move(failure));
  }
  TM_ASSIGN(const auto reader, Query({.sql = sql}, limits));
  return reader->schema();
}

Result<std::shared_ptr<arrow::Schema>> AdbcConnection::TableSchema(const std::string& catalog,
                                                                   const std::string& schema,
                                                                   const std::string& table) {
  DriverError error;
  struct ArrowSchema found = {};
  const AdbcStatusCode status = AdbcConnectionGetTableSchema(
      &session_->handle, catalog.empty() ? nullptr : catalog.c_str(),
      schema.empty() ? nullptr : schema.c_str(), table.c_str(), &found, error.get());
  if (status != ADBC_STATUS_OK) return std::unexpected(error.Take(status, session_->secrets));
  return FromArrowResult(arrow::ImportSchema(&found));
}

Result<std::int64_t> AdbcConnection::Ingest(const AdbcIngest& into,
                                            const std::shared_ptr<arrow::RecordBatchReader>& rows,
                                            const AdbcLimits& limits) {
  StatementHandle statement(session_->secrets);
  TM_TRY(statement.Open(&session_->handle));
  TM_TRY(statement.SetOption(ADBC_INGEST_OPTION_TARGET_TABLE, into.table));
  TM_TRY(statement.SetOption(ADBC_INGEST_OPTION_MODE, ModeName(into.mode)));
  if (!into.catalog.empty()) TM_TRY(statement.SetOption(ADBC_INGEST_OPTION_TARGET_CATALOG, into.catalog));
  if (!into.schema.empty()) TM_TRY(statement.SetOption(ADBC_INGEST_OPTION_TARGET_DB_SCHEMA, into.schema));
  if (into.temporary) TM_TRY(statement.SetOption(ADBC_INGEST_OPTION_TEMPORARY, ADBC_OPTION_VALUE_ENABLED));
  struct ArrowArrayStream stream = {};
  TM_TRY(FromArrowStatus(arrow::ExportRecordBatchReader(rows, &stream)));
  DriverError error;
  const AdbcStatusCode status = AdbcStatementBindStream(statement.get(), &stream, error.get());
  if (status != ADBC_STATUS_OK) {
    if (stream.release != nullptr) stream.release(&stream);
    return std::unexpected(error.Take(status, session_->secrets));
  }
  const auto watch = WatchOf(limits, statement, &session_->handle);
  return RunToEnd(statement, *watch);
}

}  // namespace tidemark
