// The engine's part with DuckDB, the definitions of all projects, and the store's settings put in.
#include "wiring/store_sql.h"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/adbc/duckdb_engine.h"
#include "adapters/files/file_source.h"
#include "adapters/iceberg/file_checks.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/sql/latest_rows.h"
#include "model/name.h"
#include "model/time.h"
#include "wiring/databases.h"

namespace tidemark {
namespace {

constexpr std::string_view kSpillFolder = "spill";

SqlTableName ParseTableName(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return {.schema = {}, .table = std::string(text)};
  return {.schema = std::string(text.substr(0, dot)), .table = std::string(text.substr(dot + 1))};
}

/// A registered table as the source of a view has it, under the names that definitions use.
SqlSource AsSource(const BatchSource& source, const std::map<std::string, DataType>& types,
                   const SqlTable& table) {
  SqlSource made;
  made.files.format = table.files.format;
  made.files.paths = table.files.paths;
  made.identity = table.identity;
  for (SqlColumn column : table.columns) {
    const auto mapped = source.field_mapping.find(column.name);
    const bool is_folder =
        std::ranges::find(table.files.hive_columns, column.name) != table.files.hive_columns.end();
    if (mapped != source.field_mapping.end()) {
      column.in_file = column.name;
      column.name = mapped->second;
    }
    if (is_folder) made.files.hive_columns.push_back(column.name);
    // CSV has no types of its own.
    const auto stated = types.find(column.name);
    if (table.files.format == SqlFiles::Format::kCsv && stated != types.end()) column.type = stated->second;
    column.is_text_time = column.name == source.timestamp_field && column.type.kind == TypeKind::kString;
    made.identity += fmt::format(" {}:{}", column.name, column.type.ToString());
    made.columns.push_back(std::move(column));
  }
  return made;
}

}  // namespace

StoreSql::StoreSql(Parts parts)
    : parts_(std::move(parts)),
      sources_(
          parts_.folder,
          [this](const std::string& name) -> Result<std::filesystem::path> {
            TM_ASSIGN(const auto catalog, parts_.tables.Catalog());
            return FindTable(*catalog, name);
          },
          parts_.threads),
      queries_({.engine = MakeDuckDbEngine(
                    {.spill_folder = parts_.folder / kOwnFolder / kSpillFolder,
                     .checks = parts_.config.sql.verifies_files ? MakeFileChecks() : nullptr}),
                .names = [this] { return Names(); },
                .tables = {
                    .tables = [this] { return parts_.tables.Open(); },
                    .source = [this](const BatchSource& source, const std::map<std::string, DataType>& types,
                                     const std::stop_token& stop) -> Result<SqlSource> {
                      TM_TRY_IN(parts_.tables.Repair(), "finishing what a writer began that is gone");
                      if (!source.table.empty() && parts_.registered) {
                        TM_ASSIGN(const auto table, parts_.registered(source.table));
                        if (table) return AsSource(source, types, *table);
                      }
                      return sources_.Open(source, types, stop);
                    },
                    .check_folder = parts_.check_folder,
                    .memory_bytes_max = parts_.config.memory_bytes_max},
                .dumps = parts_.dumps,
                .clock = parts_.clock}) {}

/// The store's own project first. The others' definitions are read when they have changed.
Result<std::vector<SqlProject>> StoreSql::Projects() {
  std::vector<SqlProject> projects;
  TM_ASSIGN(auto own, parts_.catalog());
  const std::string& name = parts_.config.project;
  projects.push_back({name, DatabaseOf(name), std::move(own)});
  TM_ASSIGN(const auto names, parts_.registry->Projects());
  for (const std::string& other : names) {
    if (other == name) continue;
    TM_ASSIGN(const std::int64_t serial, parts_.registry->Serial(other));
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const Catalog>& kept = other_projects_[other];
    if (kept == nullptr || kept->serial() != serial) {
      TM_ASSIGN(kept, Catalog::Load(*parts_.registry, other));
    }
    projects.push_back({other, DatabaseOf(other), kept});
  }
  return projects;
}

Result<std::shared_ptr<const SqlNames>> StoreSql::Names() {
  TM_ASSIGN(std::vector<SqlProject> projects, Projects());
  TM_ASSIGN(const auto catalog, parts_.tables.Catalog());
  TM_ASSIGN(std::vector<std::string> databases, catalog->Databases());
  std::vector<OtherSqlTable> others;
  if (parts_.others) {
    TM_ASSIGN(others, parts_.others());
  }
  std::vector<std::shared_ptr<const Catalog>> catalogs;
  for (const SqlProject& project : projects)
    catalogs.push_back(project.catalog);
  const bool may_keep = others.empty();
  {
    const std::lock_guard lock(mutex_);
    if (may_keep && names_ != nullptr && named_by_ == catalogs && named_databases_ == databases)
      return names_;
  }
  auto names = std::make_shared<const SqlNames>(std::move(projects), std::move(others), databases);
  if (!may_keep) return names;
  const std::lock_guard lock(mutex_);
  named_by_ = std::move(catalogs);
  named_databases_ = std::move(databases);
  names_ = std::move(names);
  return names_;
}

Result<std::vector<std::string>> StoreSql::ExtraFiles() const {
  std::vector<std::string> paths;
  for (const std::filesystem::path& each : parts_.config.sql.extra_files) {
    // A format that is stated takes files of any name.
    BatchSource pattern;
    pattern.path = each.string();
    pattern.format = FileFormat::kParquet;
    const auto files = ListSourceFiles(pattern, parts_.folder);
    if (!files && files.error().code == ErrorCode::kNotFound) continue;  // none (yet)
    if (!files) {
      Error error = files.error();
      return std::unexpected(std::move(error).In("setting 'sql.extra_files'"));
    }
    for (const SourceFile& file : *files)
      paths.push_back(file.path);
  }
  return paths;
}

Result<SqlRequest> StoreSql::RequestOf(const SqlQueryOptions& options) const {
  const SqlSettings& settings = parts_.config.sql;
  SqlRequest request;
  request.reading = {.as_of_us = options.reading.as_of_us,
                     .snapshot_id = options.reading.snapshot_id,
                     .at_least = options.reading.at_least};
  request.options.memory_bytes_max =
      options.memory_bytes_max.value_or(settings.memory_bytes_max.value_or(parts_.config.memory_bytes_max));
  if (request.options.memory_bytes_max <= 0) {
    return Fail(ErrorCode::kInvalidArgument, "the memory limit of a query is to be more than no bytes");
  }
  request.options.time_limit = options.time_limit;
  if (!options.time_limit && settings.time_limit_us)
    request.options.time_limit = std::chrono::milliseconds(*settings.time_limit_us / 1000);
  if (request.options.time_limit && request.options.time_limit->count() <= 0) {
    return Fail(ErrorCode::kInvalidArgument, "the time limit of a query is to be 1ms or more");
  }
  request.options.threads = parts_.threads;
  request.options.stop = options.stop;
  TM_ASSIGN(request.options.open_files, ExtraFiles());
  return request;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> StoreSql::Query(std::string_view query,
                                                                  const SqlQueryOptions& options) {
  TM_ASSIGN(const SqlRequest request, RequestOf(options));
  return queries_.Query(query, request);
}

Result<std::shared_ptr<arrow::RecordBatchReader>> StoreSql::LatestRows(std::string_view table,
                                                                       const LatestRowsOptions& options) {
  if (!options.reading.at_least.empty() && (options.reading.as_of_us || options.reading.snapshot_id)) {
    return Fail(ErrorCode::kInvalidArgument,
                "as_of looks back, and at_least asks for a write that must be seen: give one of the two");
  }
  TM_ASSIGN(const auto names, Names());
  std::shared_ptr<const Catalog> catalog;
  std::string view_name;
  if (const auto found = names->Find(ParseTableName(table))) {
    if ((*found)->view == nullptr) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("'{}' is a {}, whose rows have no keys: a snapshot is of a feature table or view",
                      (*found)->name, (*found)->kind_name()));
    }
    catalog = (*found)->catalog;
    view_name = (*found)->view->definition.name;
  } else {
    // One that is kept from SQL is still the user's own.
    TM_ASSIGN(catalog, parts_.catalog());
    auto named = ViewNameOf(*catalog, DatabaseOf(parts_.config.project), table);
    if (!named || !catalog->DefinedView(*named)) return std::unexpected(found.error());
    view_name = *std::move(named);
  }
  TM_ASSIGN(const CatalogView* const view, catalog->View(view_name));
  if (!options.reading.at_least.empty() && !view->definition.is_table())
    TM_TRY(parts_.check_folder(*view, options.reading.at_least));
  return tidemark::LatestRows(catalog, *view, parts_.openers(options.stop, options.reading),
                              {.at_us = options.at_us,
                               .with_deleted = options.deleted,
                               .memory_bytes_max = parts_.config.memory_bytes_max,
                               .threads = parts_.threads,
                               .stop = options.stop});
}

