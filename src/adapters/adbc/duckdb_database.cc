// Opening, locking, and the catalogs within.
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <system_error>
#include <utility>

#include "adapters/adbc/duckdb_database_internal.h"
#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/duckdb_views_internal.h"
#include "model/name.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

// Catalogs kept for further queries over the same tables, and how much of their rows.
constexpr std::size_t kCatalogsMax = 8;
constexpr std::int64_t kKeptRowsBytesMin = std::int64_t{32} << 20;
constexpr std::int64_t kKeptRowsShare = 8;     // of the memory limit, at most an eighth,
constexpr std::int64_t kKeptRowsShareMax = 4;  // or a fourth where that is less than kKeptRowsBytesMin
constexpr std::size_t kConnections = 4;        // that are made beforehand; more queries at a time are slower

std::int64_t RowsBytes(const std::vector<SqlTable>& tables) {
  std::int64_t bytes = 0;
  for (const SqlTable& table : tables) {
    if (table.rows != nullptr) bytes += arrow::util::TotalBufferSize(*table.rows);
  }
  return bytes;
}

// What decides whether a catalog serves other tables too; empty if it serves one query only.
std::string KeyOf(const std::vector<SqlTable>& tables) {
  std::string key;
  for (const SqlTable& table : tables) {
    if (table.identity.empty()) return {};
    for (const std::string* part : {&table.schema, &table.name, &table.identity})
      key += std::to_string(part->size()) + ":" + *part;
    if (table.up_to) key += "<" + std::to_string(table.up_to->us) + table.up_to->column;
    for (const std::string& alias : table.aliases)
      key += "," + std::to_string(alias.size()) + ":" + alias;
    key += ";";
  }
  return key;
}

Result<std::vector<std::string>> TextColumn(arrow::RecordBatchReader& reader, int index) {
  std::vector<std::string> values;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TM_TRY(FromArrowStatus(reader.ReadNext(&batch)));
    if (batch == nullptr) return values;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      TM_ASSIGN(const auto value, FromArrowResult(batch->column(index)->GetScalar(row)));
      values.push_back(value->ToString());
    }
  }
}

}  // namespace

struct DuckDbDatabase::Core {
  // A table of rows in memory; it goes when no catalog reads it any more.
  class Rows {
   public:
    Rows(std::shared_ptr<Core> core, std::string name) : core_(std::move(core)), name_(std::move(name)) {}
    ~Rows() { core_->Drop("DROP TABLE IF EXISTS " + name_); }
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;
    const std::string& name() const { return name_; }

   private:
    std::shared_ptr<Core> core_;
    std::string name_;
  };

  class Catalog final : public DuckDbCatalog {
   public:
    Catalog(std::shared_ptr<Core> core, std::string name) : core_(std::move(core)), name_(std::move(name)) {}
    ~Catalog() override { core_->Drop("DETACH " + name_); }
    Catalog(const Catalog&) = delete;
    Catalog& operator=(const Catalog&) = delete;
    const std::string& name() const override { return name_; }
    void Hold(std::shared_ptr<Rows> held) { rows_.push_back(std::move(held)); }

   private:
    std::shared_ptr<Core> core_;
    std::string name_;
    std::vector<std::shared_ptr<Rows>> rows_;
  };

  ~Core() {
    connections.clear();
    admin.reset();
    database.reset();
    if (options.spill_folder.empty()) return;
    std::error_code ignored;  // nobody is left to be told
    std::filesystem::remove_all(options.spill_folder, ignored);
  }

  Result<void> Run(const std::string& sql, const AdbcLimits& limits = {}) {
    TM_TRY(admin->Execute(sql, limits));
    return {};
  }

  // What cannot be dropped goes with the database, which then is kept for no other query.
  void Drop(const std::string& sql) {
    const std::lock_guard lock(mutex);
    if (const auto dropped = admin->Execute(sql); !dropped) is_spoiled = true;
  }

  Result<void> Configure();
  Result<void> MakeConnections();
  std::shared_ptr<AdbcConnection> TakeConnection();
  void GiveBack(std::shared_ptr<AdbcConnection> connection);
  Result<std::shared_ptr<Rows>> RowsOf(const std::shared_ptr<Core>& self, const SqlTable& table,
                                       const AdbcLimits& limits);
  Result<void> MakeViews(const std::shared_ptr<Core>& self, const std::vector<SqlTable>& tables,
                         Catalog& catalog, const AdbcLimits& limits);
  Result<void> MakeView(const SqlTable& table, const std::string& select, const Catalog& catalog,
                        std::set<std::string>& schemas);

