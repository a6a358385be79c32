// Offsets as numbers of any length.
#include "store/stream.h"

#include <algorithm>

namespace tidemark {
namespace {

constexpr std::size_t kOffsetDigitsMax = 128;

}  // namespace

StreamOffset::StreamOffset(std::uint64_t number) : text_(std::to_string(number)) {}

std::optional<StreamOffset> StreamOffset::Parse(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || text.size() > kOffsetDigitsMax || !std::ranges::all_of(text, is_digit))
    return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  StreamOffset offset;
  offset.text_ = text;
  return offset;
}

std::strong_ordering StreamOffset::operator<=>(const StreamOffset& other) const {
  const auto by_length = text_.size() <=> other.text_.size();
  return by_length != 0 ? by_length : text_ <=> other.text_;
}

}  // namespace tidemark
