// Calls SQLite, and turns its codes into errors that say what to do.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <tuple>

#include "adapters/sqlite/connection_internal.h"

#include "base/disk_full.h"

namespace tidemark::sqlite {
namespace {

ErrorCode CodeOf(int code, int system_errno) {
  if (code == SQLITE_IOERR_CORRUPTFS) return ErrorCode::kCorruption;
  if (IsDiskFull(system_errno)) return ErrorCode::kOutOfSpace;
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return ErrorCode::kBusy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorruption;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return ErrorCode::kOutOfSpace;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_IOERR:
    case SQLITE_NOLFS:
      return ErrorCode::kIo;
    case SQLITE_TOOBIG:
      return ErrorCode::kInvalidArgument;
    case SQLITE_INTERRUPT:
      return ErrorCode::kCancelled;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

Result<void> Statement::Bound(int code) {
  if (code != SQLITE_OK) return std::unexpected(connection_->ToError(code));
  return {};
}

Result<void> Statement::BindInt64(std::int64_t value) {
  return Bound(sqlite3_bind_int64(statement_.get(), ++bound_, value));
}

Result<void> Statement::Bind(std::string_view text) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* bytes = text.empty() ? "" : text.data();
  return Bound(
      sqlite3_bind_text64(statement_.get(), ++bound_, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(connection_->ToError(code));
}

Result<void> Statement::Run() {
  TM_ASSIGN(const bool has_row, Step());
  if (has_row) return Fail(ErrorCode::kInternal, "a statement answered a row that nobody asked for");
  return {};
}

std::string_view Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {reinterpret_cast<const char*>(text), bytes};
}

Result<Connection> Connection::OpenWith(std::string path, const std::string& file, int flags,
                                        int busy_timeout_ms) {
  Connection connection(std::move(path), busy_timeout_ms);
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  connection.handle_.reset(handle);
  if (code != SQLITE_OK) return std::unexpected(connection.ToError(code));
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  return connection;
}

Result<Connection> Connection::Open(const std::string& path, int busy_timeout_ms) {
  // A relative path gets its folder, so that one that begins with "file:" or ":memory:" stays a path.
  const std::string file = path.starts_with('/') ? path : "./" + path;
  return OpenWith(path, file, SQLITE_OPEN_READWRITE, busy_timeout_ms);
}

Result<Connection> Connection::OpenMemory() {
  return OpenWith("(memory)", ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0);
}

Result<Statement> Connection::PrepareOnly(std::string_view sql) const {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  Statement statement(this, raw);
  if (code != SQLITE_OK) return std::unexpected(ToError(code));
  return statement;
}

Result<std::int64_t> Connection::QueryInt64(std::string_view sql) const {
  TM_ASSIGN(Statement statement, Prepare(sql));
  TM_ASSIGN(const bool has_row, statement.Step());
  if (!has_row) return std::unexpected(Damaged(fmt::format("no answer to {}", sql)));
  return statement.Int64(0);
}

Error Connection::ToError(int code) const {
  const int system_errno = handle_ ? sqlite3_system_errno(handle_.get()) : 0;
  const bool has_reason = (code & 0xFF) == SQLITE_CANTOPEN || (code & 0xFF) == SQLITE_IOERR;
  // The handle's own words are those of its last call, which is the one that failed.
  std::string said = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  if (has_reason && system_errno != 0) said += fmt::format(": {}", std::strerror(system_errno));
  switch (const ErrorCode kind = CodeOf(code, has_reason ? system_errno : 0)) {
    case ErrorCode::kBusy:
      return {kind,
              fmt::format(
                  "registry '{}' has been held by another process for more than {} ms; nothing was changed. "
                  "Try again when it has finished, or raise the busy time-out",
                  path_, busy_timeout_ms_),
              {}};
    case ErrorCode::kCorruption:
      return Damaged(said);
    case ErrorCode::kOutOfSpace:
      return {kind,
              fmt::format(
                  "no space left to write registry '{}' ({}); nothing was changed. Free some space and try "
                  "again",
                  path_, said),
              {}};
    case ErrorCode::kIo:
      return {kind,
              fmt::format(
                  "registry '{}' cannot be read or written: {}. Check that its folder exists, and that this "
                  "user may write the folder and the file",
                  path_, said),
              {}};
    default:
      return {kind, fmt::format("registry '{}': {} (SQLite code {})", path_, said, code), {}};
  }
}

Error Connection::Damaged(std::string_view what) const {
  return {ErrorCode::kCorruption,
          fmt::format(
              "registry '{}' is damaged: {}. Restore the file from a backup; without one, move the store's "
              "folder .tidemark away, run apply on the definitions again, and materialize (rows of feature "
              "tables do not come back)",
              path_, what),
          {}};
}

Result<Transaction> Transaction::Begin(const Connection& connection, Kind kind) {
  TM_TRY(connection.Execute(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(&connection);
}

Result<void> Transaction::Commit() {
  auto committed = connection_->Execute("COMMIT");
  if (committed) {
    connection_ = nullptr;
    return {};
  }
  Error error = std::move(committed).error();
  // Removing the journal is what commits; an error before that rolls back. When the disk fails just then, the
  // journal may be gone, or come back after a crash.
  const int code = sqlite3_extended_errcode(connection_->handle());
  if (code == SQLITE_IOERR_DELETE || code == SQLITE_IOERR_DIR_FSYNC) {
    error.code = ErrorCode::kUnknownFate;
    error.message += ". The change may or may not have been made: run plan to see";
  }
  return std::unexpected(std::move(error));
}

void Transaction::Rollback() {
  if (connection_ == nullptr || sqlite3_get_autocommit(connection_->handle()) != 0) return;
  // A failure leaves the journal in place; the next to open the file rolls back by it.
  std::ignore = connection_->Execute("ROLLBACK");
}

}  // namespace tidemark::sqlite
