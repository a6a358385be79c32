// sql, snapshot, dump, dumps, tables: queries over the store, and results that are kept.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "base/json.h"
#include "cli/definition_documents.h"
#include "cli/interrupt.h"
#include "cli/result_rows.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

struct QueryArguments {
  std::string query;
  std::string file;
  std::string as_of;
  std::string at_least;
  std::string memory_limit;
  std::string time_limit;
  std::string out;
  std::optional<std::int64_t> limit;
};

Result<std::string> TextOf(const QueryArguments& arguments) {
  if (arguments.query.empty() == arguments.file.empty())
    return Fail(ErrorCode::kInvalidArgument, "give one query: as text, or in a file with -f");
  if (!arguments.query.empty()) return arguments.query;
  std::stringstream text;
  if (arguments.file == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::error_code failed;
  if (fs::is_directory(arguments.file, failed)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is a folder: name a file with one query in it", arguments.file));
  }
  std::ifstream file(arguments.file, std::ios::binary);
  text << file.rdbuf();
  if (!file) return Fail(ErrorCode::kNotFound, fmt::format("cannot read the file '{}'", arguments.file));
  return text.str();
}

Result<SqlQueryOptions> OptionsOf(const QueryArguments& arguments) {
  SqlQueryOptions options;
  options.stop = InterruptToken();
  TM_ASSIGN(options.reading, ParseReading(arguments.as_of, arguments.at_least));
  if (!arguments.memory_limit.empty()) {
    TM_ASSIGN(options.memory_bytes_max, ParseSize(arguments.memory_limit));
  }
  if (!arguments.time_limit.empty()) {
    TM_ASSIGN(const std::int64_t us, ParseDuration(arguments.time_limit));
    options.time_limit = std::chrono::milliseconds((us + 999) / 1000);
  }
  return options;
}

void AddQueryOptions(Command command, QueryArguments& arguments) {
  command.add_option("query", arguments.query, "A query: SELECT ... FROM feature_store.my_table");
  command.add_option("-f,--file", arguments.file, "Read the query from FILE, or from stdin if it is -")
      .type_name("FILE");
  command.add_option("--as-of", arguments.as_of,
                     "Of feature tables, rows written up to this time, or a snapshot by its id");
  command.add_option("--at-least", arguments.at_least, "The token of a write that must be seen");
  command.add_option("--memory-limit", arguments.memory_limit, "What it may take, as 2GiB").type_name("SIZE");
  command.add_option("--time-limit", arguments.time_limit, "How long it may take, as 90s").type_name("TIME");
}

Result<void> Query(Session& session, const QueryArguments& arguments) {
  TM_ASSIGN(const std::string query, TextOf(arguments));
  TM_ASSIGN(const SqlQueryOptions options, OptionsOf(arguments));
  TM_ASSIGN(const auto store, session.Open());
  if (!arguments.out.empty()) {
    std::error_code failed;
    const fs::path out = fs::absolute(arguments.out, failed);
    TM_ASSIGN(const std::int64_t rows, store->WriteSql(query, options, out));
    fmt::print(stderr, "{} rows in {}\n", rows, out.string());
    return {};
  }
  ResultRows rows;
  TM_TRY(store->Sql(query, options, rows.stream()));
  return PrintResult(session, rows, arguments.limit);
}

void AddSql(Command app, Session& session) {
  const Command command = app.add_subcommand("sql", "Run a SQL query over feature tables and sources");
  const auto arguments = std::make_shared<QueryArguments>();
  AddQueryOptions(command, *arguments);
  command.add_option("--out", arguments->out, "Write to FILE (.parquet or .csv) instead of the screen")
      .type_name("FILE");
  command.add_option("--limit", arguments->limit, "Print at most N rows").not_negative();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Query(session, *arguments); };
  });
}

struct SnapshotArguments {
  std::string table;
  std::string at;
  std::string as_of;
  std::string at_least;
  bool deleted = false;
  std::optional<std::int64_t> limit;
};

/// Microseconds since 1970 of `number`, in the unit of the table's event times, which must be numbers.
Result<std::int64_t> NumberUs(const Store& store, const std::string& table, double number) {
  const std::map<std::string, double> micros{{"s", 1e6}, {"ms", 1e3}, {"us", 1}, {"ns", 1e-3}};
  const std::string view = table.substr(table.rfind('.') + 1);
  TM_ASSIGN(const Json described, DescribeObject(store, ObjectType::kFeatureView, view));
  const Json kept = described.value("definition", Json::object()).value("table", Json::object());
  const std::string type = kept.value("timestamp_type", "");
  const auto unit = micros.find(kept.value("timestamp_unit", "s"));
  if ((type != "int64" && type != "float64") || unit == micros.end()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--at {}: event times of '{}' are no numbers: give an ISO-8601 time", number, table));
  }
  const double us = std::floor(std::abs(number * unit->second) + 0.5);
  if (!(us < 9.2e18)) return Fail(ErrorCode::kInvalidArgument, fmt::format("--at {} is no time", number));
  return static_cast<std::int64_t>(number < 0 ? -us : us);
}

