// The rows that a table has in a range of event times, told apart from those that take their place.
//
//   [rows of the range] - Keep(rows that are written now) = those that the query gives no more: deletions
#pragma once

#include <arrow/record_batch.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "engine/tables/range_marks.h"
#include "engine/tables/table_rows.h"
#include "engine/view_source.h"

namespace tidemark {

struct RangeRowsOptions {
  TimeSpan range;
  std::int64_t arrival_us = 0;  // of the deletions
  std::size_t threads = 1;
  std::stop_token stop = {};
};

/// Holds keys and times of the range's rows that are no deletions in memory; nothing of the other rows.
class RangeRows {
 public:
  /// `view` must outlive this.
  static Result<RangeRows> Read(const CatalogView& view, const SourceOpeners& open,
                                const RangeRowsOptions& options);

  /// Rows of these keys and event times stay. kInvalidData for a row outside of the range.
  Result<void> Keep(const TableRows& rows);

  /// A deletion for each of the others; nothing if there is none.
  Result<std::optional<TableRows>> Deletions() const;

 private:
  struct Place {
    std::array<std::byte, 16> hash;  // of key and event time
    std::int64_t row = 0;
  };

  RangeRows(const CatalogView& view, const RangeRowsOptions& options) : view_(&view), options_(options) {}

  const CatalogView* view_;
  RangeRowsOptions options_;
  std::shared_ptr<arrow::RecordBatch> rows_;  // join keys and event times; null: none
  std::vector<Place> places_;                 // of rows_, by hash
  std::vector<bool> is_kept_;                 // of rows_
};

}  // namespace tidemark
