// Numbers in decimal notation, read digit by digit, so that casts of texts are exact.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::expression_internal {

/// Without the white space at both ends.
std::string_view TrimSpace(std::string_view text);

struct NumberDigits {
  std::string digits;
  std::int64_t point = 0;  // how many of them stand before it; below 0 or beyond their number by the exponent
};

/// Digits with a point or without, and an exponent of at most 1000; no sign. Nothing for another text.
std::optional<NumberDigits> ReadDigits(std::string_view text);

}  // namespace tidemark::expression_internal
