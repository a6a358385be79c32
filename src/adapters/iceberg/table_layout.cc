// A table's layout as Iceberg's metadata, and back.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "adapters/iceberg/iceberg_table.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/iceberg/partition.h"
#include "model/name.h"
#include "pit/utf8.h"

namespace tidemark::iceberg {
namespace {

// Properties that say by their ids which columns the rule asks for, so that renaming a column is enough.
struct SystemProperty {
  std::string_view name;
  std::string SystemColumns::* column;
};
constexpr std::array<SystemProperty, 6> kSystemProperties{{
    {"tidemark.column.event-time", &SystemColumns::event_time},
    {"tidemark.column.created", &SystemColumns::created},
    {"tidemark.column.sequence", &SystemColumns::sequence},
    {"tidemark.column.origin", &SystemColumns::origin},
    {"tidemark.column.is-deleted", &SystemColumns::is_deleted},
    {"tidemark.column.expires-at", &SystemColumns::expires_at},
}};

std::unexpected<Error> Refuse(std::string what) {
  return Fail(ErrorCode::kInvalidArgument, std::move(what));
}

Result<void> CheckColumns(const std::vector<TableColumn>& columns) {
  std::set<std::string> seen;
  for (const TableColumn& column : columns) {
    if (column.name.empty() || !IsUtf8(column.name))
      return Refuse(fmt::format("{} is no name of a column", Quoted(column.name)));
    if (!seen.insert(FoldName(column.name)).second)
      return Refuse(fmt::format(
          "the table has two columns '{}' (names that differ only in case are the same)", column.name));
  }
  if (columns.empty()) return Refuse("a table must have at least one column");
  return {};
}

Result<SortOrder> MakeSortOrder(const Schema& schema, const std::vector<std::string>& columns) {
  SortOrder order;
  for (const std::string& column : columns) {
    const SchemaField* const source = FindField(schema, column);
    if (source == nullptr)
      return Refuse(fmt::format("the table cannot be sorted by '{}': it has no such column", column));
    if (source->shape != SchemaField::Shape::kPrimitive)
      return Refuse(fmt::format("the table cannot be sorted by '{}', which is nested", column));
    order.fields.push_back({.source_id = source->id});
  }
  order.id = order.fields.empty() ? 0 : 1;
  return order;
}

}  // namespace

Result<TableMetadata> MakeMetadata(const TableLayout& layout, const std::filesystem::path& folder,
                                   std::int64_t now_ms) {
  TM_TRY(CheckColumns(layout.columns));
  TableMetadata metadata;
  metadata.uuid = RandomUuid();
  metadata.location = ToLocation(folder);
  metadata.last_updated_ms = now_ms;
  Schema schema;
  std::int32_t next_id = 1;
  for (const TableColumn& column : layout.columns)
    schema.fields.push_back(MakeField(column, next_id));
  metadata.last_column_id = next_id - 1;
  TM_ASSIGN(PartitionSpec spec, MakeSpec(schema, layout.partitions));
  metadata.last_partition_id = 999 + static_cast<std::int32_t>(spec.fields.size());
  TM_ASSIGN(SortOrder order, MakeSortOrder(schema, layout.sort_columns));
  metadata.default_sort_order_id = order.id;
  if (order.id != 0) metadata.sort_orders.emplace_back();  // 0, which is always there
  metadata.sort_orders.push_back(std::move(order));
  for (const auto& [key, value] : layout.properties) {
    if (!IsUtf8(key) || !IsUtf8(value)) return Refuse("a property of a table is not UTF-8");
    metadata.properties[key] = value;
  }
  for (const SystemProperty& property : kSystemProperties) {
    const std::string& column = layout.system.*property.column;
    if (column.empty()) continue;
    const SchemaField* const field = FindField(schema, column);
    if (field == nullptr) return Refuse(fmt::format("the table has no column '{}'", column));
    metadata.properties[std::string(property.name)] = std::to_string(field->id);
  }
  metadata.specs.push_back(std::move(spec));
  metadata.schemas.push_back(std::move(schema));
  return metadata;
}

SystemColumns SystemColumnsOf(const TableMetadata& metadata, const Schema& schema) {
  SystemColumns system;
  for (const SystemProperty& property : kSystemProperties) {
    const auto found = metadata.properties.find(std::string(property.name));
    if (found == metadata.properties.end()) continue;
    std::int32_t id = 0;
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), id);
    const SchemaField* const field = FindField(schema, id);
    if (field != nullptr) system.*property.column = field->name;
  }
  return system;
}

bool IsForeign(const TableMetadata& metadata) {
  const auto found = metadata.properties.find(std::string(kForeignProperty));
  return found != metadata.properties.end() && found->second == "true";
}

Result<TableLayout> LayoutOf(const TableMetadata& metadata) {
  TableLayout layout;
  TM_ASSIGN(layout.columns, ColumnsOf(metadata.schema()));
  for (const SortField& field : metadata.sort_order().fields) {
    const SchemaField* const source = FindField(metadata.schema(), field.source_id);
    if (source != nullptr) layout.sort_columns.push_back(source->name);
  }
  layout.partitions = PartitionsOf(metadata.schema(), metadata.spec());
  layout.properties = metadata.properties;
  for (const SystemProperty& property : kSystemProperties)
    layout.properties.erase(std::string(property.name));
  layout.system = SystemColumnsOf(metadata, metadata.schema());
  return layout;
}

}  // namespace tidemark::iceberg
