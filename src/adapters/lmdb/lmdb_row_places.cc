// A table of one place for each hash: it is a cache, so nothing is ever searched for.
#include "adapters/lmdb/lmdb_row_places_internal.h"

#include <limits>
#include <utility>

namespace tidemark::lmdb {
namespace {

constexpr std::size_t kLeastPlaces = 1024;
constexpr std::size_t kMostPlaces = 65'536;  // 1.5 MB

}  // namespace

void RowPlaces::Enter(std::size_t snapshot) {
  if (snapshot == snapshot_ && snapshot != kNone) return;
  snapshot_ = snapshot;
  displaced_ = 0;
  if (epoch_ == std::numeric_limits<std::uint32_t>::max()) {
    places_.assign(places_.size(), {});
    epoch_ = 0;
  }
  ++epoch_;
}

void RowPlaces::Add(std::uint64_t hash, std::span<const std::byte> row) {
  if (row.size() > std::numeric_limits<std::uint32_t>::max()) return;
  if (places_.empty()) places_.resize(kLeastPlaces);
  Place& place = places_[hash & (places_.size() - 1)];
  const bool displaces = place.epoch == epoch_ && place.hash != hash;
  place = {hash, row.data(), static_cast<std::uint32_t>(row.size()), epoch_};
  if (displaces && ++displaced_ > places_.size() / 4 && places_.size() < kMostPlaces) Grow();
}

void RowPlaces::Grow() {
  std::vector<Place> old = std::exchange(places_, std::vector<Place>(places_.size() * 4));
  for (const Place& place : old) {
    if (place.epoch == epoch_) places_[place.hash & (places_.size() - 1)] = place;
  }
  displaced_ = 0;
}

}  // namespace tidemark::lmdb
