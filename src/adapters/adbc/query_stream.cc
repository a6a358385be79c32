// A driver's C stream as a reader of batches.
#include <arrow/c/bridge.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "adapters/adbc/adbc_error_internal.h"
#include "adapters/adbc/query_stream_internal.h"
#include "pit/arrow_status.h"

namespace tidemark {

StatementHandle::~StatementHandle() {
  if (statement_.private_data == nullptr) return;
  DriverError ignored;  // nothing can be done about a statement that does not want to go
  AdbcStatementRelease(&statement_, ignored.get());
}

Result<void> StatementHandle::Open(struct ::AdbcConnection* connection) {
  DriverError error;
  const AdbcStatusCode status = AdbcStatementNew(connection, &statement_, error.get());
  if (status != ADBC_STATUS_OK) return std::unexpected(error.Take(status, secrets_));
  return {};
}

Result<void> StatementHandle::SetText(const std::string& sql) {
  if (sql.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the SQL text has a zero byte in it");
  }
  DriverError error;
  const AdbcStatusCode status = AdbcStatementSetSqlQuery(&statement_, sql.c_str(), error.get());
  if (status != ADBC_STATUS_OK) return std::unexpected(error.Take(status, secrets_));
  return {};
}

Result<void> StatementHandle::SetOption(const std::string& name, const std::string& value) {
  DriverError error;
  const AdbcStatusCode status = AdbcStatementSetOption(&statement_, name.c_str(), value.c_str(), error.get());
  if (status != ADBC_STATUS_OK) {
    return std::unexpected(error.Take(status, secrets_).In("option '" + name + "'"));
  }
  return {};
}

Result<void> StatementHandle::Bind(const std::shared_ptr<arrow::RecordBatch>& parameters) {
  DriverError error;
  AdbcStatusCode status = AdbcStatementPrepare(&statement_, error.get());
  if (status != ADBC_STATUS_OK && status != ADBC_STATUS_NOT_IMPLEMENTED) {
    return std::unexpected(error.Take(status, secrets_));
  }
  struct ArrowArray array = {};
  struct ArrowSchema schema = {};
  TM_TRY(FromArrowStatus(arrow::ExportRecordBatch(*parameters, &array, &schema)));
  DriverError bind_error;
  status = AdbcStatementBind(&statement_, &array, &schema, bind_error.get());
  if (array.release != nullptr) array.release(&array);
  if (schema.release != nullptr) schema.release(&schema);
  if (status != ADBC_STATUS_OK) return std::unexpected(bind_error.Take(status, secrets_));
  return {};
}

QueryStream::QueryStream(std::shared_ptr<const void> keeps, std::unique_ptr<StatementHandle> statement,
                         std::unique_ptr<CallWatch> watch)
    : keeps_(std::move(keeps)), statement_(std::move(statement)), watch_(std::move(watch)) {}

QueryStream::~QueryStream() {
  Release();
}

void QueryStream::Release() {
  watch_.reset();
  if (stream_.release != nullptr) stream_.release(&stream_);
  stream_ = {};
  statement_.reset();
  keeps_.reset();
}

Result<void> QueryStream::Start() {
  TM_TRY(watch_->Begin());
  DriverError error;
  const AdbcStatusCode status = AdbcStatementExecuteQuery(statement_->get(), &stream_, nullptr, error.get());
  if (status != ADBC_STATUS_OK) {
    return std::unexpected(watch_->EndFailed(error.Take(status, statement_->secrets())));
  }
  struct ArrowSchema schema = {};
  if (const int code = stream_.get_schema(&stream_, &schema); code != 0) {
    return std::unexpected(watch_->EndFailed(ErrorOfStream(code)));
  }
  watch_->End();
  TM_ASSIGN(schema_, FromArrowResult(arrow::ImportSchema(&schema)));
  return {};
}

arrow::Status QueryStream::ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) {
  batch->reset();
  if (stream_.release == nullptr) return arrow::Status::OK();
  if (auto begun = watch_->Begin(); !begun) return ToStatus(begun.error());
  struct ArrowArray array = {};
  if (const int code = stream_.get_next(&stream_, &array); code != 0) {
    return ToStatus(watch_->EndFailed(ErrorOfStream(code)));
  }
  watch_->End();
  if (array.release == nullptr) {
    Release();
    return arrow::Status::OK();
  }
  watch_->RowsCame();
  ARROW_ASSIGN_OR_RAISE(*batch, arrow::ImportRecordBatch(&array, schema_));
  return arrow::Status::OK();
}

arrow::Status QueryStream::Close() {
  Release();
  return arrow::Status::OK();
}

Error QueryStream::ErrorOfStream(int code) {
  AdbcStatusCode status = ADBC_STATUS_OK;
  if (const struct AdbcError* known = AdbcErrorFromArrayStream(&stream_, &status); known != nullptr) {
    std::string_view sqlstate(known->sqlstate, sizeof(known->sqlstate));
    if (sqlstate.find('\0') != std::string_view::npos) sqlstate = {};
    return DriverErrorOf(status, sqlstate, known->message == nullptr ? "" : known->message,
                         statement_->secrets());
  }
  const char* said = stream_.get_last_error(&stream_);
  switch (code) {
    case ENOENT:
      status = ADBC_STATUS_NOT_FOUND;
      break;
    case EINVAL:
      status = ADBC_STATUS_INVALID_ARGUMENT;
      break;
    case ENOSYS:
    case ENOTSUP:
      status = ADBC_STATUS_NOT_IMPLEMENTED;
      break;
    case ECANCELED:
    case EINTR:
      status = ADBC_STATUS_CANCELLED;
      break;
    case ETIMEDOUT:
    case ECONNRESET:
      status = ADBC_STATUS_IO;
      break;
    case EACCES:
      status = ADBC_STATUS_UNAUTHORIZED;
      break;
    default:
      status = ADBC_STATUS_UNKNOWN;
  }
  return DriverErrorOf(status, {}, said == nullptr ? std::strerror(code) : said, statement_->secrets());
}

}  // namespace tidemark
