// Computed features in training sets and lookups: what is read of the views goes in, what was asked for comes
// out.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "engine/on_demand.h"
#include "tidemark/online.h"

namespace tidemark {

struct OnDemandRowsOptions {
  std::string event_column;    // of the entity rows: now() of each row
  std::int64_t first_row = 0;  // how messages number the first entity row
  std::size_t threads = 1;
  std::stop_token stop = {};
  bool include_status = false;  // a column <feature>__status behind each, in what is read and what comes out
};

/// Checks that the entity rows have every column that the plan's expressions ask for, and none of the names
/// that come out: kNotFound and kInvalidArgument, naming the on-demand view.
Result<void> CheckRequestColumns(const OnDemandPlan& plan, const arrow::Schema& entity_rows);

/// A stream like `read` (entity rows, then what was fetched) with the plan's outputs in the place of what was
/// fetched. Rows are computed as they are read. kTypeMismatch for request data of another type than was
/// declared.
Result<std::shared_ptr<arrow::RecordBatchReader>> WithComputed(std::shared_ptr<arrow::RecordBatchReader> read,
                                                               std::shared_ptr<const OnDemandPlan> plan,
                                                               OnDemandRowsOptions options);

/// A reader whose answers are the plan's outputs; `stored` answers what is fetched.
std::shared_ptr<const OnlineReader> MakeComputingReader(std::shared_ptr<const OnlineReader> stored,
                                                        std::shared_ptr<const OnDemandPlan> plan,
                                                        std::shared_ptr<Clock> clock);

}  // namespace tidemark
