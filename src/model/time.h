// Points in time and lengths of time, as text and as microseconds.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// When the fact that a row states became true. Microseconds since 1970-01-01T00:00:00Z.
struct EventTime {
  std::int64_t us = 0;
  auto operator<=>(const EventTime&) const = default;
};

/// When the row became known. Microseconds since 1970-01-01T00:00:00Z.
struct CreatedTime {
  std::int64_t us = 0;
  auto operator<=>(const CreatedTime&) const = default;
};

/// Reads ISO-8601: `2024-05-01`, `2024-05-01T12:00[:00[.123456789]]`, a space for the T, and `Z`, `+02`,
/// `+0200`, `+02:00` or nothing (read as UTC) after it. Digits finer than a microsecond are cut and, if not
/// zero, reported through `cut`. Years 0001 to 9999. Nothing if the text is anything else.
std::optional<std::int64_t> ParseTimestampUs(std::string_view text, bool* cut = nullptr);

/// `2024-05-01T12:00:00Z`, with six decimals when there is a fraction. Works for every int64.
std::string FormatTimestampUs(std::int64_t us);

/// Reads `90s`, `15m`, `36h`, `2d`, `1w`, `250ms`, `10us`, their sums (`1d12h`), a bare number of seconds
/// (`3600`, `0.5`), and `0`. kInvalidArgument for anything else, a negative or one beyond int64.
Result<std::int64_t> ParseDurationUs(std::string_view text);

/// The shortest exact form of the above: `1d12h`, `0s`.
std::string FormatDurationUs(std::int64_t us);

}  // namespace tidemark
