// DuckDB's parse tree of a statement, as JSON: which tables it reads, and what it may not do.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "store/sql_engine.h"

namespace tidemark {

/// The parameters of a statement that is run for a range of times: its ends.
inline constexpr const char* kRangeStart = "start_time";
inline constexpr const char* kRangeEnd = "end_time";

/// The statement that json_serialize_sql made `tree` of. kInvalidArgument, with the place, for text that does
/// not parse, no or several statements, parameters, and whatever is no query; kPermissionDenied for table
/// functions that read something else than their arguments, and for tables that are named as files are.
/// With `may_name_files` functions that read files, and files in the place of tables, are left to DuckDB,
/// which opens only those that its settings name; of a range it may have the range's parameters.
Result<SqlStatement> ReadStatement(std::string_view text, std::string tree,
                                   const SqlParseOptions& options = {});

/// Puts expressions of the tree, by the names of parameters, in the place of these.
void PutParameters(Json& tree, const std::map<std::string, Json>& values);

/// The tree of a statement that ReadStatement has read.
Result<Json> TreeOf(const SqlStatement& statement);

/// The root node of the tree's only statement.
Json& RootNode(Json& tree);

/// The text of a member, empty if there is none.
std::string TextOf(const Json& node, const char* member);

}  // namespace tidemark
