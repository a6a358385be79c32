// Rows that came once and are read many times: in memory up to a size, then on the disk.
#pragma once

#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/spill.h"

namespace tidemark {

/// Keeps rows in parts, in the order in which they came; a part on the disk can be read column by column.
/// Filled by one thread; then reading is thread safe. Errors are those of Spill, and kCorruption.
class RowSpool {
 public:
  /// Rows beyond `memory_bytes_max` go to what `spill` opens, in Arrow's format for streams; without one all
  /// stay in memory.
  RowSpool(std::shared_ptr<arrow::Schema> schema, std::int64_t memory_bytes_max, SpillOpener spill);

  Result<void> Add(std::shared_ptr<arrow::RecordBatch> rows);
  /// The end of what is added.
  Result<void> Finish();

  std::size_t parts() const { return parts_.size(); }
  std::int64_t rows(std::size_t part) const { return parts_[part].rows; }

  /// `columns` (indices into the schema) of a part.
  Result<arrow::ArrayVector> Read(std::size_t part, std::span<const int> columns) const;

 private:
  /// A column's bytes in the spill.
  struct Place {
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
  };
  struct Part {
    std::int64_t rows = 0;
    std::shared_ptr<arrow::RecordBatch> batch;  // null: on the disk
    std::vector<Place> columns;
  };

  Result<void> Keep(std::shared_ptr<arrow::RecordBatch> rows);
  Result<void> PutAside(const arrow::RecordBatch& rows, Part& part);
  Result<void> FlushSmall();

  const std::shared_ptr<arrow::Schema> schema_;
  std::int64_t memory_left_;
  const SpillOpener open_spill_;
  std::vector<Part> parts_;
  arrow::RecordBatchVector small_;  // not enough for a part yet
  std::int64_t small_rows_ = 0;
  mutable std::mutex mutex_;  // guards spill_
  std::unique_ptr<Spill> spill_;
  std::int64_t spilled_ = 0;
};

}  // namespace tidemark
