// BEGIN; the name; a bulk insert into a temporary table; INSERT ... SELECT with casts; COMMIT.
#include "adapters/adbc/warehouse_tables.h"

#include <arrow/array/array_binary.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "adapters/adbc/sql_dialect_internal.h"
#include "adapters/adbc/warehouse_session_internal.h"
#include "base/result.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::string_view kRowsTable = "tidemark_rows";  // temporary: of one session
constexpr SqlDialect kDialect = SqlDialect::kPostgreSql;
constexpr std::size_t kSessionsKeptMax = 8;

using Session = std::unique_ptr<WarehouseSession>;

std::vector<std::string> TextsOf(const arrow::Table& table, int column) {
  std::vector<std::string> texts;
  for (const auto& chunk : table.column(column)->chunks()) {
    const auto& values = static_cast<const arrow::StringArray&>(*chunk);
    for (std::int64_t row = 0; row < values.length(); ++row)
      texts.push_back(values.GetString(row));
  }
  return texts;
}

/// The table with another name beside it.
std::string Beside(const Warehouse& warehouse, std::string_view name) {
  Warehouse other = warehouse;
  other.table = name;
  return QuotedTable(kDialect, other);
}

class WarehouseTables final : public SourceFolders {
 public:
  explicit WarehouseTables(std::vector<std::filesystem::path> driver_folders)
      : driver_folders_(std::move(driver_folders)) {}

