// Accepting, sweeping, draining.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <ctime>

#include "base/thread_turns.h"
#include "server/http/connection_internal.h"
#include "server/http/loop_internal.h"

namespace tidemark::http {
namespace {

using boost::asio::ip::tcp;
using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr std::chrono::milliseconds kSweepEvery{250};
constexpr std::chrono::milliseconds kPause{100};
// Answers wait for one another no longer, and no more of them.
constexpr std::chrono::microseconds kSendWithin{300};
constexpr std::size_t kSentTogetherMax = 32;
constexpr std::size_t kKeptAnswerBytes = 8UL << 20U;  // of memory that a loop keeps, over all answers

std::unexpected<Error> Refused(const tcp::endpoint& endpoint, const SocketError& code) {
  const bool taken = code == boost::asio::error::address_in_use;
  return Fail(taken ? ErrorCode::kAlreadyExists : ErrorCode::kInvalidArgument,
              fmt::format("cannot listen on {}:{}: {}{}", endpoint.address().to_string(), endpoint.port(),
                          code.message(), taken ? "; choose another with --port" : ""));
}

void StayOn(int core) {
  if (core < 0) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<unsigned>(core), &cores);
  pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
}

}  // namespace

Result<void> Loop::Listen(const tcp::endpoint& endpoint) {
  SocketError code;
  code = acceptor_.open(endpoint.protocol(), code);
  if (!code) code = acceptor_.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code) code = acceptor_.set_option(ReusePort(true), code);
  if (!code) code = acceptor_.bind(endpoint, code);
  if (!code) code = acceptor_.listen(boost::asio::socket_base::max_listen_connections, code);
  if (code) return Refused(endpoint, code);
  return {};
}

void Loop::Run(int core) {
  StayOn(core);
  RunInShortTurns();  // a lookup takes less time than a turn of others does
  Accept();
  Sweep();
  if (server_.settings.busy_poll.count() > 0) {
    RunLooking(server_.settings.busy_poll);
  } else {
    io.run();
  }
}

// A processor that has gone to sleep takes tens of microseconds to wake up, in a virtual machine more.
void Loop::RunLooking(std::chrono::microseconds time) {
  while (!io.stopped()) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (io.poll() > 0) looks_until_ = now + time;
    if (now >= looks_until_ && io.run_one() > 0) looks_until_ = std::chrono::steady_clock::now() + time;
  }
}

void Loop::Accept() {
  acceptor_.async_accept([this](const SocketError& code, tcp::socket socket) {
    if (code == boost::asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (!code) {
      Take(std::move(socket));
      return Accept();
    }
    pause_.expires_after(kPause);
    pause_.async_wait([this](const SocketError& cancelled) {
      if (!cancelled && acceptor_.is_open()) Accept();
    });
  });
}

void Loop::Take(tcp::socket socket) {
  Metrics& metrics = *server_.metrics;
  if (metrics.connections.load() >= static_cast<std::int64_t>(server_.settings.limits.connections_max)) {
    metrics.connections_refused.fetch_add(1);
    return;
  }
  metrics.connections.fetch_add(1);
  const auto connection = Connection::Make(server_, *this, std::move(socket));
  connections_.insert(connection);
  connection->Begin();
}

void Loop::Remove(const std::shared_ptr<Connection>& connection) {
  if (connections_.erase(connection) > 0) server_.metrics->connections.fetch_sub(1);
}

void Loop::SendSoon(std::shared_ptr<Connection> connection) {
  const bool is_first = answered_.empty();
  answered_.push_back(std::move(connection));
  if (is_sending_) return;  // SendAnswers comes back to it
  const SteadyTime now = std::chrono::steady_clock::now();
  if (is_first) {
    first_answered_ = now;
    boost::asio::post(io, [this] { SendAnswers(); });  // behind the requests that have been found to be there
  } else if (answered_.size() >= kSentTogetherMax || now - first_answered_ >= kSendWithin) {
    SendAnswers();
  }
}

void Loop::SendAnswers() {
  if (answered_.empty()) return;
  is_sending_ = true;
  sending_.swap(answered_);
  for (const auto& connection : sending_)
    connection->SendAnswer();
  sending_.clear();
  is_sending_ = false;
  if (answered_.empty()) return;
  first_answered_ = std::chrono::steady_clock::now();
  boost::asio::post(io, [this] { SendAnswers(); });
}

void Loop::LendMemory(std::string& body) {
  if (memory_.empty()) return;
  body.swap(memory_.back());
  memory_.pop_back();
}

void Loop::TakeMemoryBack(std::string& body) {
  const bool is_worth_it = body.capacity() > std::string().capacity();
  if (is_worth_it && body.capacity() * (memory_.size() + 1) <= kKeptAnswerBytes) {
    body.clear();
    memory_.push_back(std::move(body));
  }
  body = std::string();
}

void Loop::Sweep() {
  date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time(nullptr)));
  const SteadyTime now = std::chrono::steady_clock::now();
  const std::vector<std::shared_ptr<Connection>> connections(connections_.begin(), connections_.end());
  for (const auto& connection : connections)
    connection->Sweep(now);
  if (server_.access_log) server_.access_log->Flush();
  sweep_.expires_after(kSweepEvery);
  sweep_.async_wait([this](const SocketError& cancelled) {
    if (!cancelled) Sweep();
  });
}

void Loop::Drain() {
  // What has connected by now may have sent a request.
  SocketError code;
  code = acceptor_.non_blocking(true, code);
  while (!code) {
    tcp::socket socket(io);
    code = acceptor_.accept(socket, code);
    if (!code) Take(std::move(socket));
  }
  code = acceptor_.close(code);
  const std::vector<std::shared_ptr<Connection>> connections(connections_.begin(), connections_.end());
  for (const auto& connection : connections)
    connection->Drain();
}

std::size_t Loop::CutAll() {
  const std::vector<std::shared_ptr<Connection>> connections(connections_.begin(), connections_.end());
  std::size_t cut = 0;
  for (const auto& connection : connections) {
    cut += connection->IsIdle() ? 0 : 1;
    connection->Close();
  }
  return cut;
}

}  // namespace tidemark::http
