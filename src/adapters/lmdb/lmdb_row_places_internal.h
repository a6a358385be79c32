// Where rows lie in the memory map, for lookups that come again: walking LMDB's tree costs some ten cache
// misses a row, one behind the other, and what was found stays where it is for as long as nobody commits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tidemark::lmdb {

/// The places of rows found in one snapshot, by a hash of the stored key: a cache of up to 65,536 of them, in
/// up to 1 MB. A part of the hash tells them apart, so what Find answers is to be checked against the row's
/// own checksum, which is over the key too. Keys that have no row are kept as they are, up to 16,384 of them
/// in another MB, for nothing else would tell. Not thread safe: a reader slot has one.
class RowPlaces {
 public:
  /// Begins to read a snapshot, LMDB's number of it: the places of any other are forgotten.
  void Enter(std::size_t snapshot);
  /// The map has moved, or is another one.
  void Forget() { snapshot_ = kNone; }

  /// Asks for the memory that Find will look at.
  void Prefetch(std::uint64_t hash) const {
    if (!buckets_.empty()) __builtin_prefetch(&BucketOf(hash));
  }
  /// The row of a key of this hash, empty if its place is not known. Asks for the row's memory.
  std::span<const std::byte> Find(std::uint64_t hash) const {
    if (buckets_.empty()) return {};
    const Bucket& bucket = BucketOf(hash);
    if (bucket.epoch != epoch_) return {};
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket.tags[i] != TagOf(hash) || bucket.sizes[i] == 0) continue;
      const std::span<const std::byte> row(bucket.rows[i], bucket.sizes[i]);
      for (std::size_t at = 0; at < kPrefetchedBytes && at < row.size(); at += kLineBytes)
        __builtin_prefetch(row.data() + at);
      return row;
    }
    return {};
  }
  void Add(std::uint64_t hash, std::span<const std::byte> row);

  /// Asks for the memory that IsAbsent will look at.
  void PrefetchAbsent(std::uint64_t hash) const {
    if (!absent_.empty()) __builtin_prefetch(&absent_[hash & (absent_.size() - 1)]);
  }
  /// Whether the key of this hash is known to have no row.
  bool IsAbsent(std::uint64_t hash, std::string_view key) const {
    if (absent_.empty()) return false;
    const AbsentKey& kept = absent_[hash & (absent_.size() - 1)];
    return kept.epoch == epoch_ && std::string_view(kept.bytes.data(), kept.size) == key;
  }
  /// Long keys are not kept.
  void AddAbsent(std::uint64_t hash, std::string_view key);

  /// How many places there are room for.
  std::size_t size() const { return buckets_.size() * kWays; }

 private:
  static constexpr std::size_t kNone = 0;  // LMDB counts snapshots with something in them from 1
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::size_t kPrefetchedBytes = 512;
  static constexpr std::size_t kWays = 4;

  /// The places of hashes that end alike; one line of the cache.
  struct alignas(kLineBytes) Bucket {
    std::array<const std::byte*, kWays> rows{};
    std::array<std::uint32_t, kWays> sizes{};  // 0: no place
    std::array<std::uint16_t, kWays> tags{};
    std::uint32_t epoch = 0;
    std::uint32_t next = 0;  // the way whose place goes next
  };

  /// One line of the cache, too.
  struct alignas(kLineBytes) AbsentKey {
    std::uint32_t epoch = 0;
    std::uint8_t size = 0;
    std::array<char, kLineBytes - sizeof epoch - sizeof size> bytes{};
  };

  static std::uint16_t TagOf(std::uint64_t hash) { return static_cast<std::uint16_t>(hash >> 48U); }
  const Bucket& BucketOf(std::uint64_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }
  void BeginEpoch();

  std::vector<Bucket> buckets_;    // a power of two, or none yet
  std::vector<AbsentKey> absent_;  // likewise
  std::size_t snapshot_ = kNone;
  std::uint32_t epoch_ = 1;    // of the buckets that count
  std::size_t displaced_ = 0;  // in this epoch: places that had to make room
  std::size_t absent_displaced_ = 0;
};

}  // namespace tidemark::lmdb
