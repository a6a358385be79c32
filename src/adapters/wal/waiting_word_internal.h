// Words that threads wait for, each for its own, and that another thread sets, many at a time.
//
// std::atomic waits by spinning first, and gives its turn up meanwhile: with more writers than processors
// that is a switch of threads for each, for nothing, as a group takes as long as a sync. And those of a group
// are woken by one call: after each call the system would let one who woke go first, so that the others wait
// for it.
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

 private:
  friend class WaitingWords;
  std::atomic<std::uint32_t> word_{0};
  std::uint32_t place_ = 1;  // one bit: who waits for a word is woken with all whose words have the same
};

/// Where threads wait. Outlives their words.
class WaitingWords {
 public:
  /// Before anybody waits for the word; never twice at the same time.
  void Admit(WaitingWord& word) {
    constexpr std::uint32_t kPlaces = 32;
    word.place_ = std::uint32_t{1} << (next_place_++ % kPlaces);
  }

  /// Returns when it is no longer `value`.
  void WaitWhile(const WaitingWord& word, std::uint32_t value) const {
    while (true) {
      // First: a word that is set after it was looked at changes this, and then nobody falls asleep.
      const std::uint32_t changes = changes_.load(std::memory_order_acquire);
      if (word.load() != value) return;
      ::syscall(SYS_futex, &changes_, FUTEX_WAIT_BITSET_PRIVATE, changes, nullptr, nullptr, word.place_);
    }
  }

  /// Sets words, and wakes who waits for them in the end. A word is not used once it is set: whoever waited
  /// may be gone by then, and the word with it.
  class Setting {
   public:
    explicit Setting(WaitingWords& words) : words_(words) {}
    ~Setting() {
      if (places_ == 0) return;
      words_.changes_.fetch_add(1, std::memory_order_release);
      ::syscall(SYS_futex, &words_.changes_, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, places_);
    }
    Setting(const Setting&) = delete;
    Setting& operator=(const Setting&) = delete;

    void Set(WaitingWord& word, std::uint32_t value) {
      places_ |= word.place_;
      word.word_.store(value, std::memory_order_release);
    }

   private:
    WaitingWords& words_;
    std::uint32_t places_ = 0;
  };

 private:
  std::atomic<std::uint32_t> changes_{0};
  std::uint32_t next_place_ = 0;
};

}  // namespace tidemark::wal
