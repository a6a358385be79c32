// Puts the dialects on the HTTP server, and Flight beside it.
#include "server/serve.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "server/catalog/services.h"
#include "server/feast/feast_dialect.h"
#include "server/flight_library.h"
#include "server/http/server.h"
#include "server/keys/key_authenticator.h"
#include "server/ops/ops_dialect.h"
#include "server/sagemaker/sagemaker_dialect.h"
#include "server/semantix/semantix_dialect.h"
#include "server/v1/v1_dialect.h"

namespace tidemark::server {
namespace {

KeyDemand DemandOf(RequireKeys require) {
  switch (require) {
    case RequireKeys::kAuto:
      return KeyDemand::kWhenThereAre;
    case RequireKeys::kYes:
      return KeyDemand::kAlways;
    case RequireKeys::kNo:
      return KeyDemand::kNever;
  }
  return KeyDemand::kAlways;
}

Result<void> CheckOpenness(const ServeSettings& settings, bool demands_keys) {
  if (demands_keys || settings.insecure || IsLoopback(settings.http.host)) return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("other machines can reach {}, and no key is asked for: make one with `tidemark keys "
                  "create`, listen on 127.0.0.1, or say --insecure to let everybody in",
                  settings.http.host));
}

class StoreServer final : public RunningServer {
 public:
  static Result<std::unique_ptr<RunningServer>> Start(const ServeOptions& options) {
    auto server = std::make_unique<StoreServer>();
    StoreOptions store = options.store;
    store.maintain = true;
    if (options.settings.python.workers > 0) {
      TM_ASSIGN(store.python_workers, PythonWorkers::Start(options.settings.python));
      server->services_.python_workers = store.python_workers;
    }
    TM_ASSIGN(server->services_.stores, Stores::Open(store));
    server->services_.source_folders = options.settings.source_folders;
    server->drain_delay_ = options.settings.drain_delay;
    KeyAuthenticatorParts parts;
    TM_ASSIGN(parts.keys, ApiKeys::Open(options.store.path, true));
    parts.demand = DemandOf(options.settings.require_keys);
    TM_ASSIGN(server->authenticator_, KeyAuthenticator::Make(std::move(parts)));
    TM_TRY(CheckOpenness(options.settings, server->demands_keys()));

    http::ServerSettings settings = options.settings.http;
    settings.project = server->services_.stores->default_project();
    auto metrics = std::make_shared<http::Metrics>();
    const std::vector<std::shared_ptr<http::Dialect>> dialects{
        MakeV1Dialect(server->services_, settings.limits),
        MakeFeastDialect(server->services_, settings.limits),
        sagemaker::MakeDialect(server->services_, options.settings.sagemaker, settings.limits.json_depth_max),
        MakeSemantixDialect(server->services_, settings.limits),
        MakeOpsDialect(server->services_, metrics,
                       server->draining_),  // last: it claims what nobody else does
    };
    TM_ASSIGN(server->http_,
              http::Server::Start(std::move(settings), dialects, server->authenticator_, metrics));
    TM_TRY(server->StartFlight(options.settings));
    if (options.settings.streams) TM_TRY(server->StartStreams());
    return server;
  }

  std::uint16_t port() const override { return http_->port(); }
  bool demands_keys() const override { return authenticator_->demands_keys(); }
  std::optional<std::uint16_t> flight_port() const override {
    return flight_ ? std::optional(flight_->port()) : std::nullopt;
  }

  bool Stop() override {
    draining_ = true;
    std::this_thread::sleep_for(drain_delay_);
    // All end at the same time.
    streams_.request_stop();
    auto flight = std::async(std::launch::async, [this] { return flight_ == nullptr || flight_->Stop(); });
    const bool http_was_done = http_->Stop();
    const bool flight_was_done = flight.get();
    if (streams_.joinable()) streams_.join();
    return flight_was_done && http_was_done;
  }

 private:
  Result<void> StartFlight(const ServeSettings& settings) {
    if (!settings.flight_port) return {};
    const FlightSettings flight{.host = settings.http.host,
                                .port = *settings.flight_port,
                                .tls = settings.http.tls,
                                .limits = settings.http.limits};
    TM_ASSIGN(flight_, LoadAndStartFlight(flight, services_, authenticator_));
    return {};
  }

  Result<void> StartStreams() {
    TM_ASSIGN(auto store, services_.stores->Get({}));
    streams_ = std::jthread([store = std::move(store)](const std::stop_token& stop) {
      RunStreamsOptions running;
      running.keep_trying = true;
      running.stop = stop;
      if (auto ran = store->RunStreams({}, running); !ran)
        fmt::print(stderr, "tidemark: streams: {}\n", ran.error().ToString());
    });
    return {};
  }

  std::atomic<bool> draining_ = false;
  std::chrono::milliseconds drain_delay_{0};
  Services services_;  // outlives the dialects, which `http_` holds
  std::shared_ptr<KeyAuthenticator> authenticator_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<FlightServer> flight_;
  std::jthread streams_;
};

}  // namespace

Result<std::unique_ptr<RunningServer>> Serve(const ServeOptions& options) {
  return StoreServer::Start(options);
}

}  // namespace tidemark::server
