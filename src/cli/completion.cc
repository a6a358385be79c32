// Completion scripts, made from the program's own commands and options.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <set>

#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

/// The words that may follow a command: its subcommands and options, those of the program included.
std::vector<std::string> WordsOf(const CLI::App& command, const CLI::App& program) {
  std::set<std::string> words;
  for (const CLI::App* sub : command.get_subcommands({}))
    words.insert(sub->get_name());
  for (const CLI::App* owner : {&command, &program}) {
    for (const CLI::Option* option : owner->get_options()) {
      for (const std::string& name : option->get_lnames())
        words.insert("--" + name);
    }
  }
  return {words.begin(), words.end()};
}

/// One `case` line for each command: `"views list") words="..." ;;`.
void AppendCases(const CLI::App& command, const CLI::App& program, const std::string& path,
                 std::string& out) {
  out += fmt::format("    \"{}\") words=\"{}\" ;;\n", path, fmt::join(WordsOf(command, program), " "));
  for (const CLI::App* sub : command.get_subcommands({})) {
    AppendCases(*sub, program, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
  }
}

/// All commands as patterns of a `case`, by which the words typed so far are followed down.
void AppendPaths(const CLI::App& command, const std::string& path, std::string& out) {
  for (const CLI::App* sub : command.get_subcommands({})) {
    const std::string below = path.empty() ? sub->get_name() : path + " " + sub->get_name();
    out += (out.empty() ? "\"" : "|\"") + below + "\"";
    AppendPaths(*sub, below, out);
  }
}

constexpr const char* kBash = R"SH(# bash completion for tidemark: source <(tidemark completion bash)
_tidemark_words() {{
  local path="" word next words=""
  for word in "${{@}}"; do
    next="${{path:+$path }}$word"
    case "$next" in
      {paths}) path="$next" ;;
    esac
  done
  case "$path" in
{cases}  esac
  printf '%s' "$words"
}}
_tidemark() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  if [ "$previous" = "--output" ]; then
    COMPREPLY=($(compgen -W "table json csv parquet" -- "$current"))
    return
  fi
  COMPREPLY=($(compgen -W "$(_tidemark_words "${{COMP_WORDS[@]:1:COMP_CWORD-1}}")" -- "$current"))
}}
complete -o default -F _tidemark tidemark
)SH";

constexpr const char* kZsh = R"SH(#compdef tidemark
# zsh completion for tidemark: source <(tidemark completion zsh)
_tidemark_words() {{
  local path_so_far="" word next words=""
  for word in "$@"; do
    next="${{path_so_far:+$path_so_far }}$word"
    case "$next" in
      {paths}) path_so_far="$next" ;;
    esac
  done
  case "$path_so_far" in
{cases}  esac
  printf '%s' "$words"
}}
_tidemark() {{
  if [[ "${{words[CURRENT-1]}}" == "--output" ]]; then
    compadd table json csv parquet
    return
  fi
  compadd -- ${{=$(_tidemark_words "${{(@)words[2,CURRENT-1]}}")}} || _files
}}
compdef _tidemark tidemark
)SH";

}  // namespace

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  std::string paths;
  std::string cases;
  AppendPaths(app, "", paths);
  AppendCases(app, app, "", cases);
  return fmt::format(fmt::runtime(shell == "zsh" ? kZsh : kBash), fmt::arg("paths", paths),
                     fmt::arg("cases", cases));
}

void AddCompletionCommand(Command app, Session& session) {
  const Command command = app.add_subcommand("completion", "Print a completion script for a shell");
  const auto shell = std::make_shared<std::string>();
  command.add_option("shell", *shell, "bash or zsh").required().one_of({"bash", "zsh"});
  command.callback([app, &session, shell] {
    session.command = [app, shell] { return WriteOut(CompletionScript(app.app(), *shell)); };
  });
}

}  // namespace tidemark::cli
