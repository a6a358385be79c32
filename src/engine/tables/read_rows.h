// The rows of a feature table as they were written: all versions of them, or the latest of each entity.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/view_source.h"

namespace tidemark {

struct ReadRowsRequest {
  std::vector<std::string> features;       // empty: all
  bool no_features = false;                // none at all
  std::optional<std::int64_t> start_us;    // event times from here
  std::optional<std::int64_t> end_us;      // to here, both included
  std::shared_ptr<arrow::Table> entities;  // join keys: only rows of these entities; null: of all
  bool latest = false;                     // of each entity only the row that counts at `end_us`, if it does
  std::int64_t now_us = 0;                 // the end if none is given
  std::size_t threads = 1;
  std::stop_token stop;
};

/// Join keys, the event time, the features, and the columns that Tidemark adds, in the order of key, event,
/// created and write time. All versions include deletions (is_deleted); `latest` leaves entities out whose
/// latest row is deleted, expired or past the ttl.
/// The rows asked for are held in memory.
Result<std::shared_ptr<arrow::RecordBatchReader>> ReadRows(const CatalogView& view, const SourceOpeners& open,
                                                           const ReadRowsRequest& request);

}  // namespace tidemark
