// The one query that reads a source: only the columns and rows that a request needs. Private to this folder.
//
//   SELECT "driver_id", "at", CAST("id" AS text) AS "id" FROM "sales"."trips"
//   WHERE ("at" >= TIMESTAMP '...' AND "at" <= TIMESTAMP '...') OR "at" IS NULL
#pragma once

#include <string>
#include <vector>

#include "adapters/adbc/sql_dialect_internal.h"
#include "adapters/adbc/warehouse_columns_internal.h"
#include "model/definition.h"
#include "store/source.h"

namespace tidemark {

/// `table`, or the query in brackets: what stands behind FROM.
std::string FromClause(SqlDialect dialect, const Warehouse& warehouse);

/// Every column and no row need come of it: what the columns are found out by.
std::string SchemaQuery(SqlDialect dialect, const Warehouse& warehouse);

/// `selected` are those of `columns` that are read, in their order. Rows are narrowed by timestamps and
/// dates, and by keys that are integers or text: the server may return more than the needs say, never less.
std::string RowsQuery(SqlDialect dialect, const BatchSource& source,
                      const std::vector<WarehouseColumn>& columns, const std::vector<std::size_t>& selected,
                      const SourceNeeds& needs);

}  // namespace tidemark
