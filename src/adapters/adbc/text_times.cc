// Finds which columns are times as text, and wraps them where they are compared or ordered.
#include "adapters/adbc/text_times_internal.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/duckdb_views_internal.h"
#include "adapters/adbc/sql_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

// A column that a relation gives.
struct Column {
  std::string name;  // in lower case
  bool is_time = false;
  bool is_hidden = false;  // from a star: a join shows another one of its name
};

// What a name in FROM stands for.
struct Relation {
  std::string schema;  // in lower case, empty if it has none
  std::string name;    // in lower case: its alias, or its own name
  std::vector<Column> columns;
};

using CommonTables = std::map<std::string, std::vector<Column>>;

// What names within one SELECT mean.
struct QueryScope {
  std::vector<Relation> relations;
  std::vector<Column> aliases;  // of the select list
  const QueryScope* outer = nullptr;
};

// Functions whose result is one of the values of their first argument.
constexpr std::array<std::string_view, 19> kPassing = {
    "any_value",  "arbitrary", "first",    "last", "arg_max", "arg_min", "argmax",
    "argmin",     "max_by",    "min_by",   "lag",  "lead",    "mode",    "first_value",
    "last_value", "nth_value", "coalesce", "min",  "max"};
// Functions that order by their second argument.
constexpr std::array<std::string_view, 6> kOrdering = {"arg_max", "arg_min", "argmax",
                                                       "argmin",  "max_by",  "min_by"};
constexpr std::array<std::string_view, 8> kComparisons = {
    "COMPARE_EQUAL",         "COMPARE_NOTEQUAL",          "COMPARE_LESSTHAN",
    "COMPARE_GREATERTHAN",   "COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"};

