// How entity rows lie in memory once they are grouped. Built by entity_groups.cc, probed by
// point_in_time_join.cc.
//
//   hash --filter--> may be there --bucket_begin--> entries --group_begin--> slots
//
//   filter        one bit per value of the hash's first bits; 16 bits or more for each key. Where few feature
//                 rows have a key that was asked for, it answers for the others out of the first-level cache.
//   bucket_begin  [hash >> shift] the first entry of the bucket; the next element ends it
//   entries       one per key, ascending by hash: its hash and its last time; one more with the greatest hash
//   ends them group_begin   [entry] its first slot; the next element ends it. Absent if every key has one
//   row. slot_time     [slot] ascending within an entry. Absent if every key has one row: then entry = slot.
//   slot_row      [slot] the entity row
//   key_end, key_bytes  [entry] where its key's bytes end; only for keys that are bytes
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "pit/key_reader_internal.h"
#include "pit/point_in_time_join.h"
#include "pit/zeroed_array_internal.h"

namespace tidemark {

namespace pit_internal {

/// Entity rows by key; see above.
struct GroupIndex {
  struct Entry {
    std::uint64_t hash = 0;
    std::int64_t last_us = 0;
  };

  KeyForm form = KeyForm::kNone;
  std::vector<KeyType> types;
  std::size_t slots = 0;
  std::size_t keys = 0;
  std::int64_t first_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_us = std::numeric_limits<std::int64_t>::min();

  int bucket_shift = 63;
  int filter_shift = 63;
  ZeroedArray<std::uint32_t> bucket_begin;
  ZeroedArray<std::uint64_t> filter;  // empty: there are too many keys for it to help
  ZeroedArray<Entry> entries;
  ZeroedArray<std::uint32_t> group_begin;
  ZeroedArray<std::int64_t> slot_time;
  ZeroedArray<std::uint32_t> slot_row;
  ZeroedArray<std::uint64_t> key_end;
  std::string key_bytes;

  bool one_row_per_key() const { return group_begin.empty(); }
  std::size_t GroupBegin(std::size_t entry) const { return one_row_per_key() ? entry : group_begin[entry]; }
  std::int64_t SlotTime(std::size_t slot) const {
    return one_row_per_key() ? entries[slot].last_us : slot_time[slot];
  }
  bool MayHaveHash(std::uint64_t hash) const {
    const std::uint64_t bit = hash >> filter_shift;
    return (filter[bit >> 6] >> (bit & 63) & 1) != 0;
  }
  std::string_view KeyBytes(std::size_t entry) const {
    const std::uint64_t begin = entry == 0 ? 0 : key_end[entry - 1];
    return std::string_view(key_bytes).substr(begin, key_end[entry] - begin);
  }
  std::int64_t memory_bytes() const;
};

/// An entity row on its way into its group.
struct SlotRecord {
  std::uint64_t hash = 0;
  std::int64_t time_us = 0;
  std::uint32_t row = 0;
};

/// Sorts by (hash, time, row). The records must come in ascending order of row.
void SortSlots(ZeroedArray<SlotRecord>& records);

/// Which values the first key column has, for skipping feature rows unread. Values become numbers that keep
/// their order: integers with the sign bit flipped; binary ones, which may become equal, the eight bytes
/// after what all of them start with.
class KeyPlaces {
 public:
  explicit KeyPlaces(const arrow::Array& column);

  bool MayContain(std::int64_t low, std::int64_t high) const;
  bool MayContain(std::string_view low, std::string_view high) const;
  std::int64_t memory_bytes() const {
    return static_cast<std::int64_t>(places_.capacity() * sizeof places_[0]);
  }

 private:
  std::uint64_t PlaceOf(std::string_view value) const;
  bool MayContainPlace(std::uint64_t low, std::uint64_t high) const;

  bool is_binary_ = false;
  std::string prefix_;
  std::vector<std::uint64_t> places_;  // ascending
};

}  // namespace pit_internal

struct EntityGroups::Impl {
  pit_internal::GroupIndex index;
  std::shared_ptr<arrow::Array> first_key;  // null without keys

  const pit_internal::KeyPlaces& Places() const;
  mutable std::once_flag places_once;
  mutable std::unique_ptr<const pit_internal::KeyPlaces> places;  // made when it is first asked
};

}  // namespace tidemark
