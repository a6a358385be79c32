// Steps are counted from the start that is asked for, so that the same request always cuts the same ranges.
#include "engine/batch/backfill.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "model/time.h"

namespace tidemark {
namespace {

Result<TimeSpan> WholeRange(const BackfillRequest& request, const DoneRanges& done) {
  TimeSpan all;
  if (request.start_us) {
    all.start_us = *request.start_us;
  } else if (!done.empty()) {
    all.start_us = done.back().range.end_us;
  } else {
    return Fail(ErrorCode::kInvalidArgument, "no range of it was computed yet: say where to begin (start)");
  }
  if (request.end_us) {
    all.end_us = *request.end_us;
  } else {
    const std::int64_t whole = std::max<std::int64_t>(0, request.now_us - all.start_us) / request.step_us;
    all.end_us = all.start_us + whole * request.step_us;
  }
  if (all.start_us <= all.end_us) return all;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the start, {}, is after the end, {}", FormatTimestampUs(all.start_us),
                          FormatTimestampUs(all.end_us)));
}

}  // namespace

Result<BackfillPlan> PlanBackfill(const BackfillRequest& request, const DoneRanges& done,
                                  const std::string& query) {
  if (request.step_us <= 0) return Fail(ErrorCode::kInvalidArgument, "the step is to be longer than nothing");
  BackfillPlan plan;
  TM_ASSIGN(plan.all, WholeRange(request, done));
  // Times of any int64 lie up to 2^64 apart.
  const auto length =
      static_cast<std::uint64_t>(plan.all.end_us) - static_cast<std::uint64_t>(plan.all.start_us);
  if (length / static_cast<std::uint64_t>(request.step_us) >= kBackfillRangesMax) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} to {} are more than {} steps of {}: take longer steps, or less time at once",
                            FormatTimestampUs(plan.all.start_us), FormatTimestampUs(plan.all.end_us),
                            kBackfillRangesMax, FormatDurationUs(request.step_us)));
  }
  for (std::int64_t from_us = plan.all.start_us; from_us < plan.all.end_us;) {
    const auto left = static_cast<std::uint64_t>(plan.all.end_us) - static_cast<std::uint64_t>(from_us);
    const bool is_last = left <= static_cast<std::uint64_t>(request.step_us);
    const TimeSpan step{from_us, is_last ? plan.all.end_us : from_us + request.step_us};
    const auto missing = MissingRanges(done, step);
    if (missing.empty()) {
      ++plan.steps_done;
      plan.steps_of_others += std::ranges::any_of(done, [&](const DoneRange& each) {
        return each.query != query && each.range.start_us < step.end_us && each.range.end_us > step.start_us;
      });
    }
    plan.ranges.insert(plan.ranges.end(), missing.begin(), missing.end());
    from_us = step.end_us;
  }
  return plan;
}

}  // namespace tidemark
