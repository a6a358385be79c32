// How a warehouse writes names, values and types in SQL. Private to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/warehouse.h"

namespace tidemark {

enum class SqlDialect : std::uint8_t { kStandard, kPostgreSql, kBigQuery, kSnowflake };

/// By the driver's name; kStandard for one that is not known.
SqlDialect DialectOf(const Warehouse& warehouse);

/// A name as it is written in SQL, whatever characters it has.
std::string QuotedName(SqlDialect dialect, std::string_view name);

/// The table that a warehouse names, with its catalog and schema. BigQuery's may be one text,
/// "project:dataset.table".
std::string QuotedTable(SqlDialect dialect, const Warehouse& warehouse);

/// A text as a literal.
std::string QuotedText(SqlDialect dialect, std::string_view text);

/// A moment as a literal of a timestamp type with a zone, or of one without, which stands for UTC.
/// `us` lies within the years 1 to 9999.
std::string TimeLiteral(SqlDialect dialect, std::int64_t us, bool has_zone);

/// Its day.
std::string DateLiteral(std::int64_t us);

/// `expression` as text.
std::string AsText(SqlDialect dialect, const std::string& expression);

}  // namespace tidemark
