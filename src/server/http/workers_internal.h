// Threads for handlers that may wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tidemark::http {

/// Runs tasks in the order in which they came, each on one of a fixed number of threads, which are started
/// when they are first needed. How many wait is bounded by the limit of requests in flight.
class Workers {
 public:
  explicit Workers(std::size_t threads_max) : threads_max_(threads_max) {}
  ~Workers() { Stop(); }

  void Run(std::function<void()> task);
  /// Runs what is queued and ends the threads.
  void Stop();

 private:
  void Work();

  const std::size_t threads_max_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable queued_;
  std::deque<std::function<void()>> tasks_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tidemark::http
