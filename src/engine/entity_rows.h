// The entity rows of a request: their columns checked, their keys and times in canonical form, block by
// block.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/table.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "engine/load_log.h"

namespace tidemark {

/// The event timestamp column of entity rows: `wanted` if given, or "event_timestamp", or the only column of
/// a timestamp type. kNotFound / kInvalidArgument with the columns there are.
Result<std::string> FindEventColumn(const arrow::Schema& schema, const std::string& wanted);

/// Cuts a stream into blocks of at most a number of rows.
class EntityRowBlocks {
 public:
  explicit EntityRowBlocks(std::shared_ptr<arrow::RecordBatchReader> reader) : reader_(std::move(reader)) {}

  const std::shared_ptr<arrow::Schema>& schema() const { return reader_schema_; }

  /// Up to `rows_max` rows; fewer only at the end; a null pointer after it. The very first block may be
  /// empty: entity rows without any row still have a schema.
  Result<std::shared_ptr<arrow::Table>> Next(std::int64_t rows_max);

  /// The span of the event times of all rows, which are read ahead for it; nothing if they are none, or more
  /// bytes than `bytes_max`. `first_row` is as for EntityTimes. To be called before anything is taken.
  Result<std::optional<TimeRange>> SpanOfTimes(const std::string& column, std::int64_t bytes_max,
                                               std::int64_t first_row);

  /// The first batch's bytes for each row, for sizing blocks; read without consuming it. 0 without rows.
  Result<std::int64_t> BytesPerRow();

 private:
  Result<bool> Fill();  // false at the end

  std::shared_ptr<arrow::RecordBatchReader> reader_;
  std::shared_ptr<arrow::Schema> reader_schema_ = reader_->schema();
  std::deque<std::shared_ptr<arrow::RecordBatch>> ahead_;  // read, behind the rest
  std::shared_ptr<arrow::RecordBatch> rest_;               // read and not yet given out
  bool first_ = true;
};

/// One column of a block as one canonical key array of the type of `key`. `first_row` is the block's place in
/// the whole, for errors.
Result<std::shared_ptr<arrow::Array>> EntityKey(const arrow::Table& block, const std::string& column,
                                                const JoinKey& key, std::int64_t first_row);

/// The block's event times, microseconds without nulls.
Result<std::shared_ptr<arrow::Int64Array>> EntityTimes(const arrow::Table& block, const std::string& column,
                                                       std::int64_t first_row, bool* cut);

}  // namespace tidemark
