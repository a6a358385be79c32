// Iceberg's catalog tables, and beside them which of their rows are Tidemark's.
#include "adapters/sqlite/sqlite_table_catalog.h"

#include <fmt/format.h>

#include <mutex>

#include "adapters/sqlite/known_serials_internal.h"
#include "adapters/sqlite/registry_file_internal.h"
#include "adapters/sqlite/row_checksum_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

using sqlite::Connection;
using sqlite::RowChecksum;
using sqlite::Statement;
using sqlite::Transaction;

constexpr std::string_view kUnlistedSuffix = "_unlisted";

/// A row of offline_tables: which row of iceberg_tables is a table's.
struct OwnedRow {
  TableId id = 0;
  std::string catalog;
  std::string database;
  std::string name;
  std::int64_t Checksum() const { return RowChecksum("offline_tables", id, catalog, database, name); }
};

/// The folder of a table whose metadata is at `location`, FOLDER/metadata/NAME.
std::string_view FolderOf(std::string_view location) {
  for (int level = 0; level < 2; ++level)
    location = location.substr(0, location.find_last_of('/'));
  return location;
}

std::int64_t FolderChecksum(TableId id, std::string_view location) {
  return RowChecksum("table_folders", id, FolderOf(location));
}

std::string FullName(std::string_view database, std::string_view name) {
  return fmt::format("{}.{}", database, name);
}

class SqliteTableCatalog final : public TableCatalog {
 public:
  SqliteTableCatalog(Connection connection, std::string catalog_name)
      : connection_(std::move(connection)),
        file_(sqlite3_db_filename(connection_.handle(), "main")),
        listed_(std::move(catalog_name)),
        unlisted_(listed_ + std::string(kUnlistedSuffix)) {}

