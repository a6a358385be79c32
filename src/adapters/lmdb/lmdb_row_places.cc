// A table of buckets; whatever does not fit takes the place of another, for it is a cache.
#include "adapters/lmdb/lmdb_row_places_internal.h"

#include <limits>

namespace tidemark::lmdb {
namespace {

constexpr std::size_t kLeastBuckets = 256;
constexpr std::size_t kMostBuckets = 16'384;
constexpr std::size_t kGrowth = 4;
constexpr std::size_t kKeysMax = 16'384;
constexpr std::size_t kKeyBytesMax = 64;  // longer ones are looked for each time

}  // namespace

void RowPlaces::Enter(std::size_t snapshot) {
  MakeRoom();
  if (snapshot == snapshot_ && snapshot != kNone) return;
  snapshot_ = snapshot;
  BeginEpoch();
}

void RowPlaces::BeginEpoch() {
  displaced_ = 0;
  keys_.clear();
  if (epoch_ == std::numeric_limits<std::uint32_t>::max()) {
    buckets_.assign(buckets_.size(), {});
    epoch_ = 0;
  }
  ++epoch_;
}

void RowPlaces::MakeRoom() {
  if (buckets_.empty()) buckets_.resize(kLeastBuckets);
  if (displaced_ <= size() / 8 || buckets_.size() >= kMostBuckets) return;
  buckets_.assign(buckets_.size() * kGrowth, {});  // it fills again with the next lookups
  BeginEpoch();
}

void RowPlaces::Add(std::uint64_t hash, std::span<const std::byte> row) {
  if (row.size() >= kIsKey) return;
  Put(hash, row.data(), static_cast<std::uint32_t>(row.size()));
}

void RowPlaces::AddWithoutRow(std::uint64_t hash, std::string_view stored_key) {
  if (stored_key.size() > kKeyBytesMax || keys_.size() >= kKeysMax) return;
  const std::string& key = keys_.emplace_back(stored_key);
  Put(hash, reinterpret_cast<const std::byte*>(key.data()), static_cast<std::uint32_t>(key.size()) | kIsKey);
}

void RowPlaces::Put(std::uint64_t hash, const std::byte* bytes, std::uint32_t size) {
  Bucket& bucket = buckets_[hash & (buckets_.size() - 1)];
  if (bucket.epoch != epoch_) {
    bucket.sizes = {};
    bucket.epoch = epoch_;
    bucket.next = 0;
  }
  const std::uint16_t tag = TagOf(hash);
  std::size_t way = kWays;
  for (std::size_t i = 0; i < kWays; ++i) {
    if (bucket.sizes[i] != 0 && bucket.tags[i] == tag) way = i;  // two of one tag would not be told apart
  }
  if (way == kWays) {
    way = bucket.next++ % kWays;
    displaced_ += bucket.sizes[way] != 0 ? 1 : 0;
  }
  bucket.bytes[way] = bytes;
  bucket.sizes[way] = size;
  bucket.tags[way] = tag;
}

}  // namespace tidemark::lmdb
