// Where the pages of one column chunk come from.
#pragma once

#include <arrow/io/interfaces.h>
#include <parquet/column_reader.h>
#include <parquet/metadata.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "adapters/parquet/page_stream.h"

namespace tidemark::flat_column_internal {

/// A column chunk of a file. `is_checked`: every byte is checked on its way, so pages are not checked again.
struct ColumnPlace {
  const parquet::FileMetaData& metadata;
  int row_group = 0;
  int column = 0;
  const std::shared_ptr<arrow::io::RandomAccessFile>& file;
  bool is_checked = false;

  const parquet::ColumnDescriptor* descriptor() const { return metadata.schema()->Column(column); }
};

/// The pages of a column chunk, and the stream that they are read from.
struct ColumnPages {
  std::shared_ptr<PageStream> stream;
  std::unique_ptr<parquet::PageReader> reader;
  parquet::Compression::type compression = parquet::Compression::UNCOMPRESSED;  // of the chunk
};

/// Which data pages are read: all, or those that end behind a wanted row. Others are not even fetched.
class PageFilter {
 public:
  explicit PageFilter(std::shared_ptr<PageStream> stream) : stream_(std::move(stream)) {}

  /// From here on no row before this one is wanted.
  void Want(std::int64_t row) { wanted_row_ = row; }

  /// For PageReader::set_data_page_filter: called once for each data page, in order, before it is read.
  bool PassOver(std::int32_t rows_of_page) {
    start_ = end_;
    end_ += rows_of_page;
    if (wanted_row_ < end_) return false;
    stream_->PassOverNextRead();
    return true;
  }

  /// Rows of the page that the reader is at.
  std::int64_t start() const { return start_; }
  std::int64_t end() const { return end_; }

 private:
  const std::shared_ptr<PageStream> stream_;
  std::int64_t wanted_row_ = -1;  // every page is read
  std::int64_t start_ = 0;
  std::int64_t end_ = 0;
};

/// `as_stored`: pages come as they lie in the file, still compressed. Throws ParquetException if the footer
/// places the column outside of the file.
ColumnPages OpenPages(const ColumnPlace& place, bool as_stored);

}  // namespace tidemark::flat_column_internal
