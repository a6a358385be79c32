// One thread makes things, another uses them up in order, with a bounded number in between.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.h"

namespace tidemark {

template <typename T>
class Handoff {
 public:
  /// At most `ahead` things wait between the two.
  explicit Handoff(std::size_t ahead) : ahead_(ahead) {}

  /// Called by the maker; waits for room. False once the user has failed: nothing more is wanted.
  bool Put(T thing) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < ahead_ || !wanted_; });
    if (!wanted_) return false;
    waiting_.push_back(std::move(thing));
    changed_.notify_all();
    return true;
  }

  /// Runs `make` (which calls Put) on a thread of its own and `use` on this one, for each thing in order, until
  /// `make` has returned and everything is used. Returns the error of `use`, or else that of `make`.
  Result<void> Run(const std::function<Result<void>()>& make, const std::function<Result<void>(T)>& use) {
    Result<void> made;
    Result<void> used;
    {
      const std::jthread maker([&] {
        made = make();
        const std::lock_guard lock(mutex_);
        finished_ = true;
        changed_.notify_all();
      });
      used = UseAll(use);
      const std::lock_guard lock(mutex_);
      wanted_ = false;
      changed_.notify_all();
    }
    return used ? made : used;
  }

 private:
  Result<void> UseAll(const std::function<Result<void>(T)>& use) {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || finished_; });
      if (waiting_.empty()) return {};
      T thing = std::move(waiting_.front());
      waiting_.pop_front();
      changed_.notify_all();
      lock.unlock();
      TM_TRY(use(std::move(thing)));
    }
  }

  const std::size_t ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> waiting_;
  bool finished_ = false;  // make has returned
  bool wanted_ = true;     // use goes on
};

}  // namespace tidemark
