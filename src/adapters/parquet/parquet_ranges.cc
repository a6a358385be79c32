// Reads statistics of the types that rows are skipped by.
#include "adapters/parquet/parquet_ranges.h"

#include <parquet/statistics.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace tidemark {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

using Bound = std::optional<std::int64_t>;

Bound Times(std::int64_t value, std::int64_t factor) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(value, factor, &product)) return std::nullopt;
  return product;
}

Bound FromUnsigned(std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::int64_t FloorDivide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by != 0 && value < 0 ? 1 : 0);
}

Bound FromInt32(std::int32_t value, const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::DATE32:
      return Times(value, kDayUs);
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
      return std::int64_t{static_cast<std::uint32_t>(value)};
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
      return std::int64_t{value};
    default:
      return std::nullopt;
  }
}

Bound FromInt64(std::int64_t value, const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT64:
      return value;
    case arrow::Type::UINT64:
      return FromUnsigned(static_cast<std::uint64_t>(value));
    case arrow::Type::TIMESTAMP:
      switch (static_cast<const arrow::TimestampType&>(type).unit()) {
        case arrow::TimeUnit::SECOND:
          return Times(value, 1'000'000);
        case arrow::TimeUnit::MILLI:
          return Times(value, 1'000);
        case arrow::TimeUnit::MICRO:
          return value;
        case arrow::TimeUnit::NANO:
          return FloorDivide(value, 1'000);
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<ColumnRange> Range(Bound low, Bound high) {
  if (!low || !high || *low > *high) return std::nullopt;
  return ColumnRange{{}, *low, *high};
}

}  // namespace

std::optional<ColumnRange> RangeOf(const parquet::ColumnChunkMetaData& chunk, const arrow::DataType& type) {
  if (!chunk.is_stats_set()) return std::nullopt;
  const auto statistics = chunk.statistics();
  if (statistics == nullptr || !statistics->HasMinMax()) return std::nullopt;
  switch (statistics->physical_type()) {
    case parquet::Type::INT32: {
      const auto& typed = static_cast<const parquet::Int32Statistics&>(*statistics);
      return Range(FromInt32(typed.min(), type), FromInt32(typed.max(), type));
    }
    case parquet::Type::INT64: {
      const auto& typed = static_cast<const parquet::Int64Statistics&>(*statistics);
      return Range(FromInt64(typed.min(), type), FromInt64(typed.max(), type));
    }
    case parquet::Type::BYTE_ARRAY: {
      if (!arrow::is_base_binary_like(type.id())) return std::nullopt;
      // Bounds that a writer cut are still bounds: a cut greatest value is rounded up, or it is not written.
      const auto& typed = static_cast<const parquet::ByteArrayStatistics&>(*statistics);
      std::string low(std::string_view(typed.min()));
      std::string high(std::string_view(typed.max()));
      if (low > high) return std::nullopt;
      return ColumnRange{{}, std::move(low), std::move(high)};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace tidemark
