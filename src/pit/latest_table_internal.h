// The hash table of LatestPerKey: one per thread, growing, one greatest row per key.
//
// Open addressing with linear probing. An entry holds all that a row is compared with, so a row costs one
// cache miss, and a block's misses are under way together (key bytes, where keys are bytes, are one more).
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "pit/key_reader_internal.h"
#include "pit/row_state_internal.h"
#include "pit/zeroed_array_internal.h"

namespace tidemark::pit_internal {

/// Key bytes, one key after another, each behind its length.
class KeyArena {
 public:
  std::uint64_t Add(std::string_view key) {
    const std::uint64_t at = bytes_.size();
    const std::uint64_t size = key.size();
    bytes_.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes_.append(key);
    return at;
  }
  std::string_view Get(std::uint64_t at) const {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes_.data() + at, sizeof size);
    return std::string_view(bytes_).substr(at + sizeof size, size);
  }
  void Prefetch(std::uint64_t at) const { __builtin_prefetch(bytes_.data() + at); }
  std::size_t memory_bytes() const { return bytes_.capacity(); }

 private:
  std::string bytes_;
};

template <typename State, bool kBytes>
class LatestTable {
 public:
  struct IntegerEntry {
    std::uint64_t hash = 0;
    State state;  // place 0: the entry is free
  };
  struct BytesEntry : IntegerEntry {
    std::uint64_t key = 0;  // in the arena
  };
  using Entry = std::conditional_t<kBytes, BytesEntry, IntegerEntry>;

  std::size_t keys() const { return keys_; }
  std::size_t memory_bytes() const { return entries_.bytes() + arena_.memory_bytes(); }
  const KeyArena& arena() const { return arena_; }

  /// Makes room, so that `more` keys can be added without moving anything.
  void Reserve(std::size_t more) {
    if ((keys_ + more) * kLoadDenominator <= entries_.size() * kLoadNumerator) return;
    std::size_t size = std::max(kEntriesMin, entries_.size());
    while ((keys_ + more) * kLoadDenominator > size * kLoadNumerator)
      size *= 2;
    ZeroedArray<Entry> old(size);
    std::swap(old, entries_);
    shift_ = 64 - std::countr_zero(size);
    // In the order of the old table the places in the new one ascend too: no cache is missed at random.
    for (const Entry& entry : old.span()) {
      if (entry.state.place == 0) continue;
      std::size_t at = entry.hash >> shift_;
      while (entries_[at].state.place != 0)
        at = Next(at);
      entries_[at] = entry;
    }
  }

  void Prefetch(std::uint64_t hash) const { __builtin_prefetch(entries_.data() + (hash >> shift_), 1); }
  void PrefetchKey(std::uint64_t hash) const {
    if constexpr (kBytes) {
      const Entry& entry = entries_[hash >> shift_];
      if (entry.state.place != 0) arena_.Prefetch(entry.key);
    }
  }

  /// Keeps the greater of `candidate` and what the key has.
  void Keep(std::uint64_t hash, std::string_view key, const State& candidate) {
    std::size_t at = hash >> shift_;
    for (;; at = Next(at)) {
      Entry& entry = entries_[at];
      if (entry.state.place == 0) break;
      if (entry.hash != hash) continue;
      if constexpr (kBytes) {
        if (arena_.Get(entry.key) != key) continue;
      }
      if (entry.state < candidate) entry.state = candidate;
      return;
    }
    Entry& entry = entries_[at];
    if constexpr (kBytes) entry.key = arena_.Add(key);
    entry.hash = hash;
    entry.state = candidate;
    ++keys_;
  }

  /// Calls `task(entry)` for every key.
  template <typename Task>
  void ForEach(const Task& task) const {
    for (const Entry& entry : entries_.span()) {
      if (entry.state.place != 0) task(entry);
    }
  }

  std::string_view KeyOf(const Entry& entry) const {
    if constexpr (kBytes) return arena_.Get(entry.key);
    return {};
  }

 private:
  static constexpr std::size_t kEntriesMin = 512;
  static constexpr std::size_t kLoadNumerator = 5;
  static constexpr std::size_t kLoadDenominator = 8;

  std::size_t Next(std::size_t at) const { return (at + 1) & (entries_.size() - 1); }

  ZeroedArray<Entry> entries_;
  KeyArena arena_;
  std::size_t keys_ = 0;
  int shift_ = 63;
};

}  // namespace tidemark::pit_internal
