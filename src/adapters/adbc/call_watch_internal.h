// Ends a driver's calls when somebody asks for it or the time is up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "adapters/adbc/connection.h"
#include "base/result.h"

namespace tidemark {

/// When a call with these limits must have ended; nothing: never.
std::optional<std::chrono::steady_clock::time_point> DeadlineOf(const AdbcLimits& limits);

/// kCancelled, with the limit that was reached.
Error TimeIsUp(const AdbcLimits& limits);

/// Watches the calls of one query. A driver forgets a cancellation that comes before it has begun to work, so
/// `cancel` is called again and again, on a thread of the watch's own, as long as a call lasts that must end.
/// Without limits there is no thread. One thread calls Begin and End.
class CallWatch {
 public:
  CallWatch(const AdbcLimits& limits, std::function<void()> cancel);
  /// `cancel` is not called any more when this returns.
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  /// Before a call: kCancelled, saying why, if it must not begin.
  Result<void> Begin();

  /// After a call that failed with `error`: why it was ended, if it was, else that error.
  Error EndFailed(Error error);
  /// After a call that did not fail.
  void End();

  /// The first rows are there: what the query holds only becomes less.
  void RowsCame();

 private:
  enum class Reason : unsigned char { kStop, kTime, kMemory };

  void Watch();
  void Wait(std::unique_lock<std::mutex>& lock);  // for what may become a reason
  Error Why() const;                              // with the lock held, when there is a reason

  AdbcLimits limits_;
  std::function<void()> cancel_;
  std::chrono::steady_clock::time_point deadline_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_asked_ = false;
  bool in_call_ = false;
  bool ended_ = false;
  std::optional<Reason> reason_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
  std::thread thread_;
};

}  // namespace tidemark
