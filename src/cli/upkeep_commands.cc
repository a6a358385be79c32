// compact, expire-snapshots, erase, erasures: keeping tables in shape.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <map>
#include <optional>

#include "base/json.h"
#include "cli/definition_documents.h"
#include "cli/entity_arguments.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

void AddCompact(Command app, Session& session) {
  const Command command = app.add_subcommand("compact", "Rewrite small files of tables as few large ones");
  const auto names = std::make_shared<std::vector<std::string>>();
  command.add_option("tables", *names, "Feature tables (default: all)");
  command.callback([&session, names] {
    session.command = [&session, names]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const CompactReport report, store->Compact(*names, session.Work()));
      std::vector<Row> rows;
      for (const CompactReport::Table& table : report.tables)
        rows.push_back({table.view, table.files_before, table.files_after, table.rows, table.bytes});
      return PrintRows(session.output, {"table", "files_before", "files_after", "rows", "bytes"}, rows);
    };
  });
}

struct ExpireArguments {
  std::vector<std::string> names;
  std::string older_than = "7d";
  std::int64_t keep = 10;
};

/// `7d`, `12h`, `30m`, `10s`: that long ago.
std::optional<std::int64_t> ParseAge(std::string_view text) {
  static const std::map<std::string_view, std::int64_t> kSeconds{
      {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}, {"w", 7 * 24 * 3600}};
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0 || count > 1'000'000) return std::nullopt;
  const auto unit = kSeconds.find(text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit == kSeconds.end()) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count() -
         count * unit->second * 1'000'000;
}

/// A time, or how long ago.
Result<std::int64_t> ParseMoment(const std::string& text) {
  if (const auto age = ParseAge(text)) return *age;
  if (auto time = ParseTime(text)) return time;
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("--older-than: '{}' is neither a time (2024-05-01T12:00:00Z) nor an age (7d, 12h)", text));
}

Result<void> Expire(const Session& session, const ExpireArguments& arguments) {
  TM_ASSIGN(const auto store, session.Open());
  ExpireSnapshotsOptions options;
  TM_ASSIGN(options.older_than_us, ParseMoment(arguments.older_than));
  options.keep = arguments.keep;
  TM_ASSIGN(const ExpireSnapshotsReport report, store->ExpireSnapshots(arguments.names, options));
  std::vector<Row> rows;
  for (const ExpireSnapshotsReport::Table& table : report.tables)
    rows.push_back({table.view, table.snapshots, table.files, table.bytes, table.being_read});
  return PrintRows(session.output, {"table", "snapshots", "files", "bytes", "being_read"}, rows);
}

void AddExpire(Command app, Session& session) {
  const Command command =
      app.add_subcommand("expire-snapshots", "Forget old snapshots of tables, and remove their files");
  const auto arguments = std::make_shared<ExpireArguments>();
  command.add_option("tables", arguments->names, "Feature tables (default: all)");
  command.add_option("--older-than", arguments->older_than, "Those older than this: a time, or an age")
      .type_name("TIME")
      .capture_default_str();
  command.add_option("--keep", arguments->keep, "So many of the newest stay in any case")
      .positive()
      .capture_default_str();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Expire(session, *arguments); };
  });
}

Result<void> PrintReceipts(const Session& session, const Json& receipts) {
  std::vector<Row> rows;
  for (const Json& receipt : receipts) {
    Row row;
    for (const char* column : {"id", "table", "keys", "fence", "state", "rows_removed", "files_rewritten"})
      row.push_back(receipt.at(column));
    rows.push_back(std::move(row));
    for (const Json& left : receipt.at("pending"))
      fmt::print(stderr, "pending: {}\n", left.get<std::string>());
  }
  return PrintRows(session.output,
                   {"id", "table", "keys", "fence", "state", "rows_removed", "files_rewritten"}, rows);
}

struct EraseArguments {
  std::string table;
  std::vector<std::string> entities;
};

Result<void> Erase(Session& session, const EraseArguments& arguments) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(const auto keys, JoinKeysOf(*store, arguments.table));
  std::vector<Json> entities;
  for (const std::string& text : arguments.entities) {
    TM_ASSIGN(Json entity, ParseEntity(text, keys));
    entities.push_back(std::move(entity));
  }
  ArrowArrayStream rows{};
  TM_TRY(ExportEntities(keys, entities, &rows));
  TM_ASSIGN(const std::string receipt,
            store->Erase(arguments.table, {.stream = &rows, .path = {}}, session.Work()));
  const Json read = Json::parse(receipt);
  for (const Json& place : read.at("out_of_reach"))
    fmt::print(stderr, "out of reach: {}\n", place.get<std::string>());
  return PrintReceipts(session, Json::array({read}));
}

void AddErase(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "erase", "Remove all rows of entities from files, log, online store and old snapshots");
  const auto arguments = std::make_shared<EraseArguments>();
  command.add_option("table", arguments->table, "Feature table (a view)").required();
  command.add_option("entities", arguments->entities, "driver_id=1001, a=1,b=2, or JSON objects").required();
  command.callback([&session, arguments] {
    session.command = [&session, arguments] { return Erase(session, *arguments); };
  });
}

void AddErasures(Command app, Session& session) {
  const Command command = app.add_subcommand("erasures", "List the receipts of erasures");
  const auto names = std::make_shared<std::vector<std::string>>();
  command.add_option("tables", *names, "Feature tables (default: all)");
  command.callback([&session, names] {
    session.command = [&session, names]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const std::string listed, store->Erasures(*names));
      return PrintReceipts(session, Json::parse(listed));
    };
  });
}

}  // namespace

void AddUpkeepCommands(Command app, Session& session) {
  AddCompact(app, session);
  AddExpire(app, session);
  AddErase(app, session);
  AddErasures(app, session);
}

}  // namespace tidemark::cli
