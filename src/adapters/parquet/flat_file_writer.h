// Parquet files of columns that are not nested, a row group at a time, its columns encoded side by side.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tidemark {

/// What parquet::arrow::FileWriter does, with `store_schema`, for less work where columns are numbers and
/// times without a dictionary. Throws what Parquet throws. Not thread safe.
class FlatFileWriter {
 public:
  /// True if all columns are of types that this takes: numbers, times, text, bytes.
  static bool Takes(const arrow::Schema& schema);

  static arrow::Result<std::unique_ptr<FlatFileWriter>> Open(
      const std::shared_ptr<arrow::Schema>& schema, std::shared_ptr<arrow::io::OutputStream> output,
      std::shared_ptr<parquet::WriterProperties> properties, std::size_t threads);
  ~FlatFileWriter();

  /// All rows of `batches` as a row group. Columns are let go as they are encoded.
  arrow::Status WriteRowGroup(arrow::RecordBatchVector batches);

  /// The footer; the output stays open.
  arrow::Status Close();

 private:
  struct Impl;
  explicit FlatFileWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
