#include "adapters/iceberg/single_value.h"

#include <parquet/schema.h>
#include <parquet/types.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <compare>
#include <cstring>

namespace tidemark::iceberg {
namespace {

static_assert(std::endian::native == std::endian::little, "bounds are little-endian");

constexpr std::int64_t kMicrosOfDay = std::int64_t{86'400} * 1'000'000;

template <typename T>
std::string BytesOf(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// An integer of four or eight bytes: a bound that was written before the column was widened is shorter.
std::optional<std::int64_t> IntegerOf(std::string_view bytes) {
  if (bytes.size() == sizeof(std::int32_t)) {
    std::int32_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  std::int64_t value = 0;
  if (bytes.size() != sizeof(value)) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

double FloatOf(std::string_view bytes) {
  if (bytes.size() == sizeof(float)) {
    float value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  double value = 0;
  if (bytes.size() == sizeof(value)) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// Big-endian two's complement without the bytes that only repeat the sign.
std::string Shortest(std::string_view bytes) {
  while (bytes.size() > 1) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const bool next_is_negative = (static_cast<unsigned char>(bytes[1]) & 0x80) != 0;
    if (!(first == 0x00 && !next_is_negative) && !(first == 0xFF && next_is_negative)) break;
    bytes.remove_prefix(1);
  }
  return std::string(bytes);
}

std::string BigEndian(std::int64_t value) {
  std::string bytes = BytesOf(value);
  std::ranges::reverse(bytes);
  return Shortest(bytes);
}

bool IsDecimal(const SchemaField& field) {
  return field.primitive.starts_with("decimal(");
}
bool IsFloat(const SchemaField& field) {
  return field.primitive == "float" || field.primitive == "double";
}
bool IsInteger(const SchemaField& field) {
  return field.primitive == "int" || field.primitive == "long" || field.primitive == "date" ||
         field.primitive == "timestamptz" || field.primitive == "timestamp" || field.primitive == "time";
}

// Whether the decimal `a` is less than `b`.
bool DecimalLess(std::string_view a, std::string_view b) {
  const bool a_negative = !a.empty() && (static_cast<unsigned char>(a[0]) & 0x80) != 0;
  const bool b_negative = !b.empty() && (static_cast<unsigned char>(b[0]) & 0x80) != 0;
  if (a_negative != b_negative) return a_negative;
  // Of one sign and without useless bytes, the longer one is further from zero.
  if (a.size() != b.size()) return (a.size() < b.size()) != a_negative;
  return a < b;
}

bool Less(const SchemaField& field, std::string_view a, std::string_view b) {
  if (IsInteger(field)) return IntegerOf(a).value_or(0) < IntegerOf(b).value_or(0);
  if (IsFloat(field)) return FloatOf(a) < FloatOf(b);
  if (IsDecimal(field)) return DecimalLess(a, b);
  return a < b;  // std::char_traits compares as unsigned bytes
}

template <typename Type>
const parquet::TypedStatistics<Type>& As(const parquet::Statistics& statistics) {
  return static_cast<const parquet::TypedStatistics<Type>&>(statistics);
}

std::string_view ViewOf(const parquet::ByteArray& value) {
  return {reinterpret_cast<const char*>(value.ptr), value.len};
}

std::optional<ChunkBounds> FloatBounds(double low, double high, const SchemaField& field) {
  if (std::isnan(low) || std::isnan(high)) return std::nullopt;
  // Either zero may stand for both.
  if (low == 0) low = -0.0;
  if (high == 0) high = 0.0;
  if (field.primitive == "float")
    return ChunkBounds{BytesOf(static_cast<float>(low)), BytesOf(static_cast<float>(high))};
  return ChunkBounds{BytesOf(low), BytesOf(high)};
}

std::optional<ChunkBounds> TextBounds(const parquet::ByteArray& low, const parquet::ByteArray& high,
                                      const SchemaField& field) {
  const bool is_text = field.primitive == "string";
  auto upper = UpperTextBound(ViewOf(high), is_text);
  if (!upper) return std::nullopt;
  return ChunkBounds{LowerTextBound(ViewOf(low), is_text), *std::move(upper)};
}

}  // namespace

std::string SingleValue(std::int32_t value) {
  return BytesOf(value);
}
std::string SingleValue(std::int64_t value) {
  return BytesOf(value);
}

std::string LowerTextBound(std::string_view value, bool is_text) {
  if (value.size() <= kTextBoundBytes) return std::string(value);
  std::size_t end = kTextBoundBytes;
  while (is_text && end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80)
    --end;
  return std::string(value.substr(0, end));
}

std::optional<std::string> UpperTextBound(std::string_view value, bool is_text) {
  std::string bound = LowerTextBound(value, is_text);
  if (bound.size() == value.size()) return bound;
  // The last character that has a successor of its own length is raised, those after it are dropped.
  while (!bound.empty()) {
    const auto last = static_cast<unsigned char>(bound.back());
    if (!is_text && last < 0xFF) {
      bound.back() = static_cast<char>(last + 1);
      return bound;
    }
    if (is_text && (last < 0x7F || (last >= 0x80 && last < 0xBF))) {
      bound.back() = static_cast<char>(last + 1);
      return bound;
    }
    bound.pop_back();
    while (is_text && !bound.empty() && (static_cast<unsigned char>(bound.back()) & 0xC0) == 0x80)
      bound.pop_back();
    // What is left of a character that was cut has no meaning without its tail.
    if (is_text && !bound.empty() && static_cast<unsigned char>(bound.back()) >= 0xC0) bound.pop_back();
  }
  return std::nullopt;
}

std::optional<ChunkBounds> BoundsOf(const parquet::Statistics& statistics, const SchemaField& field) {
  if (!statistics.HasMinMax()) return std::nullopt;
  switch (statistics.physical_type()) {
    case parquet::Type::BOOLEAN: {
      const auto& typed = As<parquet::BooleanType>(statistics);
      return ChunkBounds{std::string(1, typed.min() ? '\1' : '\0'),
                         std::string(1, typed.max() ? '\1' : '\0')};
    }
    case parquet::Type::INT32: {
      const auto& typed = As<parquet::Int32Type>(statistics);
      if (IsDecimal(field)) return ChunkBounds{BigEndian(typed.min()), BigEndian(typed.max())};
      return ChunkBounds{SingleValue(typed.min()), SingleValue(typed.max())};
    }
    case parquet::Type::INT64: {
      const auto& typed = As<parquet::Int64Type>(statistics);
      if (IsDecimal(field)) return ChunkBounds{BigEndian(typed.min()), BigEndian(typed.max())};
      return ChunkBounds{SingleValue(typed.min()), SingleValue(typed.max())};
    }
    case parquet::Type::FLOAT: {
      const auto& typed = As<parquet::FloatType>(statistics);
      return FloatBounds(typed.min(), typed.max(), field);
    }
    case parquet::Type::DOUBLE: {
      const auto& typed = As<parquet::DoubleType>(statistics);
      return FloatBounds(typed.min(), typed.max(), field);
    }
    case parquet::Type::BYTE_ARRAY: {
      const auto& typed = As<parquet::ByteArrayType>(statistics);
      return TextBounds(typed.min(), typed.max(), field);
    }
    case parquet::Type::FIXED_LEN_BYTE_ARRAY: {
      if (!IsDecimal(field)) return std::nullopt;
      const auto& typed = As<parquet::FLBAType>(statistics);
      const auto length = static_cast<std::size_t>(statistics.descr()->type_length());
      const auto view = [&](const parquet::FixedLenByteArray& value) {
        return Shortest({reinterpret_cast<const char*>(value.ptr), length});
      };
      return ChunkBounds{view(typed.min()), view(typed.max())};
    }
    default:
      return std::nullopt;
  }
}

std::string LesserBound(const SchemaField& field, const std::string& a, const std::string& b) {
  return Less(field, b, a) ? b : a;
}
std::string GreaterBound(const SchemaField& field, const std::string& a, const std::string& b) {
  return Less(field, a, b) ? b : a;
}

std::optional<ColumnRange> RangeOf(const SchemaField& field, std::string_view lower, std::string_view upper) {
  if (field.primitive == "string" || field.primitive == "binary")
    return ColumnRange{.column = field.name, .low = std::string(lower), .high = std::string(upper)};
  if (!IsInteger(field) || field.primitive == "time") return std::nullopt;
  const auto low = IntegerOf(lower);
  const auto high = IntegerOf(upper);
  if (!low || !high) return std::nullopt;
  const std::int64_t unit = field.primitive == "date" ? kMicrosOfDay : 1;
  std::int64_t scaled_low = 0;
  std::int64_t scaled_high = 0;
  if (__builtin_mul_overflow(*low, unit, &scaled_low) || __builtin_mul_overflow(*high, unit, &scaled_high))
    return std::nullopt;
  return ColumnRange{.column = field.name, .low = scaled_low, .high = scaled_high};
}

}  // namespace tidemark::iceberg
