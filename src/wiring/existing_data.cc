// Adapters put into engine/registered_tables.h, and its reports as JSON.
#include "wiring/existing_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "adapters/files/external_folder.h"
#include "adapters/iceberg/foreign_tables.h"
#include "base/result.h"
#include "model/name.h"
#include "wiring/databases.h"
#include "wiring/embedded_tables.h"
#include "wiring/place_owner.h"

namespace tidemark {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
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
          {"kind", "registered"},
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

Json ToJson(const FeatureView& view, const std::vector<JoinKey>& keys, const std::string& own_database) {
  Json columns = Json::array();
  for (const JoinKey& key : keys)
    columns.push_back({{"name", key.name}, {"type", key.type ? Json(key.type->ToString()) : Json()}});
  const TableOptions& table = view.table;
  columns.push_back({{"name", table.timestamp_field}, {"type", table.timestamp_type.ToString()}});
  for (const Field& field : view.fields)
    columns.push_back({{"name", field.name}, {"type", field.type.ToString()}});
  return {{"database", DatabaseOfTable(view, own_database)},
          {"name", view.name},
          {"kind", "feature_table"},
          {"format", "iceberg"},
          {"path", ""},
          {"columns", std::move(columns)},
          {"partition_columns", table.partitions},
          {"partitions", Json()},
          {"files", Json()},
          {"bytes", Json()},
          {"rows", Json()},
          {"warnings", Json::array()}};
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
  TM_ASSIGN(const auto source, open(*definition.source, types));
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
    if (!view.definition.source) continue;
    const auto columns = NewColumns(view, open);
    if (!columns && columns.error().code == ErrorCode::kCancelled) return std::unexpected(columns.error());
    if (columns && columns->empty()) continue;
    json["views"].push_back({{"view", name},
                             {"new_columns", columns ? Json(*columns) : Json::array()},
                             {"error", columns ? Json() : Json(columns.error().ToString())}});
  }
  return Dump(json);
}

Result<std::string> ExistingData::Tables(std::string_view database) {
  TM_ASSIGN(const auto tables, Open());
  if (!database.empty()) {
    TM_ASSIGN(const auto databases, ListDatabases(*catalog_, DatabaseOf(parts_.config.project)));
    if (std::ranges::find(databases, database) == databases.end()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("there is no database {}{}", Quoted(database), Suggest(database, databases)));
    }
  }
  std::vector<Json> all;
  TM_ASSIGN(const auto views, parts_.views());
  for (const auto& [name, view] : views->views()) {
    if (view.definition.is_table())
      all.push_back(ToJson(view.definition, view.join_keys, DatabaseOf(parts_.config.project)));
  }
  TM_ASSIGN(const auto registered, tables->List());
  for (const RegisteredInfo& info : registered)
    all.push_back(ToJson(info));
  std::erase_if(all, [&](const Json& table) { return !database.empty() && table["database"] != database; });
  std::ranges::sort(all, {}, [](const Json& table) {
    return std::pair(table["database"].get<std::string>(), table["name"].get<std::string>());
  });
  return Dump(Json(std::move(all)));
}

Result<bool> ExistingData::Drop(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return false;
  TM_ASSIGN(const auto tables, Open());
  // Asked first without a lock, which a store that cannot be written does not give.
  TM_ASSIGN(const auto found, tables->Find(name));
  if (!found) return false;
  return tables->Drop(name);
}

Result<std::unique_ptr<Source>> ExistingData::OpenCsv(const BatchSource& source,
                                                      const std::map<std::string, DataType>& column_types,
                                                      bool guesses_types, const std::stop_token& stop) {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto found, tables->Find(source.table));
  if (!found || found->table.format != FileFormat::kCsv) return nullptr;
  return tables->OpenCsv(*found, {.files = {},
                                  .types = column_types,
                                  .guesses_types = guesses_types,
                                  .mapping = source.field_mapping,
                                  .threads = parts_.threads,
                                  .stop = stop});
}

Result<std::vector<std::string>> ExistingData::Names() {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto registered, tables->List());
  std::vector<std::string> names;
  for (const RegisteredInfo& info : registered)
    names.push_back(info.table.full_name());
  return names;
}

Result<std::optional<SqlTable>> ExistingData::ForSql(std::string_view full_name) {
  TM_ASSIGN(const auto tables, Open());
  TM_ASSIGN(const auto found, tables->Find(full_name));
  if (!found) return std::nullopt;
  TM_ASSIGN(SqlTable table, tables->ForSql(*found));
  return table;
}

}  // namespace tidemark
