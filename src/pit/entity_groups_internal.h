// How entity rows lie in memory once they are grouped. Built by entity_groups.cc, probed by
// point_in_time_join.cc.
//
//   hash --filter--> may be there --HomeOf--> cells --first_slot--> slots
//   key - first_key --first_slots--> slots         where keys are integers that lie close together
//
//   filter     one bit per value of the hash's first bits; 16 bits or more for each key. Where few feature
//              rows have a key that was asked for, it answers for the others out of the first-level cache.
//   cells      one for each key, ascending by hash. Homes are groups of four cells, which share a cache line
//              and ascend with the hash too; a key is in the first free cell of its home or, if that is full,
//              after it. Twice as many cells as keys: a lookup costs one cache miss. A cell without a key has
//              no rows and the hash of the next key: a lookup stops at it, and never finds it, since it
//              begins at a home beyond. The last cells have the greatest hash.
//   first_slots  [key - first_key] the first slot of that key, or where it has none, of the next key; and one
//              more, where the last key's end. Four bytes for each number that may be a key: most lookups
//              find them in a cache, and as slots then ascend by key, a sorted file's rows walk along them.
//              There are no cells and no filter then, and what is called a key's hash is its distance from
//              the first key, moved to the upper end of the 64 bits.
//   slot_time  [slot] ascending within a key
//   slot_row   [slot] the entity row
//   key_end, key_bytes  [cell] where its key's bytes end; only for keys that are bytes
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
  struct Cell {
    std::uint64_t hash = 0;
    std::uint32_t first_slot = 0;
    std::uint32_t rows = 0;
  };
  static constexpr std::size_t kHomeCells = 4;
  // So many numbers for each entity row may lie between the first key and the last.
  static constexpr std::uint64_t kNumbersPerRow = 4;

  KeyForm form = KeyForm::kNone;
  std::vector<KeyType> types;
  std::size_t slots = 0;
  std::size_t keys = 0;
  std::int64_t first_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_us = std::numeric_limits<std::int64_t>::min();

  int filter_shift = 63;
  std::size_t homes = 1;
  ZeroedArray<std::uint64_t> filter;  // empty: there are too many keys for it to help
  ZeroedArray<Cell> cells;
  std::int64_t first_key = 0;
  std::uint64_t numbers = 0;  // from the first key to the last one; 0: keys have cells
  int number_shift = 0;       // how far such a number is moved
  ZeroedArray<std::uint32_t> first_slots;
  ZeroedArray<std::int64_t> slot_time;
  ZeroedArray<std::uint32_t> slot_row;
  ZeroedArray<std::uint64_t> key_end;
  std::string key_bytes;

  bool is_dense() const { return numbers > 0; }
  /// How far the key is from the first one; not less than `numbers` if it is before it or after the last.
  std::uint64_t NumberOf(std::int64_t key) const {
    return static_cast<std::uint64_t>(key) - static_cast<std::uint64_t>(first_key);
  }

  /// Whether one of a dense index's keys is in [low, high].
  bool HasKeyIn(std::int64_t low, std::int64_t high) const;

  /// Slots of one key.
  struct Group {
    std::uint32_t first_slot = 0;
    std::uint32_t rows = 0;
  };
  /// Groups are at [0, places()), with empty ones among them.
  std::size_t places() const { return is_dense() ? static_cast<std::size_t>(numbers) : cells.size(); }
  Group GroupAt(std::size_t place) const {
    if (!is_dense()) return {cells[place].first_slot, cells[place].rows};
    return {first_slots[place], first_slots[place + 1] - first_slots[place]};
  }

  /// The first cell of the hash's home.
  std::size_t HomeOf(std::uint64_t hash) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>(static_cast<Wide>(hash) * homes >> 64) * kHomeCells;
  }
  bool MayHaveHash(std::uint64_t hash) const {
    const std::uint64_t bit = hash >> filter_shift;
    return (filter[bit >> 6] >> (bit & 63) & 1) != 0;
  }
  std::string_view KeyBytes(std::size_t cell) const {
    const std::uint64_t begin = cell == 0 ? 0 : key_end[cell - 1];
    return std::string_view(key_bytes).substr(begin, key_end[cell] - begin);
  }
  std::int64_t memory_bytes() const;
};

/// An entity row on its way into its group.
struct SlotRecord {
  std::uint64_t hash = 0;
  std::int64_t time_us = 0;
  std::uint32_t row = 0;
};

/// Sorts by (hash, time, row), on so many threads. The records must come in ascending order of row.
void SortSlots(ZeroedArray<SlotRecord>& records, std::size_t threads);

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

  /// True if one of the first keys is in the range: often enough, so that the places are not needed.
  template <typename Value>
  bool OneIsIn(Value low, Value high) const;
  const pit_internal::KeyPlaces& Places() const;
  mutable std::once_flag places_once;
  mutable std::unique_ptr<const pit_internal::KeyPlaces> places;  // made when it is first asked
};

}  // namespace tidemark
