// `tidemark serve`: the server, until it is told to stop.
#include <fmt/format.h>
#include <pthread.h>

#include <csignal>

#include "cli/session.h"
#include "server/serve.h"

namespace tidemark::cli {
namespace {

/// Waits for SIGTERM or SIGINT. Threads started before inherit the mask, so none of them is interrupted.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  void Wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_{};
};

Result<void> RunServer(const Session& session, const http::ServerSettings& settings) {
  const StopSignals signals;
  server::ServeOptions options{.store = {.path = session.Folder(), .project = session.project},
                               .http = settings};
  TM_ASSIGN(const auto server, server::Serve(options));
  fmt::print(stderr, "tidemark serves {} on http://{}:{}\n", session.Folder().string(), settings.host,
             server->port());
  signals.Wait();
  fmt::print(stderr, "tidemark: stopping\n");
  if (!server->Stop()) fmt::print(stderr, "tidemark: some requests took too long and were cut off\n");
  return {};
}

}  // namespace

void AddServeCommand(CLI::App& app, Session& session) {
  auto settings = std::make_shared<http::ServerSettings>();
  CLI::App* command = app.add_subcommand("serve", "Serve the store over HTTP until SIGTERM or Ctrl-C");
  command->add_option("--host", settings->host, "Address to listen on")->capture_default_str();
  command->add_option("--port", settings->port, "Port; 0: any that is free")->capture_default_str();
  command->add_option("--threads", settings->threads, "Threads of connections; 0: one per core")
      ->capture_default_str();
  command->add_option("--access-log", settings->access_log,
                      "File for one line of JSON per request; -: stderr");
  command->callback([&session, settings] {
    session.command = [&session, settings] { return RunServer(session, *settings); };
  });
}

}  // namespace tidemark::cli
