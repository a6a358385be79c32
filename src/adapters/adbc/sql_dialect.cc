// Names and literals of each dialect.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "adapters/adbc/sql_dialect_internal.h"
#include "model/time.h"

namespace tidemark {
namespace {

std::string Doubled(std::string_view text, char mark) {
  std::string doubled;
  for (const char c : text) {
    doubled += c;
    if (c == mark) doubled += c;
  }
  return doubled;
}

/// With a backslash before each backslash and `mark`.
std::string Escaped(std::string_view text, char mark) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == mark) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// `2024-05-01 12:00:00.123456`.
std::string PlainTime(std::int64_t us) {
  std::string text = FormatTimestampUs(us);
  std::ranges::replace(text, 'T', ' ');
  if (text.ends_with('Z')) text.pop_back();
  return text;
}

}  // namespace

SqlDialect DialectOf(const Warehouse& warehouse) {
  const std::string file = std::filesystem::path(warehouse.driver_name()).filename();
  const auto speaks = [&](std::string_view name) { return file.find(name) != file.npos; };
  if (speaks("postgresql")) return SqlDialect::kPostgreSql;
  if (speaks("bigquery")) return SqlDialect::kBigQuery;
  if (speaks("snowflake")) return SqlDialect::kSnowflake;
  return SqlDialect::kStandard;
}

std::string QuotedName(SqlDialect dialect, std::string_view name) {
  if (dialect == SqlDialect::kBigQuery) return '`' + Escaped(name, '`') + '`';
  return '"' + Doubled(name, '"') + '"';
}

std::string QuotedTable(SqlDialect dialect, const Warehouse& warehouse) {
  std::string path;
  for (const std::string* part : {&warehouse.catalog, &warehouse.schema}) {
    if (!part->empty()) path += QuotedName(dialect, *part) + '.';
  }
  std::string table = warehouse.table;
  // Of "project:dataset.table" the older form has a colon.
  if (dialect == SqlDialect::kBigQuery && path.empty()) std::ranges::replace(table, ':', '.');
  return path + QuotedName(dialect, table);
}

std::string QuotedText(SqlDialect dialect, std::string_view text) {
  const bool has_backslash = text.find('\\') != text.npos;
  switch (dialect) {
    case SqlDialect::kBigQuery:
    case SqlDialect::kSnowflake:
      return '\'' + Escaped(text, '\'') + '\'';
    case SqlDialect::kPostgreSql:  // whatever standard_conforming_strings says
      if (has_backslash) return "E'" + Escaped(text, '\'') + '\'';
      break;
    case SqlDialect::kStandard:
      break;
  }
  return '\'' + Doubled(text, '\'') + '\'';
}

std::string TimeLiteral(SqlDialect dialect, std::int64_t us, bool has_zone) {
  const std::string time = PlainTime(us);
  switch (dialect) {
    case SqlDialect::kBigQuery:
      return has_zone ? fmt::format("TIMESTAMP '{}+00:00'", time) : fmt::format("DATETIME '{}'", time);
    case SqlDialect::kSnowflake:
      return has_zone ? fmt::format("'{} +00:00'::TIMESTAMP_TZ", time)
                      : fmt::format("'{}'::TIMESTAMP_NTZ", time);
    case SqlDialect::kPostgreSql:
    case SqlDialect::kStandard:
      break;
  }
  return has_zone ? fmt::format("TIMESTAMP WITH TIME ZONE '{}+00:00'", time)
                  : fmt::format("TIMESTAMP '{}'", time);
}

std::string DateLiteral(std::int64_t us) {
  return fmt::format("DATE '{}'", FormatTimestampUs(us).substr(0, std::string_view("2024-05-01").size()));
}

std::string AsText(SqlDialect dialect, const std::string& expression) {
  const std::string_view type = dialect == SqlDialect::kPostgreSql ? "text"
                                : dialect == SqlDialect::kBigQuery ? "STRING"
                                                                   : "VARCHAR";
  return fmt::format("CAST({} AS {})", expression, type);
}

}  // namespace tidemark
