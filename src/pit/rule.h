// The one rule: which row of a key counts at a moment, and whether it still does.
//
// Rows of one key are ordered by (event, created, write_time, origin). At time t the greatest row with
// event <= t is taken, and only then is it looked at: a deleted one answers NOT_FOUND; one past its own
// expiry or older than ttl answers OUTSIDE_MAX_AGE. There is no falling back to an older row. Everything that
// joins, merges, looks up or explains calls this file.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

#include "model/time.h"
#include "tidemark/status.h"

namespace tidemark {

/// A row's place in the order of its key. For external files `sequence` is the row's place by path, then row,
/// and `origin` is 0; in Tidemark's own tables they are write_time (microseconds) and the writer's number.
struct RowOrder {
  EventTime event;
  CreatedTime created;
  std::int64_t sequence = 0;
  std::uint32_t origin = 0;
  auto operator<=>(const RowOrder&) const = default;
};

inline constexpr std::int64_t kNeverExpires = std::numeric_limits<std::int64_t>::max();

/// What decides whether a row that was taken still counts.
struct RowState {
  EventTime event;
  bool is_deleted = false;
  std::int64_t expires_at_us = kNeverExpires;
};

/// The status at time `t_us` of the row that the order chose, before its values are looked at: kPresent,
/// kNotFound or kOutsideMaxAge. ttl 0 means no limit; a row of exactly the age ttl is fresh. No overflow for
/// any int64.
Status StatusAt(const RowState& row, std::int64_t t_us, std::int64_t ttl_us);

}  // namespace tidemark
