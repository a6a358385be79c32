// How much of its tables a statement can read, told from its parse tree.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "base/json.h"

namespace tidemark {

/// Rather too much than too little.
struct SqlReads {
  bool is_of_all_columns = false;      // it may read columns that it does not name
  std::set<std::string> columns = {};  // the names of columns that it has, folded
  bool names_files = false;            // those that the settings open
  /// It is `SELECT columns FROM table LIMIT n`: the first so many rows of its only table are all that it
  /// gives.
  std::optional<std::int64_t> rows_max = {};
};

SqlReads ReadsOf(const Json& tree);

/// The conditions, in conjunction, that the only SELECT over table `name` sets for these columns (folded
/// names) and for nothing else; columns are named in it by their own names alone. Null if there are none, or
/// if the table is named more than once or joined.
Json ConditionsOn(const Json& tree, const std::string& table, const std::set<std::string>& columns);

}  // namespace tidemark