SqlOptions StoreSql::BatchOptions(const std::stop_token& stop) const {
  SqlOptions options;
  options.memory_bytes_max = parts_.config.sql.memory_bytes_max.value_or(parts_.config.memory_bytes_max);
  options.threads = parts_.threads;
  options.stop = stop;
  return options;
}

BatchQueryParts StoreSql::BatchParts() const {
  return {
      .queries = queries_, .project = parts_.config.project, .database = DatabaseOf(parts_.config.project)};
}

Result<std::shared_ptr<arrow::Schema>> StoreSql::DescribeBatch(const FeatureView& view,
                                                               const std::vector<CatalogView>& inputs,
                                                               const std::stop_token& stop) const {
  return DescribeBatchQuery(view, inputs, BatchOptions(stop), BatchParts());
}

Result<std::shared_ptr<arrow::RecordBatchReader>> StoreSql::RunBatch(
    const std::shared_ptr<const Catalog>& catalog, const CatalogView& view, TimeSpan range,
    const std::stop_token& stop) const {
  return RunBatchQuery(catalog, view, range, BatchOptions(stop), BatchParts());
}

Result<DumpReport> StoreSql::Dump(std::string_view query, const SqlQueryOptions& options) {
  TM_ASSIGN(const SqlRequest request, RequestOf(options));
  TM_ASSIGN(DumpInfo made, queries_.Dump(query, request));
  return DumpReport{std::move(made.id), std::move(made.path), made.rows, made.bytes};
}

Result<std::string> StoreSql::ListDumps() {
  TM_ASSIGN(const auto dumps, parts_.dumps->List());
  Json list = Json::array();
  for (const DumpInfo& dump : dumps) {
    Json columns = Json::array();
    for (const DumpColumn& column : dump.columns)
      columns.push_back({{"name", column.name}, {"type", column.type}});
    list.push_back({{"id", dump.id},
                    {"sql", dump.sql},
                    {"time", FormatTimestampUs(dump.begun_us)},
                    {"rows", dump.rows},
                    {"bytes", dump.bytes},
                    {"path", dump.path.string()},
                    {"tables", dump.tables},
                    {"columns", std::move(columns)},
                    {"damage", dump.damage}});
  }
  return list.dump();
}

Result<std::string> StoreSql::ListTables() {
  TM_ASSIGN(const auto names, Names());
  Json list = Json::array();
  for (const SqlEntry& entry : names->entries())
    list.push_back({{"database", entry.database}, {"name", entry.name}, {"kind", entry.kind_name()}});
  return list.dump();
}

}  // namespace tidemark
