// Puts loops, workers and routes together, and takes them apart again.
#include "server/http/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "server/http/connection_internal.h"
#include "server/http/loop_internal.h"

namespace tidemark::http {
namespace {

using boost::asio::ip::tcp;

constexpr std::size_t kWorkersPerCore = 32;
constexpr std::size_t kFilesOfStore = 256;  // open at a time, with room to spare
constexpr std::chrono::milliseconds kDrainPoll{10};
constexpr std::chrono::seconds kRefreshTlsEvery{1};

/// Raises the limit of open files as far as this process may, and keeps some of them for the store:
/// connections that nobody stops would take the files that it has to open. Returns how many connections may
/// be open.
std::size_t ConnectionsThatFit(std::size_t wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  if (files.rlim_cur == RLIM_INFINITY) return wanted;
  const std::size_t most = files.rlim_cur;
  const std::size_t fit = most - std::max(most / 4, std::min(most / 2, kFilesOfStore));
  if (wanted > fit) {
    fmt::print(stderr,
               "tidemark: the limit of open files (ulimit -n) is {}: {} connections may be open, not {} "
               "(connections_max)\n",
               files.rlim_cur, fit, wanted);
  }
  return std::min(wanted, fit);
}

std::size_t Cores() {
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

class RunningServer final : public Server {
 public:
  explicit RunningServer(std::unique_ptr<ServerState> state, std::vector<std::shared_ptr<Dialect>> dialects)
      : state_(std::move(state)), dialects_(std::move(dialects)) {}

  ~RunningServer() override {
    if (!stopped_) CutOff();
  }

  Result<void> Listen(tcp::endpoint endpoint) {
    for (std::size_t i = 0; i < state_->settings.threads; ++i) {
      loops_.push_back(std::make_unique<Loop>(*state_));
      TM_TRY(loops_.back()->Listen(endpoint));
      endpoint = loops_.front()->endpoint();  // a port that the system chose is that of all
    }
    port_ = endpoint.port();
    return {};
  }

  void Run() {
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      const int core = state_->settings.pin_threads ? static_cast<int>(i % Cores()) : -1;
      threads_.emplace_back([loop = loops_[i].get(), core] { loop->Run(core); });
    }
    if (state_->tls) {
      refresher_ = std::jthread([this](const std::stop_token& stop) { RefreshTls(stop); });
    }
  }

  std::uint16_t port() const override { return port_; }

  bool Stop() override {
    if (stopped_) return true;
    state_->draining = true;
    for (const auto& loop : loops_) {
      boost::asio::post(loop->io, [loop = loop.get()] { loop->Drain(); });
    }
    const auto until = std::chrono::steady_clock::now() + state_->settings.limits.drain_time_max;
    while (state_->metrics->connections.load() > 0 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(kDrainPoll);
    }
    return CutOff() == 0;
  }

 private:
  /// How many connections were cut off.
  std::size_t CutOff() {
    stopped_ = true;
    std::size_t cut = 0;
    if (!threads_.empty()) {
      for (const auto& loop : loops_) {
        std::promise<std::size_t> count;
        boost::asio::post(loop->io, [&count, loop = loop.get()] {
          loop->Drain();
          count.set_value(loop->CutAll());
        });
        cut += count.get_future().get();
      }
    }
    refresher_ = {};
    state_->workers.Stop();  // their answers go to connections that are closed
    for (const auto& loop : loops_)
      loop->io.stop();
    for (std::thread& thread : threads_)
      thread.join();
    threads_.clear();
    if (state_->access_log) state_->access_log->Flush();
    return cut;
  }

  void RefreshTls(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopping;
    std::unique_lock lock(mutex);
    while (!stopping.wait_for(lock, stop, kRefreshTlsEvery, [&stop] { return stop.stop_requested(); })) {
      if (const auto refreshed = state_->tls->Refresh(); !refreshed) {
        fmt::print(stderr, "tidemark: the changed certificate is not used: {}\n",
                   refreshed.error().ToString());
      }
    }
  }

  std::unique_ptr<ServerState> state_;  // loops and dialects use it: it goes last
  std::vector<std::shared_ptr<Dialect>> dialects_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
  std::jthread refresher_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
};

Result<tcp::endpoint> EndpointOf(const ServerSettings& settings) {
  boost::system::error_code code;
  const std::string host = settings.host == "localhost" ? "127.0.0.1" : settings.host;
  const auto address = boost::asio::ip::make_address(host, code);
  if (code) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not an address to listen on: give one like 127.0.0.1, 0.0.0.0 or ::1",
                            settings.host));
  }
  return tcp::endpoint(address, settings.port);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(ServerSettings settings,
                                              std::vector<std::shared_ptr<Dialect>> dialects,
                                              std::shared_ptr<const Authenticator> authenticator,
                                              std::shared_ptr<Metrics> metrics) {
  if (settings.threads == 0) settings.threads = Cores();
  if (settings.workers == 0) settings.workers = Cores() * kWorkersPerCore;
  settings.limits.connections_max = ConnectionsThatFit(settings.limits.connections_max);
  TM_ASSIGN(const tcp::endpoint endpoint, EndpointOf(settings));
  TM_ASSIGN(Router router, Router::Make(dialects, *metrics));
  auto state = std::make_unique<ServerState>(std::move(settings), std::move(router));
  state->authenticator = std::move(authenticator);
  state->metrics = std::move(metrics);
  if (!state->settings.access_log.empty()) {
    TM_ASSIGN(state->access_log, AccessLog::Open(state->settings.access_log));
  }
  if (!state->settings.tls.certificate.empty()) {
    TM_ASSIGN(state->tls, TlsContexts::Open(state->settings.tls));
  }
  auto server = std::make_unique<RunningServer>(std::move(state), std::move(dialects));
  TM_TRY(server->Listen(endpoint));
  server->Run();
  return server;
}

}  // namespace tidemark::http
