// Rewrites a statement so that ISO-8601 text that stands for a time is compared and ordered as one.
//
//   where t <= '2024-05-01'        where tidemark_time(t, 't') <= tidemark_time('2024-05-01', 't')
//   order by t desc                order by tidemark_time(t, 't') desc
//   max(t)                         arg_max(t, tidemark_time(t, 't'))
//
// What is selected stays the text that it is. Names are resolved as SQL does: by the tables of the FROM
// clause, through subqueries, common tables and stars, then by the aliases of the select list, then outside.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "store/sql_engine.h"

namespace tidemark {

/// What the rewriting asks the engine for.
struct TreeTools {
  /// The tree of a statement's text.
  std::function<Result<Json>(const std::string& text)> parse;
  /// The text of a tree.
  std::function<Result<std::string>(const Json& tree)> print;
};

/// True if a table among `tables` has such columns, or bears the name of one of DuckDB's own catalogs, which
/// a name of the table without its catalog would not reach.
bool NeedsRewriting(const std::vector<SqlTable>& tables);

/// Rewrites `tree`; `catalog` is where the views of `tables` are.
Result<void> RewriteTimes(Json& tree, const std::vector<SqlTable>& tables, const std::string& catalog,
                          const TreeTools& tools);

}  // namespace tidemark
