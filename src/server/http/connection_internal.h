// One connection: its requests, one after the other, and their answers.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "server/http/body_pipe_internal.h"
#include "server/http/loop_internal.h"
#include "server/http/message.h"
#include "server/http/request_parser_internal.h"

namespace tidemark::http {

using SocketError = boost::system::error_code;
using SteadyTime = std::chrono::steady_clock::time_point;

/// Lives on its loop's thread; while a worker answers, request and response belong to that worker. Reads a
/// head, routes it, reads or pipes its body, has it answered, writes the answer, begins again.
class Connection : public std::enable_shared_from_this<Connection>, private BodySink {
 public:
  Connection(ServerState& server, Loop& loop, const boost::asio::ip::tcp::endpoint& peer);
  ~Connection() override = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static std::shared_ptr<Connection> Make(ServerState& server, Loop& loop,
                                          boost::asio::ip::tcp::socket socket);

  /// Reads the first request.
  virtual void Begin() { StartRead(); }
  /// Ends what has taken longer than it may.
  void Sweep(SteadyTime now);
  /// The server stops: an idle connection ends soon, another after its answer.
  void Drain();
  /// Nothing of a request has been seen.
  bool IsIdle() const;
  /// Ends at once, whatever it is doing.
  void Close();
  /// Sends the answer that is there, and goes on with the next request.
  void SendAnswer();

 protected:
  virtual boost::asio::ip::tcp::socket& socket() = 0;
  virtual void AsyncRead(boost::asio::mutable_buffer into) = 0;           // then OnRead
  virtual void AsyncWrite(std::array<boost::asio::const_buffer, 2>) = 0;  // all of it; then OnWritten
  /// Writes what the socket takes at once, for the common case that this is all. Returns how much.
  virtual std::size_t TryWrite(std::array<boost::asio::const_buffer, 2> bytes) = 0;
  /// Tells the client that nothing more comes. True if the connection closes by itself when it has been told.
  virtual bool Shutdown() = 0;

  void OnRead(const SocketError& code, std::size_t bytes);
  void OnWritten(const SocketError& code);
  void set_deadline(std::chrono::milliseconds from_now);

  ServerState& server_;

 private:
  enum class Phase : std::uint8_t { kReading, kAnswering, kWriting, kLingering, kClosed };
  class StreamWriter;

  // Reading.
  void StartRead();
  void Process();
  bool Step();
  void Take(std::string_view bytes) override;
  bool Hold(std::size_t bytes);
  void Route();
  void SendContinue();
  void EndPipe();
  void OnPipeDrained();

  // Answering.
  bool Authorize();
  void Dispatch();
  void Work(const std::string& date);
  void WatchPeer();
  void OnPeerGone();
  void LookForPeer();
  void Refuse(int status, const Error& error);
  void Answered(Result<void> result);
  void TimeOut();

  // Writing.
  void AppendHead(std::string& out, const Response& response, std::optional<std::size_t> length,
                  std::string_view date) const;
  void Send(std::array<boost::asio::const_buffer, 2> bytes);
  void WriteAnswer();
  bool SendNow();
  void Queue(std::string bytes);
  void WriteNext();
  void EndStream(bool whole);
  void Record();
  void LeaveFlight();
  void Release();
  void FinishAnswer();
  void EndConnection();

  Loop& loop_;
  const std::string peer_;
  Phase phase_ = Phase::kReading;
  SteadyTime deadline_;

  std::vector<char> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  bool is_reading_ = false;
  RequestParser parser_;
  std::string body_;
  std::size_t held_bytes_ = 0;  // of the server's memory limit
  bool is_too_much_ = false;    // the body, for that limit
  std::shared_ptr<BodyPipe> pipe_;

  const BoundRoute* bound_ = nullptr;
  bool is_routed_ = false;
  bool is_counted_ = false;               // among those in flight
  bool keeps_alive_ = false;              // what the client wishes
  std::atomic<bool> must_close_ = false;  // after this answer
  bool is_abandoned_ = false;             // answered in the worker's stead: what it says later is dropped
  bool peer_sends_no_more_ = false;       // its half is closed; it may yet wait for the answer
  bool is_peer_asked_ = false;            // whether it still reads
  std::string request_id_;
  std::string trace_;
  Request request_;
  Response response_;
  std::stop_source stop_{std::nostopstate};
  SteadyTime began_;
  std::uint64_t generation_ = 0;  // of requests: late events of an earlier one are told by it

  std::string head_;
  std::string late_;  // the answer given in a worker's stead
  std::uint64_t bytes_out_ = 0;
  int status_out_ = 0;
  int broken_status_ = 0;  // of an answer to a streamed body that broke off
  bool is_chunked_ = false;
  bool stream_ended_ = false;
  bool is_continuing_ = false;  // "100 Continue" is being written
  std::optional<std::array<boost::asio::const_buffer, 2>> behind_continue_;
  std::deque<std::string> out_;  // of a streamed answer; the front is being written
  struct Outflow {
    std::mutex mutex;  // guards what follows
    std::condition_variable drained;
    std::size_t bytes = 0;
    bool is_aborted = false;
  } outflow_;
};

}  // namespace tidemark::http
