// A word that one thread waits for and another one sets.
//
// std::atomic waits by spinning first, and gives its turn up meanwhile: with more writers than processors
// that is a switch of threads for each, for nothing, as a group takes as long as a sync.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

namespace tidemark::wal {

class WaitingWord {
 public:
  std::uint32_t load() const { return word_.load(std::memory_order_acquire); }
  /// Before anybody waits.
  void Reset(std::uint32_t value) { word_.store(value, std::memory_order_relaxed); }

  /// Returns when it is no longer `value`.
  void WaitWhile(std::uint32_t value) const {
    while (load() == value)
      ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
  }

  /// Sets it and wakes who waits. Of the word only the address is used once it is set: whoever waited may be
  /// gone by then, and the word with it.
  void Set(std::uint32_t value) {
    const auto* const address = &word_;
    word_.store(value, std::memory_order_release);
    ::syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace tidemark::wal
