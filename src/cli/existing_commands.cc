// register, add-partitions, refresh, tables: files that were there before, as tables.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <system_error>

#include "base/json.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

struct TableArguments {
  std::string table;  // database.table
  std::string path;
  std::vector<std::string> partitions;
};

/// "database.table" as the two.
Result<std::pair<std::string, std::string>> Divided(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == name.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no name of a registered table: write database.table", name));
  }
  return std::pair(name.substr(0, dot), name.substr(dot + 1));
}

/// A path as it is from where the user stands, not from the store's folder.
std::string FromHere(const std::string& path) {
  std::error_code failed;
  const auto full = std::filesystem::absolute(path, failed);
  return failed ? path : full.lexically_normal().string();
}

Row TableRow(const Json& table) {
  std::vector<std::string> partitions;
  for (const Json& column : table.at("partition_columns"))
    partitions.push_back(column.get<std::string>());
  return {table.at("database"),   table.at("name"),           table.at("kind"),
          table.at("format"),     table.at("columns").size(), fmt::format("{}", fmt::join(partitions, ", ")),
          table.at("partitions"), table.at("files"),          table.at("rows"),
          table.at("path")};
}

const std::vector<std::string> kTableColumns{"database",       "name",       "kind",  "format", "columns",
                                             "partitioned_by", "partitions", "files", "rows",   "path"};

void Warn(const Json& warnings) {
  for (const Json& warning : warnings)
    fmt::print(stderr, "warning: {}\n", CellText(warning));
}

Result<void> Register(Session& session, const TableArguments& arguments) {
  TM_ASSIGN(const auto name, Divided(arguments.table));
  TM_ASSIGN(const auto store, session.Open(true));
  TM_ASSIGN(const std::string told,
            store->RegisterTable(name.first, name.second,
                                 session.url.empty() ? FromHere(arguments.path) : arguments.path,
                                 {.partitions = arguments.partitions, .stop = session.Work().stop}));
  const Json table = Json::parse(told);
  Warn(table.at("warnings"));
  return PrintRows(session.output, kTableColumns, {TableRow(table)});
}

void AddRegister(Command app, Session& session) {
  const Command command =
      app.add_subcommand("register", "Make a table of Parquet or CSV files where they lie, without copying");
  const auto arguments = std::make_shared<TableArguments>();
  command.add_option("table", arguments->table, "database.table").required();
  command.add_option("path", arguments->path, "File, folder or pattern").required();
  command
      .add_option("--partitions", arguments->partitions,
                  "Columns that the folders say (y,m,d), or the partitions to register (default: all)")
      .delimiter(',')
      .type_name("LIST");
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Register(session, *arguments); };
  });
}

Result<void> AddSome(Session& session, const TableArguments& arguments) {
  TM_ASSIGN(const auto name, Divided(arguments.table));
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string told,
            store->AddPartitions(name.first, name.second, arguments.partitions, session.Work().stop));
  const Json report = Json::parse(told);
  Warn(report.at("warnings"));
  return PrintRows(session.output, {"table", "added", "present", "files", "commits", "columns_added"},
                   {{report.at("table"), report.at("added").size(), report.at("present").size(),
                     report.at("files"), report.at("commits"), report.at("columns_added")}});
}

void AddPartitions(Command app, Session& session) {
  const Command command = app.add_subcommand("add-partitions", "Add partitions to a registered table");
  const auto arguments = std::make_shared<TableArguments>();
  command.add_option("table", arguments->table, "database.table").required();
  command.add_option("partitions", arguments->partitions, "y=2019/m=07/d=01 ...").required();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return AddSome(session, *arguments); };
  });
}

Result<void> Refresh(Session& session, const std::vector<std::string>& names) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string told, store->Refresh(names, session.Work().stop));
  const Json report = Json::parse(told);
  std::vector<Row> rows;
  std::size_t failed = 0;
  const auto fail = [&](const char* what, const Json& name, const Json& error) {
    fmt::print(stderr, "error: {} {}: {}\n", what, CellText(name), CellText(error));
    ++failed;
  };
  for (const Json& table : report.at("tables")) {
    for (const Json& warning : table.at("warnings"))
      fmt::print(stderr, "warning: table {}: {}\n", CellText(table.at("table")), CellText(warning));
    if (!table.at("error").is_null()) fail("table", table.at("table"), table.at("error"));
    rows.push_back({table.at("table"), table.at("files_added").size(), table.at("files_removed").size(),
                    table.at("files_changed").size(), table.at("partitions_added").size(),
                    table.at("columns_added")});
  }
  for (const Json& view : report.at("views")) {
    if (!view.at("error").is_null()) {
      fail("view", view.at("view"), view.at("error"));
    } else {
      fmt::print(stderr, "note: the source of view {} has columns that the view has not: {}\n",
                 CellText(view.at("view")), CellText(view.at("new_columns")));
    }
  }
  TM_TRY(PrintRows(
      session.output,
      {"table", "files_added", "files_removed", "files_changed", "partitions_added", "columns_added"}, rows));
  if (failed == 0) return {};
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{} of the tables and views could not be refreshed, as said above", failed));
}

void AddRefresh(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "refresh", "Find new, changed and vanished files of registered tables (run it from a scheduler)");
  const auto names = std::make_shared<std::vector<std::string>>();
  command.add_option("tables", *names, "database.table ... (default: all)");
  command.callback(
      [&session, names] { session.command = [&session, names] { return Refresh(session, *names); }; });
}

Result<void> Tables(const Session& session, const std::string& database, bool is_long) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const std::string told, store->Tables(database));
  std::vector<Row> rows;
  for (const Json& table : Json::parse(told)) {
    Row row{table.at("database"), table.at("name"), table.at("kind")};
    if (is_long) row = table.contains("path") ? TableRow(table) : Row(kTableColumns.size());
    for (std::size_t i = 0; i < 3; ++i)
      row[i] = table.at(kTableColumns[i]);
    rows.push_back(std::move(row));
  }
  const auto columns = is_long ? kTableColumns : std::vector<std::string>{"database", "name", "kind"};
  return PrintRows(session.output, columns, rows);
}

void AddTables(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "tables", "List what SQL can name: feature tables, views, sources, registered tables");
  const auto database = std::make_shared<std::string>();
  const auto is_long = std::make_shared<bool>(false);
  command.add_option("database", *database, "Only those of this database");
  command.add_flag("-l,--long", *is_long, "With what registered tables have");
  command.callback([&session, database, is_long] {
    session.command = [&session, database, is_long] { return Tables(session, *database, *is_long); };
  });
}

}  // namespace

void AddExistingCommands(Command app, Session& session) {
  AddRegister(app, session);
  AddPartitions(app, session);
  AddRefresh(app, session);
  AddTables(app, session);
}

}  // namespace tidemark::cli
