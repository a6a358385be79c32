// What all commands share: where the store is, how results are printed, how work is watched and interrupted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/progress_bar.h"
#include "tidemark/store.h"

namespace tidemark::cli {

enum class OutputFormat { kTable, kJson, kCsv, kParquet };

/// The global options, and the command that the arguments chose.
struct Session {
  std::string store_dir;  // empty: the nearest folder with tidemark.yaml, or else the current one
  std::string url;        // of a server instead of a folder; empty: none
  std::string api_key;    // for the server; never shown
  std::string project;
  OutputFormat output = OutputFormat::kTable;
  std::string python;               // the interpreter that reads definitions in Python
  std::int64_t python_workers = 0;  // processes for the functions of on-demand feature views

  /// Set by the chosen subcommand while arguments are parsed, run afterwards.
  std::function<Result<void>()> command;
  ProgressBar progress;

  /// The store's folder, absolute.
  std::filesystem::path Folder() const;
  /// `may_create`: the command makes a store where none is.
  /// Or connects to the server.
  Result<std::unique_ptr<Store>> Open(bool may_create = false) const;
  /// For work that may take long: Ctrl-C, and a bar in a terminal.
  WorkOptions Work();
};

/// Adds --python-workers, for commands that read features.
void AddPythonWorkersOption(Command command, Session& session);

/// Whether the user agrees, in a terminal, to what cannot be undone; true if he said so before (--yes).
/// kInvalidArgument where nobody can be asked.
Result<bool> Confirm(bool is_confirmed, const std::string& question);

// Each adds its commands to the program; one source file each.
void AddInit(Command app, Session& session);
void AddDefinitionCommands(Command app, Session& session);
void AddLoadCommands(Command app, Session& session);
void AddBackfillCommand(Command app, Session& session);
void AddHistoricalCommand(Command app, Session& session);
void AddDatasetCommands(Command app, Session& session);
void AddOnlineCommand(Command app, Session& session);
void AddTableCommands(Command app, Session& session);
void AddUpkeepCommands(Command app, Session& session);
void AddStreamCommands(Command app, Session& session);
void AddStatisticsCommand(Command app, Session& session);
void AddSqlCommands(Command app, Session& session);
void AddExistingCommands(Command app, Session& session);
void AddPlaceCommands(Command app, Session& session);
void AddListCommands(Command app, Session& session);
void AddExplainCommand(Command app, Session& session);
void AddServeCommand(Command app, Session& session);
void AddKeyCommands(Command app, Session& session);
void AddCompletionCommand(Command app, Session& session);

/// A shell's completion script for `app`; `shell` is bash or zsh.
std::string CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace tidemark::cli