  DuckDbDatabaseOptions options;
  std::atomic<bool> is_spoiled = false;
  std::shared_ptr<AdbcDatabase> database;
  // Of what follows. Recursive: a set of views that cannot be made is dropped while it is being made.
  std::recursive_mutex mutex;
  std::shared_ptr<AdbcConnection> admin;
  std::map<std::string, std::weak_ptr<Rows>> rows;  // by identity
  std::int64_t next_catalog = 1;
  std::int64_t next_rows = 1;
  std::mutex connections_mutex;
  std::vector<std::shared_ptr<AdbcConnection>> connections;  // that wait for a query
};

// What a result is buffered by is set for each connection, before nothing can be set any more: so they are
// made beforehand. Threads wait for the reader when the buffer is full, and one of DuckDB's own 1 MB always
// is.
Result<void> DuckDbDatabase::Core::MakeConnections() {
  if (options.result_bytes <= 0) return {};
  for (std::size_t i = 0; i < kConnections; ++i) {
    TM_ASSIGN(auto connection, database->Connect());
    TM_TRY(connection->Execute(fmt::format("SET streaming_buffer_size='{}B'", options.result_bytes)));
    connections.push_back(std::move(connection));
  }
  return {};
}

std::shared_ptr<AdbcConnection> DuckDbDatabase::Core::TakeConnection() {
  const std::lock_guard lock(connections_mutex);
  if (connections.empty()) return nullptr;
  auto taken = std::move(connections.back());
  connections.pop_back();
  return taken;
}

void DuckDbDatabase::Core::GiveBack(std::shared_ptr<AdbcConnection> connection) {
  const std::lock_guard lock(connections_mutex);
  connections.push_back(std::move(connection));
}

// In this order: files may be named only before access is closed, and nothing can be set afterwards.
Result<void> DuckDbDatabase::Core::Configure() {
  std::string allowed;
  for (const std::string& file : options.files) {
    const std::string pattern = PatternOf(file);
    allowed += (allowed.empty() ? "" : ", ") + QuotedText(file);
    if (pattern != file) allowed += ", " + QuotedText(pattern);
  }
  if (options.memory_bytes_max > 0) {
    TM_TRY(Run("SET memory_limit='" + std::to_string(options.memory_bytes_max) + "B'"));
  }
  if (options.threads > 0) TM_TRY(Run("SET threads=" + std::to_string(options.threads)));
  TM_TRY(Run("SET temp_directory=" + QuotedText(options.spill_folder.string())));
  for (const char* setting : {"SET GLOBAL TimeZone='UTC'", "SET autoinstall_known_extensions=false",
                              "SET autoload_known_extensions=false", "SET allow_community_extensions=false",
                              "SET enable_external_file_cache=false"}) {
    TM_TRY(Run(setting));
  }
  TM_TRY(Run("CREATE SCHEMA tidemark_functions"));
  TM_TRY(Run("CREATE SCHEMA tidemark_rows"));
  for (const std::string& statement : FunctionStatements("tidemark_functions"))
    TM_TRY(Run(statement));
  TM_TRY(Run("SET search_path='memory.main,memory.tidemark_functions'"));
  if (!allowed.empty()) TM_TRY(Run("SET allowed_paths=[" + allowed + "]"));
  TM_TRY(Run("SET enable_external_access=false"));
  TM_TRY(MakeConnections());
  return Run("SET lock_configuration=true");
}

Result<std::unique_ptr<DuckDbDatabase>> DuckDbDatabase::Open(const DuckDbDatabaseOptions& options) {
  auto core = std::make_shared<Core>();
  core->options = options;
  TM_ASSIGN(core->database, AdbcDatabase::Open({.driver = options.library.string(),
                                                .entrypoint = "duckdb_adbc_init",
                                                .options = {{"path", ":memory:"}}}));
  TM_ASSIGN(core->admin, core->database->Connect());
  TM_TRY(core->Configure());
  return std::unique_ptr<DuckDbDatabase>(new DuckDbDatabase(std::move(core)));
}

bool DuckDbDatabase::is_spoiled() const {
  return core_->is_spoiled;
}

DuckDbDatabase::~DuckDbDatabase() = default;

Result<std::shared_ptr<DuckDbDatabase::Core::Rows>> DuckDbDatabase::Core::RowsOf(
    const std::shared_ptr<Core>& self, const SqlTable& table, const AdbcLimits& limits) {
  if (table.rows == nullptr || table.rows->num_rows() == 0) return nullptr;
  if (!table.identity.empty()) {
    if (auto known = rows[table.identity].lock()) return known;
  }
  const std::string name = "r" + std::to_string(next_rows++);
  const auto reader = std::make_shared<arrow::TableBatchReader>(table.rows);
  TM_TRY(admin->Ingest({.table = name, .schema = "tidemark_rows"}, reader, limits));
  auto made = std::make_shared<Rows>(self, "memory.tidemark_rows." + name);
  if (!table.identity.empty()) {
    std::erase_if(rows, [](const auto& entry) { return entry.second.expired(); });
    rows[table.identity] = made;
  }
  return made;
}

