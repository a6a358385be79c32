// create-table, ingest, push, delete, drop, flush, snapshots: rows that Tidemark keeps itself.
#include <arrow/c/bridge.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/json.h"
#include "cli/definition_documents.h"
#include "cli/entity_arguments.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

const std::map<std::string, WriteTarget> kTargets{{"online", WriteTarget::kOnline},
                                                  {"offline", WriteTarget::kOffline},
                                                  {"both", WriteTarget::kBoth},
                                                  {"online_and_offline", WriteTarget::kBoth}};

struct WriteArguments {
  std::string name;  // of a table or a push source
  std::string file;
  std::string to;
  std::string key;
  bool dry_run = false;
  bool skip = false;
};

IngestOptions OptionsOf(Session& session, const WriteArguments& arguments) {
  const WorkOptions work = session.Work();
  IngestOptions options;
  if (!arguments.to.empty()) options.to = kTargets.at(arguments.to);
  options.dry_run = arguments.dry_run;
  options.skip_bad_rows = arguments.skip;
  options.idempotency_key = arguments.key;
  options.stop = work.stop;
  if (work.progress)
    options.progress = [report = work.progress](std::int64_t rows) { report({"writing rows", rows, 0}); };
  return options;
}

Result<void> PrintReports(const Session& session,
                          const std::vector<std::pair<std::string, IngestReport>>& reports) {
  std::vector<Row> rows;
  for (const auto& [view, report] : reports) {
    for (const std::string& warning : report.warnings)
      fmt::print(stderr, "warning: {}: {}\n", view, warning);
    rows.push_back({view, report.rows, report.online_rows, report.ahead, report.rejected, report.repeated,
                    report.token});
  }
  return PrintRows(session.output, {"view", "rows", "online_rows", "ahead", "rejected", "repeated", "token"},
                   rows);
}

/// Says on stderr which rows were left out, and why.
Result<void> TellRejected(ArrowArrayStream* rejected) {
  if (rejected->release == nullptr) return {};
  const auto reader = arrow::ImportRecordBatchReader(rejected);
  if (!reader.ok()) return Fail(ErrorCode::kInternal, reader.status().message());
  const auto table = (*reader)->ToTable();
  if (!table.ok()) return Fail(ErrorCode::kInternal, table.status().message());
  const auto errors = (*table)->GetColumnByName("error");
  for (std::int64_t row = 0; row < errors->length(); ++row) {
    const auto error = errors->GetScalar(row);
    if (error.ok()) fmt::print(stderr, "left out: {}\n", (*error)->ToString());
  }
  return {};
}

Result<void> Ingest(Session& session, const WriteArguments& arguments) {
  TM_ASSIGN(const auto store, session.Open());
  ArrowArrayStream rejected{};
  const auto report = store->Ingest(arguments.name, {.stream = nullptr, .path = arguments.file},
                                    OptionsOf(session, arguments), &rejected);
  session.progress.Clear();
  if (!report) return std::unexpected(report.error());
  TM_TRY(TellRejected(&rejected));
  return PrintReports(session, {{arguments.name, *report}});
}

Result<void> Push(Session& session, const WriteArguments& arguments) {
  TM_ASSIGN(const auto store, session.Open());
  const auto reports =
      store->Push(arguments.name, {.stream = nullptr, .path = arguments.file}, OptionsOf(session, arguments));
  session.progress.Clear();
  if (!reports) return std::unexpected(reports.error());
  return PrintReports(session, *reports);
}

void AddWriteOptions(Command command, WriteArguments& arguments) {
  command.add_option("--to", arguments.to, "online, offline or both")
      .one_of({"online", "offline", "both", "online_and_offline"})
      .type_name("TARGET");
  command.add_option("--idempotency-key", arguments.key, "The same batch again within a day changes nothing")
      .type_name("KEY");
}

void AddIngest(Command app, Session& session) {
  const Command command = app.add_subcommand("ingest", "Append rows of a Parquet or CSV file to a table");
  const auto arguments = std::make_shared<WriteArguments>();
  command.add_option("table", arguments->name, "Feature table (a view)").required();
  command.add_option("file", arguments->file, "Parquet or CSV file").required();
  AddWriteOptions(command, *arguments);
  command.add_flag("--dry-run", arguments->dry_run, "Check every row, write nothing");
  command.add_flag("--skip-bad-rows", arguments->skip, "Leave out rows that do not fit, and say which");
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Ingest(session, *arguments); };
  });
}

void AddPush(Command app, Session& session) {
  const Command command =
      app.add_subcommand("push", "Write rows of a file to the views that have a push source");
  const auto arguments = std::make_shared<WriteArguments>();
  arguments->to = "online";
  command.add_option("source", arguments->name, "Push source, or a feature table").required();
  command.add_option("file", arguments->file, "Parquet or CSV file").required();
  AddWriteOptions(command, *arguments);
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Push(session, *arguments); };
  });
}

struct SchemaArguments {
  std::string file;
  std::string time_unit;
  std::string database;
  bool unlisted = false;
};

Result<void> CreateTable(const Session& session, const SchemaArguments& arguments) {
  std::ifstream file(arguments.file);
  std::stringstream schema;
  schema << file.rdbuf();
  if (!file)
    return Fail(ErrorCode::kNotFound, fmt::format("cannot read the schema file '{}'", arguments.file));
  TM_ASSIGN(const auto store, session.Open(true));
  CreateTableOptions options;
  options.catalog = !arguments.unlisted;
  options.time_unit = arguments.time_unit;
  options.database = arguments.database;
  return store->CreateTable(schema.str(), options);
}

