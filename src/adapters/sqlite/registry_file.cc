// Makes a registry file whole, and checks one whole before it is believed.
#include "adapters/sqlite/registry_file_internal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>

#include "adapters/sqlite/row_checksum_internal.h"
#include "base/disk_full.h"
#include "base/file_descriptor.h"

namespace tidemark::sqlite {
namespace {

constexpr off_t kSqliteHeaderBytes = 100;
constexpr int kHighestFormat = 255;  // what no Tidemark will ever write is damage

struct Table {
  std::string_view name;
  std::string_view sql;  // word for word what sqlite_schema says afterwards
  int since = 1;         // format
};

/// By name, as sqlite_schema is read.
constexpr std::array<Table, 10> kTables{{
    {"api_keys",
     "CREATE TABLE api_keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, "
     "secret_hash TEXT NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, "
     "revoked_us INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID",
     3},
    {"counters",
     "CREATE TABLE counters (id INTEGER PRIMARY KEY CHECK (id = 1), last_object_id INTEGER NOT NULL, "
     "last_serial INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT"},
    {"iceberg_namespace_properties",
     "CREATE TABLE iceberg_namespace_properties (catalog_name TEXT NOT NULL, namespace TEXT NOT NULL, "
     "property_key TEXT NOT NULL, property_value TEXT NOT NULL, "
     "PRIMARY KEY (catalog_name, namespace, property_key)) STRICT, WITHOUT ROWID",
     2},
    {"iceberg_tables",
     "CREATE TABLE iceberg_tables (catalog_name TEXT NOT NULL, table_namespace TEXT NOT NULL, "
     "table_name TEXT NOT NULL, metadata_location TEXT, previous_metadata_location TEXT, iceberg_type TEXT, "
     "PRIMARY KEY (catalog_name, table_namespace, table_name)) STRICT, WITHOUT ROWID",
     2},
    {"notes",
     "CREATE TABLE notes (object_id INTEGER NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, "
     "crc INTEGER NOT NULL, PRIMARY KEY (object_id, name)) STRICT, WITHOUT ROWID"},
    {"objects",
     "CREATE TABLE objects (id INTEGER PRIMARY KEY, project TEXT NOT NULL, kind INTEGER NOT NULL, "
     "live_name TEXT, version INTEGER NOT NULL, created_us INTEGER NOT NULL, crc INTEGER NOT NULL, "
     "UNIQUE (project, kind, live_name)) STRICT"},
    {"offline_tables",
     "CREATE TABLE offline_tables (id INTEGER PRIMARY KEY, catalog_name TEXT NOT NULL, "
     "table_namespace TEXT NOT NULL, table_name TEXT NOT NULL, crc INTEGER NOT NULL) STRICT",
     2},
    {"projects",
     "CREATE TABLE projects (name TEXT PRIMARY KEY, serial INTEGER NOT NULL, live_objects INTEGER NOT NULL, "
     "crc INTEGER NOT NULL) STRICT, WITHOUT ROWID"},
    {"table_folders", "CREATE TABLE table_folders (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL) STRICT", 4},
    {"versions",
     "CREATE TABLE versions (object_id INTEGER NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, "
     "document TEXT NOT NULL, updated_us INTEGER NOT NULL, removed INTEGER NOT NULL, crc INTEGER NOT NULL, "
     "PRIMARY KEY (object_id, version)) STRICT, WITHOUT ROWID"},
}};

Error SystemError(const std::string& path, std::string_view doing, int system_errno) {
  const bool is_full = IsDiskFull(system_errno);
  return {is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
          fmt::format("registry '{}' cannot be made: {}: {}. {}", path, doing, std::strerror(system_errno),
                      is_full ? "Free some space and try again"
                              : "Check that its folder exists and that this user may write there"),
          {}};
}

Result<void> WriteAndSync(const std::string& path, const std::string& temporary,
                          std::span<const std::byte> bytes) {
  const FileDescriptor file(::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  if (!file.is_open()) return std::unexpected(SystemError(path, "making a file in its folder", errno));
  const int error = WriteAll(file, bytes);
  if (error != 0) return std::unexpected(SystemError(path, "writing", error));
  if (::fsync(file.get()) != 0) return std::unexpected(SystemError(path, "syncing", errno));
  return {};
}

/// Gives `temporary` the name `path` unless another process was first, whose file then stays.
Result<void> Publish(const std::string& path, const std::string& temporary) {
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    int failure = errno;
    // Some network file systems know no such rename; a hard link has the same effect.
    if (failure == EINVAL) failure = ::link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
    ::unlink(temporary.c_str());
    if (failure != 0 && failure != EEXIST) return std::unexpected(SystemError(path, "naming it", failure));
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int error = SyncPath(folder.empty() ? "." : folder.string());
  if (error != 0) return std::unexpected(SystemError(path, "syncing its folder", error));
  return {};
}

/// Makes an empty registry whole under another name and then names it: nobody ever sees half of one, so an
/// empty file at `path` can only be a damaged registry.
Result<void> MakeRegistryFile(const std::string& path) {
  // SQLite would play the journal of a vanished registry into the new one.
  const std::string journal = path + "-journal";
  if (::access(journal.c_str(), F_OK) == 0) {
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("there is no registry at '{}', but its journal '{}' is there. Put the registry back, or "
                    "move the journal away too to begin with an empty registry",
                    path, journal));
  }
  TM_ASSIGN(const Connection memory, Connection::OpenMemory());
  TM_TRY(memory.Execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
  TM_TRY(memory.Execute(fmt::format("PRAGMA user_version = {}", kFormatVersion)));
  for (const Table& table : kTables)
    TM_TRY(memory.Execute(table.sql));
  TM_TRY(memory.Execute("INSERT INTO counters VALUES (1, 0, 0, ?)", RowChecksum("counters", 0, 0)));

  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, decltype(&sqlite3_free)> image(
      sqlite3_serialize(memory.handle(), "main", &size, 0), &sqlite3_free);
  if (!image) return Fail(ErrorCode::kOutOfSpace, "no memory left to make a registry");
  std::random_device random;
  const std::string temporary = fmt::format("{}.new-{:08x}{:08x}", path, random(), random());
  if (auto written = WriteAndSync(path, temporary,
                                  std::as_bytes(std::span(image.get(), static_cast<std::size_t>(size))));
      !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return Publish(path, temporary);
}

/// Whether the table that every registry has from its first moment on is there.
Result<bool> HasCounters(const Connection& connection) {
  for (const Table& table : kTables) {
    if (table.name != "counters") continue;
    TM_ASSIGN(Statement found, connection.Prepare("SELECT 1 FROM sqlite_schema WHERE sql = ?", table.sql));
    return found.Step();
  }
  return false;
}

Result<void> CheckIdentity(const Connection& connection) {
  TM_ASSIGN(const std::int64_t application, connection.QueryInt64("PRAGMA application_id"));
  if (application != kApplicationId) {
    TM_ASSIGN(const bool has_our_tables, HasCounters(connection));
    if (has_our_tables) {
      return std::unexpected(connection.Damaged(fmt::format("its application id is {:#x}", application)));
    }
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' is an SQLite database, but not a Tidemark registry (application id {:#x}, not "
                    "{:#x}); it was left as it is. Give the registry another path",
                    connection.path(), application, kApplicationId));
  }
  TM_ASSIGN(const std::int64_t format, connection.QueryInt64("PRAGMA user_version"));
  if (format > kHighestFormat) {
    return std::unexpected(connection.Damaged(fmt::format("its format is {}", format)));
  }
  if (format > kFormatVersion) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("registry '{}' has format {}, and this Tidemark reads up to format {}: a newer Tidemark "
                    "wrote it. Use that version or a later one",
                    connection.path(), format, kFormatVersion));
  }
  if (format < 1) return std::unexpected(connection.Damaged(fmt::format("its format is {}", format)));
  return {};
}

