// How long ago something was, for any two moments that int64 holds.
#pragma once

#include <cstdint>
#include <limits>

namespace tidemark {

/// `at_us` - `event_us`, or the greatest length there is when that is beyond int64.
constexpr std::int64_t AgeUs(std::int64_t event_us, std::int64_t at_us) {
  std::int64_t age_us = 0;
  if (!__builtin_sub_overflow(at_us, event_us, &age_us)) return age_us;
  return event_us < at_us ? std::numeric_limits<std::int64_t>::max()
                          : std::numeric_limits<std::int64_t>::min();
}

}  // namespace tidemark
