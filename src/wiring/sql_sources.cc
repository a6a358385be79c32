// What was found of a source serves until a file of it is another, comes or goes.
#include "wiring/sql_sources.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <utility>

#include "adapters/files/file_source.h"
#include "adapters/iceberg/external_table.h"
#include "base/result.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr std::size_t kKnownMax = 1024;

std::string KeyOf(const BatchSource& source, const std::map<std::string, DataType>& types) {
  std::string key = fmt::format("{}\n{}\n{}\n{}\n", source.path, source.table,
                                source.format ? FileFormatName(*source.format) : "", source.timestamp_field);
  for (const auto& [stored, name] : source.field_mapping)
    key += fmt::format("{}>{}\n", stored, name);
  for (const auto& [name, type] : types)
    key += fmt::format("{}:{}\n", name, type.ToString());
  return key;
}

std::string StoredName(const BatchSource& source, const std::string& name) {
  for (const auto& [stored, mapped] : source.field_mapping) {
    if (mapped == name) return stored;
  }
  return name;
}

void AddColumn(const BatchSource& source, SqlColumn column, std::vector<SqlColumn>& columns) {
  if (column.in_file == column.name) column.in_file.clear();
  column.is_text_time = column.name == source.timestamp_field && column.type.kind == TypeKind::kString;
  columns.push_back(std::move(column));
}

}  // namespace

Result<std::filesystem::path> SqlSources::IcebergPath(const BatchSource& source) const {
  if (source.table.empty()) return (folder_ / source.path).lexically_normal();
  return find_table_(source.table);
}

/// Another text when something of the source has changed.
Result<std::string> SqlSources::StateOf(const BatchSource& source) const {
  if (source.format == FileFormat::kIceberg) {
    TM_ASSIGN(const auto path, IcebergPath(source));
    TM_ASSIGN(const auto metadata, FindTableMetadata(path));
    return metadata.string();
  }
  TM_ASSIGN(const auto files, ListSourceFiles(source, folder_));
  std::string state;
  for (const SourceFile& file : files)
    state += fmt::format("{}|{}|{}|{}\n", file.path, file.id, file.size, file.mtime_ns);
  return state;
}

Result<SqlSource> SqlSources::Read(const BatchSource& source, const std::map<std::string, DataType>& types,
                                   const std::stop_token& stop) const {
  SqlSource made;
  if (source.format == FileFormat::kIceberg) {
    TM_ASSIGN(const auto path, IcebergPath(source));
    TM_ASSIGN(
        ExternalTableFiles found,
        ListExternalTable(path, {.field_mapping = source.field_mapping, .threads = threads_, .stop = stop}));
    made.files.paths = std::move(found.paths);
    for (const TableColumn& column : found.columns) {
      AddColumn(source,
                {.name = column.name,
                 .type = column.type,
                 .in_file = StoredName(source, column.name),
                 .id = column.id},
                made.columns);
    }
    return made;
  }
  FileSourceOptions options;
  options.threads = threads_;
  options.column_types = types;
  options.guesses_types = types.empty();
  options.stop = stop;
  TM_ASSIGN(FileSourceLayout layout, FindFileSourceLayout(source, folder_, options));
  made.files.format = layout.format == FileFormat::kCsv ? SqlFiles::Format::kCsv : SqlFiles::Format::kParquet;
  for (SourceFile& file : layout.files)
    made.files.paths.push_back(std::move(file.path));
  for (std::size_t i = 0; i < layout.stored_names.size(); ++i) {
    const arrow::Field& field = *layout.schema->field(static_cast<int>(i));
    const auto stated = layout.stated.find(field.name());
    auto type = stated != layout.stated.end() ? Result<DataType>(stated->second) : FromArrow(*field.type());
    if (!type) continue;  // Tidemark has no such type
    if (i >= layout.first_partition) made.files.hive_columns.push_back(field.name());
    AddColumn(source, {.name = field.name(), .type = *std::move(type), .in_file = layout.stored_names[i]},
              made.columns);
  }
  return made;
}

Result<SqlSource> SqlSources::Open(const BatchSource& source, const std::map<std::string, DataType>& types,
                                   const std::stop_token& stop) {
  const std::string key = KeyOf(source, types);
  TM_ASSIGN(const std::string state, StateOf(source));
  const std::string identity = key + state;
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(key);
    if (known != known_.end() && known->second.identity == identity) return known->second;
  }
  // Listed before it was read: what changes in between has another identity the next time.
  TM_ASSIGN(SqlSource made, Read(source, types, stop));
  made.identity = identity;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnownMax) known_.clear();
  known_.insert_or_assign(key, made);
  return made;
}

}  // namespace tidemark
