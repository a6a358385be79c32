// The SELECT that stands for a table: its files as its columns, followed by its rows in memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sql_engine.h"

namespace tidemark {

/// The function, made in every database, that reads text as a time: tidemark_time(text, column's name).
inline constexpr std::string_view kTimeFunction = "tidemark_time";

/// CREATE MACRO statements of tidemark_time and of Presto's functions that DuckDB calls otherwise, in the
/// schema `schema`.
std::vector<std::string> FunctionStatements(std::string_view schema);

/// Names of the columns that a query gives.
using ColumnNamesOf = std::function<Result<std::vector<std::string>>(const std::string& query)>;

/// The SELECT for `table`; `rows_table`, where not empty, is the quoted name of what has its rows in memory.
/// Asks `names` for the header of CSV files. kUnsupported for a column that a CSV file cannot hold.
Result<std::string> SelectOf(const SqlTable& table, const std::string& rows_table,
                             const ColumnNamesOf& names);

/// A SELECT that gives the path of each of the table's files, in the column PathColumn, and beside it the
/// columns that its folders have.
std::string FoldersSelect(const SqlTable& table);

/// The column of a table's files that says the path of each: none of the table's own.
std::string_view PathColumn(const SqlTable& table);

}  // namespace tidemark
