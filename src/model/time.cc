// Times as text. Reading runs over whole columns of CSV files: no allocation, no locale, no table beyond the
// lengths of months.
#include "model/time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/date_text.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kHourUs = 60 * kMinuteUs;
constexpr std::int64_t kDayUs = 24 * kHourUs;

constexpr std::int64_t kDaysTo1970 = 719'162;  // from 0001-01-01
constexpr std::int64_t kTimestampUsMin = -kDaysTo1970 * kDayUs;
constexpr std::int64_t kTimestampUsMax = 253'402'300'799'999'999;  // 9999-12-31T23:59:59.999999Z

constexpr std::array<std::uint8_t, 13> kDaysInMonth{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
constexpr std::array<std::uint16_t, 13> kDaysBeforeMonth{0,   0,   31,  59,  90,  120, 151,
                                                         181, 212, 243, 273, 304, 334};

constexpr bool IsLeap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr unsigned Digit(char c) {
  return static_cast<unsigned>(static_cast<unsigned char>(c)) - '0';
}

constexpr unsigned kNotDigits = 1000;

// The two digits at `at` as a number, or kNotDigits.
constexpr unsigned Two(const char* at) {
  const unsigned tens = Digit(at[0]);
  const unsigned ones = Digit(at[1]);
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : kNotDigits;
}

// Days since 1970-01-01 of the ten characters `YYYY-MM-DD` at `at`.
std::optional<std::int64_t> ReadDate(const char* at) {
  const unsigned century = Two(at);
  const unsigned rest = Two(at + 2);
  const unsigned month = Two(at + 5);
  const unsigned day = Two(at + 8);
  if (century > 99 || rest > 99 || at[4] != '-' || at[7] != '-') return std::nullopt;
  const unsigned year = century * 100 + rest;
  if (year == 0 || month == 0 || month > 12 || day == 0) return std::nullopt;
  const bool leap = IsLeap(year);
  if (day > kDaysInMonth[month] + (leap && month == 2 ? 1U : 0U)) return std::nullopt;
  const unsigned years = year - 1;
  const unsigned leap_days = years / 4 - years / 100 + years / 400 + (leap && month > 2 ? 1U : 0U);
  return std::int64_t{years} * 365 + leap_days + kDaysBeforeMonth[month] + day - 1 - kDaysTo1970;
}

// Reads on from `at`, which moves past what was read.
struct Cursor {
  const char* at;
  const char* end;
  std::ptrdiff_t left() const { return end - at; }
};

// `.` and one to nine digits, as microseconds. `*finer` says whether anything was lost.
std::optional<std::int64_t> ReadFraction(Cursor& text, bool* finer) {
  ++text.at;
  std::int64_t us = 0;
  int digits = 0;
  unsigned lost = 0;
  for (; text.left() > 0 && Digit(*text.at) <= 9; ++text.at, ++digits) {
    if (digits < 6) {
      us = us * 10 + Digit(*text.at);
    } else {
      lost |= Digit(*text.at);
    }
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  for (int missing = digits; missing < 6; ++missing)
    us *= 10;
  *finer = lost != 0;
  return us;
}

// `HH:MM[:SS[.fraction]]` as microseconds since midnight.
std::optional<std::int64_t> ReadTimeOfDay(Cursor& text, bool* finer) {
  if (text.left() < 5) return std::nullopt;
  const unsigned hour = Two(text.at);
  const unsigned minute = Two(text.at + 3);
  if (hour > 23 || minute > 59 || text.at[2] != ':') return std::nullopt;
  text.at += 5;
  std::int64_t us = hour * kHourUs + minute * kMinuteUs;
  if (text.left() == 0 || *text.at != ':') return us;
  if (text.left() < 3) return std::nullopt;
  const unsigned second = Two(text.at + 1);
  if (second > 59) return std::nullopt;
  text.at += 3;
  us += second * kSecondUs;
  if (text.left() == 0 || *text.at != '.') return us;
  const std::optional<std::int64_t> fraction = ReadFraction(text, finer);
  if (!fraction) return std::nullopt;
  return us + *fraction;
}

// All that is left is nothing, `Z`, `+HH`, `+HHMM` or `+HH:MM`: how far that is ahead of UTC.
std::optional<std::int64_t> ReadZone(const Cursor& text) {
  const std::ptrdiff_t size = text.left();
  if (size == 0) return 0;
  const char sign = *text.at;
  if (sign == 'Z') return size == 1 ? std::optional<std::int64_t>(0) : std::nullopt;
  if ((sign != '+' && sign != '-') || size < 3) return std::nullopt;
  const unsigned hours = Two(text.at + 1);
  unsigned minutes = 0;
  if (size == 5) {
    minutes = Two(text.at + 3);
  } else if (size == 6 && text.at[3] == ':') {
    minutes = Two(text.at + 4);
  } else if (size != 3) {
    return std::nullopt;
  }
  if (hours > 23 || minutes > 59) return std::nullopt;
  const std::int64_t us = hours * kHourUs + minutes * kMinuteUs;
  return sign == '+' ? us : -us;
}

struct DurationUnit {
  std::string_view name;
  std::int64_t us;
};

// Largest first, which FormatDurationUs relies on; it leaves weeks out.
constexpr std::array<DurationUnit, 7> kDurationUnits{{{"w", 7 * kDayUs},
                                                      {"d", kDayUs},
                                                      {"h", kHourUs},
                                                      {"m", kMinuteUs},
                                                      {"s", kSecondUs},
                                                      {"ms", 1'000},
                                                      {"us", 1}}};

// Takes the digits at the front of `text` as a number. Nothing if there is none, or it is beyond int64.
std::optional<std::int64_t> TakeNumber(std::string_view& text) {
  std::int64_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && Digit(text[digits]) <= 9; ++digits) {
    if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<std::int64_t>(Digit(text[digits])), &value))
      return std::nullopt;
  }
  text.remove_prefix(digits);
  return digits == 0 ? std::nullopt : std::optional(value);
}

