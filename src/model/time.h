// Points in time and lengths of time, as text and as microseconds.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tidemark/event_time.h"

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
/// `+0200`, `+02:00` (up to 23:59) or nothing (read as UTC) after a time of day. A fraction has one to nine
/// digits; those finer than a microsecond are cut and, if not zero, `*cut` is set to true (it is never set to
/// false, so one flag serves a column). The result lies in the years 0001 to 9999 of UTC. No second 60, no
/// hour 24, no white space around. Nothing if the text is anything else. Allocates nothing.
std::optional<std::int64_t> ParseTimestampUs(std::string_view text, bool* cut = nullptr);

/// `2024-05-01T12:00:00Z`, with six decimals when there is a fraction. Works for every int64: years outside
/// 0000 to 9999 have a sign.
std::string FormatTimestampUs(std::int64_t us);

/// How a text that ParseTimestampUs reads is spelt: known if it is `2024-05-01T12:00:00Z`, with or without a
/// fraction, so that FormatTimestampUs gives exactly this text back.
TimeSpelling SpellingOf(std::string_view text);
/// The text of that spelling; as FormatTimestampUs if it is not known.
std::string FormatTimestampUs(std::int64_t us, TimeSpelling spelling);

/// What float64 seconds have below the microsecond `us` that they are kept as: one digit or more tell that it
/// is known.
TimeSpelling SpellingOf(double seconds, std::int64_t us);
/// The float64 seconds of such a time; the nearest to `us` if the spelling is not known.
double ToSeconds(std::int64_t us, TimeSpelling spelling);

/// Reads `90s`, `15m`, `36h`, `2d`, `1w`, `250ms`, `10us`, their sums (`1d12h`), and a bare number of seconds
/// (`3600`, `0.5`, `0`; at most microseconds). kInvalidArgument for anything else, a negative or one beyond
/// int64.
Result<std::int64_t> ParseDurationUs(std::string_view text);

/// The exact form of the above in days and smaller units, largest first: `1d12h`, `7d`, `0s`. A negative
/// length has a minus in front.
std::string FormatDurationUs(std::int64_t us);

}  // namespace tidemark