Result<void> Configure(const Connection& connection) {
  // A file that this user may not write can still be read; a write then says so.
  if (sqlite3_db_readonly(connection.handle(), "main") == 0) {
    TM_ASSIGN(Statement mode, connection.Prepare("PRAGMA journal_mode = DELETE"));
    TM_ASSIGN(const bool has_mode, mode.Step());
    if (!has_mode || mode.Text(0) != "delete") {
      return Fail(
          ErrorCode::kBusy,
          fmt::format("registry '{}' is in journal mode {} and cannot be changed to delete; close the other "
                      "programs that have it open and try again",
                      connection.path(), has_mode ? mode.Text(0) : "?"));
    }
  }
  // EXTRA is FULL and a sync of the folder after the journal is removed: without it a power loss can bring
  // the journal back, and with it undo a change that was acknowledged.
  TM_TRY(connection.Execute("PRAGMA synchronous = EXTRA"));
  TM_TRY(connection.Execute("PRAGMA trusted_schema = OFF"));
  TM_TRY(connection.Execute("PRAGMA cell_size_check = ON"));
  return connection.Execute("PRAGMA temp_store = MEMORY");
}

Result<void> CheckTables(const Connection& connection, std::int64_t format) {
  TM_ASSIGN(Statement schema,
            connection.Prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"));
  for (const Table& table : kTables) {
    if (table.since > format) continue;
    TM_ASSIGN(const bool has_row, schema.Step());
    if (!has_row || schema.Text(0) != table.name || schema.Text(1) != table.sql) {
      return std::unexpected(
          connection.Damaged(fmt::format("its table {} is not as it was made", table.name)));
    }
  }
  TM_ASSIGN(const bool has_more, schema.Step());
  if (has_more) {
    return std::unexpected(connection.Damaged(fmt::format("'{}' does not belong in it", schema.Text(0))));
  }
  return {};
}

Result<void> CheckSays(const Connection& connection, std::string_view check) {
  TM_ASSIGN(Statement said, connection.Prepare(check));
  TM_ASSIGN(const bool has_row, said.Step());
  if (!has_row) return std::unexpected(connection.Damaged("it cannot be checked"));
  if (said.Text(0) != "ok") return std::unexpected(connection.Damaged(said.Text(0)));
  return {};
}

/// A file that was cut within its last page can still pass for whole.
Result<void> CheckSize(const Connection& connection) {
  TM_ASSIGN(const std::int64_t pages, connection.QueryInt64("PRAGMA page_count"));
  TM_ASSIGN(const std::int64_t page_bytes, connection.QueryInt64("PRAGMA page_size"));
  struct stat found{};
  if (::stat(connection.path().c_str(), &found) != 0) {
    return std::unexpected(SystemError(connection.path(), "looking at its size", errno));
  }
  if (found.st_size == pages * page_bytes) return {};
  return std::unexpected(connection.Damaged(
      fmt::format("it is {} bytes long and should be {}", found.st_size, pages * page_bytes)));
}

Result<void> CheckProjects(const Connection& connection) {
  TM_ASSIGN(Statement projects, connection.Prepare("SELECT name, serial, live_objects, crc FROM projects"));
  while (true) {
    TM_ASSIGN(const bool has_row, projects.Step());
    if (!has_row) break;
    if (RowChecksum("projects", projects.Text(0), projects.Int64(1), projects.Int64(2)) !=
        projects.Int64(3)) {
      return std::unexpected(connection.Damaged("the checksum of a project does not hold"));
    }
  }
  return {};
}

Result<void> CheckOfflineTables(const Connection& connection) {
  TM_ASSIGN(Statement tables,
            connection.Prepare("SELECT id, catalog_name, table_namespace, table_name, crc FROM "
                               "offline_tables"));
  while (true) {
    TM_ASSIGN(const bool has_row, tables.Step());
    if (!has_row) return {};
    if (RowChecksum("offline_tables", tables.Int64(0), tables.Text(1), tables.Text(2), tables.Text(3)) !=
        tables.Int64(4)) {
      return std::unexpected(
          connection.Damaged(fmt::format("the checksum of table {} does not hold", tables.Int64(0))));
    }
  }
}

/// A row whose key was damaged would not be found again, so no lookup would miss it: every row is looked at.
Result<void> CheckRows(const Connection& connection, std::int64_t format) {
  TM_ASSIGN(Statement notes, connection.Prepare("SELECT object_id, name, document, crc FROM notes"));
  while (true) {
    TM_ASSIGN(const bool has_row, notes.Step());
    if (!has_row) break;
    if (RowChecksum("notes", notes.Int64(0), notes.Text(1), notes.Text(2)) != notes.Int64(3)) {
      return std::unexpected(connection.Damaged(
          fmt::format("the checksum of a note of object {} does not hold", notes.Int64(0))));
    }
  }
  TM_TRY(CheckProjects(connection));
  if (format < 2) return {};
  return CheckOfflineTables(connection);
}

/// All that is checked of a file that says that it is ours, at one moment.
Result<void> CheckContent(const Connection& connection) {
  TM_ASSIGN(Transaction transaction, Transaction::Begin(connection, Transaction::Kind::kRead));
  TM_ASSIGN(const std::int64_t format, connection.QueryInt64("PRAGMA user_version"));
  TM_TRY(CheckTables(connection, format));
  TM_TRY(CheckSays(connection, "PRAGMA quick_check(1)"));
  TM_TRY(CheckSays(connection, "PRAGMA integrity_check(objects)"));  // its index, by which names are unique
  TM_TRY(CheckSize(connection));
  TM_TRY(CheckRows(connection, format));
  return transaction.Commit();
}

/// Brings a file of an older format, which was checked, to this one: all of it or nothing. A file that can
/// only be read stays as it is.
Result<void> Migrate(const Connection& connection) {
  TM_ASSIGN(const std::int64_t before, connection.QueryInt64("PRAGMA user_version"));
  if (before >= kFormatVersion || sqlite3_db_readonly(connection.handle(), "main") == 1) return {};
  TM_ASSIGN(Transaction transaction, Transaction::Begin(connection, Transaction::Kind::kWrite));
  // Another process may have been first.
  TM_ASSIGN(const std::int64_t format, connection.QueryInt64("PRAGMA user_version"));
  for (const Table& table : kTables) {
    if (table.since > format) TM_TRY(connection.Execute(table.sql));
  }
  TM_TRY(connection.Execute(fmt::format("PRAGMA user_version = {}", kFormatVersion)));
  return transaction.Commit();
}

Result<void> CheckAndConfigure(const Connection& connection) {
  TM_TRY(CheckIdentity(connection));
  TM_TRY(Configure(connection));
  TM_TRY(CheckContent(connection));
  auto migrated = Migrate(connection);
  // Nothing was changed: what needs the new tables says so.
  if (!migrated && migrated.error().code == ErrorCode::kIo) return {};
  return migrated;
}

}  // namespace

Result<Connection> OpenRegistryFile(const std::string& path, int busy_timeout_ms) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "the registry's path is empty or has a zero byte in it");
  }
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno != ENOENT) return std::unexpected(SystemError(path, "looking for it", errno));
    TM_TRY(MakeRegistryFile(path));
  } else if (S_ISREG(found.st_mode) && found.st_size < kSqliteHeaderBytes) {
    // SQLite takes it for a database without tables.
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("registry '{}' is damaged: the file {}. Restore it from a backup; if there never "
                    "was anything in it, remove it and try again",
                    path,
                    found.st_size == 0 ? "is empty" : fmt::format("ends after {} bytes", found.st_size)));
  }
  TM_ASSIGN(Connection connection, Connection::Open(path, busy_timeout_ms));
  if (auto checked = CheckAndConfigure(connection); !checked) {
    // SQLite has no code of its own for some damage: a schema it cannot read is an error like a misspelt
    // query.
    if (checked.error().code != ErrorCode::kInternal) return std::unexpected(std::move(checked).error());
    return std::unexpected(connection.Damaged(checked.error().message));
  }
  return connection;
}

}  // namespace tidemark::sqlite
