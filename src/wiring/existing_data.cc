// Adapters put into engine/registered_tables.h, and its reports as JSON.
#include "wiring/existing_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "adapters/files/external_folder.h"
#include "adapters/iceberg/foreign_tables.h"
#include "base/json.h"
#include "base/result.h"
#include "model/name.h"
#include "wiring/databases.h"
#include "wiring/embedded_tables.h"
#include "wiring/place_owner.h"

namespace tidemark {
namespace {

constexpr const char* kKind = "registered table";

std::string Dump(const Json& json) {
  return json.dump();
}

Json ColumnsOf(const std::vector<CsvColumn>& columns) {
  Json list = Json::array();
  for (const CsvColumn& column : columns)
    list.push_back({{"name", column.name}, {"type", column.type ? column.type->ToString() : "string"}});
  return list;
}

Json ToJson(const RegisteredInfo& info) {
  Json partition_columns = Json::array();
  for (const FolderColumn& column : info.table.partitions)
    partition_columns.push_back(column.name);
  std::int64_t bytes = 0;
  for (const ForeignFile& file : info.files)
    bytes += file.file.size;
  return {{"database", info.table.database},
          {"name", info.table.name},
          {"kind", kKind},
          {"format", FileFormatName(info.table.format)},
          {"path", info.table.path},
          {"columns", ColumnsOf(info.columns)},
          {"partition_columns", std::move(partition_columns)},
          {"partitions", info.partitions()},
          {"files", info.files.size()},
          {"bytes", bytes},
          {"rows", info.rows < 0 ? Json() : Json(info.rows)},
          {"warnings", info.warnings}};
}

Json ToJson(const RefreshedTable& report) {
  return {{"table", report.table},
          {"files_added", report.files_added},
          {"files_removed", report.files_removed},
          {"files_changed", report.files_changed},
          {"partitions_added", report.partitions_added},
          {"columns_added", report.new_columns},
          {"columns_widened", report.widened},
          {"warnings", report.warnings},
          {"error", report.error ? Json(report.error->ToString()) : Json()}};
}

/// Columns of a view's source that the view does not have.
Result<std::vector<std::string>> NewColumns(const CatalogView& view, const SourceOpener& open) {
  const FeatureView& definition = view.definition;
  std::map<std::string, DataType> types;
  std::set<std::string> known{definition.source->timestamp_field,
                              definition.source->created_timestamp_column};
  for (const Field& field : definition.fields) {
    known.insert(field.name);
    types.emplace(field.name, field.type);
  }
  for (const JoinKey& key : view.join_keys) {
    known.insert(key.name);
    if (key.type) types.emplace(key.name, *key.type);
  }
  TM_ASSIGN(const auto source, open(*definition.source, types, {}));
  std::vector<std::string> columns;
  for (const std::string& name : source->schema()->field_names()) {
    if (!known.contains(name)) columns.push_back(name);
  }
  return columns;
}

}  // namespace

Result<std::shared_ptr<RegisteredTables>> ExistingData::Open() {
  const std::lock_guard lock(mutex_);
  if (tables_ != nullptr) return tables_;
  TM_ASSIGN(catalog_, parts_.catalog());
  RegisteredTablesParts parts;
  parts.project = parts_.config.project;
  parts.own_database = DatabaseOf(parts_.config.project);
  parts.databases = [catalog = catalog_, own = parts.own_database] { return ListDatabases(*catalog, own); };
  parts.registry = parts_.registry;
  parts.catalog = catalog_;
  TM_ASSIGN(parts.foreign,
            OpenForeignTables(*catalog_, *parts_.clock, {.root = PlainPath(parts_.config.tables_path)}));
  parts.files = OpenExternalFolder(parts_.folder, {parts_.folder / kOwnFolder, parts_.config.tables_path});
  parts.clock = parts_.clock;
  parts.lock_file = (parts_.folder / kOwnFolder / "registered.lock").string();
  parts.threads = parts_.threads;
  tables_ = std::make_shared<RegisteredTables>(std::move(parts));
  return tables_;
}

Result<std::string> ExistingData::Register(std::string_view database, std::string_view table,
                                           std::string_view path, const RegisterOptions& options) {
  TM_ASSIGN(const auto tables, Open());
  TM_TRY(ClaimPlace(parts_.config.tables_path, parts_.folder));
  const RegisterRequest request{.database = std::string(database),
                                .table = std::string(table),
                                .path = std::string(path),
                                .partitions = options.partitions,
                                .stop = options.stop};
  auto info = tables->Register(request);
  if (!info) return std::unexpected(std::move(info).error().In(fmt::format("table {}.{}", database, table)));
  return Dump(ToJson(*info));
}

Result<std::string> ExistingData::AddPartitions(std::string_view database, std::string_view table,
                                                const std::vector<std::string>& partitions,
                                                const std::stop_token& stop) {
  TM_ASSIGN(const auto tables, Open());
  const auto added = tables->AddPartitions(database, table, partitions, stop);
  if (!added) return std::unexpected(Error(added.error()).In(fmt::format("table {}.{}", database, table)));
  return Dump({{"table", fmt::format("{}.{}", database, table)},
               {"added", added->added},
               {"present", added->present},
               {"files", added->files},
               {"commits", added->batches},
               {"columns_added", added->new_columns},
               {"columns_widened", added->widened},
               {"warnings", added->warnings}});
}

Result<std::string> ExistingData::Refresh(const std::vector<std::string>& names,
                                          const std::stop_token& stop) {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto refreshed, tables->Refresh(names, stop));
  Json json{{"tables", Json::array()}, {"views", Json::array()}};
  for (const RefreshedTable& report : refreshed)
    json["tables"].push_back(ToJson(report));
  if (!names.empty()) return Dump(json);
  TM_ASSIGN(const auto views, parts_.views());
  const SourceOpener open = parts_.opener(stop);
  for (const auto& [name, view] : views->views()) {
    // A warehouse may be down, and is no part of what lies in files.
    if (!view.definition.source || view.definition.source->warehouse) continue;
    const auto columns = NewColumns(view, open);
    if (!columns && columns.error().code == ErrorCode::kCancelled) return std::unexpected(columns.error());
    if (columns && columns->empty()) continue;
    json["views"].push_back({{"view", name},
                             {"new_columns", columns ? Json(*columns) : Json::array()},
                             {"error", columns ? Json() : Json(columns.error().ToString())}});
  }
  return Dump(json);
}

