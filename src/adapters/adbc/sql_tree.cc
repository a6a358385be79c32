// Walks over parse trees.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "adapters/adbc/duckdb_text_internal.h"
#include "adapters/adbc/sql_tree_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

// Deeper than anybody writes, and far from where a walk overflows the stack.
constexpr int kDepthMax = 2000;

// Table functions that read nothing but what they are given.
constexpr std::array<std::string_view, 8> kTableFunctions = {"range",      "generate_series",    "unnest",
                                                             "json_each",  "json_tree",          "repeat",
                                                             "repeat_row", "generate_subscripts"};

// Scalar functions that tell of the engine's folders and settings, or write to its log.
constexpr std::array<std::string_view, 2> kInnerFunctions = {"current_setting", "write_log"};

// Those that read the files that they are given.
constexpr std::array<std::string_view, 9> kFileFunctions = {"read_parquet",  "parquet_scan", "read_csv",
                                                            "read_csv_auto", "read_json",    "read_json_auto",
                                                            "read_ndjson",   "read_text",    "read_blob"};

constexpr std::array<std::string_view, 12> kFileEndings = {".parquet", ".csv",    ".json",  ".tsv",
                                                           ".gz",      ".zst",    ".txt",   ".db",
                                                           ".arrow",   ".duckdb", ".jsonl", ".xlsx"};

std::optional<std::size_t> PositionOf(const Json& node) {
  const auto found = node.find("query_location");
  if (found == node.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::size_t>();
}

std::unexpected<Error> FailAt(ErrorCode code, const std::string& message, std::string_view text,
                              std::optional<std::size_t> position) {
  // DuckDB marks "no place" by the greatest number.
  if (!position || *position > text.size()) return Fail(code, message);
  return Fail(code, message + "\n" + PlaceIn(text, *position));
}

bool LooksLikeFile(const std::string& name) {
  const std::string low = FoldName(name);
  return name.find('/') != std::string::npos || name.find('\\') != std::string::npos ||
         name.find('*') != std::string::npos ||
         std::ranges::any_of(kFileEndings, [&](std::string_view end) { return low.ends_with(end); });
}

// Looks at every node of a tree and collects the tables.
class TreeReader {
 public:
  TreeReader(SqlStatement& statement, bool may_name_files)
      : statement_(statement), may_name_files_(may_name_files) {}

  Result<void> Read(const Json& node, int depth = 0) {
    if (depth > kDepthMax) {
      return Fail(ErrorCode::kInvalidArgument, "the statement is nested more than 2000 deep");
    }
    if (node.is_array()) {
      for (const Json& child : node)
        TM_TRY(Read(child, depth + 1));
    } else if (node.is_object()) {
      const std::string type = TextOf(node, "type");
      if (type == "BASE_TABLE") TM_TRY(ReadTable(node));
      if (type == "TABLE_FUNCTION") TM_TRY(CheckTableFunction(node));
      if (type == "SHOW_REF") TM_TRY(CheckShow(node));
      if (type == "FUNCTION") TM_TRY(CheckFunction(node));
      ReadCommonTables(node);
      for (const auto& [name, child] : node.items()) {
        if (child.is_structured()) TM_TRY(Read(child, depth + 1));
      }
    }
    return {};
  }

 private:
  void ReadCommonTables(const Json& node) {
    const Json* const ctes = node.member("cte_map");
    if (ctes == nullptr || !ctes->contains("map")) return;
    for (const Json& cte : ctes->at("map"))
      statement_.common_tables.push_back(FoldName(TextOf(cte, "key")));
  }

  Result<void> ReadTable(const Json& node) {
    const std::string table = TextOf(node, "table_name");
    const std::string schema = TextOf(node, "schema_name");
    const std::string catalog = TextOf(node, "catalog_name");
    const auto position = PositionOf(node);
    if (schema.empty() && LooksLikeFile(table)) {
      if (may_name_files_) return {};
      return FailAt(ErrorCode::kPermissionDenied,
                    "'" + table +
                        "' is a file: SQL reads the catalog's tables only (register_table makes a "
                        "table of a file)",
                    statement_.text, position);
    }
    if (!catalog.empty()) {
      return FailAt(ErrorCode::kNotFound,
                    "no table '" + catalog + "." + schema + "." + table +
                        "': a table is named as project.table, with two parts at most",
                    statement_.text, position);
    }
    statement_.tables.push_back({.schema = schema, .table = table, .position = position.value_or(0)});
    return {};
  }

  Result<void> CheckTableFunction(const Json& node) const {
    const auto function = node.find("function");
    const std::string name = function == node.end() ? "" : FoldName(TextOf(*function, "function_name"));
    if (std::ranges::find(kTableFunctions, name) != kTableFunctions.end()) return {};
    if (may_name_files_ && std::ranges::find(kFileFunctions, name) != kFileFunctions.end()) return {};
    return FailAt(
        ErrorCode::kPermissionDenied,
        "the table function " + name + "() is not open to queries: SQL reads the catalog's tables only",
        statement_.text, PositionOf(node));
  }

  Result<void> CheckFunction(const Json& node) const {
    const std::string name = FoldName(TextOf(node, "function_name"));
    if (std::ranges::find(kInnerFunctions, name) == kInnerFunctions.end()) return {};
    return FailAt(ErrorCode::kPermissionDenied,
                  "the function " + name + "() is not open to queries: SQL reads the catalog's tables only",
                  statement_.text, PositionOf(node));
  }

  // SHOW TABLES and the like ask for what the engine happens to know of; DESCRIBE x holds a query.
  static Result<void> CheckShow(const Json& node) {
    const std::string type = TextOf(node, "show_type");
    if (type == "DESCRIBE" || type == "SUMMARY") return {};
    return Fail(ErrorCode::kUnsupported,
                "SHOW is not supported: list tables with `tidemark tables`, and see one with DESCRIBE table");
  }

  SqlStatement& statement_;
  const bool may_name_files_;
};

Error ErrorOfParser(const Json& tree, std::string_view text) {
  const std::string message = TextOf(tree, "error_message");
  if (TextOf(tree, "error_type") == "not implemented") {
    if (message.starts_with("Only SELECT")) {
      return {ErrorCode::kInvalidArgument,
              "this is no query: only SELECT, WITH, VALUES, FROM, DESCRIBE and SUMMARIZE are open to SQL",
              {}};
    }
    return {ErrorCode::kUnsupported, "SQL that is not supported: " + message, {}};
  }
  const std::string at = TextOf(tree, "position");
  std::size_t position = 0;
  const auto [end, failed] = std::from_chars(at.data(), at.data() + at.size(), position);
  if (at.empty() || failed != std::errc()) return {ErrorCode::kInvalidArgument, message, {}};
  return FailAt(ErrorCode::kInvalidArgument, message, text, position).error();
}

Result<Json> Parsed(const std::string& tree) {
  Result<Json> json = ParseJson(tree);
  if (json && json->is_object()) return json;
  // DuckDB writes a constant that is infinite as no JSON.
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the query holds a number that is greater than any double, or is nested too deeply "
                          "({})",
                          json ? "its tree is no object" : json.error().message));
}

