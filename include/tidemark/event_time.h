// What a point in time as text says beyond its microseconds.
#pragma once

#include <cstdint>

namespace tidemark {

/// Event times are compared in microseconds. Where a table keeps them as text or as float64 seconds, these
/// give back what was written: `2024-05-01T12:00:00.500Z` has three digits, and of `...123456789Z` the last
/// three, 789, are the nanoseconds that microseconds do not hold. Numbers are rounded to microseconds: 500
/// stands for no difference, 499 for a nanosecond less.
struct TimeSpelling {
  std::int16_t nanoseconds = 0;  // 0 to 999
  std::int8_t digits = -1;       // of the fraction, 0 to 9; -1: not known, or not written in that form
  bool operator==(const TimeSpelling&) const = default;
};

}  // namespace tidemark
