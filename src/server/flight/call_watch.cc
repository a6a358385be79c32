// Asks every call, a few times a second.
#include "server/flight/call_watch.h"

#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

namespace tidemark::server::flight {
namespace {

constexpr std::chrono::milliseconds kAskEvery{50};

}  // namespace

CallWatch::CallWatch(std::size_t calls_max) : calls_max_(calls_max) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

CallWatch::~CallWatch() {
  thread_.request_stop();
  thread_.join();
}

std::unique_ptr<CallWatch::Watched> CallWatch::Watch(std::function<bool()> is_gone) {
  const std::lock_guard lock(mutex_);
  if (calls_.size() >= calls_max_) return nullptr;
  calls_.push_back({.is_gone = std::move(is_gone), .stop = {}});
  changed_.notify_one();
  return std::make_unique<Watched>(*this, std::prev(calls_.end()));
}

CallWatch::Watched::~Watched() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.calls_.erase(entry_);
}

void CallWatch::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait(lock, stop, [this] { return !calls_.empty(); });
    changed_.wait_for(lock, stop, kAskEvery, [] { return false; });
    std::vector<std::stop_source> gone;
    for (Entry& call : calls_) {
      if (call.stop.stop_requested() || !call.is_gone()) continue;
      gone.push_back(call.stop);
    }
    // Outside the lock: what a stop calls back may end a call, which then leaves the list.
    lock.unlock();
    for (std::stop_source& call : gone)
      call.request_stop();
    lock.lock();
  }
}

}  // namespace tidemark::server::flight
