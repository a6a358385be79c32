// Finds the store and opens it.
#include "cli/session.h"

#include "cli/interrupt.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSettingsFile = "tidemark.yaml";

bool HasSettings(const fs::path& folder) {
  std::error_code ignored;  // a folder that cannot be looked into has none that could be read
  return fs::exists(folder / kSettingsFile, ignored);
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

Result<std::unique_ptr<Store>> Session::Open(bool may_create) const {
  const fs::path folder = Folder();
  return Store::Open({.path = folder, .project = project, .create = may_create || HasSettings(folder)});
}

WorkOptions Session::Work() {
  return {.stop = InterruptToken(), .progress = progress.Callback()};
}

}  // namespace tidemark::cli
