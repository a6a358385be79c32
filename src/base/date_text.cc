// Years of the calendar's types have 16 bits, so they count within 400 years, after which it begins again.
#include "base/date_text.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <string_view>

namespace tidemark {

std::string FormatDate(std::int64_t days) {
  constexpr std::int64_t kCycleYears = 400;
  constexpr std::int64_t kCycleDays = 146'097;
  const std::int64_t cycles = days / kCycleDays - (days % kCycleDays < 0 ? 1 : 0);
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(days - cycles * kCycleDays))};
  const std::int64_t year = static_cast<int>(date.year()) + kCycleYears * cycles;
  const std::string_view sign = year < 0 ? "-" : year > 9999 ? "+" : "";
  return fmt::format("{}{:04}-{:02}-{:02}", sign, std::abs(year), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace tidemark
