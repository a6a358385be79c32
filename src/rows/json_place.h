// Where a text is no JSON: asked when a parser has refused it, which says what is wrong but not where.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::json {

/// Where the first problem of a text is.
struct ProblemPlace {
  std::size_t byte = 0;  // from 0
  std::string pointer;   // to the value that it is in, as RFC 6901 writes it; empty: the whole text

  /// "at byte 17, in /0/rating".
  std::string Told() const;
};

/// The first place at which `text` is no JSON, has a number beyond a double's range, or is nested deeper than
/// `depth_max`; nothing if there is none.
std::optional<ProblemPlace> FindProblem(std::string_view text, std::size_t depth_max);

/// `text` with an exponent of zero behind each integer that has more than 64 bits, so that a parser which
/// knows integers of 64 bits only reads those as floats, as most others do; nothing if it has none. Of a text
/// that is no JSON the result is none either.
std::optional<std::string> WithLargeIntegersAsFloats(std::string_view text);

}  // namespace tidemark::json