  Result<void> Add(const CatalogEntry& entry) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<void> {
      TM_ASSIGN(const auto owned, Owned(entry.id));
      if (owned) {
        return Fail(ErrorCode::kAlreadyExists, fmt::format("table {} is in the catalog already, as '{}'",
                                                           entry.id, FullName(owned->database, owned->name)));
      }
      TM_TRY(CheckFree(entry.id, entry.name));
      TM_TRY(MakeDatabase(CatalogOf(entry.name), entry.name.database));
      TM_TRY(Own({entry.id, CatalogOf(entry.name), entry.name.database, entry.name.name}));
      TM_TRY(KeepFolder(entry.id, entry.metadata_location));
      return connection_.Execute(
          "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, "
          "previous_metadata_location, iceberg_type) VALUES (?, ?, ?, ?, NULL, 'TABLE')",
          CatalogOf(entry.name), entry.name.database, entry.name.name, entry.metadata_location);
    });
  }

  Result<CatalogEntry> Get(TableId id) const override {
    const auto stamp = file_.Stamp();
    if (stamp) {
      if (auto known = known_.Find(*stamp, id)) return *std::move(known);
    }
    const bool is_settled = stamp && stamp->IsSettled();
    TM_ASSIGN(CatalogEntry entry, In(Transaction::Kind::kRead, [&]() -> Result<CatalogEntry> {
                TM_ASSIGN(const OwnedRow row, MustOwn(id));
                TM_ASSIGN(const auto location, OwnLocation(row));
                if (!location) return std::unexpected(Gone(row));
                return EntryOf(row, *location);
              }));
    if (is_settled) known_.Remember(*stamp, id, entry);
    return entry;
  }

  Result<std::vector<CatalogEntry>> List() const override {
    return In(Transaction::Kind::kRead, [&]() -> Result<std::vector<CatalogEntry>> {
      TM_ASSIGN(Statement read,
                connection_.Prepare("SELECT id, catalog_name, table_namespace, table_name, crc FROM "
                                    "offline_tables ORDER BY id"));
      std::vector<CatalogEntry> entries;
      while (true) {
        TM_ASSIGN(const bool has_row, read.Step());
        if (!has_row) return entries;
        TM_ASSIGN(const OwnedRow row, ReadOwned(read));
        TM_ASSIGN(const auto location, OwnLocation(row));
        entries.push_back(EntryOf(row, location.value_or("")));
      }
    });
  }

  Result<std::string> FindLocation(std::string_view database, std::string_view name) const override {
    return In(Transaction::Kind::kRead, [&]() -> Result<std::string> {
      TM_ASSIGN(auto location, Location(listed_, database, name));
      if (location) return *std::move(location);
      return Fail(ErrorCode::kNotFound, fmt::format("the catalog '{}' of '{}' has no table '{}'", listed_,
                                                    connection_.path(), FullName(database, name)));
    });
  }

  Result<bool> Swap(TableId id, std::string_view expected, std::string_view next) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<bool> {
      TM_ASSIGN(const OwnedRow row, MustOwn(id));
      TM_ASSIGN(const auto location, OwnLocation(row));
      if (!location) return std::unexpected(Gone(row));
      if (*location != expected) return false;
      if (FolderOf(next) != FolderOf(expected)) TM_TRY(KeepFolder(id, next));
      TM_TRY(connection_.Execute(
          "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? WHERE "
          "catalog_name = ? AND table_namespace = ? AND table_name = ?",
          next, expected, row.catalog, row.database, row.name));
      return true;
    });
  }

  Result<void> Rename(TableId id, const TableName& name) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<void> {
      TM_ASSIGN(const OwnedRow row, MustOwn(id));
      TM_ASSIGN(const auto location, OwnLocation(row));
      if (!location) return std::unexpected(Gone(row));
      TM_TRY(CheckFree(id, name));
      TM_TRY(MakeDatabase(CatalogOf(name), name.database));
      TM_TRY(connection_.Execute(
          "UPDATE iceberg_tables SET catalog_name = ?, table_namespace = ?, table_name = ? WHERE "
          "catalog_name = ? AND table_namespace = ? AND table_name = ?",
          CatalogOf(name), name.database, name.name, row.catalog, row.database, row.name));
      TM_TRY(connection_.Execute("DELETE FROM offline_tables WHERE id = ?", id));
      return Own({id, CatalogOf(name), name.database, name.name});
    });
  }

  Result<void> Remove(TableId id) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<void> {
      TM_ASSIGN(const auto row, Owned(id));
      if (!row) return {};
      TM_TRY(connection_.Execute(
          "DELETE FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
          row->catalog, row->database, row->name));
      TM_TRY(connection_.Execute("DELETE FROM table_folders WHERE id = ?", id));
      return connection_.Execute("DELETE FROM offline_tables WHERE id = ?", id);
    });
  }

  Result<std::vector<std::string>> Databases() const override {
    return In(Transaction::Kind::kRead, [&]() -> Result<std::vector<std::string>> {
      TM_ASSIGN(Statement read,
                connection_.Prepare("SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = "
                                    "?1 UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name "
                                    "= ?1 ORDER BY 1",
                                    listed_));
      std::vector<std::string> names;
      while (true) {
        TM_ASSIGN(const bool has_row, read.Step());
        if (!has_row) return names;
        names.emplace_back(read.Text(0));
      }
    });
  }

  Result<void> CreateDatabase(std::string_view name) override {
    return In(Transaction::Kind::kWrite, [&] { return MakeDatabase(listed_, name); });
  }

  Result<void> DropDatabase(std::string_view name) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<void> {
      TM_ASSIGN(Statement read,
                connection_.Prepare("SELECT table_name FROM iceberg_tables WHERE catalog_name IN (?, ?) AND "
                                    "table_namespace = ? ORDER BY table_name LIMIT 1",
                                    listed_, unlisted_, name));
      TM_ASSIGN(const bool has_row, read.Step());
      if (has_row) {
        return Fail(
            ErrorCode::kInvalidArgument,
            fmt::format("database '{}' has tables, '{}' for one: drop them first", name, read.Text(0)));
      }
      return connection_.Execute(
          "DELETE FROM iceberg_namespace_properties WHERE catalog_name IN (?, ?) AND namespace = ?", listed_,
          unlisted_, name);
    });
  }

 private:
  /// Runs `body` alone in one transaction, which is committed if it succeeds.
  template <typename Body>
  std::invoke_result_t<Body> In(Transaction::Kind kind, const Body& body) const {
    const std::lock_guard lock(mutex_);
    TM_ASSIGN(Transaction transaction, Transaction::Begin(connection_, kind));
    auto result = body();
    if (!result) return result;
    TM_TRY(transaction.Commit());
    return result;
  }

  const std::string& CatalogOf(const TableName& name) const { return name.listed ? listed_ : unlisted_; }

  CatalogEntry EntryOf(const OwnedRow& row, std::string_view location) const {
    return {.id = row.id,
            .name = {.database = row.database, .name = row.name, .listed = row.catalog != unlisted_},
            .metadata_location = std::string(location)};
  }

  Error Gone(const OwnedRow& row) const {
    return {ErrorCode::kNotFound,
            fmt::format("table '{}' is not in the catalog '{}' of '{}' any more: another program dropped or "
                        "renamed it. Give it that name again there, or drop the table here",
                        FullName(row.database, row.name), row.catalog, connection_.path()),
            {}};
  }

  Result<OwnedRow> ReadOwned(const Statement& read) const {
    OwnedRow row{.id = static_cast<TableId>(read.Int64(0)),
                 .catalog = std::string(read.Text(1)),
                 .database = std::string(read.Text(2)),
                 .name = std::string(read.Text(3))};
    if (row.Checksum() == read.Int64(4)) return row;
    return std::unexpected(connection_.Damaged(
        fmt::format("the checksum of table {} in table offline_tables does not hold", row.id)));
  }

  Result<std::optional<OwnedRow>> Owned(TableId id) const {
    TM_ASSIGN(Statement read, connection_.Prepare("SELECT id, catalog_name, table_namespace, table_name, crc "
                                                  "FROM offline_tables WHERE id = ?",
                                                  id));
    TM_ASSIGN(const bool has_row, read.Step());
    if (!has_row) return std::nullopt;
    TM_ASSIGN(OwnedRow row, ReadOwned(read));
    return row;
  }

  Result<OwnedRow> MustOwn(TableId id) const {
    TM_ASSIGN(auto row, Owned(id));
    if (row) return *std::move(row);
    return Fail(ErrorCode::kNotFound,
                fmt::format("the catalog in '{}' has no table with id {}", connection_.path(), id));
  }

  Result<void> Own(const OwnedRow& row) const {
    return connection_.Execute(
        "INSERT INTO offline_tables (id, catalog_name, table_namespace, table_name, crc) VALUES (?, ?, ?, ?, "
        "?)",
        row.id, row.catalog, row.database, row.name, row.Checksum());
  }

  Result<void> KeepFolder(TableId id, std::string_view location) const {
    return connection_.Execute("INSERT OR REPLACE INTO table_folders (id, crc) VALUES (?, ?)", id,
                               FolderChecksum(id, location));
  }

  /// Where a table of ours has its metadata. Another program that commits to it leaves it in its folder.
  Result<std::optional<std::string>> OwnLocation(const OwnedRow& row) const {
    TM_ASSIGN(auto location, Location(row.catalog, row.database, row.name));
    TM_ASSIGN(Statement kept, connection_.Prepare("SELECT crc FROM table_folders WHERE id = ?", row.id));
    TM_ASSIGN(const bool has_row, kept.Step());  // a table of an older format has none before it is moved
    if (!location) {
      TM_TRY(CheckNotElsewhere(row, has_row ? std::optional(kept.Int64(0)) : std::nullopt));
      return std::nullopt;
    }
    if (!has_row || kept.Int64(0) == FolderChecksum(row.id, *location)) return location;
    return std::unexpected(
        connection_.Damaged(fmt::format("the folder of table '{}' in its location '{}' is not that which "
                                        "was written",
                                        FullName(row.database, row.name), *location)));
  }

  /// kCorruption if a row of the catalog could be that of a table which has none: it has the table's folder
  /// or its name, or no location that a table can have.
  Result<void> CheckNotElsewhere(const OwnedRow& row, std::optional<std::int64_t> folder_checksum) const {
    TM_ASSIGN(Statement read,
              connection_.Prepare("SELECT catalog_name, table_namespace, table_name, metadata_location FROM "
                                  "iceberg_tables"));
    while (true) {
      TM_ASSIGN(const bool has_row, read.Step());
      if (!has_row) return {};
      const std::string_view location = read.Text(3);
      const bool has_folder = folder_checksum && FolderChecksum(row.id, location) == *folder_checksum;
      const bool has_name =
          read.Text(0) == row.catalog && read.Text(1) == row.database && read.Text(2) == row.name;
      const bool is_place = location.contains("/") && location.ends_with(".metadata.json");
      if (!has_folder && !has_name && is_place) continue;
      return std::unexpected(connection_.Damaged(fmt::format(
          "table '{}' is not in the catalog '{}', which has a row '{}' of '{}' that may be its: another "
          "program renamed it (give it its name again there), or the row is damaged",
          FullName(row.database, row.name), row.catalog, FullName(read.Text(1), read.Text(2)),
          read.Text(0))));
    }
  }

  Result<std::optional<std::string>> Location(std::string_view catalog, std::string_view database,
                                              std::string_view name) const {
    TM_ASSIGN(Statement read,
              connection_.Prepare("SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND "
                                  "table_namespace = ? AND table_name = ? AND (iceberg_type = 'TABLE' OR "
                                  "iceberg_type IS NULL)",
                                  catalog, database, name));
    TM_ASSIGN(const bool has_row, read.Step());
    if (has_row) return std::string(read.Text(0));
    TM_TRY(CheckGone(catalog, database, name));
    return std::nullopt;
  }

  /// Succeeds if there really is no such table: a row that the index does not lead to, or of a type that
  /// there is not, is damaged.
  Result<void> CheckGone(std::string_view catalog, std::string_view database, std::string_view name) const {
    TM_ASSIGN(Statement read,
              connection_.Prepare("SELECT 1 FROM iceberg_tables NOT INDEXED WHERE catalog_name = ? AND "
                                  "table_namespace = ? AND table_name = ? AND (iceberg_type IS NULL OR "
                                  "iceberg_type <> 'VIEW')",
                                  catalog, database, name));
    TM_ASSIGN(const bool has_row, read.Step());
    if (!has_row) return {};
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("the registry {} is damaged: its row of table '{}' cannot be found by its name, or "
                    "is no table. Restore the file from a backup",
                    connection_.path(), FullName(database, name)));
  }

  /// Succeeds if no table but `id` has the name, in either catalog; also none of another program.
  Result<void> CheckFree(TableId id, const TableName& name) const {
    TM_ASSIGN(
        Statement read,
        connection_.Prepare("SELECT t.table_namespace, t.table_name, o.id FROM iceberg_tables t LEFT JOIN "
                            "offline_tables o USING (catalog_name, table_namespace, table_name) WHERE "
                            "t.catalog_name IN (?, ?) AND lower(t.table_namespace) = ? AND "
                            "lower(t.table_name) = ?",
                            listed_, unlisted_, FoldName(name.database), FoldName(name.name)));
    while (true) {
      TM_ASSIGN(const bool has_row, read.Step());
      if (!has_row) return {};
      if (!read.IsNull(2) && read.Int64(2) == id) continue;
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("the catalog has a table '{}' already (names that differ only in case are the "
                              "same)",
                              FullName(read.Text(0), read.Text(1))));
    }
  }

  Result<void> MakeDatabase(std::string_view catalog, std::string_view name) const {
    TM_TRY(CheckName("database", name));
    // What Iceberg's own SQL catalogs write for a namespace without properties.
    return connection_.Execute(
        "INSERT OR IGNORE INTO iceberg_namespace_properties (catalog_name, namespace, property_key, "
        "property_value) VALUES (?, ?, 'exists', 'true')",
        catalog, name);
  }

  mutable std::mutex mutex_;  // over the connection
  Connection connection_;
  const sqlite::WatchedFile file_;  // by its full path, as the working directory may change
  const std::string listed_;
  const std::string unlisted_;
  mutable sqlite::KnownWhileUnwritten<TableId, CatalogEntry> known_;
};

}  // namespace

Result<std::unique_ptr<TableCatalog>> OpenSqliteTableCatalog(const SqliteTableCatalogOptions& options) {
  TM_ASSIGN(Connection connection, sqlite::OpenRegistryFile(options.path, options.busy_timeout_ms));
  TM_ASSIGN(const std::int64_t format, connection.QueryInt64("PRAGMA user_version"));
  if (format < sqlite::kFormatVersion) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("registry '{}' has format {} and can only be read, so the tables' catalog of format "
                    "{} cannot be added: open it once as a user who may write it",
                    options.path, format, sqlite::kFormatVersion));
  }
  return std::make_unique<SqliteTableCatalog>(std::move(connection), options.catalog_name);
}

}  // namespace tidemark
