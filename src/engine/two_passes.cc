// A list of what has been given out and what is done; threads wait only for a step in between that nothing
// can be done without.
#include "engine/two_passes.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

namespace tidemark {
namespace {

class TwoPassRun {
 public:
  TwoPassRun(const std::vector<std::unique_ptr<TwoPassJob>>& jobs, const TwoPassOptions& options)
      : jobs_(jobs), options_(options), threads_(std::max<std::size_t>(1, options.threads)) {
    for (const auto& job : jobs)
      states_.push_back({.first_tasks = job->first_tasks()});
  }

  Result<void> Run() {
    {
      std::vector<std::jthread> others;
      for (std::size_t thread = 1; thread < std::min(threads_, FirstTasks()); ++thread)
        others.emplace_back([this, thread] { Work(thread); });
      Work(0);
    }
    if (error_) return std::unexpected(std::move(*error_));
    return {};
  }

 private:
  enum class Kind : std::uint8_t { kFirst, kBetween, kSecond, kEnd };

  struct Task {
    Kind kind = Kind::kFirst;
    std::size_t job = 0;
    std::size_t index = 0;    // of the pass
    std::size_t number = 0;   // of all tasks that were given out
    std::size_t threads = 1;  // that it may use
  };

  struct State {
    std::size_t first_tasks = 0;
    std::size_t first_given = 0;
    std::size_t first_done = 0;
    bool between_given = false;
    bool between_done = false;
    std::size_t second_tasks = 0;
    std::size_t second_given = 0;
    std::size_t second_done = 0;
    bool end_given = false;
    bool is_done = false;

    bool is_begun() const { return first_given > 0 || between_given; }
    bool is_between() const { return first_done == first_tasks && !between_given; }
    bool may_end() const { return between_done && second_done == second_tasks && !end_given; }
  };

  /// There are no more threads than that with work to do: what is read a second time was read before.
  std::size_t FirstTasks() const {
    std::size_t tasks = 0;
    for (const State& state : states_)
      tasks += state.first_tasks;
    return tasks;
  }

  void Work(std::size_t thread) {
    for (std::optional<Task> task = Next(thread); task; task = Next(thread)) {
      Result<void> done = options_.stop.stop_requested() ? Fail(ErrorCode::kCancelled, "interrupted")
                                                         : RunTask(*task, thread);
      Finish(*task, std::move(done));
    }
  }

  /// An exception would end the process.
  Result<void> RunTask(const Task& task, std::size_t thread) {
    TwoPassJob& job = *jobs_[task.job];
    try {
      if (task.kind == Kind::kFirst) return job.First(task.index, thread);
      if (task.kind == Kind::kBetween) return job.Between(task.threads);
      if (task.kind == Kind::kSecond) return job.Second(task.index);
      return job.End(task.threads);
    } catch (const std::bad_alloc&) {
      return Fail(ErrorCode::kOutOfSpace, "no memory is left");
    }
  }

  /// Waits for a task; nothing once there will be none.
  std::optional<Task> Next(std::size_t thread) {
    std::unique_lock lock(mutex_);
    std::optional<Task> task;
    changed_.wait(lock, [&] {
      if (error_ || std::ranges::all_of(states_, &State::is_done)) return true;
      task = Give();
      return task.has_value();
    });
    if (thread == 0) Report(lock);
    return task;
  }

  /// A task that can be done now.
  std::optional<Task> Give() {
    for (std::size_t job = 0; job < states_.size(); ++job) {
      State& state = states_[job];
      if (state.may_end()) {
        state.end_given = true;
        return Step(Kind::kEnd, job);
      }
      if (state.is_between() && MayBegin(job)) {
        state.between_given = true;
        return Step(Kind::kBetween, job);
      }
    }
    for (std::size_t job = 0; job < states_.size(); ++job) {
      State& state = states_[job];
      if (state.first_given == state.first_tasks || !MayBegin(job)) continue;
      return Task{.kind = Kind::kFirst, .job = job, .index = state.first_given++, .number = given_++};
    }
    for (std::size_t job = 0; job < states_.size(); ++job) {
      State& state = states_[job];
      if (!state.between_done || state.second_given == state.second_tasks) continue;
      return Task{.kind = Kind::kSecond, .job = job, .index = state.second_given++, .number = given_++};
    }
    return std::nullopt;
  }

  Task Step(Kind kind, std::size_t job) {
    return {.kind = kind, .job = job, .number = given_++, .threads = IsAllGiven() ? threads_ : 1};
  }

  /// In order, so that few are begun.
  bool MayBegin(std::size_t job) const {
    if (states_[job].is_begun()) return true;
    const auto before = states_.begin() + static_cast<std::ptrdiff_t>(job);
    const auto open =
        std::count_if(states_.begin(), before, [](const State& state) { return !state.is_done; });
    return static_cast<std::size_t>(open) < std::max<std::size_t>(1, options_.jobs_at_once);
  }

  /// True if no task of a pass is left to be given out now: then other threads have nothing to do.
  bool IsAllGiven() const {
    for (std::size_t job = 0; job < states_.size(); ++job) {
      const State& state = states_[job];
      if (state.first_given < state.first_tasks && MayBegin(job)) return false;
      if (state.between_done && state.second_given < state.second_tasks) return false;
    }
    return true;
  }

  void Finish(const Task& task, Result<void> done) {
    const std::size_t second_tasks =
        done && task.kind == Kind::kBetween ? jobs_[task.job]->second_tasks() : 0;
    const std::lock_guard lock(mutex_);
    State& state = states_[task.job];
    if (!done) {
      if (!error_ || task.number < error_number_) {
        error_ = std::move(done).error();
        error_number_ = task.number;
      }
    } else if (task.kind == Kind::kFirst) {
      ++state.first_done;
    } else if (task.kind == Kind::kBetween) {
      state.between_done = true;
      state.second_tasks = second_tasks;
    } else if (task.kind == Kind::kSecond) {
      ++state.second_done;
    } else {
      state.is_done = true;
    }
    changed_.notify_all();
  }

  void Report(std::unique_lock<std::mutex>& lock) {
    while (options_.on_begin && reported_ < states_.size() && states_[reported_].is_begun()) {
      const std::size_t job = reported_++;
      lock.unlock();
      options_.on_begin(job);
      lock.lock();
    }
  }

  const std::vector<std::unique_ptr<TwoPassJob>>& jobs_;
  const TwoPassOptions& options_;
  const std::size_t threads_;
  std::mutex mutex_;  // guards those below
  std::condition_variable changed_;
  std::vector<State> states_;
  std::size_t given_ = 0;
  std::size_t reported_ = 0;  // jobs; of the calling thread alone
  std::optional<Error> error_;
  std::size_t error_number_ = 0;
};

}  // namespace

Result<void> RunTwoPasses(const std::vector<std::unique_ptr<TwoPassJob>>& jobs,
                          const TwoPassOptions& options) {
  return TwoPassRun(jobs, options).Run();
}

}  // namespace tidemark