Result<void> CheckParameters(const Json& statement, bool is_of_range) {
  const auto parameters = statement.find("named_param_map");
  if (parameters == statement.end() || parameters->empty()) return {};
  if (!is_of_range) {
    return Fail(ErrorCode::kInvalidArgument,
                "the SQL text has parameters (? or $1), and nothing gives their values");
  }
  for (const Json& parameter : *parameters) {
    const std::string name = TextOf(parameter, "key");
    if (name == kRangeStart || name == kRangeEnd) continue;
    return Fail(ErrorCode::kInvalidArgument,
                "the SQL text has a parameter " + (name.empty() ? "without a name" : "$" + name) +
                    Suggest(name, {std::string(kRangeStart), std::string(kRangeEnd)}) +
                    "; there are $start_time and $end_time, the ends of the range that it is run for");
  }
  return {};
}

void PutParametersIn(Json& node, const std::map<std::string, Json>& values) {
  if (node.is_array()) {
    for (Json& child : node)
      PutParametersIn(child, values);
  } else if (node.is_object()) {
    if (TextOf(node, "class") == "PARAMETER") {
      const auto value = values.find(TextOf(node, "identifier"));
      if (value == values.end()) return;
      const std::string alias = TextOf(node, "alias");
      node = value->second;
      node["alias"] = alias;
      return;
    }
    for (auto& [name, child] : node.members()) {
      if (child.is_structured()) PutParametersIn(child, values);
    }
  }
}

}  // namespace

void PutParameters(Json& tree, const std::map<std::string, Json>& values) {
  PutParametersIn(tree, values);
  tree["statements"][0]["named_param_map"] = Json::array();
}

std::string TextOf(const Json& node, const char* member) {
  const auto found = node.find(member);
  return found == node.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

Json& RootNode(Json& tree) {
  return tree["statements"][0]["node"];
}

Result<Json> TreeOf(const SqlStatement& statement) {
  TM_ASSIGN(Json tree, Parsed(statement.tree));
  const auto statements = tree.find("statements");
  if (statements == tree.end() || !statements->is_array() || statements->size() != 1 ||
      !statements->front().contains("node")) {
    return Fail(ErrorCode::kInvalidArgument, "the SQL statement was not parsed");
  }
  return tree;
}

Result<SqlStatement> ReadStatement(std::string_view text, std::string tree, const SqlParseOptions& options) {
  TM_ASSIGN(Json json, Parsed(tree));
  if (json.value("error", false)) return std::unexpected(ErrorOfParser(json, text));
  const auto statements = json.find("statements");
  if (statements == json.end() || !statements->is_array() || statements->empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the SQL text has no statement in it");
  }
  if (statements->size() > 1) {
    return Fail(ErrorCode::kInvalidArgument, "the SQL text has " + std::to_string(statements->size()) +
                                                 " statements: give one query at a time");
  }
  const Json& only = statements->front();
  TM_TRY(CheckParameters(only, options.is_of_range));
  SqlStatement statement{.text = std::string(text), .tree = std::move(tree), .tables = {}};
  TreeReader reader(statement, !options.open_files.empty());
  TM_TRY(reader.Read(only));
  return statement;
}

}  // namespace tidemark
