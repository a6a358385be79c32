// Opens page readers, with what old writers are known to have got wrong.
#include <parquet/exception.h>

#include <algorithm>

#include "adapters/parquet/chunk_begin.h"
#include "adapters/parquet/column_pages_internal.h"
#include "pit/buffer_pool.h"

namespace tidemark::flat_column_internal {

ColumnPages OpenPages(const ColumnPlace& place, bool as_stored) {
  const auto group = place.metadata.RowGroup(place.row_group);
  const auto chunk = group->ColumnChunk(place.column);
  const parquet::ApplicationVersion& writer = place.metadata.writer_version();
  const std::int64_t start = ChunkBegin(*chunk);
  std::int64_t length = chunk->total_compressed_size();
  PARQUET_ASSIGN_OR_THROW(const std::int64_t file_size, place.file->GetSize());
  if (start < 0 || length < 0 || start > file_size - length) {
    throw parquet::ParquetException("the footer places a column outside of the file");
  }
  // Old parquet-mr left the dictionary page's header out of the size: up to 100 bytes.
  if (writer.VersionLt(parquet::ApplicationVersion::PARQUET_816_FIXED_VERSION())) {
    length += std::min<std::int64_t>(100, file_size - start - length);
  }
  // Before 3.0.0 Arrow marked pages of version 2 as not compressed even when they were.
  const bool always_compressed =
      writer.VersionLt(parquet::ApplicationVersion::PARQUET_CPP_10353_FIXED_VERSION());
  parquet::ReaderProperties properties(BufferPool());
  properties.set_page_checksum_verification(!place.is_checked);
  ColumnPages pages;
  pages.compression = chunk->compression();
  pages.stream = std::make_shared<PageStream>(place.file, start, length);
  pages.reader = parquet::PageReader::Open(pages.stream, chunk->num_values(),
                                           as_stored ? parquet::Compression::UNCOMPRESSED : pages.compression,
                                           properties, *place.descriptor(), always_compressed);
  return pages;
}

}  // namespace tidemark::flat_column_internal
