// How event times were written, beyond their microseconds.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "model/time.h"

namespace tidemark {
namespace {

constexpr std::size_t kToSeconds = 19;  // characters of 2024-05-01T12:00:00
constexpr std::int64_t kFractionUs = 1'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr int kDigitsMax = 9;
// Numbers are rounded to microseconds, so what is left may be below zero.
constexpr std::int64_t kMiddleNs = 500;

/// `number`, of up to nine digits, as if it were written with nine behind a point.
std::int64_t AsNanoseconds(std::string_view digits) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < kDigitsMax; ++i)
    value = value * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return value;
}

/// What a number of seconds, as its shortest text has it, lies above `us`, in nanoseconds; nothing if it has
/// finer digits or lies further away.
std::optional<std::int64_t> NanosecondsAbove(double seconds, std::int64_t us) {
  std::array<char, 400> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), std::fabs(seconds), std::chars_format::fixed);
  if (end.ec != std::errc{}) return std::nullopt;
  const std::string_view number(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
  const std::size_t point = std::min(number.find('.'), number.size());
  std::int64_t whole = 0;
  if (std::from_chars(number.data(), number.data() + point, whole).ec != std::errc{}) return std::nullopt;
  const std::string_view fraction = point == number.size() ? "" : number.substr(point + 1);
  if (fraction.size() > kDigitsMax) return std::nullopt;
  const __int128 magnitude = static_cast<__int128>(whole) * kSecondNs + AsNanoseconds(fraction);
  const __int128 above = (seconds < 0 ? -magnitude : magnitude) - static_cast<__int128>(us) * 1000;
  if (above < -kMiddleNs || above >= kMiddleNs) return std::nullopt;
  return static_cast<std::int64_t>(above);
}

}  // namespace

TimeSpelling SpellingOf(std::string_view text) {
  if (text.size() <= kToSeconds || text[10] != 'T' || text.back() != 'Z') return {};
  const std::string_view rest = text.substr(kToSeconds, text.size() - kToSeconds - 1);
  if (rest.empty()) return {.nanoseconds = 0, .digits = 0};
  if (rest.front() != '.' || rest.size() > kDigitsMax + 1) return {};
  const std::string_view digits = rest.substr(1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return {.nanoseconds = static_cast<std::int16_t>(AsNanoseconds(digits) % 1000),
          .digits = static_cast<std::int8_t>(digits.size())};
}

std::string FormatTimestampUs(std::int64_t us, TimeSpelling spelling) {
  if (spelling.digits < 0) return FormatTimestampUs(us);
  const std::int64_t fraction_us = ((us % kFractionUs) + kFractionUs) % kFractionUs;
  std::string text = FormatTimestampUs(us - fraction_us);
  if (spelling.digits == 0) return text;
  const std::string digits = fmt::format("{:09}", fraction_us * 1000 + spelling.nanoseconds);
  text.back() = '.';
  text.append(digits, 0, static_cast<std::size_t>(spelling.digits));
  text.push_back('Z');
  return text;
}

TimeSpelling SpellingOf(double seconds, std::int64_t us) {
  const auto above = NanosecondsAbove(seconds, us);
  if (!above) return {};
  return {.nanoseconds = static_cast<std::int16_t>(*above + kMiddleNs), .digits = kDigitsMax};
}

double ToSeconds(std::int64_t us, TimeSpelling spelling) {
  __int128 ns = static_cast<__int128>(us) * 1000;
  if (spelling.digits >= 0) ns += spelling.nanoseconds - kMiddleNs;
  const bool is_negative = ns < 0;
  const __int128 magnitude = is_negative ? -ns : ns;
  const std::string text = fmt::format("{}.{:09}", static_cast<std::uint64_t>(magnitude / kSecondNs),
                                       static_cast<std::uint64_t>(magnitude % kSecondNs));
  double seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return is_negative ? -seconds : seconds;
}

}  // namespace tidemark
