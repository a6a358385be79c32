// Columns in layouts that Arrow's writers know.
#pragma once

#include <arrow/record_batch.h>

#include <memory>

namespace tidemark {

struct PlainColumnsOptions {
  bool is_csv = false;  // CSV takes no views at all, Parquet none as the words of a dictionary
};

/// `rows` with views of text and bytes, which Polars hands out, in plain layouts where the writer needs that;
/// the values stay. Must not outlive `rows`.
std::shared_ptr<arrow::RecordBatchReader> WithPlainColumns(arrow::RecordBatchReader& rows,
                                                           const PlainColumnsOptions& options);

}  // namespace tidemark
