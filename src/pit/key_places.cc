// Answers whether any entity row has its first key in a range.
#include <algorithm>

#include "pit/entity_groups_internal.h"
#include "pit/key_order_internal.h"

namespace tidemark::pit_internal {
namespace {

std::string_view View(const arrow::Array& column, std::int64_t row) {
  if (column.type_id() == arrow::Type::LARGE_BINARY || column.type_id() == arrow::Type::LARGE_STRING) {
    return static_cast<const arrow::LargeBinaryArray&>(column).GetView(row);
  }
  return static_cast<const arrow::BinaryArray&>(column).GetView(row);
}

std::string CommonPrefix(const arrow::Array& column) {
  if (column.length() == 0) return {};
  std::string_view prefix = View(column, 0);
  for (std::int64_t row = 1; row < column.length() && !prefix.empty(); ++row) {
    const std::string_view value = View(column, row);
    const auto [end, unused] = std::mismatch(prefix.begin(), prefix.end(), value.begin(), value.end());
    prefix = prefix.substr(0, static_cast<std::size_t>(end - prefix.begin()));
  }
  return std::string(prefix);
}

}  // namespace

KeyPlaces::KeyPlaces(const arrow::Array& column) {
  places_.reserve(static_cast<std::size_t>(column.length()));
  if (column.type_id() == arrow::Type::INT64) {
    const auto& integers = static_cast<const arrow::Int64Array&>(column);
    for (std::int64_t row = 0; row < column.length(); ++row)
      places_.push_back(PlaceOfInteger(integers.Value(row)));
  } else if (column.type_id() == arrow::Type::BOOL) {
    const auto& bools = static_cast<const arrow::BooleanArray&>(column);
    for (std::int64_t row = 0; row < column.length(); ++row)
      places_.push_back(PlaceOfInteger(bools.Value(row)));
  } else {
    is_binary_ = true;
    prefix_ = CommonPrefix(column);
    for (std::int64_t row = 0; row < column.length(); ++row) {
      places_.push_back(PlaceOfBytes(View(column, row).substr(prefix_.size())));
    }
  }
  RadixSort(places_, [](std::uint64_t place) { return place; });
  places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
}

// A range's end becomes a number that no key of the range is beyond: ends before or after everything that has
// the prefix become the least and the greatest one.
std::uint64_t KeyPlaces::PlaceOf(std::string_view value) const {
  const int order = value.substr(0, prefix_.size()).compare(prefix_);
  if (order < 0) return 0;
  if (order > 0) return ~std::uint64_t{0};
  return PlaceOfBytes(value.substr(prefix_.size()));
}

bool KeyPlaces::MayContainPlace(std::uint64_t low, std::uint64_t high) const {
  const auto found = std::lower_bound(places_.begin(), places_.end(), low);
  return found != places_.end() && *found <= high;
}

bool KeyPlaces::MayContain(std::int64_t low, std::int64_t high) const {
  return is_binary_ || MayContainPlace(PlaceOfInteger(low), PlaceOfInteger(high));
}

bool KeyPlaces::MayContain(std::string_view low, std::string_view high) const {
  if (!is_binary_) return true;
  // Wholly before or wholly after what all keys start with.
  if (high.substr(0, prefix_.size()) < prefix_) return false;
  if (low.substr(0, prefix_.size()) > prefix_) return false;
  return MayContainPlace(PlaceOf(low), PlaceOf(high));
}

}  // namespace tidemark::pit_internal
