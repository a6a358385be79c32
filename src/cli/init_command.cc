// init: makes a folder with a project that runs as it is.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/init_project.h"
#include "cli/session.h"
#include "cli/table.h"

namespace tidemark::cli {
namespace {

namespace fs = std::filesystem;

struct InitArguments {
  std::string folder = ".";
  std::string name;
  bool python = false;
};

/// `name` with what a project's name may not have replaced by `_`.
std::string Allowed(std::string name) {
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || (std::isalnum(byte) == 0 && c != '_' && c != '-')) c = '_';
  }
  if (name.empty() || name[0] == '-' || name.starts_with("__")) name = "demo" + name;
  return name.substr(0, 128);
}

/// As a shell takes it for one word.
std::string Quoted(const std::string& path) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 || std::strchr("_-./+,:@", c);
  };
  if (std::ranges::all_of(path, is_plain)) return path;
  std::string quoted = "'";
  for (const char c : path)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

Result<void> WriteFile(const fs::path& path, const std::string& content) {
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  std::ofstream out(path, std::ios::binary);
  out << content;
  out.close();
  if (!out) return Fail(ErrorCode::kIo, fmt::format("{} cannot be written", path.string()));
  return {};
}

Result<void> Init(const InitArguments& options) {
  std::error_code failed;
  const fs::path folder = fs::weakly_canonical(fs::absolute(options.folder, failed), failed);
  const std::string allowed = Allowed(options.name.empty() ? folder.filename().string() : options.name);
  if (!options.name.empty() && allowed != options.name) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' cannot be a project's name, which has at most 128 letters, digits, '_' and '-' of "
                    "ASCII: take --name {}",
                    options.name, allowed));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto files =
      ProjectFiles({.name = allowed,
                    .python = options.python,
                    .now_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count()});
  for (const auto& [name, content] : files) {
    if (fs::exists(folder / name, failed)) {
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("{} is there already: choose another folder", (folder / name).string()));
    }
  }
  std::string out;
  for (const auto& [name, content] : files) {
    TM_TRY(WriteFile(folder / name, content));
    out += fmt::format("made {}\n", (fs::path(options.folder) / name).lexically_normal().string());
  }
  const fs::path shown = fs::path(options.folder).lexically_normal();
  const std::string enter = shown == "." ? "" : fmt::format("cd {} && ", Quoted(shown.string()));
  return WriteOut(out + fmt::format("next: {}tidemark apply   (README.md has more)\n", enter));
}

}  // namespace

void AddInit(Command app, Session& session) {
  const Command command = app.add_subcommand("init", "Make a small project that runs as it is");
  const auto options = std::make_shared<InitArguments>();
  command.add_option("folder", options->folder, "Its folder (default: the current one)");
  command.add_option("--name", options->name, "The project's name (default: the folder's)");
  command.add_flag("--python", options->python, "Definitions in Python instead of YAML");
  command.callback([&session, options] { session.command = [options] { return Init(*options); }; });
}

}  // namespace tidemark::cli
