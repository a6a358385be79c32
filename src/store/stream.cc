// Offsets as numbers of any length.
#include "store/stream.h"

#include <algorithm>
#include <charconv>

namespace tidemark {
namespace {

constexpr std::size_t kOffsetDigitsMax = 128;
constexpr std::size_t kPlaceDigitsMax = 18;

bool IsOffsetNumber(std::string_view text, std::size_t digits_max) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || text.size() > digits_max || !std::ranges::all_of(text, is_digit)) return false;
  return text.size() == 1 || text.front() != '0';
}

std::strong_ordering CompareNumbers(std::string_view one, std::string_view other) {
  const auto by_length = one.size() <=> other.size();
  return by_length != 0 ? by_length : one <=> other;
}

/// The text without its place, and the place; that is empty if there is none.
std::pair<std::string_view, std::string_view> DividedOffset(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos) return {text, {}};
  return {text.substr(0, point), text.substr(point + 1)};
}

}  // namespace

StreamOffset::StreamOffset(std::uint64_t number) : text_(std::to_string(number)) {}

std::optional<StreamOffset> StreamOffset::Parse(std::string_view text) {
  const auto [whole, place] = DividedOffset(text);
  if (!IsOffsetNumber(whole, kOffsetDigitsMax)) return std::nullopt;
  if (whole.size() < text.size() && !IsOffsetNumber(place, kPlaceDigitsMax)) return std::nullopt;
  StreamOffset offset;
  offset.text_ = text;
  return offset;
}

StreamOffset StreamOffset::whole() const {
  StreamOffset offset;
  offset.text_ = DividedOffset(text_).first;
  return offset;
}

std::optional<std::uint64_t> StreamOffset::place() const {
  const std::string_view place = DividedOffset(text_).second;
  if (place.empty()) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(place.data(), place.data() + place.size(), number);
  return number;
}

StreamOffset StreamOffset::At(std::uint64_t place) const {
  StreamOffset offset;
  offset.text_ = text_ + "." + std::to_string(place);
  return offset;
}

std::strong_ordering StreamOffset::operator<=>(const StreamOffset& other) const {
  const auto [whole, place] = DividedOffset(text_);
  const auto [other_whole, other_place] = DividedOffset(other.text_);
  const auto by_whole = CompareNumbers(whole, other_whole);
  return by_whole != 0 ? by_whole : CompareNumbers(place, other_place);
}

}  // namespace tidemark
