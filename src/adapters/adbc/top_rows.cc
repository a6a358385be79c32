// Finds windows of which only the first rows are asked for.
#include "adapters/adbc/top_rows_internal.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/duckdb_views_internal.h"
#include "adapters/adbc/sql_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

bool IsGiven(const Json& node, const char* member) {
  const Json* const found = node.member(member);
  if (found == nullptr) return false;
  return found->is_structured() ? !found->empty() : !found->is_null();
}

// What a subquery is called by: DuckDB names those that are not named.
std::string NameOfSubquery(const Json& from) {
  const std::string alias = FoldName(TextOf(from, "alias"));
  return alias.empty() ? "unnamed_subquery" : alias;
}

// A window's column as the query around it sees it.
struct NumberColumn {
  std::string subquery;
  std::string name;

  bool IsNamedBy(const Json& reference) const {
    const Json& names = reference.at("column_names");
    if (names.size() == 1) return FoldName(names.front().text()) == name;
    return names.size() == 2 && FoldName(names.front().text()) == subquery &&
           FoldName(names.back().text()) == name;
  }
};

// A column, or a time that a column holds as text.
bool IsPlainValue(const Json& expression) {
  const std::string kind = TextOf(expression, "class");
  if (kind == "COLUMN_REF") return true;
  return kind == "FUNCTION" && TextOf(expression, "function_name") == kTimeFunction;
}

// `*` and nothing more.
bool IsWholeStar(const Json& item) {
  if (TextOf(item, "class") != "STAR" || item.value("columns", false)) return false;
  return TextOf(item, "relation_name").empty() &&
         std::ranges::none_of(std::vector<const char*>{"exclude_list", "replace_list",
                                                       "qualified_exclude_list", "rename_list", "expr"},
                              [&](const char* member) { return IsGiven(item, member); });
}

// Latest first, and rows without a time last: what DuckDB does unless it is told.
bool IsDescending(const Json& order) {
  const std::string nulls = TextOf(order, "null_order");
  return TextOf(order, "type") == "DESCENDING" && (nulls == "ORDER_DEFAULT" || nulls == "NULLS LAST") &&
         IsPlainValue(order.at("expression"));
}

bool IsRowNumber(const Json& item) {
  if (TextOf(item, "class") != "WINDOW" || TextOf(item, "type") != "WINDOW_ROW_NUMBER") return false;
  if (TextOf(item, "alias").empty() || IsGiven(item, "filter_expr") || IsGiven(item, "arg_orders"))
    return false;
  if (!IsGiven(item, "partitions") || !IsGiven(item, "orders")) return false;
  return std::ranges::all_of(item.at("partitions"), IsPlainValue) &&
         std::ranges::all_of(item.at("orders"), IsDescending);
}

// SELECT *, row_number() OVER (...) AS n FROM table WHERE ...
bool IsNumbered(const Json& query) {
  if (TextOf(query, "type") != "SELECT_NODE") return false;
  for (const char* member : {"modifiers", "group_expressions", "group_sets", "having", "sample", "qualify"}) {
    if (IsGiven(query, member)) return false;
  }
  if (const Json* const common = query.member("cte_map"); common != nullptr && IsGiven(*common, "map")) {
    return false;
  }
  const Json& list = query.at("select_list");
  const Json& from = query.at("from_table");
  if (list.size() != 2 || !IsWholeStar(list[0]) || !IsRowNumber(list[1])) return false;
  return TextOf(from, "type") == "BASE_TABLE" && !IsGiven(from, "sample") &&
         !IsGiven(from, "column_name_alias") && !IsGiven(from, "at_clause");
}

bool IsOne(const Json& expression) {
  if (TextOf(expression, "class") != "CONSTANT" || !IsGiven(expression, "value")) return false;
  const Json* const value = expression.at("value").member("value");
  return value != nullptr && value->is_number_unsigned() && value->get<std::size_t>() == 1;
}

// Whether a condition lets no row pass but those of which column `number` is 1.
bool AsksForFirst(const Json& condition, const NumberColumn& number) {
  const std::string type = TextOf(condition, "type");
  if (type == "CONJUNCTION_AND") {
    return std::ranges::any_of(condition.at("children"),
                               [&](const Json& child) { return AsksForFirst(child, number); });
  }
  if (type != "COMPARE_EQUAL") return false;
  const auto is_number = [&](const Json& side) {
    return TextOf(side, "class") == "COLUMN_REF" && number.IsNamedBy(side);
  };
  const Json& left = condition.at("left");
  const Json& right = condition.at("right");
  return (is_number(left) && IsOne(right)) || (is_number(right) && IsOne(left));
}

class TopRowsRewriter {
 public:
  TopRowsRewriter(const std::vector<SqlTable>& tables, const std::vector<std::string>& common_tables,
                  const TreeTools& tools)
      : tables_(tables), common_tables_(common_tables), tools_(tools) {}

  // Every query below a node, from the outside inwards. True if one was rewritten.
  Result<bool> Run(Json& node) {
    bool is_rewritten = false;
    if (node.is_object() && TextOf(node, "type") == "SELECT_NODE") {
      TM_ASSIGN(is_rewritten, Reader(node));
    }
    if (!node.is_structured()) return is_rewritten;
    for (Json& child : node) {
      if (!child.is_structured()) continue;
      TM_ASSIGN(const bool is_below, Run(child));
      is_rewritten = is_rewritten || is_below;
    }
    return is_rewritten;
  }

