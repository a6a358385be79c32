// Finds, for a block of feature rows at a time, the slot of the entity row that each is a candidate for.
//
// Every step of a lookup is a likely cache miss. So each step is done for the whole block before the next,
// and asks for the memory that the next one needs: many misses are under way at once.
//
// Where rows of one key lie together, as in sorted files, a key is looked up once for all of them. If their
// event times ascend, the last of them that is not after an entity row is its candidate, which is found
// without a guess; else, or for many entity rows, they walk along these, and a step back begins the walk
// anew. That rows are together and ascend is seen, not believed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "pit/entity_groups_internal.h"
#include "pit/key_reader_internal.h"

namespace tidemark::pit_internal {

inline constexpr std::size_t kFinderRows = 256;
/// Of blocks whose rows lie together by key, which are fewer lookups.
inline constexpr std::size_t kRunRows = 2048;

class SlotFinder {
 public:
  explicit SlotFinder(const GroupIndex& index) : index_(index) {}

  struct Match {
    std::uint32_t row = 0;  // within the block
    std::uint32_t slot = 0;
  };

  /// Times of a block's rows.
  struct Times {
    const std::int64_t* known = nullptr;  // when a row counts from
    const std::int64_t* event = nullptr;
  };

  /// How many rows the next block should have, as far as the last one tells; at most kRunRows.
  std::size_t block_rows() const { return block_rows_; }

  /// Rows [begin, begin + count) of `keys`, count <= block_rows(). A match's slot is of the row's key and not
  /// before its time: the first such one, or a later one, and then all rows between lose to it. Rows that
  /// `takes(i)` refuses, whose key no entity row has, or after all entity rows of their key have no match;
  /// nor may rows that lose to another one of the block with the same slot. `is_greater(i, other)` says so,
  /// by events first. `will_use(slot)` is called as early as a slot is known.
  template <typename Takes, typename IsGreater, typename WillUse>
  std::span<const Match> Find(KeyReader& keys, std::size_t begin, std::size_t count, const Times& times,
                              const Takes& takes, const IsGreater& is_greater, const WillUse& will_use) {
    ReadKeys(keys, begin, count);
    const bool has_runs = HasRuns(count);
    block_rows_ = has_runs ? kRunRows : kFinderRows;
    if (has_runs) return FindRuns(keys, count, times, takes, is_greater, will_use);
    std::size_t found = 0;
    if (index_.is_dense()) {
      found = Select<Sieve::kNumbers>(count, times.known, takes);
    } else if (UsesFilter()) {
      found = Select<Sieve::kFilter>(count, times.known, takes);
    } else {
      found = Select<Sieve::kNone>(count, times.known, takes);
    }
    found = SearchGroups(MatchKeys(keys, found), times.known);
    for (std::size_t j = 0; j < found; ++j)
      will_use(matches_[j].slot);
    return {matches_.data(), found};
  }

 private:
  static constexpr int kNearSlots = 4;               // farther ones are searched for
  static constexpr std::uint32_t kScannedSlots = 4;  // of a key: for each all of a run's rows are looked at

  // After how many blocks the filter's use is looked at again, and how many of its answers must be "no" for
  // it to pay.
  static constexpr std::uint32_t kFilterTrialBlocks = 16;
  static constexpr std::uint32_t kFilterRestBlocks = 512;

  // What rows are refused by before their keys are looked up.
  enum class Sieve : std::uint8_t { kNone, kFilter, kNumbers };

  void ReadKeys(KeyReader& keys, std::size_t begin, std::size_t count);
  bool UsesFilter();
  template <Sieve kSieve, typename Takes>
  std::size_t Select(std::size_t count, const std::int64_t* times, const Takes& takes);
  std::size_t MatchKeys(const KeyReader& keys, std::size_t count);
  void FindNumbers(std::size_t count);
  void FindHomes(std::size_t count);
  std::size_t MatchNumbers(std::size_t count);
  std::size_t MatchHashes(std::size_t count);
  std::size_t MatchBytes(const KeyReader& keys, std::size_t count);
  std::size_t FirstNotBefore(std::size_t at, std::uint64_t hash) const;
  void KeepGroup(std::size_t kept, std::uint32_t row, GroupIndex::Group group);
  std::size_t SearchGroups(std::size_t count, const std::int64_t* times);
  static std::uint32_t NextSlot(const std::int64_t* group, std::uint32_t at, std::uint32_t slots,
                                std::int64_t time_us);

  // Rows of one key, and its slots.
  struct KeyRun {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t first_slot = 0;
    std::uint32_t slots = 0;
  };

  bool HasRuns(std::size_t count) const;
  std::size_t FindStarts(const KeyReader& keys, std::size_t count);
  std::size_t SelectRuns(const KeyReader& keys, std::size_t count);
  template <typename Takes, typename IsGreater, typename WillUse>
  std::span<const Match> FindRuns(const KeyReader& keys, std::size_t count, const Times& times,
                                  const Takes& takes, const IsGreater& is_greater, const WillUse& will_use);
  static bool EventsAscend(const KeyRun& run, const Times& times);
  template <typename Takes, typename IsGreater>
  std::size_t ScanRun(const KeyRun& run, const Times& times, const Takes& takes, const IsGreater& is_greater,
                      std::size_t found);
  template <typename Takes, typename IsGreater>
  std::size_t WalkRun(const KeyRun& run, const Times& times, const Takes& takes, const IsGreater& is_greater,
                      std::size_t found);

