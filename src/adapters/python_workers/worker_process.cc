// posix_spawn, which runs no handlers of a fork and copies no memory; what limits the process it does itself,
// before it reads anything.
#include "adapters/python_workers/worker_process_internal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace tidemark::python_workers {
namespace {

constexpr std::size_t kReadyBytesMax = 4096;

// What a process may know: where programs and libraries are, and how texts and times are worded.
constexpr std::array<const char*, 11> kVariables{"PATH", "PYTHONPATH", "PYTHONHOME",     "VIRTUAL_ENV",
                                                 "HOME", "LANG",       "LC_ALL",         "LC_CTYPE",
                                                 "TZ",   "TMPDIR",     "LD_LIBRARY_PATH"};
// One thread for a call, and memory that is given back: both are what the limits count on.
constexpr std::array<const char*, 5> kSettings{"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1",
                                               "MKL_NUM_THREADS=1", "MALLOC_ARENA_MAX=1",
                                               "ARROW_DEFAULT_MEMORY_POOL=system"};

std::vector<std::string> Environment() {
  std::vector<std::string> variables(kSettings.begin(), kSettings.end());
  for (const char* const name : kVariables) {
    if (const char* const value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
  }
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts)
    pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class SpawnSettings {
 public:
  /// The process has `socket` as its standard input, what it prints goes where our errors go, and it has
  /// nothing else that is open here. It leads a group of its own: Ctrl-C is for us.
  explicit SpawnSettings(int socket) {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&actions_);
    sigset_t none;
    sigset_t defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_adddup2(&actions_, socket, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  const posix_spawnattr_t* attributes() const { return &attributes_; }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

Result<pid_t> Spawn(const ProcessOptions& options, int socket) {
  std::vector<std::string> command{options.interpreter,
                                   "-P",  // the folder that we are in has no modules for it
                                   "-m",
                                   "tidemark._worker",
                                   std::to_string(options.memory_bytes_max),
                                   std::to_string(getpid())};
  std::vector<std::string> environment = Environment();
  const SpawnSettings settings(socket);
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, options.interpreter.c_str(), settings.actions(), settings.attributes(),
                   Pointers(command).data(), Pointers(environment).data());
  if (failed == 0) return pid;
  return Fail(
      failed == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
      fmt::format("the Python interpreter {} cannot be run: {}", options.interpreter, std::strerror(failed)));
}

/// {"ready": 1}
bool IsReady(const Frame& frame) {
  const Json head = ParseJson(frame.head).value_or(nullptr);
  return head.is_object() && head.value("ready", Json(0)) == Json(kProtocol);
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(const ProcessOptions& options,
                                                            Deadline deadline) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Fail(ErrorCode::kUnavailable, fmt::format("no socket: {}", std::strerror(errno)));
  const auto pid = Spawn(options, ends[1]);
  close(ends[1]);
  if (!pid) {
    close(ends[0]);
    return std::unexpected(pid.error());
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  std::unique_ptr<WorkerProcess> process(new WorkerProcess(*pid, {.socket = ends[0], .stop = options.stop}));
  const auto ready = ReceiveFrame(process->channel(), kReadyBytesMax, deadline);
  if (ready && IsReady(*ready)) return process;
  if (!ready && ready.error() == Broken::kStopped) return Fail(ErrorCode::kCancelled, "stopped");
  std::string why = process->End();
  if (why.empty()) why = ready ? "it is of another release" : "it did not get ready in time";
  return Fail(ErrorCode::kUnavailable,
              fmt::format("the Python interpreter {} cannot run the package tidemark: {} (what it printed is "
                          "among the messages of this process)",
                          options.interpreter, why));
}

bool WorkerProcess::IsThere() const {
  siginfo_t ended{};
  return waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0;
}

std::string WorkerProcess::End() {
  if (pid_ == 0) return {};
  // One that has closed its end is about to go: it may say how.
  std::string why;
  int status = 0;
  pollfd closed{.fd = channel_.socket, .events = 0, .revents = 0};
  constexpr int kGoesWithinMs = 200;
  constexpr useconds_t kLookAgainUs = 2'000;
  pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0 && poll(&closed, 1, 0) > 0) {
    for (int waited_us = 0; ended == 0 && waited_us < kGoesWithinMs * 1'000; waited_us += kLookAgainUs) {
      usleep(kLookAgainUs);
      ended = waitpid(pid_, &status, WNOHANG);
    }
  }
  if (ended == pid_) {
    why = WIFEXITED(status) ? fmt::format("it ended with exit code {}", WEXITSTATUS(status))
                            : fmt::format("it was ended by signal {}", WTERMSIG(status));
  }
  kill(-pid_, SIGKILL);  // with what it has started
  while (ended != pid_) {
    ended = waitpid(pid_, &status, 0);
    if (ended < 0 && errno != EINTR) break;
  }
  close(channel_.socket);
  pid_ = 0;
  return why;
}

}  // namespace tidemark::python_workers