 private:
  // A query that may read such a one.
  Result<bool> Reader(Json& reader) {
    if (!IsGiven(reader, "from_table") || !IsGiven(reader, "where_clause")) return false;
    Json& from = reader["from_table"];
    if (TextOf(from, "type") != "SUBQUERY" || IsGiven(from, "column_name_alias") || IsGiven(from, "sample")) {
      return false;
    }
    Json& numbered = from["subquery"]["node"];
    if (!IsNumbered(numbered)) return false;
    const NumberColumn number{.subquery = NameOfSubquery(from),
                              .name = FoldName(TextOf(numbered["select_list"][1], "alias"))};
    const SqlTable* const table = TableOf(numbered["from_table"]);
    // A column that is called as the subquery is may be meant where that is named.
    if (table == nullptr || HasColumn(*table, number.name) || HasColumn(*table, number.subquery) ||
        !AsksForFirst(reader["where_clause"], number)) {
      return false;
    }
    const std::vector<std::string> columns = ColumnsFor(reader, number, *table);
    if (columns.empty()) return false;
    TM_ASSIGN(numbered, Rewritten(std::move(numbered), columns));
    return true;
  }

  const SqlTable* TableOf(const Json& from) const {
    const std::string schema = FoldName(TextOf(from, "schema_name"));
    const std::string name = FoldName(TextOf(from, "table_name"));
    if (schema.empty() && std::ranges::find(common_tables_, name) != common_tables_.end()) return nullptr;
    const auto is_named = [&](const SqlTable& table) {
      if (FoldName(table.schema) != schema) return false;
      return FoldName(table.name) == name || std::ranges::any_of(table.aliases, [&](const std::string& one) {
               return FoldName(one) == name;
             });
    };
    const auto found = std::ranges::find_if(tables_, is_named);
    return found == tables_.end() ? nullptr : &*found;
  }

  static bool HasColumn(const SqlTable& table, const std::string& name) {
    return std::ranges::any_of(table.columns,
                               [&](const SqlColumn& column) { return FoldName(column.name) == name; });
  }

  // The columns that the reader may look at: those of any name that it has, and all where it has a star, a
  // column's place, or a whole row, which is named as the subquery is.
  static std::vector<std::string> ColumnsFor(const Json& reader, const NumberColumn& number,
                                             const SqlTable& table) {
    std::set<std::string> named;
    bool is_all = false;
    for (const auto& [member, child] : reader.items()) {
      if (member != "from_table") NamesIn(child, number, named, is_all);
    }
    std::vector<std::string> columns;
    for (const SqlColumn& column : table.columns) {
      if (is_all || named.contains(FoldName(column.name))) columns.push_back(column.name);
    }
    if (columns.empty() && !table.columns.empty()) columns.push_back(table.columns.front().name);
    return columns;
  }

  static void NamesIn(const Json& node, const NumberColumn& number, std::set<std::string>& named,
                      bool& is_all) {
    if (!node.is_structured()) return;
    if (node.is_object()) {
      const std::string kind = TextOf(node, "class");
      is_all = is_all || kind == "STAR" || kind == "POSITIONAL_REFERENCE";
      if (kind == "COLUMN_REF") {
        const Json& names = node.at("column_names");
        is_all = is_all || (names.size() == 1 && FoldName(names.front().text()) == number.subquery);
        // The first part of a name may be a column too, of which the others are members.
        for (const Json& part : names)
          named.insert(FoldName(part.text()));
      }
    }
    for (const Json& child : node)
      NamesIn(child, number, named, is_all);
  }

  // Made from what DuckDB itself makes of such a text, so that no member is missing.
  Result<Json> Rewritten(Json numbered, const std::vector<std::string>& columns) const {
    Json window = numbered["select_list"][1];
    const std::size_t orders = window["orders"].size();
    const std::size_t partitions = window["partitions"].size();
    std::string text = "SELECT unnest(r), 1::BIGINT AS " + QuotedName(TextOf(window, "alias")) +
                       " FROM (SELECT arg_max(struct_pack(";
    for (std::size_t i = 0; i < columns.size(); ++i)
      text += (i == 0 ? "" : ", ") + QuotedName(columns[i]) + " := " + QuotedName(columns[i]);
    text += "), row(";
    for (std::size_t i = 0; i < orders; ++i)
      text += std::string(i == 0 ? "" : ", ") + "o IS NOT NULL, o";
    text += ")) AS r FROM t GROUP BY ";
    for (std::size_t i = 0; i < partitions; ++i)
      text += std::string(i == 0 ? "" : ", ") + "k" + std::to_string(i);
    TM_ASSIGN(Json tree, tools_.parse(text + ") AS g"));
    Json made = RootNode(tree);
    Json& grouped = made["from_table"]["subquery"]["node"];
    Json& order = grouped["select_list"][0]["children"][1]["children"];
    for (std::size_t i = 0; i < orders; ++i) {
      order[2 * i]["children"][0] = window["orders"][i]["expression"];
      order[2 * i + 1] = window["orders"][i]["expression"];
    }
    for (std::size_t i = 0; i < partitions; ++i)
      grouped["group_expressions"][i] = window["partitions"][i];
    grouped["from_table"] = std::move(numbered["from_table"]);
    grouped["where_clause"] = std::move(numbered["where_clause"]);
    return made;
  }

  const std::vector<SqlTable>& tables_;
  const std::vector<std::string>& common_tables_;
  const TreeTools& tools_;
};

}  // namespace

Result<bool> RewriteTopRows(Json& tree, const std::vector<SqlTable>& tables,
                            const std::vector<std::string>& common_tables, const TreeTools& tools) {
  return TopRowsRewriter(tables, common_tables, tools).Run(RootNode(tree));
}

}  // namespace tidemark