  Result<void> Check(const BatchSource& source, const arrow::Schema& /*rows*/) const override {
    const Warehouse& warehouse = *source.warehouse;
    if (!warehouse.query.empty()) {
      return Fail(ErrorCode::kUnsupported,
                  "the source is a query, to which no rows can be added: name a table");
    }
    if (DialectOf(warehouse) != kDialect || warehouse.kind == WarehouseKind::kRedshift) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("rows are added to tables of PostgreSQL, and not to those of {}: load them by its "
                      "own tools",
                      warehouse.kind == WarehouseKind::kAdbc
                          ? warehouse.driver_name()
                          : std::string(WarehouseKindName(warehouse.kind))));
    }
    TM_ASSIGN(Session session, Take(warehouse));
    Keep(warehouse, std::move(session));
    return {};
  }

  Result<std::optional<std::int64_t>> Add(const BatchSource& source, const SourceFileName& name,
                                          arrow::RecordBatchReader& rows) const override {
    const Warehouse& warehouse = *source.warehouse;
    TM_ASSIGN(Session session, Take(warehouse));
    TM_TRY(MakeWritesTable(*session, warehouse));
    TM_TRY(session->Execute("BEGIN"));
    auto written = Write(*session, warehouse, name, rows);
    const bool is_new = written && written->has_value();
    if (!is_new) {  // a session that is lost takes its transaction with it
      if (session->Execute("ROLLBACK")) Keep(warehouse, std::move(session));
      return written;
    }
    if (auto committed = session->Execute("COMMIT"); !committed) {
      return std::unexpected(
          Error{ErrorCode::kUnknownFate,
                fmt::format("whether the rows were committed is not known: {}", committed.error().message),
                committed.error().context});
    }
    Keep(warehouse, std::move(session));
    return written;
  }

  Result<std::vector<std::string>> Names(const BatchSource& source) const override {
    const Warehouse& warehouse = *source.warehouse;
    TM_ASSIGN(Session session, Take(warehouse));
    TM_ASSIGN(const bool is_there, HasWritesTable(*session, warehouse));
    std::vector<std::string> names;
    if (is_there) {
      TM_ASSIGN(const auto table,
                session->Ask(fmt::format("SELECT name::text FROM {} WHERE target = {}",
                                         Beside(warehouse, kWritesTable), Target(warehouse))));
      names = TextsOf(*table, 0);
    }
    Keep(warehouse, std::move(session));
    return names;
  }

  /// A transaction leaves nothing.
  Result<void> RemoveRemains(const BatchSource&, const std::string&) const override { return {}; }

 private:
  /// A session that answers: a kept one, or a new one.
  Result<Session> Take(const Warehouse& warehouse) const {
    Session kept;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = kept_.find(KeyOf(warehouse)); found != kept_.end()) {
        kept = std::move(found->second);
        kept_.erase(found);
      }
    }
    if (kept != nullptr) {
      kept->Restart();
      if (kept->Execute("SELECT 1")) return kept;
    }
    TM_ASSIGN(Session session, WarehouseSession::Open(warehouse, driver_folders_, {}));
    // Times that have no zone in the table are UTC.
    TM_TRY(session->Execute("SET TimeZone = 'UTC'"));
    return session;
  }

  void Keep(const Warehouse& warehouse, Session session) const {
    const std::lock_guard lock(mutex_);
    if (kept_.size() < kSessionsKeptMax) kept_.insert_or_assign(KeyOf(warehouse), std::move(session));
  }

  static std::string KeyOf(const Warehouse& warehouse) {
    std::string key = warehouse.driver_name() + '\n' + warehouse.uri + '\n' + warehouse.place();
    for (const auto& [name, value] : warehouse.options)
      key += fmt::format("\n{}={}", name, value);
    return key;
  }

  static std::string Target(const Warehouse& warehouse) {
    return QuotedText(kDialect, QuotedTable(kDialect, warehouse));
  }

  static Result<bool> HasWritesTable(WarehouseSession& session, const Warehouse& warehouse) {
    TM_ASSIGN(const auto found,
              session.Ask(fmt::format("SELECT coalesce(to_regclass({})::text, '')",
                                      QuotedText(kDialect, Beside(warehouse, kWritesTable)))));
    const auto texts = TextsOf(*found, 0);
    return !texts.empty() && !texts.front().empty();
  }

  /// Apart from the transaction: who makes it at the same time would wait for ours to end.
  static Result<void> MakeWritesTable(WarehouseSession& session, const Warehouse& warehouse) {
    TM_ASSIGN(const bool is_there, HasWritesTable(session, warehouse));
    if (is_there) return {};
    const auto made = session.Execute(fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (target text NOT NULL, name text NOT NULL, written_at timestamptz NOT "
        "NULL DEFAULT now(), PRIMARY KEY (target, name))",
        Beside(warehouse, kWritesTable)));
    if (made) return {};
    TM_ASSIGN(const bool is_there_now, HasWritesTable(session, warehouse));  // another was first
    if (is_there_now) return {};
    Error error = made.error();
    error.message = fmt::format("the table {}, which says what has been written, cannot be made: {}",
                                Beside(warehouse, kWritesTable), error.message);
    return std::unexpected(std::move(error));
  }

  /// Within a transaction. Nothing if the name is there already.
  static Result<std::optional<std::int64_t>> Write(WarehouseSession& session, const Warehouse& warehouse,
                                                   const SourceFileName& file,
                                                   arrow::RecordBatchReader& rows) {
    const std::string& name = file.name;
    TM_ASSIGN(const auto named,
              session.Ask(fmt::format(
                  "INSERT INTO {} (target, name) VALUES ({}, {}) ON CONFLICT DO NOTHING RETURNING name::text",
                  Beside(warehouse, kWritesTable), Target(warehouse), QuotedText(kDialect, name))));
    if (named->num_rows() == 0) return std::nullopt;
    TM_ASSIGN(const std::string columns, CastColumns(session, warehouse, *rows.schema()));
    // The reader is the caller's: it lives until the insert ends.
    const std::shared_ptr<arrow::RecordBatchReader> lent(&rows, [](arrow::RecordBatchReader*) {});
    AdbcIngest into{.table = std::string(kRowsTable)};
    into.temporary = true;
    TM_TRY(session.Ingest(into, lent));
    std::vector<std::string> names;
    for (const auto& field : rows.schema()->fields())
      names.push_back(QuotedName(kDialect, field->name()));
    TM_ASSIGN(const std::int64_t written,
              session.Execute(fmt::format("INSERT INTO {} ({}) SELECT {} FROM pg_temp.{}",
                                          QuotedTable(kDialect, warehouse), fmt::join(names, ", "), columns,
                                          QuotedName(kDialect, kRowsTable))));
    TM_TRY(session.Execute(fmt::format("DROP TABLE pg_temp.{}", QuotedName(kDialect, kRowsTable))));
    if (const std::string end = file.end == nullptr ? "" : file.end(); !end.empty()) {
      TM_TRY(session.Execute(fmt::format("UPDATE {} SET name = {} WHERE target = {} AND name = {}",
                                         Beside(warehouse, kWritesTable), QuotedText(kDialect, name + end),
                                         Target(warehouse), QuotedText(kDialect, name))));
    }
    return written;
  }

  /// The rows' columns as the table has them. Without the length that a type may have: the server then
  /// refuses what is too long, where a cast would cut it.
  static Result<std::string> CastColumns(WarehouseSession& session, const Warehouse& warehouse,
                                         const arrow::Schema& rows) {
    TM_ASSIGN(const auto table,
              session.Ask(fmt::format("SELECT attname::text, format_type(atttypid, NULL)::text FROM "
                                      "pg_attribute WHERE attrelid = {}::regclass AND attnum > 0 AND NOT "
                                      "attisdropped ORDER BY attnum",
                                      Target(warehouse))));
    const std::vector<std::string> names = TextsOf(*table, 0);
    const std::vector<std::string> types = TextsOf(*table, 1);
    std::vector<std::string> casts;
    for (const auto& field : rows.fields()) {
      const auto found = std::ranges::find(names, field->name());
      if (found == names.end()) {
        return Fail(ErrorCode::kNotFound, fmt::format("the table {} has no column {}{}; its columns are: {}",
                                                      warehouse.place(), Quoted(field->name()),
                                                      Suggest(field->name(), names), fmt::join(names, ", ")));
      }
      const std::string& type = types[static_cast<std::size_t>(found - names.begin())];
      if (type == "date" && field->type()->id() == arrow::Type::TIMESTAMP) {
        return Fail(ErrorCode::kTypeMismatch,
                    fmt::format("column {} of the table {} is a date, which would lose the time of day: make "
                                "it a timestamp",
                                Quoted(field->name()), warehouse.place()));
      }
      casts.push_back(fmt::format("CAST({} AS {})", QuotedName(kDialect, field->name()), type));
    }
    return fmt::format("{}", fmt::join(casts, ", "));
  }

  const std::vector<std::filesystem::path> driver_folders_;
  mutable std::mutex mutex_;  // guards kept_
  mutable std::map<std::string, Session> kept_;
};

}  // namespace

std::shared_ptr<SourceFolders> OpenWarehouseTables(std::vector<std::filesystem::path> driver_folders) {
  return std::make_shared<WarehouseTables>(std::move(driver_folders));
}

}  // namespace tidemark
