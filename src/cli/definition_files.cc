// YAML and JSON are read here, Python by a child process; the parts are then put into one document.
#include "cli/definition_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>

#include "base/json.h"
#include "cli/child_process.h"
#include "tidemark/store.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::array kSections{"entities", "feature_views", "on_demand_feature_views", "feature_services"};
const std::set<std::string> kEndings{".py", ".yaml", ".yml", ".json"};
const std::set<std::string> kSettings{"tidemark.yaml", "feature_store.yaml"};

Result<Json> ParseDocument(const std::string& text, const std::string& origin) {
  Json made = ParseJson(text).value_or(nullptr);
  if (made.is_object()) return made;
  return Fail(ErrorCode::kInternal, fmt::format("the definitions of {} are not a JSON object", origin));
}

/// A schema file of `create-table`, which may lie beside the definitions.
bool IsTableSchema(const std::string& text) {
  const Json json = ParseJson(text).value_or(nullptr);
  return json.is_object() && json.contains("schema") && json.contains("name");
}

Result<Json> ReadText(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad() || !in.is_open()) return Fail(ErrorCode::kIo, fmt::format("{} cannot be read", file.string()));
  if (IsTableSchema(text)) return Json::object();
  auto normalized = NormalizeDefinitions(text);
  if (!normalized) return std::unexpected(std::move(normalized).error().In(file.string()));
  return ParseDocument(*normalized, file.string());
}

Result<Json> RunPython(const std::vector<fs::path>& files, const std::string& python) {
  std::vector<std::string> command{python, "-m", "tidemark.repository"};
  for (const fs::path& file : files)
    command.push_back(file.string());
  TM_ASSIGN(const ChildResult child, RunChild(command));
  if (child.exit_code != 0) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the definitions in Python could not be read by {} (see above; TIDEMARK_PYTHON names the "
                    "interpreter, which needs the tidemark package)",
                    python));
  }
  return ParseDocument(child.output, "the Python files");
}

/// Adds the definitions of `part` to `whole`; equal ones count once.
Result<void> Merge(const Json& part, Json& whole) {
  if (const auto project = part.find("project"); project != part.end()) {
    if (whole.contains("project") && whole["project"] != *project) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("the definitions name two projects: {} and {}",
                                                           whole["project"].dump(), project->dump()));
    }
    whole["project"] = *project;
  }
  for (const char* const section : kSections) {
    if (!part.contains(section)) continue;
    Json& into = whole[section];
    for (const Json& each : part[section]) {
      if (std::find(into.begin(), into.end(), each) == into.end()) into.push_back(each);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<fs::path>> DefinitionFiles(const fs::path& folder) {
  std::error_code failed;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const fs::path& file = entry->path();
    if (kEndings.contains(file.extension().string()) && !kSettings.contains(file.filename().string()) &&
        entry->is_regular_file(failed)) {
      files.push_back(file);
    }
  }
  if (failed)
    return Fail(ErrorCode::kIo, fmt::format("{} cannot be listed: {}", folder.string(), failed.message()));
  std::ranges::sort(files);
  return files;
}

Result<std::string> ReadDefinitions(const std::vector<fs::path>& paths, const std::string& python) {
  std::vector<fs::path> python_files;
  std::vector<fs::path> text_files;
  std::string places;
  for (const fs::path& path : paths) {
    std::error_code failed;
    places += (places.empty() ? "" : ", ") + path.string();
    std::vector<fs::path> files{path};
    if (fs::is_directory(path, failed)) {
      TM_ASSIGN(files, DefinitionFiles(path));
    } else if (!fs::exists(path, failed)) {
      return Fail(ErrorCode::kNotFound, fmt::format("{}: there is no such file or folder", path.string()));
    }
    for (const fs::path& file : files) {
      if (!kEndings.contains(file.extension().string())) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("{}: definitions are in .py, .yaml or .json files", file.string()));
      }
      (file.extension() == ".py" ? python_files : text_files).push_back(file);
    }
  }
  if (python_files.empty() && text_files.empty()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("no definitions: there is no *.py, *.yaml or *.json file in {}; "
                            "`tidemark init` makes a project to start from",
                            places));
  }
  Json whole = Json::object();
  for (const char* section : kSections)
    whole[section] = Json::array();
  if (!python_files.empty()) {
    TM_ASSIGN(const Json part, RunPython(python_files, python));
    TM_TRY(Merge(part, whole));
  }
  for (const fs::path& file : text_files) {
    TM_ASSIGN(const Json part, ReadText(file));
    TM_TRY(Merge(part, whole));
  }
  return whole.dump();
}

}  // namespace tidemark::cli
