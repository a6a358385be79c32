// Walks over a statement's tree for what it names.
#include "adapters/adbc/sql_reads_internal.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "adapters/adbc/sql_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

bool HasItems(const Json& node, const char* member) {
  const Json* const found = node.member(member);
  if (found == nullptr) return false;
  return found->is_structured() ? !found->empty() : !found->is_null();
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

class ReadsReader {
 public:
  SqlReads Read(const Json& tree) {
    Visit(tree);
    // A table's name in the place of a column is all of its columns as one.
    for (const std::string& name : last_parts_) {
      if (from_names_.contains(name)) reads_.is_of_all_columns = true;
    }
    return std::move(reads_);
  }

 private:
  void Visit(const Json& node) {
    if (node.is_array()) {
      for (const Json& child : node)
        Visit(child);
      return;
    }
    if (!node.is_object()) return;
    const std::string type = TextOf(node, "type");
    VisitExpression(node, type);
    VisitFrom(node, type);
    for (const auto& [name, child] : node.items()) {
      if (child.is_structured()) Visit(child);
    }
  }

  void VisitExpression(const Json& node, const std::string& type) {
    const std::string kind = TextOf(node, "class");
    if (kind == "STAR" || kind == "POSITIONAL_REFERENCE" || type == "SHOW_REF") {
      reads_.is_of_all_columns = true;
    } else if (kind == "COLUMN_REF") {
      for (const Json& part : node.at("column_names"))
        reads_.columns.insert(FoldName(part.text()));
      if (!node.at("column_names").empty())
        last_parts_.insert(FoldName(node.at("column_names").back().text()));
    }
  }

  void VisitFrom(const Json& node, const std::string& type) {
    if (type == "BASE_TABLE") {
      const std::string table = TextOf(node, "table_name");
      from_names_.insert(FoldName(table));
      if (table.find_first_of("./\\*") != std::string::npos) reads_.names_files = true;
    }
    if (type == "TABLE_FUNCTION") reads_.names_files = true;  // of which those that name no file read none
    if (IsOneOf(type, {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST"})) {
      from_names_.insert(FoldName(TextOf(node, "alias")));
      if (HasItems(node, "column_name_alias")) reads_.is_of_all_columns = true;
    }
    if (type == "PIVOT" || TextOf(node, "ref_type") == "NATURAL") reads_.is_of_all_columns = true;
    if (const Json* const shared = node.member("using_columns"); shared != nullptr) {
      for (const Json& name : *shared)
        reads_.columns.insert(FoldName(name.text()));
    }
  }

  SqlReads reads_;
  std::set<std::string> last_parts_;  // of columns' names
  std::set<std::string> from_names_;  // what may stand for a row
};

// A whole number that is not negative.
std::optional<std::int64_t> CountOf(const Json* expression) {
  if (expression == nullptr || TextOf(*expression, "class") != "CONSTANT") return std::nullopt;
  const Json* const value = expression->at("value").member("value");
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  const auto count = value->get<std::size_t>();
  if (count > std::size_t{INT64_MAX} / 2) return std::nullopt;
  return static_cast<std::int64_t>(count);
}

// As DuckDB keeps the order of rows that nobody asks to be ordered, such a statement gives the first ones.
std::optional<std::int64_t> FirstRows(const Json& node) {
  if (TextOf(node, "type") != "SELECT_NODE") return std::nullopt;
  for (const char* member :
       {"where_clause", "group_expressions", "group_sets", "having", "sample", "qualify"}) {
    if (HasItems(node, member)) return std::nullopt;
  }
  if (const Json* const common = node.member("cte_map"); common != nullptr && HasItems(*common, "map"))
    return std::nullopt;
  const Json& from = node.at("from_table");
  if (TextOf(from, "type") != "BASE_TABLE" || HasItems(from, "sample") || HasItems(from, "at_clause"))
    return std::nullopt;
  const bool is_plain = std::ranges::all_of(node.at("select_list"), [](const Json& item) {
    return TextOf(item, "class") == "COLUMN_REF" ||
           (TextOf(item, "class") == "STAR" && !HasItems(item, "replace_list") && !HasItems(item, "expr"));
  });
  const Json& modifiers = node.at("modifiers");
  if (!is_plain || modifiers.size() != 1 || TextOf(modifiers[0], "type") != "LIMIT_MODIFIER")
    return std::nullopt;
  const auto limit = CountOf(modifiers[0].member("limit"));
  if (!limit) return std::nullopt;
  if (!HasItems(modifiers[0], "offset")) return limit;
  const auto offset = CountOf(modifiers[0].member("offset"));
  if (!offset) return std::nullopt;
  return *limit + *offset;
}

// Finds the SELECT that is over a table and nothing else.
class TableSelect {
 public:
  explicit TableSelect(const std::string& table) : table_(table) {}

  void Visit(const Json& node) {
    if (node.is_array()) {
      for (const Json& child : node)
        Visit(child);
    } else if (node.is_object()) {
      if (IsTheTable(node)) ++count_;
      const Json* const from = node.member("from_table");
      if (from != nullptr && IsTheTable(*from)) select_ = &node;
      for (const auto& [name, child] : node.items()) {
        if (child.is_structured()) Visit(child);
      }
    }
  }

  int count() const { return count_; }  // how often the table is named
  const Json* select() const { return select_; }

 private:
  bool IsTheTable(const Json& node) const {
    return TextOf(node, "type") == "BASE_TABLE" && FoldName(TextOf(node, "table_name")) == table_;
  }

  const std::string& table_;
  int count_ = 0;
  const Json* select_ = nullptr;
};

// Picks the conditions of a SELECT over one table that are on some of its columns alone.
class FolderConditions {
 public:
  FolderConditions(const Json& select, const std::set<std::string>& columns) : columns_(columns) {
    const Json& from = select.at("from_table");
    const std::string alias = TextOf(from, "alias");
    name_ = FoldName(alias.empty() ? TextOf(from, "table_name") : alias);
  }

  void Add(const Json& condition, Json& kept) const {
    if (TextOf(condition, "type") == "CONJUNCTION_AND") {
      for (const Json& child : condition.at("children"))
        Add(child, kept);
      return;
    }
    Json copy = condition;
    if (Strip(copy)) kept.push_back(std::move(copy));
  }

 private:
  // Has columns named by their own names alone; false if there is anything else in it.
  bool Strip(Json& node) const {
    const std::string kind = TextOf(node, "class");
    if (kind == "CONSTANT") return true;
    if (kind == "COLUMN_REF") {
      Json& names = node.at("column_names");
      if (names.empty() || !columns_.contains(FoldName(names.back().text()))) return false;
      if (names.size() > 1 && FoldName(names[names.size() - 2].text()) != name_) return false;
      Json own = names.back();
      names = Json::array({std::move(own)});
      return true;
    }
    if (!IsOneOf(kind, {"COMPARISON", "CONJUNCTION", "BETWEEN", "OPERATOR", "CAST"})) return false;
    for (const char* member : {"left", "right", "input", "lower", "upper", "child"}) {
      if (Json* const child = node.member(member); child != nullptr && !Strip(*child)) return false;
    }
    if (Json* const children = node.member("children"); children != nullptr) {
      for (Json& child : *children) {
        if (!Strip(child)) return false;
      }
    }
    return true;
  }

  const std::set<std::string>& columns_;
  std::string name_;
};

}  // namespace

SqlReads ReadsOf(const Json& tree) {
  const Json& root = tree.at("statements")[0].at("node");
  // DESCRIBE t is `SELECT * FROM (DESCRIBE t)`, and reads no values.
  if (const Json* const from = root.member("from_table");
      from != nullptr && TextOf(*from, "type") == "SHOW_REF" && TextOf(*from, "show_type") == "DESCRIBE") {
    return {};
  }
  SqlReads reads = ReadsReader().Read(root);
  reads.rows_max = FirstRows(root);
  return reads;
}

Json ConditionsOn(const Json& tree, const std::string& table, const std::set<std::string>& columns) {
  TableSelect found(table);
  found.Visit(tree.at("statements")[0].at("node"));
  if (found.count() != 1 || found.select() == nullptr || !HasItems(*found.select(), "where_clause"))
    return nullptr;
  Json kept = Json::array();
  FolderConditions(*found.select(), columns).Add(found.select()->at("where_clause"), kept);
  if (kept.empty()) return nullptr;
  if (kept.size() == 1) return kept[0];
  Json all = Json::object();
  all["class"] = "CONJUNCTION";
  all["type"] = "CONJUNCTION_AND";
  all["alias"] = "";
  all["children"] = std::move(kept);
  return all;
}

}  // namespace tidemark
