// Where the pages of one column chunk come from.
#pragma once

#include <arrow/io/interfaces.h>
#include <parquet/column_reader.h>
#include <parquet/metadata.h>

#include <memory>

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

/// `as_stored`: pages come as they lie in the file, still compressed. Throws ParquetException if the footer
/// places the column outside of the file.
ColumnPages OpenPages(const ColumnPlace& place, bool as_stored);

}  // namespace tidemark::flat_column_internal
