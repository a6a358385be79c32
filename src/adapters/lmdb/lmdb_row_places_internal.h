// Where rows lie in the memory map, for lookups that come again: walking LMDB's tree costs some ten cache
// misses a row, one behind the other, and what was found stays where it is for as long as nobody commits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::lmdb {

/// The places of rows found in one snapshot, by a hash of the stored key, and the keys that have none: a
/// cache of up to 65,536 of both, in 1 MB and the bytes of 16,384 keys. Only a part of the hash tells keys
/// apart: what Find answers is to be checked, a row by its own checksum, which is over the key too. Not
/// thread safe: a reader slot has one.
class RowPlaces {
 public:
  /// Begins a lookup in a snapshot, LMDB's number of it: what is known of any other is forgotten. There is
  /// more room from now on if the lookups before had too little.
  void Enter(std::size_t snapshot);
  /// The map has moved, or is another one.
  void Forget() { snapshot_ = kNone; }

  /// Asks for the memory that Find will look at.
  void Prefetch(std::uint64_t hash) const {
    if (!buckets_.empty()) __builtin_prefetch(&BucketOf(hash));
  }
  /// What is known of a key; valid until the next Enter.
  struct Place {
    std::span<const std::byte> row = {};    // empty: not known
    std::string_view key_without_row = {};  // a key that was looked for in vain
  };
  /// What is known of a key of this hash, or of another one whose hash is like it. Asks for the row's memory.
  Place Find(std::uint64_t hash) const {
    if (buckets_.empty()) return {};
    const Bucket& bucket = BucketOf(hash);
    if (bucket.epoch != epoch_) return {};
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket.tags[i] != TagOf(hash) || bucket.sizes[i] == 0) continue;
      const std::size_t size = bucket.sizes[i] & ~kIsKey;
      for (std::size_t at = 0; at < kPrefetchedBytes && at < size; at += kLineBytes)
        __builtin_prefetch(bucket.bytes[i] + at);
      if ((bucket.sizes[i] & kIsKey) == 0) return {.row = {bucket.bytes[i], size}};
      return {.key_without_row = {reinterpret_cast<const char*>(bucket.bytes[i]), size}};
    }
    return {};
  }
  void Add(std::uint64_t hash, std::span<const std::byte> row);
  void AddWithoutRow(std::uint64_t hash, std::string_view stored_key);

  /// How many places there are room for.
  std::size_t size() const { return buckets_.size() * kWays; }

 private:
  static constexpr std::size_t kNone = 0;  // LMDB counts snapshots with something in them from 1
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::size_t kPrefetchedBytes = 512;
  static constexpr std::size_t kWays = 4;
  static constexpr std::uint32_t kIsKey = std::uint32_t{1} << 31U;

  /// What is known of keys whose hashes end alike; one line of the cache.
  struct alignas(kLineBytes) Bucket {
    std::array<const std::byte*, kWays> bytes{};  // of a row in the map, or of one of `keys_`
    std::array<std::uint32_t, kWays> sizes{};     // 0: nothing; with kIsKey: a key without a row
    std::array<std::uint16_t, kWays> tags{};
    std::uint32_t epoch = 0;
    std::uint32_t next = 0;  // the way that is written next
  };

  static std::uint16_t TagOf(std::uint64_t hash) { return static_cast<std::uint16_t>(hash >> 48U); }
  const Bucket& BucketOf(std::uint64_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }
  void BeginEpoch();
  void MakeRoom();
  void Put(std::uint64_t hash, const std::byte* bytes, std::uint32_t size);

  std::vector<Bucket> buckets_;   // a power of two, or none yet
  std::deque<std::string> keys_;  // without a row, of this epoch; they do not move
  std::size_t snapshot_ = kNone;
  std::uint32_t epoch_ = 1;    // of the buckets that count
  std::size_t displaced_ = 0;  // in this epoch: places that had to make room
};

}  // namespace tidemark::lmdb
