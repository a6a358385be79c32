// Finds the store and opens it.
#include "cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "cli/interrupt.h"
#include "tidemark/python_workers.h"
#include "tidemark/remote.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSettingsFile = "tidemark.yaml";
constexpr const char* kFeastSettingsFile = "feature_store.yaml";

bool HasSettings(const fs::path& folder) {
  std::error_code ignored;  // a folder that cannot be looked into has none that could be read
  return fs::exists(folder / kSettingsFile, ignored) || fs::exists(folder / kFeastSettingsFile, ignored);
}

}  // namespace

fs::path Session::Folder() const {
  std::error_code failed;
  const fs::path current = fs::current_path(failed);
  if (!store_dir.empty()) return (current / store_dir).lexically_normal();
  for (fs::path folder = current; !folder.empty(); folder = folder.parent_path()) {
    if (HasSettings(folder)) return folder;
    if (folder == folder.root_path()) break;
  }
  return current;
}

Result<bool> Confirm(bool is_confirmed, const std::string& question) {
  if (is_confirmed) return true;
  if (isatty(STDIN_FILENO) != 1) return Fail(ErrorCode::kInvalidArgument, question + " Confirm with --yes");
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<std::unique_ptr<Store>> Session::Open(bool may_create) const {
  if (!url.empty()) {
    if (python_workers > 0) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "a server runs Python functions itself: leave --python-workers out, and start it with them");
    }
    ConnectOptions options;
    options.url = url;
    options.api_key = api_key;
    options.project = project;
    return Connect(options);
  }
  const fs::path folder = Folder();
  StoreOptions options{.path = folder, .project = project, .create = may_create || HasSettings(folder)};
  if (python_workers > 0) {
    TM_ASSIGN(
        options.python_workers,
        PythonWorkers::Start({.workers = static_cast<std::size_t>(python_workers), .interpreter = python}));
  }
  return Store::Open(options);
}

void AddPythonWorkersOption(Command command, Session& session) {
  command
      .add_option("--python-workers", session.python_workers,
                  "Run the Python functions of on-demand feature views in N processes")
      .type_name("N")
      .not_negative();
}

WorkOptions Session::Work() {
  return {.stop = InterruptToken(), .progress = progress.Callback()};
}

}  // namespace tidemark::cli