Result<std::string> ExistingData::Tables(const std::string& listed, std::string_view database) {
  TM_ASSIGN(const auto tables, Open());
  if (!database.empty()) {
    TM_ASSIGN(const auto databases, ListDatabases(*catalog_, DatabaseOf(parts_.config.project)));
    if (std::ranges::find(databases, database) == databases.end()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("there is no database {}{}", Quoted(database), Suggest(database, databases)));
    }
  }
  TM_ASSIGN(const auto registered, tables->List());
  Json all = Json::array();
  for (Json& table : Json::parse(listed)) {
    if (!database.empty() && table["database"] != database) continue;
    for (const RegisteredInfo& info : registered) {
      const bool is_it = table["kind"] == kKind && table["database"] == info.table.database &&
                         table["name"] == info.table.name;
      if (is_it) table = ToJson(info);
    }
    all.push_back(std::move(table));
  }
  return Dump(all);
}

Result<bool> ExistingData::Drop(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return false;
  TM_ASSIGN(const auto tables, Open());
  // Asked first without a lock, which a store that cannot be written does not give.
  TM_ASSIGN(const auto found, tables->Find(name));
  if (!found) return false;
  return tables->Drop(name);
}

Result<std::vector<RegisteredTable>> ExistingData::Registered() {
  TM_ASSIGN(const auto tables, Open());
  return tables->Registered();
}

Result<std::optional<std::string>> ExistingData::PathOf(std::string_view name) {
  TM_ASSIGN(const auto registered, Registered());
  for (const RegisteredTable& table : registered) {
    if (FoldName(table.full_name()) == FoldName(name)) return table.path;
  }
  return std::nullopt;
}

Result<std::unique_ptr<Source>> ExistingData::OpenCsv(const BatchSource& source,
                                                      const std::map<std::string, DataType>& column_types,
                                                      bool guesses_types, const std::stop_token& stop) {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto registered, tables->Registered());
  const bool is_csv = std::ranges::any_of(registered, [&](const RegisteredTable& table) {
    return table.format == FileFormat::kCsv && FoldName(table.full_name()) == FoldName(source.table);
  });
  if (!is_csv) return nullptr;
  TM_ASSIGN(const auto found, tables->Find(source.table));
  if (!found) return nullptr;
  return tables->OpenCsv(*found, {.files = {},
                                  .types = column_types,
                                  .guesses_types = guesses_types,
                                  .mapping = source.field_mapping,
                                  .threads = parts_.threads,
                                  .stop = stop});
}

Result<void> ExistingData::CheckParquet(const BatchSource& source) {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto registered, tables->Registered());
  const bool is_parquet = std::ranges::any_of(registered, [&](const RegisteredTable& table) {
    return table.format == FileFormat::kParquet && FoldName(table.full_name()) == FoldName(source.table);
  });
  if (!is_parquet) return {};
  TM_ASSIGN(const auto found, tables->Find(source.table));
  return found ? tables->CheckFiles(*found) : Result<void>();
}

Result<std::vector<OtherSqlTable>> ExistingData::SqlTables() {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto registered, tables->Registered());
  std::vector<OtherSqlTable> all;
  for (const RegisteredTable& table : registered) {
    const auto open = [this, name = table.full_name()](const std::stop_token&) -> Result<SqlTable> {
      TM_ASSIGN(auto opened, ForSql(name));
      if (opened) return *std::move(opened);
      return Fail(ErrorCode::kNotFound, fmt::format("registered table '{}' was dropped meanwhile", name));
    };
    all.push_back({table.database, table.name, kKind, open});
  }
  return all;
}

Result<std::optional<SqlTable>> ExistingData::ForSql(std::string_view full_name) {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto found, tables->Find(full_name));
  if (!found) return std::nullopt;
  TM_ASSIGN(SqlTable table, tables->ForSql(*found));
  return table;
}

}  // namespace tidemark
