// Results as a Parquet file on stdout.
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/table.h"

namespace tidemark::cli {

/// A Parquet file that is written to stdout as its rows come.
class ParquetOutput {
 public:
  virtual ~ParquetOutput() = default;
  virtual Result<void> Write(const arrow::RecordBatch& batch) = 0;
  virtual Result<void> Finish() = 0;
};

Result<std::unique_ptr<ParquetOutput>> OpenParquetOutput(const std::shared_ptr<arrow::Schema>& schema);

/// For rows of cells: a column is bool, int64 or double if all of its cells are, and text otherwise.
std::unique_ptr<RowPrinter> MakeParquetPrinter(std::vector<std::string> columns);

}  // namespace tidemark::cli
