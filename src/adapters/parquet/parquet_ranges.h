// Bounds of a column in a row group, as its statistics state them.
#pragma once

#include <arrow/type.h>
#include <parquet/metadata.h>

#include <optional>

#include "store/source.h"

namespace tidemark {

/// Bounds that no value of the chunk lies outside of; nothing if the file states none, all values are null,
/// the type has no useful order (floats), or a bound does not fit int64. Integers as they are; dates
/// (midnight) and timestamps in microseconds, floored; text and bytes by byte order. May throw what Parquet
/// throws.
std::optional<ColumnRange> RangeOf(const parquet::ColumnChunkMetaData& chunk, const arrow::DataType& type);

}  // namespace tidemark
