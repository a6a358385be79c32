// SQLite's C interface behind three small types: a connection, a statement and a transaction, each of which
// gives back what it holds. Every failure becomes an Error here, once.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tidemark::sqlite {

class Connection;

/// A prepared statement. Values never become part of the SQL text: they are bound.
class Statement {
 public:
  /// Binds the next parameter, from left to right.
  template <std::integral Integer>
  Result<void> Bind(Integer value) {
    return BindInt64(static_cast<std::int64_t>(value));
  }
  Result<void> Bind(std::string_view text);

  /// True if there is a row to look at, false at the end. Text stays valid until the next Step.
  Result<bool> Step();
  /// Steps through a statement that answers no rows.
  Result<void> Run();

  std::int64_t Int64(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view Text(int column) const;
  bool IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Statement(const Connection* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}
  Result<void> BindInt64(std::int64_t value);
  Result<void> Bound(int code);

  const Connection* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

/// An open database file. Not thread safe.
class Connection {
 public:
  /// Opens a file that exists; `path` is named in errors. Sets the busy time-out and nothing else.
  static Result<Connection> Open(const std::string& path, int busy_timeout_ms);
  /// An empty database in memory.
  static Result<Connection> OpenMemory();

  /// Prepares `sql` and binds `values` to its parameters, from left to right.
  template <typename... Values>
  Result<Statement> Prepare(std::string_view sql, const Values&... values) const {
    TM_ASSIGN(Statement statement, PrepareOnly(sql));
    Result<void> bound;
    static_cast<void>(((bound = statement.Bind(values)) && ...));
    if (!bound) return std::unexpected(std::move(bound).error());
    return statement;
  }

  /// Runs one statement that answers no rows.
  template <typename... Values>
  Result<void> Execute(std::string_view sql, const Values&... values) const {
    TM_ASSIGN(Statement statement, Prepare(sql, values...));
    return statement.Run();
  }

  /// The first column of the first row; an error if there is no row.
  Result<std::int64_t> QueryInt64(std::string_view sql) const;

  /// The Error for what SQLite just answered with `code`.
  Error ToError(int code) const;
  /// kCorruption, saying what was found and how to recover.
  Error Damaged(std::string_view what) const;

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  Connection(std::string path, int busy_timeout_ms)
      : path_(std::move(path)), busy_timeout_ms_(busy_timeout_ms) {}
  static Result<Connection> OpenWith(std::string path, const std::string& file, int flags,
                                     int busy_timeout_ms);
  Result<Statement> PrepareOnly(std::string_view sql) const;

  std::string path_;
  int busy_timeout_ms_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A transaction that is rolled back unless it was committed.
class Transaction {
 public:
  enum class Kind : std::uint8_t { kRead, kWrite };

  /// kWrite takes the write lock at once, so that nothing that is read in it can be overtaken.
  static Result<Transaction> Begin(const Connection& connection, Kind kind);
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() { Rollback(); }

  /// On an error nothing was committed, except with kUnknownFate.
  Result<void> Commit();

 private:
  explicit Transaction(const Connection* connection) : connection_(connection) {}
  void Rollback();

  const Connection* connection_;
};

}  // namespace tidemark::sqlite
