// One thread makes things, another uses them up in order, with a bounded number in between.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
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

  /// Runs `make` (which calls Put) on a thread of its own and `use` on this one, for each thing in order,
  /// until `make` has returned and everything is used. Returns the error of `use`, or else that of `make`.
  /// Called once. An exception of `use` passes through when `make` has ended; memory that `make` cannot get
  /// is kOutOfSpace.
  Result<void> Run(const std::function<Result<void>()>& make, const std::function<Result<void>(T)>& use) {
    Result<void> made;
    Result<void> used;
    {
      const std::jthread maker([&] {
        made = Make(make);
        const std::lock_guard lock(mutex_);
        finished_ = true;
        changed_.notify_all();
      });
      const Unwanted unwanted(*this);  // before the maker is joined, however this block is left
      used = UseAll(use);
    }
    return used ? made : used;
  }

 private:
  /// Tells the maker at its end that nothing more is wanted.
  class Unwanted {
   public:
    explicit Unwanted(Handoff& handoff) : handoff_(handoff) {}
    Unwanted(const Unwanted&) = delete;
    Unwanted& operator=(const Unwanted&) = delete;
    ~Unwanted() {
      const std::lock_guard lock(handoff_.mutex_);
      handoff_.wanted_ = false;
      handoff_.changed_.notify_all();
    }

   private:
    Handoff& handoff_;
  };

  /// An exception would end the process on the maker's thread.
  static Result<void> Make(const std::function<Result<void>()>& make) {
    try {
      return make();
    } catch (const std::bad_alloc&) {
      return Fail(ErrorCode::kOutOfSpace, "no memory is left");
    }
  }

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
