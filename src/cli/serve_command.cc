// `tidemark serve`: the server, until it is told to stop.
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "cli/command.h"
#include "cli/session.h"
#include "server/serve.h"

namespace tidemark::cli {
namespace {

constexpr int kExitOnSignal = 128;

/// Waits for SIGTERM or SIGINT. Threads started before inherit the mask, so none of them is interrupted.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  int Wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
    return signal;
  }

 private:
  sigset_t signals_{};
};

/// The first signal drains; another one ends the process where it is. What was acknowledged is on the disk.
void CutOffOnSecondSignal(const StopSignals& signals) {
  std::thread([&signals] {
    const int signal = signals.Wait();
    fmt::print(stderr, "tidemark: stopped at once\n");
    _exit(kExitOnSignal + signal);
  }).detach();
}

Result<void> RunServer(const Session& session, const server::SettingTexts& flags) {
  static const StopSignals signals;  // the thread that waits for the second one has no end of its own
  server::ServeOptions options{.store = {.path = session.Folder(), .project = session.project},
                               .settings = {}};
  TM_ASSIGN(options.settings,
            server::ReadServeSettings(session.Folder(), server::ProcessEnvironment(), flags));
  TM_ASSIGN(const auto server, server::Serve(options));
  const http::ServerSettings& http = options.settings.http;
  const std::string host =
      http.host.find(':') == std::string::npos ? http.host : fmt::format("[{}]", http.host);
  const bool is_tls = !http.tls.certificate.empty();
  fmt::print(stderr, "tidemark serves {} on {}://{}:{} {}\n", session.Folder().string(),
             is_tls ? "https" : "http", host, server->port(),
             server->demands_keys() ? "with keys" : "without keys");
  if (const auto flight_port = server->flight_port())
    fmt::print(stderr, "tidemark serves Arrow Flight on grpc{}://{}:{}\n", is_tls ? "+tls" : "", host,
               *flight_port);
  signals.Wait();
  fmt::print(stderr, "tidemark: stopping\n");
  CutOffOnSecondSignal(signals);
  if (!server->Stop()) fmt::print(stderr, "tidemark: some requests took too long and were cut off\n");
  return {};
}

}  // namespace

void AddServeCommand(Command app, Session& session) {
  const Command command = app.add_subcommand("serve", "Serve the store over HTTP until SIGTERM or Ctrl-C");
  const auto flags = std::make_shared<server::SettingTexts>();
  for (const server::ServeSettingInfo& info : server::AllServeSettings()) {
    std::string option = "--" + std::string(info.name);
    for (char& c : option) {
      if (c == '_') c = '-';
    }
    std::string what(info.what);
    what.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(what.front())));
    const std::string name(info.name);
    const std::function<void(const std::string&)> keep = [flags, name](const std::string& text) {
      flags->insert_or_assign(name, text);
    };
    if (info.value.empty()) {
      command.add_flag(option, [keep] { keep("true"); }, what);
    } else {
      command.add_option(option, keep, what).type_name(std::string(info.value));
    }
  }
  command.footer(
      "Each is also a member of `server:` in tidemark.yaml, and TIDEMARK_SERVE_NAME in the environment.");
  command.callback(
      [&session, flags] { session.command = [&session, flags] { return RunServer(session, *flags); }; });
}

}  // namespace tidemark::cli
