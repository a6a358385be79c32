// Several jobs of two passes each on the same threads, so that one job's end and another's beginning overlap.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// A first pass in tasks, a step in between that needs all of them done, a second pass in tasks, and an end
/// after all of these. Tasks of one pass may run at the same time.
class TwoPassJob {
 public:
  virtual ~TwoPassJob() = default;

  virtual std::size_t first_tasks() const = 0;
  /// `thread` is below the number of threads, and no other task runs under the same number meanwhile.
  virtual Result<void> First(std::size_t task, std::size_t thread) = 0;
  /// May use so many threads.
  virtual Result<void> Between(std::size_t threads) = 0;
  /// Asked after Between.
  virtual std::size_t second_tasks() const = 0;
  virtual Result<void> Second(std::size_t task) = 0;
  /// May use so many threads.
  virtual Result<void> End(std::size_t threads) = 0;
};

struct TwoPassOptions {
  std::size_t threads = 1;
  /// At most so many jobs are begun and not at their end.
  std::size_t jobs_at_once = 2;
  std::stop_token stop;
  /// Told of each job when its first task has been given out, in order, on the calling thread. May be empty.
  std::function<void(std::size_t job)> on_begin;
};

/// Runs all jobs. First passes go before second ones, in the jobs' order, and while one thread is at a step
/// in between or at an end, others go on with what the other jobs have: it uses all threads only if they have
/// nothing. Returns the error of the task that was
/// given out first among those that failed; no further task starts then, nor when `stop` is requested, which
/// is kCancelled. Memory that a task cannot get is kOutOfSpace; tasks must not throw anything else.
Result<void> RunTwoPasses(const std::vector<std::unique_ptr<TwoPassJob>>& jobs,
                          const TwoPassOptions& options);

}  // namespace tidemark
