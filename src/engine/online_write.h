// Rows that a user writes into the online store directly.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/write_times.h"
#include "engine/catalog.h"
#include "store/online_store.h"

namespace tidemark {

inline constexpr std::int64_t kFutureToleranceUs = std::int64_t{10} * 60 * 1'000'000;

/// Merges rows of `view`: its join keys, all of its features, the timestamp column of its source (or
/// "event_timestamp" without a source), and the created column if the source names one (absent: the moment of
/// writing). Other columns are passed over. All rows are written, durably, or none: kNotFound for a missing
/// column, kTypeMismatch and kInvalidData for a value that does not fit (row and column named),
/// kInvalidArgument for an event time further ahead of the clock than the tolerance.
Result<MergeCounts> WriteOnline(const CatalogView& view, arrow::RecordBatchReader& rows, OnlineStore& online,
                                const Clock& clock, WriteTimes& write_times);

}  // namespace tidemark
