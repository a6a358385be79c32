// Training sets: for every entity row, the features as they were known at its moment.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/load_log.h"
#include "engine/selection.h"
#include "engine/view_source.h"
#include "pit/point_in_time_join.h"

namespace tidemark {

struct HistoricalRequest {
  Selection selection;
  std::string event_timestamp_column;  // empty: "event_timestamp", or else the only timestamp column
  std::int64_t first_row = 0;          // how messages number the first entity row
  bool include_status = false;
  KnownBy known_by;
  /// Without entity rows: every entity that has a row between these times, at the end of them; rows before
  /// them do not count.
  std::optional<TimeRange> range;
  std::size_t threads = 1;
  std::int64_t memory_bytes_max = 0;  // above zero: kept by working through the entity rows in blocks
  std::stop_token stop;
  std::function<void(std::string_view what, std::int64_t done, std::int64_t total)> progress;
};

/// Collects warnings once each, from any thread.
class Warnings {
 public:
  void Add(std::string warning) {
    const std::lock_guard lock(mutex_);
    texts_.insert(std::move(warning));
  }
  std::vector<std::string> Texts() const {
    const std::lock_guard lock(mutex_);
    return {texts_.begin(), texts_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> texts_;
};

/// Streams the training set: as many rows as `entity_rows` has, in its order, its columns untouched, then one
/// column for each feature (and its status). The first block is computed before this returns, so that most
/// errors come from here; later ones come as a status that FromStatus turns back. `catalog` is what the
/// selection was resolved against, kept for as long as the stream lives. `entity_rows` is null if the request
/// has a range: then the entities that entity_range.h finds are the entity rows.
Result<std::shared_ptr<arrow::RecordBatchReader>> GetHistorical(
    std::shared_ptr<const Catalog> catalog, std::shared_ptr<arrow::RecordBatchReader> entity_rows,
    HistoricalRequest request, const SourceOpeners& open, std::shared_ptr<Warnings> warnings);

}  // namespace tidemark
