// The steps of a block of lookups.
#include "pit/slot_finder_internal.h"

#include <algorithm>

namespace tidemark::pit_internal {
namespace {

// Buckets hold one entry or less on average, so this many steps almost always reach the one that is looked
// for, and taking all of them costs less than guessing wrong when to stop. Only keys made to collide need
// more.
constexpr int kSteps = 3;

template <typename T>
void Prefetch(const T* address) {
  __builtin_prefetch(address);
}

// The first of `count` ascending times that is at or after `time`; the last one is known to be.
std::uint32_t FirstAtOrAfter(const std::int64_t* times, std::uint32_t count, std::int64_t time) {
  const std::int64_t* base = times;
  while (count > 1) {
    const std::uint32_t half = count / 2;
    base += base[half - 1] < time ? half : 0;
    count -= half;
  }
  return static_cast<std::uint32_t>(base - times);
}

}  // namespace

bool SlotFinder::UsesFilter() {
  if (index_.filter.empty()) return false;
  if (blocks_until_trial_ > 0) {
    --blocks_until_trial_;
    return false;
  }
  if (++trial_blocks_ >= kFilterTrialBlocks) {
    if (trial_passed_ * 2 > trial_rows_) blocks_until_trial_ = kFilterRestBlocks;
    trial_blocks_ = 0;
    trial_rows_ = 0;
    trial_passed_ = 0;
  }
  return true;
}

void SlotFinder::FindBuckets(std::size_t count) {
  const std::uint32_t* bucket_begin = index_.bucket_begin.data();
  for (std::size_t j = 0; j < count; ++j)
    Prefetch(bucket_begin + (hashes_[matches_[j].row] >> index_.bucket_shift));
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t begin = bucket_begin[hashes_[matches_[j].row] >> index_.bucket_shift];
    matches_[j].slot = begin;
    Prefetch(index_.entries.data() + begin);
  }
}

// The first entry from `at` on, which is its bucket's first, whose hash is not less.
std::uint32_t SlotFinder::FirstNotBefore(std::uint32_t at, std::uint64_t hash) const {
  const GroupIndex::Entry* entries = index_.entries.data();
  for (int step = 0; step < kSteps; ++step)
    at += entries[at].hash < hash ? 1 : 0;
  if (entries[at].hash >= hash) [[likely]]
    return at;
  const std::uint32_t end = index_.bucket_begin[(hash >> index_.bucket_shift) + 1];
  const auto* found =
      std::lower_bound(entries + at, entries + end, hash,
                       [](const GroupIndex::Entry& entry, std::uint64_t h) { return entry.hash < h; });
  return static_cast<std::uint32_t>(found - entries);
}

template <bool kBytes>
std::size_t SlotFinder::MatchHashes(std::size_t count, const std::int64_t* times) {
  std::size_t kept = 0;
  const GroupIndex::Entry* entries = index_.entries.data();
  const bool one_row_per_key = index_.one_row_per_key();
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    const std::uint32_t entry = FirstNotBefore(matches_[j].slot, hashes_[row]);
    bool keep = (entries[entry].hash == hashes_[row]) & (entry < index_.keys);
    if constexpr (kBytes) {
      // Which key it is, and so whether its time fits, is not known yet.
      Prefetch(index_.key_end.data() + entry);
    } else {
      keep &= times[row] <= entries[entry].last_us;
      if (!one_row_per_key) Prefetch(index_.group_begin.data() + entry);
    }
    matches_[kept] = {row, entry};
    kept += keep ? 1 : 0;
  }
  return kept;
}

std::size_t SlotFinder::MatchBytes(const KeyReader& keys, std::size_t count, const std::int64_t* times) {
  for (std::size_t j = 0; j < count; ++j)
    Prefetch(index_.KeyBytes(matches_[j].slot).data());
  std::size_t kept = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    std::uint32_t entry = matches_[j].slot;
    const std::string_view key = keys.bytes(row);
    const auto has_hash = [&] { return entry < index_.keys && index_.entries[entry].hash == hashes_[row]; };
    while (has_hash() && index_.KeyBytes(entry) != key)
      ++entry;
    const bool keep = has_hash() && times[row] <= index_.entries[entry].last_us;
    if (keep && !index_.one_row_per_key()) Prefetch(index_.group_begin.data() + entry);
    matches_[kept] = {row, entry};
    kept += keep ? 1 : 0;
  }
  return kept;
}

void SlotFinder::FindGroups(std::size_t count) {
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t entry = matches_[j].slot;
    const Range group{index_.group_begin[entry], index_.group_begin[entry + 1]};
    ranges_[j] = group;
    if (group.end - group.begin > 1)
      Prefetch(index_.slot_time.data() + group.begin + (group.end - group.begin) / 2);
  }
}

void SlotFinder::SearchGroups(std::size_t count, const std::int64_t* times) {
  for (std::size_t j = 0; j < count; ++j) {
    const Range group = ranges_[j];
    const std::int64_t time = times[matches_[j].row];
    matches_[j].slot =
        group.begin + FirstAtOrAfter(index_.slot_time.data() + group.begin, group.end - group.begin, time);
  }
}

template std::size_t SlotFinder::MatchHashes<true>(std::size_t, const std::int64_t*);
template std::size_t SlotFinder::MatchHashes<false>(std::size_t, const std::int64_t*);

}  // namespace tidemark::pit_internal
