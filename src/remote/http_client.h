// Requests to one server: connections that are kept, requests that are sent again, errors as the server says
// them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote/answer_reader.h"
#include "remote/connection.h"
#include "remote/url.h"
#include "remote/waiting.h"
#include "tidemark/remote.h"

namespace tidemark::remote {

/// A body that is made while it is sent.
class RequestBody {
 public:
  virtual ~RequestBody() = default;
  /// The next bytes, valid until the next call; empty at the end.
  virtual Result<std::string_view> Next() = 0;
  /// Begins again from the first byte. False if what was given out is no longer known.
  virtual bool Restart() = 0;
};

/// What a request does on the server, and so what may be done when its answer is lost.
enum class Effect : std::uint8_t {
  kNone,        // it reads: sent again at will
  kRepeatable,  // it changes something, and changes nothing more when it comes twice
  kOnce,        // it changes something each time it comes
};

struct Request {
  std::string_view method = "GET";
  std::string target;  // path and query below the server's prefix
  Effect effect = Effect::kNone;
  std::string content_type = "application/json";
  std::string body = {};
  RequestBody* stream = nullptr;  // instead of `body`, if there is one
  std::string_view accept = "application/json";
  std::string idempotency_key = {};  // empty: none
  bool is_async = false;             // asks for a job
  std::stop_token stop = {};
};

class HttpClient;

/// An answer of 200 and the like. Its body is read once; then, or when it is dropped, its connection is free.
class Answer {
 public:
  Answer(std::shared_ptr<HttpClient> client, std::unique_ptr<Connection> connection,
         std::unique_ptr<AnswerReader> reader, Waiting waiting, bool is_reusable);
  ~Answer();
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  int status() const { return reader_->status(); }
  std::string_view Header(std::string_view name) const { return reader_->Header(name); }

  /// At least one byte; 0 at the end. kUnavailable if the connection ends before the body, or is silent for
  /// too long; kCancelled.
  Result<std::size_t> Read(std::span<char> into);

 private:
  friend class HttpClient;
  NetworkResult<std::string> ReadAll(std::size_t bytes_max);

  std::shared_ptr<HttpClient> client_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<AnswerReader> reader_;
  Waiting waiting_;
  bool is_reusable_;
};

/// Thread safe; a forked child makes connections of its own.
class HttpClient : public std::enable_shared_from_this<HttpClient> {
 public:
  /// kInvalidArgument for a URL, key or file that cannot be used; nothing is sent.
  static Result<std::shared_ptr<HttpClient>> Make(const ConnectOptions& options);

  const ServerUrl& url() const { return url_; }

  /// Sends a request and gives its answer's body. An answer that is no success is the error that it tells;
  /// see Connect for those of the network.
  Result<std::string> Call(Request& request);
  /// The same, but the body is read by the caller, as it arrives.
  Result<std::unique_ptr<Answer>> Open(Request& request);

 private:
  friend class Answer;
  struct Failure;
  template <typename T>
  using Tried = std::expected<T, Failure>;
  struct Kept {
    std::unique_ptr<Connection> connection;
    std::chrono::steady_clock::time_point since;
  };

  HttpClient(ConnectOptions options, ServerUrl url, std::shared_ptr<const TlsClient> tls);

  template <typename T, typename Try>
  Result<T> Repeat(Request& request, const Try& attempt);
  Tried<std::unique_ptr<Answer>> TryOpen(Request& request);
  Tried<std::string> TryCall(Request& request);
  Tried<std::unique_ptr<Answer>> Exchange(Request& request, std::unique_ptr<Connection> connection,
                                          bool was_kept);
  Tried<bool> Send(Request& request, Connection& connection, const Waiting& waiting) const;
  Tried<bool> SendChunks(const Request& request, Connection& connection, std::string head,
                         const Waiting& waiting) const;
  Tried<std::unique_ptr<Answer>> Refused(const Request& request, Answer& answer) const;
  std::string HeadOf(const Request& request) const;
  Failure FailureOf(const Request& request, const NetworkError& error) const;
  Error ErrorOf(Effect effect, const NetworkError& error) const;

  std::unique_ptr<Connection> TakeKept();
  void Keep(std::unique_ptr<Connection> connection);

  const ConnectOptions options_;
  const ServerUrl url_;
  const std::shared_ptr<const TlsClient> tls_;
  const std::string common_headers_;  // with the key: never shown
  std::mutex mutex_;                  // guards what follows
  std::vector<Kept> kept_;
  int process_ = 0;  // that the kept ones belong to
};

}  // namespace tidemark::remote
