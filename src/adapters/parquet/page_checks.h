// A column chunk's pages held against their checksums, without being decoded.
#pragma once

#include <arrow/io/interfaces.h>
#include <parquet/metadata.h>

#include <cstdint>

#include "base/result.h"

namespace tidemark {

/// Whether pages state checksums: writers may leave them out, and many do.
enum class PageChecksums : std::uint8_t { kNone, kHold };

/// Reads the pages of a column chunk. kCorruption if a checksum does not hold, if pages and headers do not
/// fill the chunk as its footer says (bytes, values), or if only some of its pages have a
/// checksum. Of a page's header nothing else is covered. May throw what Parquet throws.
Result<PageChecksums> CheckPages(arrow::io::RandomAccessFile& file, const parquet::FileMetaData& footer,
                                 int row_group, int column);

}  // namespace tidemark
