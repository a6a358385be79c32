// A table of buckets; whatever does not fit takes the place of another, for it is a cache.
#include "adapters/lmdb/lmdb_row_places_internal.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace tidemark::lmdb {
namespace {

constexpr std::size_t kLeastBuckets = 256;
constexpr std::size_t kMostBuckets = 16'384;
constexpr std::size_t kGrowth = 4;
constexpr std::size_t kLeastAbsent = 256;
constexpr std::size_t kMostAbsent = 16'384;

}  // namespace

void RowPlaces::Enter(std::size_t snapshot) {
  if (snapshot == snapshot_ && snapshot != kNone) return;
  snapshot_ = snapshot;
  BeginEpoch();
}

void RowPlaces::BeginEpoch() {
  displaced_ = absent_displaced_ = 0;
  if (epoch_ == std::numeric_limits<std::uint32_t>::max()) {
    buckets_.assign(buckets_.size(), {});
    absent_.assign(absent_.size(), {});
    epoch_ = 0;
  }
  ++epoch_;
}

void RowPlaces::Add(std::uint64_t hash, std::span<const std::byte> row) {
  if (row.size() > std::numeric_limits<std::uint32_t>::max()) return;
  if (buckets_.empty()) buckets_.resize(kLeastBuckets);
  if (displaced_ > size() / 8 && buckets_.size() < kMostBuckets) {
    buckets_.assign(buckets_.size() * kGrowth, {});  // it fills again with the next lookups
    BeginEpoch();
  }
  Bucket& bucket = buckets_[hash & (buckets_.size() - 1)];
  if (bucket.epoch != epoch_) {
    bucket.sizes = {};
    bucket.epoch = epoch_;
    bucket.next = 0;
  }
  std::size_t way = bucket.next % kWays;
  for (std::size_t i = 0; i < kWays; ++i) {
    if (bucket.sizes[i] != 0 && bucket.tags[i] == TagOf(hash))
      way = i;  // two of one tag would not be told apart
  }
  if (way == bucket.next % kWays) {
    displaced_ += bucket.sizes[way] != 0 ? 1 : 0;
    ++bucket.next;
  }
  bucket.rows[way] = row.data();
  bucket.sizes[way] = static_cast<std::uint32_t>(row.size());
  bucket.tags[way] = TagOf(hash);
}

void RowPlaces::AddAbsent(std::uint64_t hash, std::string_view key) {
  if (key.size() > std::tuple_size_v<decltype(AbsentKey::bytes)>) return;
  if (absent_.empty()) absent_.resize(kLeastAbsent);
  if (absent_displaced_ > absent_.size() / 8 && absent_.size() < kMostAbsent) {
    absent_.assign(absent_.size() * kGrowth, {});
    absent_displaced_ = 0;
  }
  AbsentKey& kept = absent_[hash & (absent_.size() - 1)];
  absent_displaced_ += kept.epoch == epoch_ ? 1 : 0;
  kept.epoch = epoch_;
  kept.size = static_cast<std::uint8_t>(key.size());
  std::ranges::copy(key, kept.bytes.begin());
}

}  // namespace tidemark::lmdb
