// Rows that a user writes into the online store directly.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/write_times.h"
#include "engine/catalog.h"
#include "store/online_store.h"
#include "store/spill.h"

namespace tidemark {

inline constexpr std::int64_t kFutureToleranceUs = std::int64_t{10} * 60 * 1'000'000;

struct OnlineWriteOptions {
  SpillOpener spill;
  std::size_t bytes_max = std::size_t{32} << 20;  // of packed rows that are held before they are put aside
};

/// Merges rows of `view`: its join keys, all of its features, the timestamp column of its source (or
/// "event_timestamp" without a source), and the created column if the source names one (absent: the moment of
/// writing). Other columns are passed over. Nothing is written before all rows were read and checked:
/// kNotFound for a missing column, kTypeMismatch and kInvalidData for a value that does not fit (row and
/// column named), kInvalidArgument for an event time further ahead of the clock than the tolerance. Rows that
/// fit into `bytes_max` are written in one transaction, durably, or none; more of them, in several, are
/// durable when this returns, and after an error (kOutOfSpace) may be there in part: writing them again does
/// no harm.
Result<MergeCounts> WriteOnline(const CatalogView& view, arrow::RecordBatchReader& rows, OnlineStore& online,
                                const Clock& clock, WriteTimes& write_times,
                                const OnlineWriteOptions& options);

}  // namespace tidemark
