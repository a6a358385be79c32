// Columns by name, and names by the time.
#include "engine/tables/source_rows.h"

#include <fmt/format.h>

#include <charconv>

#include "base/hash.h"
#include "base/result.h"
#include "engine/tables/batch_content.h"
#include "engine/tables/table_rows.h"
#include "store/source_folders.h"

namespace tidemark {
namespace {

constexpr std::size_t kTimeDigits = 16;  // until the year 2286 their order is that of the times

std::string BatchEnding(std::string_view batch_key) {
  std::string ending = "-batch-";
  for (const std::byte byte : Hash128(std::as_bytes(std::span(batch_key))))
    ending += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return ending;
}

/// How many columns of a table the files have too: keys, times and features.
std::size_t ColumnCount(const CatalogView& table) {
  const bool has_created = !table.definition.table.created_timestamp_column.empty();
  return table.join_keys.size() + 1 + (has_created ? 1 : 0) + table.definition.fields.size();
}

}  // namespace

CatalogView AsTable(const CatalogView& view) {
  CatalogView table = view;
  if (view.definition.is_table()) return table;
  table.definition.table = {};
  table.definition.table.timestamp_field = view.definition.event_column();
  table.definition.table.created_timestamp_column = view.definition.created_column();
  table.definition.source.reset();
  return table;
}

std::shared_ptr<arrow::Schema> SourceSchema(const CatalogView& view) {
  const CatalogView table = AsTable(view);
  arrow::FieldVector fields = TableSchema(table)->fields();
  fields.resize(ColumnCount(table));
  for (auto& field : fields) {
    for (const auto& [column, name] : view.definition.source->field_mapping) {
      if (name == field->name()) {
        field = field->WithName(column);
        break;
      }
    }
  }
  return arrow::schema(std::move(fields));
}

std::shared_ptr<arrow::RecordBatch> SourceRows(const CatalogView& view, const arrow::RecordBatch& rows) {
  arrow::ArrayVector columns = rows.columns();
  columns.resize(ColumnCount(AsTable(view)));
  return arrow::RecordBatch::Make(SourceSchema(view), rows.num_rows(), std::move(columns));
}

std::string FileNameOf(std::int64_t write_time_us, LogPosition position) {
  return fmt::format("{}{:0{}}-{}-{}", kAddedFileBegin, write_time_us, kTimeDigits, FormatLogId(position.log),
                     position.lsn);
}

std::string FileNameOf(std::int64_t write_time_us, std::string_view batch_key) {
  return fmt::format("{}{:0{}}{}", kAddedFileBegin, write_time_us, kTimeDigits,
                     batch_key.empty() ? "" : BatchEnding(batch_key));
}

std::string BatchFileEnd(const BatchContent& content) {
  return content.is_known() ? "-" + ContentText(content) : "";
}

std::optional<BatchContent> ContentOfBatchFile(std::string_view name, std::string_view batch_key,
                                               std::int64_t since_us) {
  if (!name.starts_with(kAddedFileBegin)) return std::nullopt;
  name.remove_prefix(kAddedFileBegin.size());
  std::int64_t time_us = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), time_us);
  if (error != std::errc() || time_us <= since_us) return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  const std::string batch = BatchEnding(batch_key);
  if (!name.starts_with(batch)) return std::nullopt;
  name.remove_prefix(batch.size());
  if (name.empty()) return BatchContent{};
  const BatchContent content = name.front() == '-' ? ParseContent(name.substr(1)) : BatchContent{};
  if (!content.is_known()) return std::nullopt;
  return content;
}

}  // namespace tidemark
