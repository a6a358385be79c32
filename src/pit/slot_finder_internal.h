// Finds, for a block of feature rows at a time, the slot of the entity row that each is a candidate for.
//
// Every step of a lookup is a likely cache miss. So each step is done for the whole block before the next,
// and asks for the memory that the next one needs: many misses are under way at once.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "pit/entity_groups_internal.h"
#include "pit/key_reader_internal.h"

namespace tidemark::pit_internal {

inline constexpr std::size_t kFinderRows = 256;

class SlotFinder {
 public:
  explicit SlotFinder(const GroupIndex& index) : index_(index) {}

  struct Match {
    std::uint32_t row = 0;  // within the block
    std::uint32_t slot = 0;
  };

  /// Rows [begin, begin + count) of `keys`, count <= kFinderRows. times[i] is the block's row i's time: its
  /// slot is the first of its key at or after it. Rows that `takes(i)` refuses, whose key no entity row has,
  /// or after all entity rows of their key have no match. `will_use(slot)` is called as early as a slot is
  /// known.
  template <typename Takes, typename WillUse>
  std::span<const Match> Find(KeyReader& keys, std::size_t begin, std::size_t count,
                              const std::int64_t* times, const Takes& takes, const WillUse& will_use) {
    keys.ReadBlock(static_cast<std::int64_t>(begin), {hashes_.data(), count});
    std::size_t found = UsesFilter() ? Select<true>(count, times, takes) : Select<false>(count, times, takes);
    FindHomes(found);
    found = index_.form == KeyForm::kBytes ? MatchBytes(keys, found) : MatchHashes(found);
    found = SearchGroups(found, times);
    for (std::size_t j = 0; j < found; ++j)
      will_use(matches_[j].slot);
    return {matches_.data(), found};
  }

 private:
  // After how many blocks the filter's use is looked at again, and how many of its answers must be "no" for
  // it to pay.
  static constexpr std::uint32_t kFilterTrialBlocks = 16;
  static constexpr std::uint32_t kFilterRestBlocks = 512;

  bool UsesFilter();
  template <bool kFiltered, typename Takes>
  std::size_t Select(std::size_t count, const std::int64_t* times, const Takes& takes);
  void FindHomes(std::size_t count);
  std::size_t MatchHashes(std::size_t count);
  std::size_t MatchBytes(const KeyReader& keys, std::size_t count);
  std::size_t FirstNotBefore(std::size_t at, std::uint64_t hash) const;
  void KeepGroup(std::size_t kept, std::uint32_t row, const GroupIndex::Cell& cell);
  std::size_t SearchGroups(std::size_t count, const std::int64_t* times);

  const GroupIndex& index_;
  std::array<std::uint64_t, kFinderRows> hashes_{};
  std::array<Match, kFinderRows> matches_{};  // `slot` is the home, then the key's first slot, at first
  std::array<std::uint32_t, kFinderRows> group_rows_{};  // of each match's key
  std::uint32_t blocks_until_trial_ = 0;
  std::uint32_t trial_blocks_ = 0;
  std::uint64_t trial_rows_ = 0;
  std::uint64_t trial_passed_ = 0;
};

template <bool kFiltered, typename Takes>
std::size_t SlotFinder::Select(std::size_t count, const std::int64_t* times, const Takes& takes) {
  std::size_t kept = 0;
  const std::int64_t last_us = index_.last_us;
  for (std::size_t i = 0; i < count; ++i) {
    bool keep = (times[i] <= last_us) & takes(i);
    if constexpr (kFiltered) keep &= index_.MayHaveHash(hashes_[i]);
    matches_[kept].row = static_cast<std::uint32_t>(i);
    kept += keep ? 1 : 0;
  }
  if constexpr (kFiltered) {
    trial_rows_ += count;
    trial_passed_ += kept;
  }
  return kept;
}

}  // namespace tidemark::pit_internal
