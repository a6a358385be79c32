// Global options, dispatch, and how errors are told.
#include "cli/program.h"

#include <fmt/format.h>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string_view>

#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitTimeLimit = 5;

const std::map<std::string, OutputFormat> kFormats{{"table", OutputFormat::kTable},
                                                   {"json", OutputFormat::kJson},
                                                   {"csv", OutputFormat::kCsv},
                                                   {"parquet", OutputFormat::kParquet}};

std::string DefaultPython() {
  const char* const given = std::getenv("TIDEMARK_PYTHON");
  return given != nullptr && *given != '\0' ? given : "python3";
}

void AddGlobalOptions(CLI::App& app, Session& session) {
  app.add_option("--store", session.store_dir,
                 "The store's folder (default: the nearest one with tidemark.yaml)")
      ->type_name("DIR");
  app.add_option("--url", session.url, "A server's URL instead of a folder (also TIDEMARK_URL)")
      ->type_name("URL");
  app.add_option("--api-key", session.api_key, "Key for the server (better in TIDEMARK_API_KEY)")
      ->type_name("KEY");
  app.add_option("--project", session.project, "Project (default: that of tidemark.yaml)")->type_name("NAME");
  app.add_option_function<std::string>(
         "--output", [&session](const std::string& name) { session.output = kFormats.at(name); },
         "How results are printed: table, json, csv or parquet")
      ->check(CLI::IsMember({"table", "json", "csv", "parquet"}, CLI::ignore_case))
      ->type_name("FORMAT");
}

void AddVersion(Command app, Session& session) {
  app.add_subcommand("version", "Print the version").callback([&session] {
    session.command = [] { return WriteOut(fmt::format("tidemark {}\n", kVersion)); };
  });
}

/// Parquet is nothing for a terminal, which is said before any work is done.
Result<void> CheckOutput(const CLI::App& app, OutputFormat output) {
  if (output != OutputFormat::kParquet || ::isatty(STDOUT_FILENO) == 0) return {};
  for (const CLI::App* const command : app.get_subcommands()) {
    const CLI::Option* const out = command->get_option_no_throw("--out");
    if (out != nullptr && out->count() > 0) return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              "Parquet is nothing for a terminal: send it into a file, with > FILE.parquet");
}

/// The server that the environment names is for commands that can ask one, and have no folder.
Result<void> ChooseServer(const CLI::App& app, Session& session) {
  constexpr std::array<std::string_view, 5> kOfFolders{"serve", "keys", "init", "version", "completion"};
  const auto chosen = app.get_subcommands();
  const bool is_of_folder =
      !chosen.empty() && std::ranges::find(kOfFolders, chosen[0]->get_name()) != kOfFolders.end();
  if (!session.url.empty() && is_of_folder) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} works in this machine's folders, not on a server: leave --url out",
                            chosen[0]->get_name()));
  }
  if (!session.url.empty() && !session.store_dir.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "a store is in a folder or on a server: give --store or --url");
  }
  const char* const given = std::getenv("TIDEMARK_URL");
  if (given != nullptr && session.url.empty() && session.store_dir.empty() && !is_of_folder)
    session.url = given;
  return {};
}

int Tell(const Error& error) {
  if (error.code == ErrorCode::kCancelled) {
    if (InterruptSignal() != 0) {
      fmt::print(stderr, "interrupted\n");
      return kExitOnSignal + InterruptSignal();
    }
    if (error.message.empty()) return 0;
    fmt::print(stderr, "error: {}\n", error.ToString());  // nobody's signal: a time limit
    return kExitTimeLimit;
  }
  fmt::print(stderr, "error: {}\n", error.ToString());
  return Describe(error.code).exit_code;
}

}  // namespace

int RunProgram(int argc, char** argv) {
  WatchInterrupts();
  Session session;
  session.python = DefaultPython();
  CLI::App app("Tidemark: a feature store for training sets and online lookups", "tidemark");
  app.set_version_flag("--version", fmt::format("tidemark {}", kVersion));
  app.require_subcommand(0, 1);  // none is told by the help
  app.fallthrough();             // global options may stand behind the command
  AddGlobalOptions(app, session);
  const Command program(app);
  AddInit(program, session);
  AddDefinitionCommands(program, session);
  AddLoadCommands(program, session);
  AddBackfillCommand(program, session);
  AddHistoricalCommand(program, session);
  AddDatasetCommands(program, session);
  AddOnlineCommand(program, session);
  AddTableCommands(program, session);
  AddUpkeepCommands(program, session);
  AddStreamCommands(program, session);
  AddStatisticsCommand(program, session);
  AddSqlCommands(program, session);
  AddExistingCommands(program, session);
  AddPlaceCommands(program, session);
  AddListCommands(program, session);
  AddExplainCommand(program, session);
  AddServeCommand(program, session);
  AddKeyCommands(program, session);
  AddCompletionCommand(program, session);
  AddVersion(program, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (!session.command) {
    fmt::print(stderr, "{}", app.help());
    return kExitUsage;
  }
  Result<void> done = CheckOutput(app, session.output);
  if (done) done = ChooseServer(app, session);
  if (done) done = session.command();
  session.progress.Clear();
  return done ? 0 : Tell(done.error());
}

}  // namespace tidemark::cli
