// Rewrites the usual query for the latest row of each key, so that it keeps one row a key instead of sorting
// all of them.
//
//   select * from (select *, row_number() over (partition by k order by t desc, w desc) as n from events)
//   where n = 1
//
//   select * from (select unnest(r), 1::bigint as n from (
//     select arg_max(struct_pack(k := k, ...), row(t is not null, t, w is not null, w)) as r
//     from events group by k) as g)
//   where n = 1
//
// Rows that the window would not have told apart are not told apart here either. What an arg_max holds does
// not spill, so that the query as it was must be run where memory is short.
#pragma once

#include <string>
#include <vector>

#include "adapters/adbc/text_times_internal.h"
#include "base/json.h"
#include "base/result.h"
#include "store/sql_engine.h"

namespace tidemark {

/// Rewrites such queries wherever they stand in `tree`, those over one of `tables` with nothing but a WHERE;
/// `common_tables` are names, folded, that stand for something else. True if there was one.
Result<bool> RewriteTopRows(Json& tree, const std::vector<SqlTable>& tables,
                            const std::vector<std::string>& common_tables, const TreeTools& tools);

}  // namespace tidemark
