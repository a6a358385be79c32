// plan, apply and teardown.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "cli/definition_files.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

struct StatedOptions {
  std::vector<std::string> paths;
  bool partial = false;
  bool remove_missing = false;
};

const char* SignOf(Change::Action action) {
  switch (action) {
    case Change::Action::kAdd:
      return "+";
    case Change::Action::kChange:
      return "~";
    case Change::Action::kRename:
      return ">";
    case Change::Action::kRemove:
      return "-";
  }
  return "?";
}

/// A type's name as people write it.
std::string WordsOf(ObjectType type) {
  std::string words(NameOf(type));
  std::ranges::replace(words, '_', ' ');
  return words;
}

Result<void> PrintChanges(OutputFormat format, const std::vector<Change>& changes) {
  if (format != OutputFormat::kTable) {
    std::vector<Row> rows;
    for (const Change& change : changes) {
      rows.push_back({NameOf(change.action), WordsOf(change.type), change.name,
                      change.from_name.empty() ? Json() : Json(change.from_name), Json(change.details)});
    }
    return PrintRows(format, {"action", "type", "name", "from", "details"}, rows);
  }
  std::string out;
  for (const Change& change : changes) {
    out += fmt::format("{} {} {}", SignOf(change.action), WordsOf(change.type), change.name);
    if (!change.from_name.empty()) out += fmt::format(" (was {})", change.from_name);
    out += "\n";
    for (const std::string& detail : change.details)
      out += "    " + detail + "\n";
  }
  return WriteOut(out.empty() ? "no changes\n" : out);
}

/// Without paths the folder's files are the whole project; with paths they are a part of it.
Result<std::vector<Change>> PlanOrApply(Session& session, const StatedOptions& options, bool apply) {
  std::vector<fs::path> paths(options.paths.begin(), options.paths.end());
  if (paths.empty()) paths.push_back(session.Folder());
  TM_ASSIGN(const std::string definitions, ReadDefinitions(paths, session.python));
  const ApplyOptions stated{
      .remove_missing = options.remove_missing || (options.paths.empty() && !options.partial),
      .remove = {},
      .work = session.Work()};
  TM_ASSIGN(const auto store, session.Open(true));
  return apply ? store->Apply(definitions, stated) : store->Plan(definitions, stated);
}

void AddStated(Command app, Session& session, const std::string& name, const std::string& what, bool apply) {
  const Command command = app.add_subcommand(name, what);
  const auto options = std::make_shared<StatedOptions>();
  command.add_option(
      "path", options->paths,
      "Definition files or folders (*.py, *.yaml, *.json); default: all in the store's folder, which "
      "then are the whole project: what is not in them is removed");
  const Option partial =
      command.add_flag("--partial", options->partial, "Keep what the definitions do not mention");
  command.add_flag("--remove-missing", options->remove_missing, "Remove what the definitions do not mention")
      .excludes(partial);
  command.callback([&session, options, apply] {
    session.command = [&session, options, apply]() -> Result<void> {
      TM_ASSIGN(const auto changes, PlanOrApply(session, *options, apply));
      return PrintChanges(session.output, changes);
    };
  });
}

Result<void> Teardown(Session& session, bool confirmed) {
  TM_ASSIGN(const auto store, session.Open());
  TM_ASSIGN(
      const bool agreed,
      Confirm(confirmed, fmt::format("Remove project '{}' of {} with all definitions, feature tables and "
                                     "online rows?",
                                     store->project(), store->path().string())));
  if (!agreed) return WriteOut("nothing removed\n");
  TM_TRY(store->Teardown(session.Work()));
  return WriteOut(fmt::format("removed project {}\n", store->project()));
}

}  // namespace

void AddDefinitionCommands(Command app, Session& session) {
  AddStated(app, session, "plan", "Show what apply would change", false);
  AddStated(app, session, "apply", "Register definitions, in one transaction", true);

  const Command teardown =
      app.add_subcommand("teardown", "Remove the project: definitions and online rows, but no source files");
  const auto confirmed = std::make_shared<bool>(false);
  teardown.add_flag("-y,--yes", *confirmed, "Do not ask");
  teardown.callback([&session, confirmed] {
    session.command = [&session, confirmed] { return Teardown(session, *confirmed); };
  });
}

}  // namespace tidemark::cli
