// databases, relocate: where tables lie.

#include "base/json.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

void AddDatabases(Command app, Session& session) {
  const Command group = app.add_subcommand("databases", "Databases that tables lie in, for other engines");
  group.require_subcommand();
  group.add_subcommand("list", "List them").callback([&session] {
    session.command = [&session]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const auto names, store->Databases());
      std::vector<Row> rows;
      for (const std::string& name : names)
        rows.push_back({name});
      return PrintRows(session.output, {"name"}, rows);
    };
  });
  using Change = Result<void> (Store::*)(std::string_view);
  const auto add = [&](const char* verb, const char* what, Change change, bool may_make_store) {
    const Command command = group.add_subcommand(verb, what);
    const auto name = std::make_shared<std::string>();
    command.add_option("name", *name, "Database").required();
    command.callback([&session, name, change, may_make_store] {
      session.command = [&session, name, change, may_make_store]() -> Result<void> {
        TM_ASSIGN(const auto store, session.Open(may_make_store));
        return ((*store).*change)(*name);
      };
    });
  };
  add("create", "Make one; fine if it is there", &Store::CreateDatabase, true);
  add("drop", "Remove one that has no tables", &Store::DropDatabase, false);
}

void AddRelocate(Command app, Session& session) {
  const Command command = app.add_subcommand(
      "relocate", "Make the feature tables right after the store's folder was moved or copied");
  command.callback([&session] {
    session.command = [&session]() -> Result<void> {
      TM_ASSIGN(const auto store, session.Open());
      TM_ASSIGN(const RelocateReport report, store->Relocate());
      std::vector<Row> rows;
      for (const RelocateReport::Table& table : report.tables)
        rows.push_back({table.table, table.from, table.to, table.snapshots});
      return PrintRows(session.output, {"table", "from", "to", "snapshots"}, rows);
    };
  });
}

}  // namespace

void AddPlaceCommands(Command app, Session& session) {
  AddDatabases(app, session);
  AddRelocate(app, session);
}

}  // namespace tidemark::cli
