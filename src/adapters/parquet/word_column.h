// A column of numbers or times as the bytes of a Parquet column chunk.
#pragma once

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <cstdint>
#include <memory>

namespace tidemark {

/// A column chunk that is not in a file yet.
struct ColumnBytes {
  std::shared_ptr<arrow::Buffer> pages;  // with their headers
  std::int64_t uncompressed_bytes = 0;   // of them, if they were not compressed
  std::int32_t page_count = 0;
  parquet::EncodedStatistics statistics;
};

/// True for the types that EncodeWords takes: those whose values Parquet has as they are in memory, numbers
/// of 4 and 8 bytes that have signs, dates, and timestamps finer than a second.
bool IsOfWordsInParquet(const arrow::DataType& type);

/// The pieces of one column, which go into one chunk in turn: data pages of plain values with checksums.
/// `column` is their place in the file's schema, of depth one. Invalid if it allows no nulls and there are
/// some. Throws what Parquet throws.
arrow::Result<ColumnBytes> EncodeWords(const arrow::ArrayVector& pieces,
                                       const parquet::ColumnDescriptor& column,
                                       parquet::Compression::type codec);

}  // namespace tidemark
