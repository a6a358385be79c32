// Where rows lie in the memory map, for lookups that come again: walking LMDB's tree costs some ten cache
// misses a row, one behind the other, and what was found stays where it is for as long as nobody commits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tidemark::lmdb {

/// The places of rows found in one snapshot, by a hash of the stored key; a newer one takes the place of
/// another whose hash ends alike. What Find answers is to be checked against the row's own checksum, which is
/// over the key too. Not thread safe: a reader slot has one.
class RowPlaces {
 public:
  /// Begins to read a snapshot, LMDB's number of it: the places of any other are forgotten.
  void Enter(std::size_t snapshot);
  /// The map has moved, or is another one.
  void Forget() { snapshot_ = kNone; }

  /// Asks for the memory that Find will look at.
  void Prefetch(std::uint64_t hash) const {
    if (!places_.empty()) __builtin_prefetch(&places_[hash & (places_.size() - 1)]);
  }
  /// The row of a key of this hash, empty if its place is not known. Asks for the row's memory.
  std::span<const std::byte> Find(std::uint64_t hash) const {
    if (places_.empty()) return {};
    const Place& place = places_[hash & (places_.size() - 1)];
    if (place.hash != hash || place.epoch != epoch_) return {};
    for (std::size_t at = 0; at < kPrefetchedBytes && at < place.size; at += kLineBytes)
      __builtin_prefetch(place.row + at);
    return {place.row, place.size};
  }
  void Add(std::uint64_t hash, std::span<const std::byte> row);

  std::size_t size() const { return places_.size(); }

 private:
  static constexpr std::size_t kNone = 0;  // LMDB counts snapshots with something in them from 1
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::size_t kPrefetchedBytes = 512;

  struct Place {
    std::uint64_t hash = 0;
    const std::byte* row = nullptr;
    std::uint32_t size = 0;
    std::uint32_t epoch = 0;
  };

  void Grow();

  std::vector<Place> places_;  // a power of two, or none yet
  std::size_t snapshot_ = kNone;
  std::uint32_t epoch_ = 1;    // of the places that count
  std::size_t displaced_ = 0;  // in this epoch: places that had to make room
};

}  // namespace tidemark::lmdb
