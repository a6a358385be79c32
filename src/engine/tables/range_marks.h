// For which ranges of event times the rows of a table were computed, as its properties say.
//
//   property  query.ranges   "<start> <end> <query>\n" for each range, by time, microseconds since 1970 UTC
//
// Ranges are [start, end), and none touches another that the same query made. They are changed in the commit
// of the rows that they speak of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/offline_store.h"

namespace tidemark {

/// Event times from `start_us` on and before `end_us`.
struct TimeSpan {
  std::int64_t start_us = 0;
  std::int64_t end_us = 0;
  bool operator==(const TimeSpan&) const = default;
};

struct DoneRange {
  TimeSpan range;
  std::string query;  // what the query that was run is known by; no spaces
  bool operator==(const DoneRange&) const = default;
};

/// By time; none has a part of another.
using DoneRanges = std::vector<DoneRange>;

inline constexpr const char* kDoneRangesProperty = "query.ranges";

/// kCorruption for a property that cannot be read: ranges would be computed twice.
Result<DoneRanges> DoneRangesOf(const TableProperties& properties);
std::string DoneRangesText(const DoneRanges& ranges);

/// The ranges with one more, which takes the place of what was there.
DoneRanges WithRange(const DoneRanges& ranges, const DoneRange& added);
/// The ranges without the part of them that lies in `removed`.
DoneRanges WithoutRange(const DoneRanges& ranges, TimeSpan removed);

/// What of `wanted` is in none of the ranges, by time.
std::vector<TimeSpan> MissingRanges(const DoneRanges& ranges, TimeSpan wanted);
bool IsDone(const DoneRanges& ranges, TimeSpan wanted);

}  // namespace tidemark
