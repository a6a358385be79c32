// Long calls: the interpreter lock is free meanwhile, Ctrl-C is heard, and a token can stop them.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include "errors.h"
#include "tidemark/remote.h"
#include "tidemark/store.h"

namespace tidemark::python {

/// What an async call is stopped by. Thread safe.
class CancelToken {
 public:
  void Cancel() { source_.request_stop(); }
  bool cancelled() const { return source_.stop_requested(); }
  const std::stop_source& source() const { return source_; }

 private:
  std::stop_source source_;
};

/// What stops a call: the token's source, or for null one that nobody asks.
inline std::stop_source SourceOf(const CancelToken* token) {
  return token == nullptr ? std::stop_source() : token->source();
}

/// The value of a short call, made without the interpreter lock. One that waits for a server hears Ctrl-C.
template <typename Call>
auto Unlocked(Call&& call) {
  std::optional<nanobind::python_error> raised;
  auto result = [&] {
    const nanobind::gil_scoped_release unlocked;
    const WaitingCheck check([&raised] {
      const nanobind::gil_scoped_acquire locked;
      if (!raised && PyErr_CheckSignals() != 0) raised.emplace();
      return raised.has_value();
    });
    return call();
  }();
  if (raised) throw std::move(*raised);
  return Unwrap(std::move(result));
}

/// The callback of a long call from a Python callable (or None). It may be called and destroyed without the
/// interpreter lock; what the callable raises is reported as unraisable and stops nothing.
std::function<void(const Progress&)> ProgressFrom(nanobind::object callable);

/// True on the thread that Python runs signal handlers on.
bool OnMainThread();

/// Runs `work()`, which gives a Result and looks at `stop`, without the interpreter lock. On the main thread
/// it runs on a thread of its own while this one lets Python handle signals; if a handler raises (Ctrl-C),
/// `stop` is requested, the work is waited for, and the exception goes on.
template <typename Work>
auto RunInterruptibly(const std::stop_source& stop, Work&& work) -> decltype(work()) {
  if (!OnMainThread()) {
    const nanobind::gil_scoped_release unlocked;
    return work();
  }
  std::optional<decltype(work())> result;
  std::mutex mutex;
  std::condition_variable done;
  std::optional<nanobind::python_error> raised;
  {
    nanobind::gil_scoped_release unlocked;
    const std::jthread worker([&] {
      auto made = work();
      const std::lock_guard lock(mutex);
      result.emplace(std::move(made));
      done.notify_one();
    });
    std::unique_lock lock(mutex);
    while (!done.wait_for(lock, std::chrono::milliseconds(50), [&] { return result.has_value(); })) {
      lock.unlock();
      {
        const nanobind::gil_scoped_acquire locked;
        if (!raised && PyErr_CheckSignals() != 0) {
          raised.emplace();
          stop.request_stop();
        }
      }
      lock.lock();
    }
  }
  if (raised) throw std::move(*raised);
  return std::move(*result);
}

}  // namespace tidemark::python