// Types that a text which is a time becomes by its zone, where DuckDB would leave the zone out.
constexpr std::array<std::string_view, 6> kTimeTypes = {
    "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DATE", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"};

template <typename Names>
bool IsOneOf(const std::string& name, const Names& names) {
  return std::ranges::find(names, std::string_view(name)) != names.end();
}

bool IsNode(const Json& json, const char* member) {
  const auto found = json.find(member);
  return found != json.end() && found->is_object() && !found->empty();
}

std::vector<std::string> NamesOf(const Json& node, const char* member) {
  std::vector<std::string> names;
  if (const auto found = node.find(member); found != node.end() && found->is_array()) {
    for (const Json& name : *found) {
      if (name.is_string()) names.push_back(FoldName(name.get<std::string>()));
    }
  }
  return names;
}

const Column* FindColumn(const Relation& relation, const std::string& name) {
  const auto found = std::ranges::find(relation.columns, name, &Column::name);
  return found == relation.columns.end() ? nullptr : &*found;
}

bool IsConstantText(const Json& expression) {
  return TextOf(expression, "class") == "CONSTANT" && expression.contains("value") &&
         expression["value"].contains("type") && TextOf(expression["value"]["type"], "id") == "VARCHAR";
}

// (a, b)
bool IsRow(const Json& expression) {
  return TextOf(expression, "class") == "FUNCTION" && TextOf(expression, "function_name") == "row" &&
         expression.contains("children");
}

bool SpeaksOfOwnCatalog(const std::string& schema) {
  static constexpr std::array<std::string_view, 3> kOwn = {"memory", "system", "temp"};
  return IsOneOf(schema, kOwn);
}

// The name under which a column's values are asked for: the last part of a reference.
std::string ShownName(const Json& expression) {
  const auto names = expression.find("column_names");
  if (names != expression.end() && names->is_array() && !names->empty())
    return names->back().get<std::string>();
  const auto children = expression.find("children");
  if (children != expression.end() && children->is_array() && !children->empty()) {
    return ShownName(children->front());
  }
  return TextOf(expression, "alias").empty() ? "value" : TextOf(expression, "alias");
}

class Rewriter {
 public:
  Rewriter(const std::vector<SqlTable>& tables, std::string catalog, const TreeTools& tools)
      : tables_(tables), catalog_(std::move(catalog)), tools_(tools) {}

  Result<void> Run(Json& root) {
    // Nodes are made from what DuckDB itself makes of such a text, so that no member is missing.
    TM_ASSIGN(Json call, tools_.parse("SELECT " + std::string(kTimeFunction) + "(x, 'x')"));
    call_ = RootNode(call)["select_list"][0];
    TM_ASSIGN(Json wrapped, tools_.parse("SELECT * FROM (SELECT 1) AS q"));
    wrapper_ = RootNode(wrapped);
    statement_ = std::move(wrapped);
    TM_TRY(Query(root, {}, nullptr));
    return {};
  }

 private:
  Json TimeOf(Json expression) const {
    Json call = call_;
    call["children"][1]["value"]["value"] = ShownName(expression);
    expression["alias"] = "";
    call["children"][0] = std::move(expression);
    return call;
  }

  // A query: what its columns are, after it was rewritten.
  Result<std::vector<Column>> Query(Json& node, CommonTables common, const QueryScope* outer) {
    if (IsNode(node, "cte_map") && node["cte_map"].contains("map")) {
      for (Json& entry : node["cte_map"]["map"]) {
        Json& table = entry["value"];
        TM_ASSIGN(std::vector<Column> columns, Query(table["query"]["node"], common, outer));
        Rename(columns, NamesOf(table, "aliases"));
        common[FoldName(TextOf(entry, "key"))] = std::move(columns);
      }
    }
    const std::string type = TextOf(node, "type");
    if (type == "SELECT_NODE") return Select(node, common, outer);
    if (type == "RECURSIVE_CTE_NODE") {
      TM_ASSIGN(std::vector<Column> columns, Query(node["left"], common, outer));
      common[FoldName(TextOf(node, "cte_name"))] = columns;
      TM_TRY(Query(node["right"], common, outer));
      return columns;
    }
    if (type == "SET_OPERATION_NODE") return SetOperation(node, common, outer);
    if (type == "CTE_NODE") {
      TM_ASSIGN(std::vector<Column> columns, Query(node["query"], common, outer));
      common[FoldName(TextOf(node, "cte_name"))] = std::move(columns);
      return Query(node["child"], common, outer);
    }
    return std::vector<Column>();
  }

  Result<std::vector<Column>> SetOperation(Json& node, const CommonTables& common, const QueryScope* outer) {
    std::vector<Column> columns;
    const auto add = [&](const std::vector<Column>& more) {
      for (std::size_t i = 0; i < more.size(); ++i) {
        if (i >= columns.size())
          columns.push_back(more[i]);
        else
          columns[i].is_time = columns[i].is_time || more[i].is_time;
      }
    };
    for (const char* side : {"left", "right"}) {
      if (!IsNode(node, side)) continue;
      TM_ASSIGN(const std::vector<Column> more, Query(node[side], common, outer));
      add(more);
    }
    if (const auto children = node.find("children"); children != node.end() && children->is_array()) {
      for (Json& child : *children) {
        TM_ASSIGN(const std::vector<Column> more, Query(child, common, outer));
        add(more);
      }
    }
    const bool orders_times = std::ranges::any_of(columns, &Column::is_time) && HasOrder(node);
    if (!orders_times) return columns;
    // Such a query is ordered by its columns only, so the order goes to a query around it.
    Json modifiers = std::move(node["modifiers"]);
    node["modifiers"] = Json::array();
    node = Wrapped(std::move(node));
    node["modifiers"] = std::move(modifiers);
    QueryScope scope{
        .relations = {{.schema = "", .name = "q", .columns = columns}}, .aliases = columns, .outer = outer};
    TM_TRY(Modifiers(node, scope, columns, common));
    return columns;
  }

  static bool HasOrder(const Json& node) {
    const auto modifiers = node.find("modifiers");
    if (modifiers == node.end()) return false;
    return std::ranges::any_of(*modifiers,
                               [](const Json& one) { return TextOf(one, "type") == "ORDER_MODIFIER"; });
  }

  // SELECT * FROM (node) AS q, with the node's common tables kept where they are.
  Json Wrapped(Json node) const {
    Json wrapper = wrapper_;
    wrapper["from_table"]["subquery"]["node"] = std::move(node);
    return wrapper;
  }

  Result<std::vector<Column>> Select(Json& node, const CommonTables& common, const QueryScope* outer) {
    QueryScope scope{.relations = {}, .aliases = {}, .outer = outer};
    if (IsNode(node, "from_table")) TM_TRY(From(node["from_table"], scope, common));
    std::vector<Column> columns;
    if (const auto list = node.find("select_list"); list != node.end()) {
      for (Json& expression : *list)
        TM_TRY(Selected(expression, scope, common, columns));
    }
    for (const char* clause : {"where_clause", "having", "qualify"}) {
      if (IsNode(node, clause)) TM_TRY(Expression(node[clause], scope, common));
    }
    if (const auto groups = node.find("group_expressions"); groups != node.end() && groups->is_array()) {
      for (Json& expression : *groups)
        TM_TRY(Expression(expression, scope, common));
    }
    TM_TRY(Modifiers(node, scope, columns, common));
    return columns;
  }

  // One item of a select list, and the columns that it gives.
  Result<void> Selected(Json& expression, QueryScope& scope, const CommonTables& common,
                        std::vector<Column>& columns) {
    if (TextOf(expression, "class") == "STAR") {
      TM_TRY(Expression(expression, scope, common));
      if (!expression.value("columns", false)) Star(expression, scope, columns);
      return {};
    }
    const Json before = expression;
    TM_ASSIGN(const bool is_time, Expression(expression, scope, common));
    std::string name = TextOf(before, "alias");
    if (!name.empty()) {
      scope.aliases.push_back({.name = FoldName(name), .is_time = is_time});
    } else if (TextOf(before, "class") == "COLUMN_REF") {
      name = ShownName(before);
    } else if (expression != before) {
      TM_ASSIGN(name, NameOf(before));
      expression["alias"] = name;
    }
    columns.push_back({.name = FoldName(name), .is_time = is_time});
    return {};
  }

  // The name that a column without an alias gets: its text.
  Result<std::string> NameOf(const Json& expression) {
    Json tree = statement_;
    Json& root = RootNode(tree);
    root["select_list"] = Json::array({expression});
    TM_ASSIGN(const std::string text, tools_.print(tree));
    const std::size_t begin = text.find("SELECT ");
    const std::size_t end = text.rfind(" FROM (SELECT 1) AS q");
    if (begin != 0 || end == std::string::npos) return std::string("value");
    return text.substr(7, end - 7);
  }

  static void Star(const Json& star, const QueryScope& scope, std::vector<Column>& columns) {
    const std::string only = FoldName(TextOf(star, "relation_name"));
    std::vector<std::string> excluded = NamesOf(star, "exclude_list");
    if (const auto qualified = star.find("qualified_exclude_list");
        qualified != star.end() && qualified->is_array()) {
      for (const Json& name : *qualified)
        excluded.push_back(FoldName(name.is_string() ? name.get<std::string>() : TextOf(name, "column")));
    }
    std::vector<std::string> replaced;
    if (const auto list = star.find("replace_list"); list != star.end() && list->is_array()) {
      for (const Json& entry : *list)
        replaced.push_back(FoldName(TextOf(entry, "key")));
    }
    for (const Relation& relation : scope.relations) {
      if (!only.empty() && relation.name != only) continue;
      for (const Column& column : relation.columns) {
        if (column.is_hidden || std::ranges::find(excluded, column.name) != excluded.end()) continue;
        const bool is_other = std::ranges::find(replaced, column.name) != replaced.end();
        columns.push_back({.name = column.name, .is_time = column.is_time && !is_other});
      }
    }
  }

  static void Rename(std::vector<Column>& columns, const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size() && i < columns.size(); ++i)
      columns[i].name = names[i];
  }

  // ---- FROM

  Result<void> From(Json& from, QueryScope& scope, const CommonTables& common) {
    const std::string type = TextOf(from, "type");
    const std::string alias = FoldName(TextOf(from, "alias"));
    if (type == "JOIN") return Join(from, scope, common);
    Relation relation{.schema = "", .name = alias, .columns = {}};
    if (type == "BASE_TABLE") {
      relation = TableOf(from, common);
    } else if (type == "SUBQUERY") {
      TM_ASSIGN(relation.columns, Query(from["subquery"]["node"], common, &scope));
    } else if (type == "SHOW_REF") {
      if (IsNode(from, "query")) TM_TRY(Query(from["query"], common, &scope));
    } else if (type == "PIVOT") {
      if (IsNode(from, "source")) TM_TRY(From(from["source"], scope, common));
      return {};
    } else {
      TM_TRY(Children(from, scope, common));
    }
    Rename(relation.columns, NamesOf(from, "column_name_alias"));
    scope.relations.push_back(std::move(relation));
    return {};
  }

  Result<void> Join(Json& join, QueryScope& scope, const CommonTables& common) {
    TM_TRY(From(join["left"], scope, common));
    const std::size_t left = scope.relations.size();
    TM_TRY(From(join["right"], scope, common));
    const std::vector<std::string> shared = NamesOf(join, "using_columns");
    const std::string type = TextOf(join, "join_type");
    const bool shows_left_only = type == "SEMI" || type == "ANTI";
    const bool is_natural = TextOf(join, "ref_type") == "NATURAL";
    for (std::size_t i = left; i < scope.relations.size(); ++i) {
      for (Column& column : scope.relations[i].columns) {
        const bool is_named = std::ranges::find(shared, column.name) != shared.end();
        const bool is_left = std::any_of(
            scope.relations.begin(), scope.relations.begin() + static_cast<std::ptrdiff_t>(left),
            [&](const Relation& relation) { return FindColumn(relation, column.name) != nullptr; });
        const bool is_shared = is_named || (is_natural && is_left);
        if (is_shared && IsTimeColumn({column.name}, scope)) {
          return Fail(ErrorCode::kUnsupported,
                      "column '" + column.name +
                          "' holds times as text, which USING would compare as text: join ON a." +
                          column.name + " = b." + column.name);
        }
        column.is_hidden = column.is_hidden || shows_left_only || is_shared;
      }
    }
    if (IsNode(join, "condition")) TM_TRY(Expression(join["condition"], scope, common));
    return {};
  }

  Relation TableOf(Json& node, const CommonTables& common) const {
    const std::string name = FoldName(TextOf(node, "table_name"));
    const std::string schema = FoldName(TextOf(node, "schema_name"));
    const std::string alias = FoldName(TextOf(node, "alias"));
    Relation relation{
        .schema = alias.empty() ? schema : "", .name = alias.empty() ? name : alias, .columns = {}};
    if (const auto found = common.find(name); schema.empty() && found != common.end()) {
      relation.columns = found->second;
      return relation;
    }
    for (const SqlTable& table : tables_) {
      const bool is_named =
          FoldName(table.name) == name || std::ranges::any_of(table.aliases, [&](const std::string& other) {
            return FoldName(other) == name;
          });
      if (!is_named || FoldName(table.schema) != schema) continue;
      for (const SqlColumn& column : table.columns)
        relation.columns.push_back({.name = FoldName(column.name), .is_time = column.is_text_time});
      if (SpeaksOfOwnCatalog(schema)) node["catalog_name"] = catalog_;
      break;
    }
    return relation;
  }

  // ---- expressions

  // All expressions and queries below a node.
  Result<void> Children(Json& node, const QueryScope& scope, const CommonTables& common) {
    if (!node.is_structured()) return {};
    for (Json& child : node) {
      if (!child.is_structured()) continue;
      if (child.is_object() && child.contains("class")) {
        TM_TRY(Expression(child, scope, common));
      } else {
        TM_TRY(Children(child, scope, common));
      }
    }
    return {};
  }

  // True if the expression, as it was, gives a time as text.
  Result<bool> Expression(Json& node, const QueryScope& scope, const CommonTables& common) {
    const std::string kind = TextOf(node, "class");
    const std::string type = TextOf(node, "type");
    if (kind == "COLUMN_REF") return IsTimeColumn(NamesOf(node, "column_names"), scope);
    if (kind == "SUBQUERY") return Subquery(node, scope, common);
    if (kind == "FUNCTION" || kind == "WINDOW") return Function(node, scope, common);
    if (kind == "CAST") return Cast(node, scope, common);
    const bool is_time = IsTime(node, scope);
    std::vector<Json*> sides;
    if (kind == "COMPARISON" && IsOneOf(type, kComparisons)) {
      sides = {&node["left"], &node["right"]};
    } else if (kind == "BETWEEN") {
      sides = {&node["input"], &node["lower"], &node["upper"]};
    } else if (kind == "OPERATOR" && (type == "COMPARE_IN" || type == "COMPARE_NOT_IN")) {
      for (Json& child : node["children"])
        sides.push_back(&child);
    } else {
      TM_TRY(Children(node, scope, common));
      return is_time;
    }
    TM_TRY(Compare(sides, scope, common));
    return false;
  }

  Result<bool> Cast(Json& node, const QueryScope& scope, const CommonTables& common) {
    TM_ASSIGN(const bool is_time, Expression(node["child"], scope, common));
    if (is_time && IsOneOf(TextOf(node["cast_type"], "id"), kTimeTypes)) {
      node["child"] = TimeOf(std::move(node["child"]));
    }
    return false;
  }

  // The sides of a comparison: if one is a time as text, all that are, and texts that are stated, become
  // times.
  Result<void> Compare(const std::vector<Json*>& sides, const QueryScope& scope, const CommonTables& common) {
    const auto is_like_first = [&](Json* side) {
      return IsRow(*side) && (*side)["children"].size() == (*sides[0])["children"].size();
    };
    if (IsRow(*sides[0]) && std::ranges::all_of(sides, is_like_first)) {
      for (std::size_t i = 0; i < (*sides[0])["children"].size(); ++i) {
        std::vector<Json*> parts;
        for (Json* side : sides)
          parts.push_back(&(*side)["children"][i]);
        TM_TRY(Compare(parts, scope, common));
      }
      return {};
    }
    std::string name;
    std::vector<bool> are_times;
    for (Json* side : sides) {
      TM_ASSIGN(const bool is_time, Expression(*side, scope, common));
      are_times.push_back(is_time);
      if (is_time && name.empty()) name = ShownName(*side);
    }
    if (name.empty()) return {};
    for (std::size_t i = 0; i < sides.size(); ++i) {
      Json& side = *sides[i];
      if (!are_times[i] && !IsConstantText(side)) continue;
      Json time = TimeOf(std::move(side));
      time["children"][1]["value"]["value"] = name;
      side = std::move(time);
    }
    return {};
  }

  Result<bool> Function(Json& node, const QueryScope& scope, const CommonTables& common) {
    const std::string name = FoldName(TextOf(node, "function_name"));
    auto children = node.find("children");
    const bool has_first = children != node.end() && children->is_array() && !children->empty();
    const bool is_first_time = has_first && IsTime(children->front(), scope);
    const bool is_second_time = has_first && children->size() > 1 && IsTime((*children)[1], scope);
    TM_TRY(Children(node, scope, common));
    OrderByTimes(node, scope);
    children = node.find("children");
    if (is_first_time && (name == "min" || name == "max")) {
      const Json first = children->front();
      node["function_name"] = "arg_" + name;
      Json::Array& arguments = children->items_of_array();
      arguments.insert(arguments.begin() + 1, TimeOf(first));
    } else if (is_second_time && IsOneOf(name, kOrdering)) {
      (*children)[1] = TimeOf((*children)[1]);
    }
    return is_first_time && IsOneOf(name, kPassing);
  }

  // ORDER BY within a window or an aggregate.
  void OrderByTimes(Json& node, const QueryScope& scope) const {
    for (const char* member : {"orders", "arg_orders"}) {
      if (const auto orders = node.find(member); orders != node.end() && orders->is_array())
        Order(*orders, scope);
    }
    if (const auto orders = node.find("order_bys"); orders != node.end() && orders->is_object()) {
      if (orders->contains("orders")) Order((*orders)["orders"], scope);
    }
  }

  void Order(Json& orders, const QueryScope& scope) const {
    for (Json& order : orders) {
      if (IsNode(order, "expression") && IsTime(order["expression"], scope)) {
        order["expression"] = TimeOf(std::move(order["expression"]));
      }
    }
  }

  // ORDER BY, LIMIT and DISTINCT ON of a query, whose columns may be named by their place.
  Result<void> Modifiers(Json& node, const QueryScope& scope, const std::vector<Column>& columns,
                         const CommonTables& common) {
    const auto modifiers = node.find("modifiers");
    if (modifiers == node.end()) return {};
    for (Json& modifier : *modifiers) {
      TM_TRY(Children(modifier, scope, common));
      if (TextOf(modifier, "type") != "ORDER_MODIFIER" || !modifier.contains("orders")) continue;
      for (Json& order : modifier["orders"])
        NamePlace(order, columns);
      Order(modifier["orders"], scope);
    }
    return {};
  }

  // ORDER BY 2, where the second column is a time: by its name, if it is the only one of that name.
  void NamePlace(Json& order, const std::vector<Column>& columns) const {
    if (!IsNode(order, "expression") || TextOf(order["expression"], "class") != "CONSTANT") return;
    const Json& value = order["expression"]["value"];
    if (!value.contains("value") || !value["value"].is_number_unsigned()) return;
    const auto place = value["value"].get<std::size_t>();
    if (place < 1 || place > columns.size() || !columns[place - 1].is_time) return;
    const std::string& name = columns[place - 1].name;
    if (name.empty() || std::ranges::count(columns, name, &Column::name) != 1) return;
    Json reference = call_["children"][0];
    reference["column_names"] = Json::array({name});
    order["expression"] = std::move(reference);
  }

  // x IN (SELECT ...), x = ANY (SELECT ...), EXISTS, a single value: true if that is a time.
  Result<bool> Subquery(Json& node, const QueryScope& scope, const CommonTables& common) {
    const bool has_child = IsNode(node, "child");
    if (has_child && IsRow(node["child"])) return RowSubquery(node, scope, common);
    bool is_child_time = false;
    if (has_child) {
      TM_ASSIGN(is_child_time, Expression(node["child"], scope, common));
    }
    Json& query = node["subquery"]["node"];
    TM_ASSIGN(const std::vector<Column> columns, Query(query, common, &scope));
    const bool is_query_time = columns.size() == 1 && columns[0].is_time;
    if (!has_child) return is_query_time && TextOf(node, "subquery_type") == "SCALAR";
    if (!is_child_time && !is_query_time) return false;
    const std::string name = is_child_time ? ShownName(node["child"]) : columns[0].name;
    if (is_child_time || IsConstantText(node["child"])) {
      node["child"] = TimeOf(std::move(node["child"]));
      node["child"]["children"][1]["value"]["value"] = name;
    }
    if (!is_query_time) return false;
    query = Wrapped(std::move(query));
    query["from_table"]["column_name_alias"] = Json::array({"c"});
    Json reference = call_["children"][0];
    reference["column_names"] = Json::array({"c"});
    Json time = TimeOf(std::move(reference));
    time["children"][1]["value"]["value"] = name;
    query["select_list"] = Json::array({std::move(time)});
    return false;
  }

  // (a, b) IN (SELECT ...)
  Result<bool> RowSubquery(Json& node, const QueryScope& scope, const CommonTables& common) {
    Json& parts = node["child"]["children"];
    std::vector<bool> are_times;
    for (Json& part : parts) {
      TM_ASSIGN(const bool is_time, Expression(part, scope, common));
      are_times.push_back(is_time);
    }
    Json& query = node["subquery"]["node"];
    TM_ASSIGN(const std::vector<Column> columns, Query(query, common, &scope));
    if (columns.size() != are_times.size()) return false;
    std::vector<std::string> places;
    Json list = Json::array({});
    bool has_times = false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      places.push_back("c" + std::to_string(i));
      Json value = call_["children"][0];
      value["column_names"] = Json::array({places.back()});
      if (columns[i].is_time) value = TimeOf(std::move(value));
      list.items_of_array().push_back(std::move(value));
      has_times = has_times || columns[i].is_time;
      const bool is_text = columns[i].is_time && IsConstantText(parts[i]);
      if (are_times[i] || is_text) parts[i] = TimeOf(std::move(parts[i]));
    }
    if (!has_times) return false;
    query = Wrapped(std::move(query));
    Json aliases = Json::array({});
    for (const std::string& place : places)
      aliases.items_of_array().push_back(Json(place));
    query["from_table"]["column_name_alias"] = std::move(aliases);
    query["select_list"] = std::move(list);
    return false;
  }

  // ---- which expressions are times

  static bool IsTime(const Json& node, const QueryScope& scope) {
    const std::string kind = TextOf(node, "class");
    if (kind == "COLUMN_REF") return IsTimeColumn(NamesOf(node, "column_names"), scope);
    const bool is_call = kind == "FUNCTION" || kind == "WINDOW" || kind == "OPERATOR";
    if (!is_call) return false;
    // COALESCE is an operator, and some windows have a type where functions have a name.
    std::string name = FoldName(TextOf(node, "function_name"));
    if (kind == "OPERATOR") name = TextOf(node, "type") == "OPERATOR_COALESCE" ? "coalesce" : "";
    if (!IsOneOf(name, kPassing)) return false;
    const auto children = node.find("children");
    return children != node.end() && children->is_array() && !children->empty() &&
           IsTime(children->front(), scope);
  }

  static bool IsTimeColumn(const std::vector<std::string>& names, const QueryScope& scope) {
    if (names.empty() || names.size() > 3) return false;
    for (const QueryScope* at = &scope; at != nullptr; at = at->outer) {
      bool is_known = false;
      for (const Relation& relation : at->relations) {
        const bool is_its = names.size() == 1 || (names.size() == 2 && names[0] == relation.name) ||
                            (names.size() == 3 && names[0] == relation.schema && names[1] == relation.name);
        const Column* column = is_its ? FindColumn(relation, names.back()) : nullptr;
        if (column == nullptr) continue;
        if (column->is_time) return true;
        is_known = true;
      }
      if (is_known) return false;
      if (names.size() > 1) continue;
      const auto alias = std::ranges::find(at->aliases, names[0], &Column::name);
      if (alias != at->aliases.end()) return alias->is_time;
    }
    return false;
  }

  const std::vector<SqlTable>& tables_;
  const std::string catalog_;
  const TreeTools& tools_;
  Json call_;       // tidemark_time(x, 'x')
  Json wrapper_;    // SELECT * FROM (SELECT 1) AS q
  Json statement_;  // the same, as a whole tree
};

}  // namespace

bool NeedsRewriting(const std::vector<SqlTable>& tables) {
  return std::ranges::any_of(tables, [](const SqlTable& table) {
    return SpeaksOfOwnCatalog(FoldName(table.schema)) ||
           std::ranges::any_of(table.columns, &SqlColumn::is_text_time);
  });
}

Result<void> RewriteTimes(Json& tree, const std::vector<SqlTable>& tables, const std::string& catalog,
                          const TreeTools& tools) {
  Rewriter rewriter(tables, catalog, tools);
  return rewriter.Run(RootNode(tree));
}

}  // namespace tidemark
