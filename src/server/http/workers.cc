// A queue of tasks and the threads that take them.
#include "server/http/workers_internal.h"

namespace tidemark::http {

void Workers::Run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (idle_ < tasks_.size() && threads_.size() < threads_max_) {
      threads_.emplace_back([this] { Work(); });
    }
  }
  queued_.notify_one();  // whoever wakes up finds the lock free
}

void Workers::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    queued_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    --idle_;
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes before the next wait
    lock.lock();
  }
}

void Workers::Stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    queued_.notify_all();
  }
  for (std::thread& thread : threads)
    thread.join();
}

}  // namespace tidemark::http
