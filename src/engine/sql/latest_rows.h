// The latest row of each key at a moment, by the one rule's order: what `snapshot` answers.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "engine/catalog.h"
#include "engine/view_source.h"

namespace tidemark {

struct LatestRequest {
  std::optional<std::int64_t> at_us = {};  // only rows of event times up to then; nothing: all
  bool with_deleted = false;               // also the latest rows that are deletions
  std::int64_t memory_bytes_max = 0;       // for finding them; 0: any
  std::size_t threads = 1;
  std::stop_token stop = {};
};

/// The columns that SQL shows of the view, in no order of rows. Rows are found at the call and read as the
/// stream is. Neither ttl nor `expires_at` leaves a row out: it is there to be looked at.
Result<std::shared_ptr<arrow::RecordBatchReader>> LatestRows(std::shared_ptr<const Catalog> catalog,
                                                             const CatalogView& view,
                                                             const SourceOpeners& open,
                                                             const LatestRequest& request);

}  // namespace tidemark
