// The thread that waits for a stop or for the time limit.
#include <algorithm>
#include <string>
#include <utility>

#include "adapters/adbc/call_watch_internal.h"

namespace tidemark {
namespace {

// Between two cancellations of one call.
constexpr std::chrono::milliseconds kRepeat{10};

// Between two looks at the memory.
constexpr std::chrono::milliseconds kLook{10};

// Longer than anybody waits, and far from where a clock overflows.
constexpr std::chrono::milliseconds kTimeLimitMax = std::chrono::hours{24 * 365};

std::string Length(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + " s"
                                  : std::to_string(time.count()) + " ms";
}

}  // namespace

std::optional<std::chrono::steady_clock::time_point> DeadlineOf(const AdbcLimits& limits) {
  if (!limits.time_limit) return std::nullopt;
  return limits.begun.value_or(std::chrono::steady_clock::now()) +
         std::min(*limits.time_limit, kTimeLimitMax);
}

Error TimeIsUp(const AdbcLimits& limits) {
  return {ErrorCode::kCancelled,
          "the time limit of " + Length(limits.time_limit.value_or(std::chrono::milliseconds{0})) +
              " was reached",
          {}};
}

CallWatch::CallWatch(const AdbcLimits& limits, std::function<void()> cancel)
    : limits_(limits), cancel_(std::move(cancel)), deadline_(std::chrono::steady_clock::time_point::max()) {
  if (const auto deadline = DeadlineOf(limits_)) deadline_ = *deadline;
  if (!limits_.time_limit && !limits_.stop.stop_possible() && !limits_.holds_too_much) return;
  on_stop_.emplace(limits_.stop, [this] {
    const std::lock_guard lock(mutex_);
    stop_asked_ = true;
    changed_.notify_all();
  });
  thread_ = std::thread([this] { Watch(); });
}

CallWatch::~CallWatch() {
  on_stop_.reset();
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void CallWatch::Watch() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    if (!reason_ && stop_asked_) reason_ = Reason::kStop;
    if (!reason_ && std::chrono::steady_clock::now() >= deadline_) reason_ = Reason::kTime;
    if (!reason_) {
      Wait(lock);
    } else if (in_call_) {
      lock.unlock();
      cancel_();
      lock.lock();
      changed_.wait_for(lock, kRepeat, [this] { return ended_ || !in_call_; });
    } else {
      changed_.wait(lock, [this] { return ended_; });  // no call begins any more
    }
  }
}

void CallWatch::Wait(std::unique_lock<std::mutex>& lock) {
  if (limits_.holds_too_much) {
    changed_.wait_until(lock, std::min(deadline_, std::chrono::steady_clock::now() + kLook));
    if (in_call_ && limits_.holds_too_much && limits_.holds_too_much()) reason_ = Reason::kMemory;
  } else if (limits_.time_limit) {
    changed_.wait_until(lock, deadline_);
  } else {
    changed_.wait(lock);
  }
}

Error CallWatch::Why() const {
  if (reason_ == Reason::kTime) return TimeIsUp(limits_);
  if (reason_ == Reason::kMemory) {
    // As DuckDB says it where it counts.
    return {ErrorCode::kOutOfSpace, "Out of Memory Error: values that functions hold for each group", {}};
  }
  return {ErrorCode::kCancelled, "interrupted", {}};
}

Result<void> CallWatch::Begin() {
  const std::lock_guard lock(mutex_);
  if (!reason_ && (stop_asked_ || limits_.stop.stop_requested())) reason_ = Reason::kStop;
  if (!reason_ && limits_.time_limit && std::chrono::steady_clock::now() >= deadline_)
    reason_ = Reason::kTime;
  if (reason_) return std::unexpected(Why());
  in_call_ = true;
  return {};
}

void CallWatch::End() {
  const std::lock_guard lock(mutex_);
  in_call_ = false;
  if (reason_) changed_.notify_all();
}

void CallWatch::RowsCame() {
  const std::lock_guard lock(mutex_);
  limits_.holds_too_much = nullptr;
}

Error CallWatch::EndFailed(Error error) {
  const std::lock_guard lock(mutex_);
  in_call_ = false;
  if (!reason_) return error;
  changed_.notify_all();
  return Why();
}

}  // namespace tidemark
