// Notices that a client has gone away while its call computes, and asks the work to stop.
//
// gRPC tells of a cancelled call only when it is asked, so one thread asks for all calls, and only while
// there are any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace tidemark::server::flight {

/// Thread safe.
class CallWatch {
 private:
  struct Entry {
    std::function<bool()> is_gone;
    std::stop_source stop;
  };

 public:
  /// `calls_max`: how many may be watched at once.
  explicit CallWatch(std::size_t calls_max);
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  /// One call, watched until this is destroyed.
  class Watched {
   public:
    Watched(CallWatch& watch, std::list<Entry>::iterator entry) : watch_(watch), entry_(entry) {}
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    std::stop_token stop() const { return entry_->stop.get_token(); }

   private:
    CallWatch& watch_;
    const std::list<Entry>::iterator entry_;
  };

  /// Watches a call: `is_gone` is asked a few times a second, from another thread. Null if there are too
  /// many.
  std::unique_ptr<Watched> Watch(std::function<bool()> is_gone);

 private:
  void Run(const std::stop_token& stop);

  const std::size_t calls_max_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::list<Entry> calls_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidemark::server::flight
