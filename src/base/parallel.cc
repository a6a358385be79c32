// A shared counter hands out the tasks; threads live for one call.
#include "base/parallel.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

class Run {
 public:
  Run(std::size_t count, const std::stop_token& stop,
      const std::function<Result<void>(std::size_t, std::size_t)>& task)
      : count_(count), stop_(stop), task_(task) {}

  void Work(std::size_t thread) {
    while (!failed_.load(std::memory_order_relaxed)) {
      const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count_) return;
      if (stop_.stop_requested()) return Keep(index, Error{ErrorCode::kCancelled, "interrupted", {}});
      if (auto done = task_(index, thread); !done) return Keep(index, std::move(done).error());
    }
  }

  Result<void> Outcome() && {
    if (error_) return std::unexpected(std::move(*error_));
    return {};
  }

 private:
  void Keep(std::size_t index, Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_ || index < error_index_) {
      error_ = std::move(error);
      error_index_ = index;
    }
    failed_.store(true, std::memory_order_relaxed);
  }

  const std::size_t count_;
  const std::stop_token& stop_;
  const std::function<Result<void>(std::size_t, std::size_t)>& task_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // guards the two below
  std::optional<Error> error_;
  std::size_t error_index_ = 0;
};

}  // namespace

std::size_t ThreadCount(std::size_t asked) {
  if (asked > 0) return asked;
  return std::max(1U, std::thread::hardware_concurrency());
}

Result<void> ParallelFor(std::size_t count, std::size_t threads, const std::stop_token& stop,
                         const std::function<Result<void>(std::size_t, std::size_t)>& task) {
  Run run(count, stop, task);
  const std::size_t used = std::min(std::max<std::size_t>(threads, 1), count);
  {
    std::vector<std::jthread> others;
    for (std::size_t thread = 1; thread < used; ++thread)
      others.emplace_back([&run, thread] { run.Work(thread); });
    run.Work(0);
  }
  return std::move(run).Outcome();
}

}  // namespace tidemark
