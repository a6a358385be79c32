// posix_spawn with a pipe for stdout.
#include "cli/child_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "cli/interrupt.h"

extern char** environ;

namespace tidemark::cli {
namespace {

/// Signals as a program expects them: none blocked, none ignored (interrupt.cc does both).
void SetSignals(posix_spawnattr_t& attributes) {
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

Result<pid_t> Spawn(const std::vector<std::string>& command, int out, int unused) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&actions);
  SetSignals(attributes);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, out);
  posix_spawn_file_actions_addclose(&actions, unused);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    return Fail(failed == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("{} cannot be run: {}", command[0], std::strerror(failed)));
  }
  return child;
}

std::string ReadAll(int in) {
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t got = read(in, buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) return text;
  }
}

}  // namespace

Result<ChildResult> RunChild(const std::vector<std::string>& command) {
  int ends[2];
  if (pipe(ends) != 0) return Fail(ErrorCode::kIo, fmt::format("no pipe: {}", std::strerror(errno)));
  const auto child = Spawn(command, ends[1], ends[0]);
  close(ends[1]);
  if (!child) {
    close(ends[0]);
    return std::unexpected(child.error());
  }
  ChildResult result;
  result.output = ReadAll(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(*child, &status, 0) < 0) {
    if (errno != EINTR) return Fail(ErrorCode::kIo, fmt::format("{}: {}", command[0], std::strerror(errno)));
  }
  if (InterruptToken().stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace tidemark::cli