// Adds `count` units to `total`; false beyond int64.
bool AddUnits(std::int64_t count, std::int64_t unit_us, std::int64_t& total) {
  std::int64_t us = 0;
  return !__builtin_mul_overflow(count, unit_us, &us) && !__builtin_add_overflow(total, us, &total);
}

const DurationUnit* FindUnit(std::string_view name) {
  const auto* unit = std::ranges::find(kDurationUnits, name, &DurationUnit::name);
  return unit == kDurationUnits.end() ? nullptr : unit;
}

// `3600` or `0.5`: seconds. `text` is what follows the whole number.
std::optional<std::int64_t> ReadSeconds(std::int64_t whole, std::string_view text) {
  std::int64_t us = 0;
  if (!AddUnits(whole, kSecondUs, us)) return std::nullopt;
  if (text.empty()) return us;
  bool finer = false;
  Cursor cursor{text.data(), text.data() + text.size()};
  const std::optional<std::int64_t> fraction = ReadFraction(cursor, &finer);
  if (!fraction || finer || cursor.left() > 0 || !AddUnits(*fraction, 1, us)) return std::nullopt;
  return us;
}

std::optional<std::int64_t> ReadDuration(std::string_view text) {
  std::int64_t total = 0;
  bool first = true;
  do {
    const std::optional<std::int64_t> count = TakeNumber(text);
    if (!count) return std::nullopt;
    if (first && (text.empty() || text.front() == '.')) return ReadSeconds(*count, text);
    first = false;
    std::size_t letters = 0;
    while (letters < text.size() && Digit(text[letters]) > 9)
      ++letters;
    const DurationUnit* unit = FindUnit(text.substr(0, letters));
    if (unit == nullptr || !AddUnits(*count, unit->us, total)) return std::nullopt;
    text.remove_prefix(letters);
  } while (!text.empty());
  return total;
}

}  // namespace

std::optional<std::int64_t> ParseTimestampUs(std::string_view text, bool* cut) {
  if (text.size() < 10) return std::nullopt;
  const std::optional<std::int64_t> days = ReadDate(text.data());
  if (!days) return std::nullopt;
  if (text.size() == 10) return *days * kDayUs;
  if (text[10] != 'T' && text[10] != ' ') return std::nullopt;
  Cursor rest{text.data() + 11, text.data() + text.size()};
  bool finer = false;
  const std::optional<std::int64_t> time_of_day = ReadTimeOfDay(rest, &finer);
  if (!time_of_day) return std::nullopt;
  const std::optional<std::int64_t> ahead = ReadZone(rest);
  if (!ahead) return std::nullopt;
  const std::int64_t us = *days * kDayUs + *time_of_day - *ahead;
  if (us < kTimestampUsMin || us > kTimestampUsMax) return std::nullopt;
  if (finer && cut != nullptr) *cut = true;
  return us;
}

std::string FormatTimestampUs(std::int64_t us) {
  std::int64_t days = us / kDayUs;
  std::int64_t left = us % kDayUs;
  if (left < 0) {
    left += kDayUs;
    --days;
  }
  std::string out = FormatDate(days);
  fmt::format_to(std::back_inserter(out), "T{:02}:{:02}:{:02}", left / kHourUs, left / kMinuteUs % 60,
                 left / kSecondUs % 60);
  if (left % kSecondUs != 0) fmt::format_to(std::back_inserter(out), ".{:06}", left % kSecondUs);
  return out + 'Z';
}

Result<std::int64_t> ParseDurationUs(std::string_view text) {
  if (const std::optional<std::int64_t> us = ReadDuration(text)) return *us;
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("cannot read {} as a length of time; write 90s, 15m, 36h, 2d, 1w, 250ms, 10us, a sum such "
                  "as 1d12h, or a number of seconds, none negative and at most 292,000 years",
                  Quoted(text)));
}

std::string FormatDurationUs(std::int64_t us) {
  if (us == 0) return "0s";
  std::string out = us < 0 ? "-" : "";
  // Unsigned, since the least int64 has no positive counterpart.
  std::uint64_t left = us < 0 ? 0 - static_cast<std::uint64_t>(us) : static_cast<std::uint64_t>(us);
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.name == "w") continue;
    const std::uint64_t count = left / static_cast<std::uint64_t>(unit.us);
    left %= static_cast<std::uint64_t>(unit.us);
    if (count > 0) fmt::format_to(std::back_inserter(out), "{}{}", count, unit.name);
  }
  return out;
}

}  // namespace tidemark
