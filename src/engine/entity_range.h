// The entities that have a row between two times: the entity rows of a training set that is asked for without
// any.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/load_log.h"
#include "engine/selection.h"
#include "engine/view_source.h"
#include "pit/point_in_time_join.h"

namespace tidemark {

/// The times that a request without entity rows is about: to `end_us` (nothing: now), from `start_us`, or
/// else from as far back as the greatest ttl of its views reaches; from the beginning if one of them has
/// none. kInvalidArgument if the start is after the end.
Result<TimeRange> RangeOf(const Selection& selection, std::optional<std::int64_t> start_us,
                          std::optional<std::int64_t> end_us, std::int64_t now_us);

/// Rows before `start_us` put where they count at no moment; each keeps its place, which is its location.
Result<FeatureRows> WithoutEarlier(FeatureRows rows, std::int64_t start_us);

/// A view of the request, opened. What it points to must outlive the reader of its entities.
struct RangedView {
  const SelectedView* selected = nullptr;
  const ViewSource* source = nullptr;
  const std::vector<Fragment>* fragments = nullptr;
};

struct EntityRangeRequest {
  TimeRange range;
  std::string event_column = "event_timestamp";  // of the rows that come out
  KnownBy known_by;
  std::size_t threads = 1;
  std::int64_t memory_bytes_max = 0;  // above zero: kept by working through the entities in parts
  std::stop_token stop;
};

/// One row for each entity that has a row within the range in some view, its latest one there not being a
/// deletion: the columns that the views are looked up by, and the end of the range. In the order of the keys,
/// within each part that memory allows. All views must be looked up by the same columns (kInvalidArgument;
/// views without join keys go with any), of the same types but for the width of integers (kTypeMismatch).
Result<std::shared_ptr<arrow::RecordBatchReader>> EntitiesInRange(std::vector<RangedView> views,
                                                                  EntityRangeRequest request);

}  // namespace tidemark
