// Bounds of columns in Iceberg's binary form (table spec, appendix D, "Binary single-value serialization"):
// integers, dates and timestamps little-endian, floats too, text and bytes as they are, decimals as the
// shortest big-endian two's complement, booleans one byte.
#pragma once

#include <arrow/type.h>
#include <parquet/statistics.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/iceberg/iceberg_schema.h"
#include "store/source.h"

namespace tidemark::iceberg {

/// Text bounds are cut to so many bytes.
inline constexpr std::size_t kTextBoundBytes = 64;

std::string SingleValue(std::int32_t value);
std::string SingleValue(std::int64_t value);

/// The longest beginning of `value` of at most kTextBoundBytes that is whole characters if `is_text`: no
/// greater than the value.
std::string LowerTextBound(std::string_view value, bool is_text);
/// No less than any value that begins like `value`; nothing if there is none that short.
std::optional<std::string> UpperTextBound(std::string_view value, bool is_text);

/// What a column chunk's statistics say of a field, as bounds. Nothing where they say nothing. May throw what
/// Parquet throws.
struct ChunkBounds {
  std::string lower;
  std::string upper;
};
std::optional<ChunkBounds> BoundsOf(const parquet::Statistics& statistics, const SchemaField& field);

/// The lesser (greater) of two bounds of one field, as values.
std::string LesserBound(const SchemaField& field, const std::string& a, const std::string& b);
std::string GreaterBound(const SchemaField& field, const std::string& a, const std::string& b);

/// The bounds as a range that a source states: int64 for integers, dates (midnight) and timestamps in
/// microseconds, text for text and bytes. Nothing for other types, and for bounds that cannot be read.
std::optional<ColumnRange> RangeOf(const SchemaField& field, std::string_view lower, std::string_view upper);

}  // namespace tidemark::iceberg