  const GroupIndex& index_;
  std::size_t block_rows_ = kFinderRows;
  std::array<std::uint64_t, kRunRows> hashes_{};  // in a dense index: the keys' numbers
  std::array<Match, kRunRows> matches_{};         // `slot` is the home or number, then the key's first slot
  std::array<std::uint32_t, kRunRows> group_rows_{};  // of each match's key
  std::array<std::uint32_t, kRunRows + 1> starts_{};  // first rows of runs, and the block's end
  std::array<std::uint32_t, kRunRows> run_ends_{};    // [first row of a run] the row behind its last
  std::array<Match, kRunRows> run_matches_{};
  std::uint32_t blocks_until_trial_ = 0;
  std::uint32_t trial_blocks_ = 0;
  std::uint64_t trial_rows_ = 0;
  std::uint64_t trial_passed_ = 0;
};

template <SlotFinder::Sieve kSieve, typename Takes>
std::size_t SlotFinder::Select(std::size_t count, const std::int64_t* times, const Takes& takes) {
  std::size_t kept = 0;
  const std::int64_t last_us = index_.last_us;
  for (std::size_t i = 0; i < count; ++i) {
    bool keep = (times[i] <= last_us) & takes(i);
    if constexpr (kSieve == Sieve::kFilter) keep &= index_.MayHaveHash(hashes_[i]);
    if constexpr (kSieve == Sieve::kNumbers) keep &= hashes_[i] < index_.numbers;
    matches_[kept].row = static_cast<std::uint32_t>(i);
    kept += keep ? 1 : 0;
  }
  if constexpr (kSieve == Sieve::kFilter) {
    trial_rows_ += count;
    trial_passed_ += kept;
  }
  return kept;
}

/// The first of a key's slots from `at` on that is at or after `time_us`; `slots` if there is none.
inline std::uint32_t SlotFinder::NextSlot(const std::int64_t* group, std::uint32_t at, std::uint32_t slots,
                                          std::int64_t time_us) {
  for (int step = 0; step < kNearSlots; ++step, ++at) {
    if (at == slots || group[at] >= time_us) return at;
  }
  return static_cast<std::uint32_t>(std::lower_bound(group + at, group + slots, time_us) - group);
}

inline bool SlotFinder::EventsAscend(const KeyRun& run, const Times& times) {
  bool ascend = true;
  for (std::uint32_t row = run.begin + 1; row < run.end; ++row)
    ascend &= times.event[row - 1] <= times.event[row];
  return ascend;
}

/// For each slot the greatest of all rows that are not after it, unless the slot before has it: of rows whose
/// events ascend that is the last one, or one that ties with it.
template <typename Takes, typename IsGreater>
std::size_t SlotFinder::ScanRun(const KeyRun& run, const Times& times, const Takes& takes,
                                const IsGreater& is_greater, std::size_t found) {
  std::uint32_t before = run.end;  // none
  for (std::uint32_t slot = run.first_slot; slot < run.first_slot + run.slots; ++slot) {
    const std::int64_t slot_time = index_.slot_time[slot];
    const auto counts = [&](std::uint32_t row) {
      return static_cast<std::uint32_t>(takes(row)) &
             static_cast<std::uint32_t>(times.known[row] <= slot_time);
    };
    std::uint32_t last = run.end;
    for (std::uint32_t row = run.begin; row < run.end; ++row)
      last ^= (last ^ row) & (0 - counts(row));
    if (last == run.end) continue;
    std::uint32_t best = last;
    for (std::uint32_t row = last; row > run.begin && times.event[row - 1] == times.event[last]; --row) {
      if (counts(row - 1) != 0 && is_greater(row - 1, best)) best = row - 1;
    }
    if (best == before) continue;
    before = best;
    run_matches_[found++] = {best, slot};
  }
  return found;
}

template <typename Takes, typename IsGreater>
std::size_t SlotFinder::WalkRun(const KeyRun& run, const Times& times, const Takes& takes,
                                const IsGreater& is_greater, std::size_t found) {
  const std::int64_t* const group = index_.slot_time.data() + run.first_slot;
  const std::size_t first = found;
  std::uint32_t at = 0;
  std::int64_t before = std::numeric_limits<std::int64_t>::min();
  for (std::uint32_t row = run.begin; row < run.end; ++row) {
    if (!takes(row)) continue;
    if (times.known[row] < before) at = 0;
    before = times.known[row];
    at = NextSlot(group, at, run.slots, before);
    if (at == run.slots) continue;
    const std::uint32_t slot = run.first_slot + at;
    if (found == first || run_matches_[found - 1].slot != slot) {
      run_matches_[found++] = {row, slot};
    } else if (is_greater(row, run_matches_[found - 1].row)) {
      run_matches_[found - 1].row = row;
    }
  }
  return found;
}

template <typename Takes, typename IsGreater, typename WillUse>
std::span<const SlotFinder::Match> SlotFinder::FindRuns(const KeyReader& keys, std::size_t count,
                                                        const Times& times, const Takes& takes,
                                                        const IsGreater& is_greater,
                                                        const WillUse& will_use) {
  const std::size_t runs = MatchKeys(keys, SelectRuns(keys, count));
  std::size_t found = 0;
  for (std::size_t j = 0; j < runs; ++j) {
    const std::uint32_t begin = matches_[j].row;
    const KeyRun run{begin, run_ends_[begin], matches_[j].slot, group_rows_[j]};
    const std::size_t first = found;
    if (run.slots <= kScannedSlots && EventsAscend(run, times)) {
      found = ScanRun(run, times, takes, is_greater, found);
    } else {
      found = WalkRun(run, times, takes, is_greater, found);
    }
    for (std::size_t i = first; i < found; ++i)
      will_use(run_matches_[i].slot);
  }
  return {run_matches_.data(), found};
}

}  // namespace tidemark::pit_internal
