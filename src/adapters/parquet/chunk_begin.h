// Where a column chunk lies in its file.
#pragma once

#include <parquet/metadata.h>

#include <algorithm>
#include <cstdint>

namespace tidemark {

/// The first byte of a column chunk by its footer, which may be damaged: its dictionary's, if it has one,
/// which some writers place at 0 for none. Its total_compressed_size() bytes lie from there on.
inline std::int64_t ChunkBegin(const parquet::ColumnChunkMetaData& chunk) {
  const std::int64_t pages = chunk.data_page_offset();
  const bool has_dictionary = chunk.has_dictionary_page() && chunk.dictionary_page_offset() > 0;
  return has_dictionary ? std::min(pages, chunk.dictionary_page_offset()) : pages;
}

}  // namespace tidemark
