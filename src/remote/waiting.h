// Waiting for a socket: how long, and who may end it.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <stop_token>
#include <string>

namespace tidemark::remote {

/// Sockets wait in slices of this length, so that a wait that nobody wants any more ends soon.
inline constexpr std::chrono::milliseconds kSlice{50};

/// What went wrong with a connection. What is to be done about it depends on the request.
struct NetworkError {
  enum class Kind : std::uint8_t {
    kNotConnected,  // nothing was sent
    kBroken,        // the other side is gone
    kTooSlow,       // nothing came, or was taken, for too long
    kCancelled,     // the caller wants no more
    kProtocol,      // what came is not HTTP
  } kind = Kind::kBroken;
  std::string text;  // without the address
};

template <typename T>
using NetworkResult = std::expected<T, NetworkError>;

/// How long one read or write may take without a byte, and what else ends it.
class Waiting {
 public:
  Waiting(std::chrono::milliseconds silence_max, std::stop_token stop)
      : silence_max_(silence_max), stop_(std::move(stop)) {}

  std::chrono::milliseconds silence_max() const { return silence_max_; }
  const std::stop_token& stop() const { return stop_; }
  /// Whether the caller has had enough: by the token, or by a WaitingCheck of this thread.
  bool IsCancelled() const;

 private:
  std::chrono::milliseconds silence_max_;
  std::stop_token stop_;
};

/// One wait: begun when it is made.
class Wait {
 public:
  explicit Wait(const Waiting& waiting)
      : waiting_(&waiting), end_(std::chrono::steady_clock::now() + waiting.silence_max()) {}
  /// After a slice without a byte: whether to go on.
  NetworkResult<void> GoOn() const;

 private:
  const Waiting* waiting_;
  std::chrono::steady_clock::time_point end_;
};

/// Sleeps, unless somebody ends it: then kCancelled.
NetworkResult<void> Pause(std::chrono::milliseconds time, const Waiting& waiting);

}  // namespace tidemark::remote