void AddCreateTable(Command app, Session& session) {
  const Command command = app.add_subcommand("create-table", "Make a feature table of a JSON schema file");
  const auto arguments = std::make_shared<SchemaArguments>();
  command.add_option("schema", arguments->file, "JSON file with name, entities and schema").required();
  command.add_option("--time-unit", arguments->time_unit, "Of event times that are whole numbers")
      .one_of({"s", "ms", "us", "ns"});
  command.add_option("--database", arguments->database, "Database that it lies in (default: feature_store)")
      .type_name("NAME");
  command.add_flag("--unlisted", arguments->unlisted, "Keep it from SQL and other engines");
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return CreateTable(session, *arguments); };
  });
}

void AddDrop(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "drop", "Remove a feature table: its rows and its definition; of a registered one, the registration");
  const auto name = std::make_shared<std::string>();
  command.add_option("table", *name, "Feature table (a view)").required();
  const auto confirmed = std::make_shared<bool>(false);
  command.add_flag("-y,--yes", *confirmed, "Do not ask");
  command.callback([&session, name, confirmed] {
    session.command = [&session, name, confirmed]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const bool was_registered, store->DropRegisteredTable(*name));
      if (was_registered)
        return WriteOut(fmt::format("forgot registered table {}; its files are untouched\n", *name));
      TM_TRY(store->Snapshots(*name));  // says so if it is no table
      TM_ASSIGN(const bool agreed,
                Confirm(*confirmed, fmt::format("Remove feature table '{}' with all of its rows?", *name)));
      if (!agreed) return WriteOut("nothing removed\n");
      ApplyOptions options;
      options.remove.emplace_back(ObjectType::kFeatureView, *name);
      options.work = session.Work();
      TM_TRY(store->Apply("{}", options));
      return WriteOut(fmt::format("removed feature table {}\n", *name));
    };
  });
}

void AddFlush(Command app, Session& session) {
  const Command command =
      app.add_subcommand("flush", "Bring logged rows into the tables' files, where other engines see them");
  const auto names = std::make_shared<std::vector<std::string>>();
  command.add_option("tables", *names, "Feature tables (default: all)");
  command.callback([&session, names] {
    session.command = [&session, names]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const FlushReport report, store->Flush(*names));
      std::vector<Row> rows;
      for (const FlushReport::Table& table : report.tables)
        rows.push_back({table.view, table.rows, table.snapshot_id});
      return PrintRows(session.output, {"table", "rows", "snapshot"}, rows);
    };
  });
}

void AddSnapshots(Command app, Session& session) {
  const Command command = app.add_subcommand("snapshots", "List the snapshots of a feature table");
  const auto name = std::make_shared<std::string>();
  command.add_option("table", *name, "Feature table (a view)").required();
  command.callback([&session, name] {
    session.command = [&session, name]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const std::string listed, store->Snapshots(*name));
      const std::vector<std::string> columns{"id",   "parent", "committed", "operation",
                                             "rows", "files",  "tags"};
      std::vector<Row> rows;
      for (const Json& snapshot : Json::parse(listed)) {
        Row row;
        for (const std::string& column : columns)
          row.push_back(snapshot.at(column));
        rows.push_back(std::move(row));
      }
      return PrintRows(session.output, columns, rows);
    };
  });
}

struct DeleteArguments {
  std::string table;
  std::vector<std::string> entities;
  std::string at;
  std::string to;
};

Result<void> Delete(Session& session, const DeleteArguments& arguments) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const auto keys, JoinKeysOf(*store, arguments.table));
  std::vector<Json> entities;
  for (const std::string& text : arguments.entities) {
    TM_ASSIGN(Json entity, ParseEntity(text, keys));
    entities.push_back(std::move(entity));
  }
  std::optional<std::int64_t> event_us;
  if (!arguments.at.empty()) {
    TM_ASSIGN(event_us, ParseTime(arguments.at));
  }
  ArrowArrayStream rows{};
  TM_TRY(ExportEntities(keys, entities, &rows));
  WriteArguments write;
  write.to = arguments.to;
  TM_ASSIGN(const IngestReport report, store->Delete(arguments.table, {.stream = &rows, .path = {}}, event_us,
                                                     OptionsOf(session, write)));
  return PrintReports(session, {{arguments.table, report}});
}

void AddDelete(Command app, Session& session) {
  const Command command =
      app.add_subcommand("delete", "Append deletions: lookups from then on find nothing of an entity");
  const auto arguments = std::make_shared<DeleteArguments>();
  command.add_option("table", arguments->table, "Feature table (a view)").required();
  command.add_option("entities", arguments->entities, "driver_id=1001, a=1,b=2, or JSON objects").required();
  command.add_option("--at", arguments->at, "As of this time, ISO-8601 (default: now)").type_name("TIME");
  command.add_option("--to", arguments->to, "online, offline or both")
      .one_of({"online", "offline", "both", "online_and_offline"})
      .type_name("TARGET");
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Delete(session, *arguments); };
  });
}

}  // namespace

void AddTableCommands(Command app, Session& session) {
  AddCreateTable(app, session);
  AddIngest(app, session);
  AddPush(app, session);
  AddDelete(app, session);
  AddDrop(app, session);
  AddFlush(app, session);
  AddSnapshots(app, session);
}

}  // namespace tidemark::cli
