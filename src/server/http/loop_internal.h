// One thread of the server: its event loop, its listening socket, its connections.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "server/http/access_log.h"
#include "server/http/router.h"
#include "server/http/settings.h"
#include "server/http/tls_internal.h"
#include "server/http/workers_internal.h"

namespace tidemark::http {

class Connection;

/// What all loops of a server share; it outlives them.
struct ServerState {
  ServerState(ServerSettings told, Router found)
      : settings(std::move(told)), router(std::move(found)), workers(settings.workers) {}

  ServerSettings settings;
  Router router;
  std::shared_ptr<const Authenticator> authenticator;
  std::shared_ptr<Metrics> metrics;
  std::unique_ptr<AccessLog> access_log;  // may be null
  std::unique_ptr<TlsContexts> tls;       // null: plain HTTP
  std::atomic<bool> draining = false;
  Workers workers;
};

/// Only its own thread touches it once it runs, but for `io`.
class Loop {
 public:
  explicit Loop(ServerState& server) : server_(server), acceptor_(io), sweep_(io), pause_(io) {}

  /// Binds, with SO_REUSEPORT so that every loop can. kInvalidArgument, kAlreadyExists.
  Result<void> Listen(const boost::asio::ip::tcp::endpoint& endpoint);
  boost::asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

  /// Runs until `io` is stopped. `core`: the one to stay on, or -1.
  void Run(int core);
  /// On the loop's thread: takes the connections that wait, then no more; ends those that are idle.
  void Drain();
  /// On the loop's thread: cuts all connections off. How many there were.
  std::size_t CutAll();

  void Remove(const std::shared_ptr<Connection>& connection);
  /// The value of the header Date, made once a second.
  const std::string& date() const { return date_; }

  /// Sends a small answer with all others that are ready by now, one right behind the other: a client that
  /// waits for several is then woken once, which costs as much as the rest of the sending.
  void SendSoon(std::shared_ptr<Connection> connection);

  /// Memory for an answer, passed on from one connection to the other: warm, and not one for each.
  void LendMemory(std::string& body);
  void TakeMemoryBack(std::string& body);

  boost::asio::io_context io{1};

 private:
  /// As io.run(), but looks for that long after something happened whether there is more before it sleeps.
  void RunLooking(std::chrono::microseconds time);
  void Accept();
  void Take(boost::asio::ip::tcp::socket socket);
  void Sweep();
  void SendAnswers();

  ServerState& server_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer sweep_;
  boost::asio::steady_timer pause_;  // of accepting, when there are no file descriptors left
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::string date_;
  std::vector<std::shared_ptr<Connection>> answered_;  // whose answers wait to be sent
  std::vector<std::shared_ptr<Connection>> sending_;
  std::chrono::steady_clock::time_point first_answered_;
  bool is_sending_ = false;
  std::chrono::steady_clock::time_point looks_until_;
  std::vector<std::string> memory_;
};

}  // namespace tidemark::http
