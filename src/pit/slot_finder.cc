// The steps of a block of lookups.
#include "pit/slot_finder_internal.h"

#include <algorithm>

namespace tidemark::pit_internal {
namespace {

// Buckets hold one entry on average. Only keys made to collide fill one; then it is searched by halves.
constexpr std::uint32_t kScannedEntriesMax = 16;

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
  for (std::size_t j = 0; j < count; ++j) Prefetch(bucket_begin + (hashes_[matches_[j].row] >> index_.bucket_shift));
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t* bucket = bucket_begin + (hashes_[matches_[j].row] >> index_.bucket_shift);
    ranges_[j] = {bucket[0], bucket[1]};
    Prefetch(index_.entries.data() + bucket[0]);
  }
}

// The bucket's end if there is none.
std::uint32_t SlotFinder::FirstWithHash(Range bucket, std::uint64_t hash) const {
  const GroupIndex::Entry* entries = index_.entries.data();
  if (bucket.end - bucket.begin > kScannedEntriesMax) {
    const auto* found = std::lower_bound(entries + bucket.begin, entries + bucket.end, hash,
                                         [](const GroupIndex::Entry& entry, std::uint64_t h) { return entry.hash < h; });
    const auto at = static_cast<std::uint32_t>(found - entries);
    return at < bucket.end && found->hash == hash ? at : bucket.end;
  }
  std::uint32_t at = bucket.begin;
  while (at < bucket.end && entries[at].hash != hash) ++at;
  return at;
}

template <bool kBytes>
std::size_t SlotFinder::MatchHashes(std::size_t count, const std::int64_t* times) {
  std::size_t kept = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    const std::uint32_t entry = FirstWithHash(ranges_[j], hashes_[row]);
    bool keep = entry != ranges_[j].end;
    if constexpr (kBytes) {
      // Which key it is, and so whether its time fits, is not known yet.
      const std::uint32_t bucket_end = ranges_[j].end;
      ranges_[kept] = {entry, bucket_end};
      if (keep) Prefetch(index_.key_end.data() + entry);
    } else {
      keep = keep && times[row] <= index_.entries[entry].last_us;
      if (keep && !index_.one_row_per_key()) Prefetch(index_.group_begin.data() + entry);
    }
    matches_[kept] = {row, entry};
    kept += keep ? 1 : 0;
  }
  return kept;
}

std::size_t SlotFinder::MatchBytes(const KeyReader& keys, std::size_t count, const std::int64_t* times) {
  for (std::size_t j = 0; j < count; ++j) Prefetch(index_.KeyBytes(matches_[j].slot).data());
  std::size_t kept = 0;
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t row = matches_[j].row;
    std::uint32_t entry = matches_[j].slot;
    const std::string_view key = keys.bytes(row);
    while (entry < ranges_[j].end && index_.entries[entry].hash == hashes_[row] && index_.KeyBytes(entry) != key) ++entry;
    const bool keep = entry < ranges_[j].end && index_.entries[entry].hash == hashes_[row] &&
                      times[row] <= index_.entries[entry].last_us;
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
    if (group.end - group.begin > 1) Prefetch(index_.slot_time.data() + group.begin + (group.end - group.begin) / 2);
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