Result<void> DuckDbDatabase::Core::MakeView(const SqlTable& table, const std::string& select,
                                            const Catalog& catalog, std::set<std::string>& schemas) {
  const std::string schema = catalog.name() + "." + QuotedName(table.schema.empty() ? "main" : table.schema);
  if (schemas.insert(FoldName(schema)).second) TM_TRY(Run("CREATE SCHEMA IF NOT EXISTS " + schema));
  std::vector<std::string> names = table.aliases;
  names.insert(names.begin(), table.name);
  std::set<std::string> made;
  for (const std::string& name : names) {
    if (!made.insert(FoldName(name)).second) continue;
    TM_TRY(Run(fmt::format("CREATE VIEW {}.{} AS {}", schema, QuotedName(name), select)));
  }
  return {};
}

Result<void> DuckDbDatabase::Core::MakeViews(const std::shared_ptr<Core>& self,
                                             const std::vector<SqlTable>& tables, Catalog& catalog,
                                             const AdbcLimits& limits) {
  const ColumnNamesOf names = [&](const std::string& query) -> Result<std::vector<std::string>> {
    TM_ASSIGN(const auto reader, admin->Query({.sql = "DESCRIBE " + query}, limits));
    return TextColumn(*reader, 0);
  };
  std::set<std::string> schemas;
  for (const SqlTable& table : tables) {
    TM_ASSIGN(std::shared_ptr<Rows> held, RowsOf(self, table, limits));
    TM_ASSIGN(const std::string select, SelectOf(table, held == nullptr ? "" : held->name(), names));
    if (held != nullptr) catalog.Hold(std::move(held));
    TM_TRY(MakeView(table, select, catalog, schemas));
  }
  return {};
}

Result<std::shared_ptr<const DuckDbCatalog>> DuckDbDatabase::Prepare(const std::vector<SqlTable>& tables,
                                                                     const AdbcLimits& limits) {
  const std::string key = KeyOf(tables);
  if (!key.empty()) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(kept_, key, &Kept::key);
    if (known != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, known);
      return known->catalog;
    }
  }
  std::shared_ptr<Core::Catalog> catalog;
  {
    const std::lock_guard lock(core_->mutex);
    const std::string name = "tidemark_c" + std::to_string(core_->next_catalog++);
    TM_TRY(core_->Run("ATTACH ':memory:' AS " + name));
    catalog = std::make_shared<Core::Catalog>(core_, name);
    TM_TRY(core_->MakeViews(core_, tables, *catalog, limits));
  }
  if (!key.empty()) Keep({.key = key, .bytes = RowsBytes(tables), .catalog = catalog});
  return catalog;
}

void DuckDbDatabase::Keep(Kept kept) {
  const std::int64_t limit = core_->options.memory_bytes_max;
  const std::int64_t bytes_max =
      limit > 0 ? std::max(std::min(kKeptRowsBytesMin, limit / kKeptRowsShareMax), limit / kKeptRowsShare)
                : kKeptRowsBytesMin;
  std::list<Kept> dropped;  // outside of the lock
  const std::lock_guard lock(mutex_);
  kept_.push_front(std::move(kept));
  std::int64_t bytes = 0;
  for (const Kept& one : kept_)
    bytes += one.bytes;
  while (kept_.size() > kCatalogsMax || (bytes > bytes_max && !kept_.empty())) {
    bytes -= kept_.back().bytes;
    dropped.splice(dropped.begin(), kept_, std::prev(kept_.end()));
  }
}

Result<std::shared_ptr<AdbcConnection>> DuckDbDatabase::Connect(const DuckDbCatalog& catalog) {
  std::shared_ptr<AdbcConnection> connection;
  if (auto ready = core_->TakeConnection(); ready != nullptr) {
    AdbcConnection* const bare = ready.get();
    connection = {bare, [core = core_, ready = std::move(ready)](AdbcConnection*) mutable {
                    core->GiveBack(std::move(ready));
                  }};
  } else {
    TM_ASSIGN(connection, core_->database->Connect());
  }
  TM_TRY(connection->Execute("SET search_path='" + catalog.name() + ".main,memory.tidemark_functions'"));
  return connection;
}

}  // namespace tidemark
