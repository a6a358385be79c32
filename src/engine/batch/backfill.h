// Ranges of a view's rows computed by its query, one commit each.
//
//   ranges that are not done (range_marks.h) -> query of each -> rows into the table, and the range is noted
//
// A run that was killed is gone on with by the next: what is noted is not computed again, and a range of
// which nothing is noted has left no rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/tables/range_marks.h"

namespace tidemark {

struct BackfillRequest {
  std::optional<std::int64_t> start_us;  // nothing: the end of the last range that was computed
  std::optional<std::int64_t> end_us;    // nothing: the last whole step from the start on that is over
  std::int64_t step_us = 0;
  std::int64_t now_us = 0;
};

/// The ranges that a run is to compute.
struct BackfillPlan {
  TimeSpan all;
  std::vector<TimeSpan> ranges;      // by time; each a step from `all.start_us` on, or what of it is missing
  std::int64_t steps_done = 0;       // that need not be computed
  std::int64_t steps_of_others = 0;  // of them, computed by another query than the view has now
};

inline constexpr std::int64_t kBackfillRangesMax = 100'000;

/// kInvalidArgument for a step of no length, a start after the end, a start that is not given where nothing
/// was computed yet, or more than kBackfillRangesMax steps.
Result<BackfillPlan> PlanBackfill(const BackfillRequest& request, const DoneRanges& done,
                                  const std::string& query);

}  // namespace tidemark
