// `tidemark serve`: the server, until it is told to stop.
#include <fmt/format.h>

#include <cctype>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "server/serve.h"

namespace tidemark::cli {
namespace {

/// Until the first signal; a second one ends the process where it is (interrupt.h). What was acknowledged is
/// on the disk.
void WaitForSignal() {
  std::mutex mutex;
  std::condition_variable_any interrupted;
  std::unique_lock lock(mutex);
  interrupted.wait(lock, InterruptToken(), [] { return false; });
}

Result<void> RunServer(const Session& session, const server::SettingTexts& flags) {
  server::ServeOptions options{.store = {.path = session.Folder(), .project = session.project},
                               .settings = {}};
  TM_ASSIGN(options.settings,
            server::ReadServeSettings(session.Folder(), server::ProcessEnvironment(), flags));
  if (options.settings.python.interpreter.empty()) options.settings.python.interpreter = session.python;
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
  WaitForSignal();
  fmt::print(stderr, "tidemark: stopping\n");
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