Result<std::int64_t> TimeOf(const Store& store, const SnapshotArguments& arguments) {
  double number = 0;
  const char* const end = arguments.at.data() + arguments.at.size();
  const auto read = std::from_chars(arguments.at.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end) return NumberUs(store, arguments.table, number);
  return ParseTime(arguments.at);
}

Result<void> Snapshot(Session& session, const SnapshotArguments& arguments) {
  LatestRowsOptions options;
  options.deleted = arguments.deleted;
  options.stop = InterruptToken();
  TM_ASSIGN(options.reading, ParseReading(arguments.as_of, arguments.at_least));
  TM_ASSIGN(const auto store, session.Open());
  if (!arguments.at.empty()) {
    TM_ASSIGN(options.at_us, TimeOf(*store, arguments));
  }
  ResultRows rows;
  TM_TRY(store->LatestRows(arguments.table, options, rows.stream()));
  return PrintResult(session, rows, arguments.limit);
}

void AddSnapshot(Command app, Session& session) {
  const Command command =
      app.add_subcommand("snapshot", "Print the latest row of each key of a table, now or at a past time");
  const auto arguments = std::make_shared<SnapshotArguments>();
  command.add_option("table", arguments->table, "Feature table or view").required();
  command
      .add_option("--at", arguments->at,
                  "Only rows of event times up to this time: ISO-8601, or a number where event times are")
      .type_name("TIME");
  command.add_flag("--deleted", arguments->deleted, "Also keys whose latest row is a deletion");
  command.add_option("--as-of", arguments->as_of,
                     "Only rows written up to this time, or a snapshot by its id");
  command.add_option("--at-least", arguments->at_least, "The token of a write that must be seen");
  command.add_option("--limit", arguments->limit, "Print at most N rows").not_negative();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Snapshot(session, *arguments); };
  });
}

Result<void> Dump(Session& session, const QueryArguments& arguments) {
  TM_ASSIGN(const std::string query, TextOf(arguments));
  TM_ASSIGN(const SqlQueryOptions options, OptionsOf(arguments));
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const DumpReport report, store->Dump(query, options));
  std::vector<Row> rows;
  rows.push_back({report.id, report.rows, report.bytes, report.path.string()});
  return PrintRows(session.output, {"id", "rows", "bytes", "path"}, rows);
}

void AddDump(Command app, Session& session) {
  const Command command =
      app.add_subcommand("dump", "Write the result of a SQL query to the store's folder, and print its id");
  const auto arguments = std::make_shared<QueryArguments>();
  AddQueryOptions(command, *arguments);
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Dump(session, *arguments); };
  });
}

struct DumpsArguments {
  std::string read;
  std::vector<std::string> remove;
  std::optional<std::int64_t> limit;
};

Result<void> ListDumps(const Session& session, Store& store) {
  TM_ASSIGN(const std::string listed, store.Dumps());
  std::vector<Row> rows;
  for (const Json& dump : Json::parse(listed)) {
    rows.push_back({dump.at("id"), dump.at("time"), dump.at("rows"), dump.at("bytes"), dump.at("sql")});
    const auto damage = dump.at("damage").get<std::string>();
    if (!damage.empty()) fmt::print(stderr, "damaged: {}: {}\n", dump.at("id").get<std::string>(), damage);
  }
  return PrintRows(session.output, {"id", "time", "rows", "bytes", "sql"}, rows);
}

Result<void> Dumps(Session& session, const DumpsArguments& arguments) {
  TM_ASSIGN(const auto store, session.Open());
  for (const std::string& id : arguments.remove)
    TM_TRY(store->RemoveDump(id));
  if (!arguments.remove.empty()) return {};
  if (arguments.read.empty()) return ListDumps(session, *store);
  ResultRows rows;
  TM_TRY(store->ReadDump(arguments.read, InterruptToken(), rows.stream()));
  return PrintResult(session, rows, arguments.limit);
}

void AddDumps(Command app, Session& session) {
  const Command command = app.add_subcommand("dumps", "List dumps, print one, or remove some");
  const auto arguments = std::make_shared<DumpsArguments>();
  const Option read =
      command.add_option("--read", arguments->read, "Print the rows of this one").type_name("ID");
  command.add_option("--remove", arguments->remove, "Remove these").type_name("ID").excludes(read);
  command.add_option("--limit", arguments->limit, "Print at most N rows").not_negative();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Dumps(session, *arguments); };
  });
}

}  // namespace

void AddSqlCommands(Command app, Session& session) {
  AddSql(app, session);
  AddSnapshot(app, session);
  AddDump(app, session);
  AddDumps(app, session);
}

}  // namespace tidemark::cli
