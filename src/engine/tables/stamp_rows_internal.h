// Rows that are ready to be kept: put together, and given their write times.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/write_times.h"
#include "engine/tables/table_rows.h"

namespace tidemark {

/// Rows one after another as one.
Result<TableRows> JoinRows(std::vector<TableRows> parts);

enum class StampOrder : std::uint8_t {
  kOfFiles,  // that of the table's files
  kAsGiven,
};

/// Rows, one part after another, as a batch of `schema`, which is TableSchema of their view, each with its
/// write time: one for all that are given together, and later ones, in their order, for those that are equal
/// in key, event and created time.
struct StampedBatch {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::int64_t write_time_us = 0;  // the first
};
Result<StampedBatch> StampRows(const std::shared_ptr<arrow::Schema>& schema, std::span<const TableRows> parts,
                               WriteTimes& write_times, std::int64_t now_us,
                               StampOrder order = StampOrder::kOfFiles);

}  // namespace tidemark
