// Flat values, one by one: each is either exactly representable or an error that names it.
#include <arrow/builder.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "model/name.h"
#include "pit/cast_internal.h"
#include "pit/columns.h"
#include "pit/utf8.h"

namespace tidemark::pit_internal {
namespace {

constexpr std::int64_t kDayMicros = 86'400'000'000;

CastResult WholeMismatch(const arrow::Array& array, const DataType& type) {
  return CastFail(-1, fmt::format("{} cannot become {} without loss; cast it or change the declared type",
                                  array.type()->ToString(), type.ToString()));
}

// What a typed array's values are: half floats come as their bits.
template <typename Array>
auto ValueAt(const Array& array, std::int64_t row) {
  if constexpr (std::is_same_v<Array, arrow::HalfFloatArray>) {
    return arrow::util::Float16::FromBits(array.Value(row)).ToFloat();
  } else {
    return array.Value(row);
  }
}

// True if `from` is exactly a `To`, which `to` then is. NaN and infinities are the same in every float.
template <typename To, typename From>
bool Exactly(From from, To& to) {
  if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    to = static_cast<To>(from);
    return std::in_range<To>(from);
  } else if constexpr (std::is_integral_v<From>) {
    to = static_cast<To>(from);
    // Rounding up to 2^63 or 2^64 would make the cast back undefined.
    const auto limit = std::ldexp(To{1}, std::numeric_limits<From>::digits);
    return to < limit && static_cast<From>(to) == from;
  } else if constexpr (std::is_integral_v<To>) {
    const auto limit = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (!(from >= -limit && from < limit)) return false;
    to = static_cast<To>(from);
    return static_cast<From>(to) == from;
  } else {
    to = static_cast<To>(from);
    return std::isnan(from) || static_cast<From>(to) == from;
  }
}

// Every valid value through `append(builder, row)`; false means that it does not fit.
template <typename Builder, typename Append, typename Describe>
CastResult Build(Builder& builder, const arrow::Array& array, const Append& append,
                 const Describe& describe) {
  if (auto status = builder.Reserve(array.length()); !status.ok()) return CastFail(FromStatus(status));
  const bool has_nulls = array.null_count() > 0;
  for (std::int64_t row = 0; row < array.length(); ++row) {
    if (has_nulls && array.IsNull(row)) {
      builder.UnsafeAppendNull();
    } else if (!append(row)) {
      return CastFail(row, describe(row));
    }
  }
  auto built = builder.Finish();
  if (!built.ok()) return CastFail(FromStatus(built.status()));
  return *std::move(built);
}

template <typename Builder>
CastResult ToNumbers(const arrow::Array& array, const DataType& type) {
  if (!IsInteger(array.type_id()) && !IsFloat(array.type_id())) return WholeMismatch(array, type);
  return WithNumbers(array, [&](const auto& values) {
    using To = typename Builder::value_type;
    Builder builder;
    return Build(
        builder, array,
        [&](std::int64_t row) {
          To to{};
          const bool fits = Exactly(ValueAt(values, row), to);
          if (fits) builder.UnsafeAppend(to);
          return fits;
        },
        [&](std::int64_t row) {
          return fmt::format("{} is not exactly representable as {}", ValueAt(values, row), type.ToString());
        });
  });
}

template <typename Builder>
CastResult ToBytes(const arrow::Array& array, const DataType& type) {
  if (!IsBytes(array.type_id())) return WholeMismatch(array, type);
  const bool must_check_text = type.kind == TypeKind::kString && !IsText(array.type_id());
  return WithBytes(array, [&](const auto& values) -> CastResult {
    Builder builder;
    arrow::Status failed;
    auto built = Build(
        builder, array,
        [&](std::int64_t row) {
          const std::string_view value = values.GetView(row);
          if (must_check_text && !IsUtf8(value)) return false;
          failed = builder.Append(value);
          return failed.ok();
        },
        [&](std::int64_t row) {
          return failed.ok() ? fmt::format("{} is not UTF-8", Quoted(values.GetView(row)))
                             : failed.ToString();
        });
    return built;
  });
}

CastResult ToTimestamps(const arrow::Array& array, const DataType& type) {
  if (array.type_id() != arrow::Type::TIMESTAMP && !arrow::is_date(array.type_id()) &&
      !IsText(array.type_id())) {
    return WholeMismatch(array, type);
  }
  auto micros = MicrosOf(array, nullptr);
  if (!micros) return micros;
  return Reinterpret(**micros, ToArrow(type));
}

CastResult ToDates(const arrow::Array& array, const DataType& type) {
  DataType timestamp;
  timestamp.kind = TypeKind::kTimestamp;
  auto made = ToTimestamps(array, timestamp);
  if (!made) return array.type_id() == arrow::Type::TIMESTAMP ? made : WholeMismatch(array, type);
  const auto& micros = static_cast<const arrow::TimestampArray&>(**made);
  arrow::Date32Builder builder;
  return Build(
      builder, micros,
      [&](std::int64_t row) {
        if (micros.Value(row) % kDayMicros != 0) return false;
        std::int32_t day = 0;
        const bool fits = Exactly(micros.Value(row) / kDayMicros, day);
        if (fits) builder.UnsafeAppend(day);
        return fits;
      },
      [&](std::int64_t row) {
        return fmt::format("{} microseconds since 1970 is not a midnight, so it is no date",
                           micros.Value(row));
      });
}

// `value(row)` is a number times 10^-scale.
template <typename ValueAtRow>
CastResult BuildDecimals(const arrow::Array& array, const DataType& type, int scale,
                         const ValueAtRow& value) {
  arrow::Decimal128Builder builder(ToArrow(type));
  return Build(
      builder, array,
      [&](std::int64_t row) {
        const auto scaled = arrow::Decimal256(value(row)).Rescale(scale, type.scale);
        if (!scaled.ok() || !scaled->FitsInPrecision(type.precision)) return false;
        const auto words =
            scaled->little_endian_array();  // at most 38 digits: the lower two words and a sign
        builder.UnsafeAppend(arrow::Decimal128(static_cast<std::int64_t>(words[1]), words[0]));
        return true;
      },
      [&](std::int64_t row) {
        return fmt::format("{} does not fit {} exactly", arrow::Decimal256(value(row)).ToString(scale),
                           type.ToString());
      });
}

CastResult ToDecimals(const arrow::Array& array, const DataType& type) {
  if (IsInteger(array.type_id())) {
    return WithNumbers(array, [&](const auto& values) {
      return BuildDecimals(array, type, 0, [&](std::int64_t row) {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, arrow::UInt64Array>) {
          return arrow::BasicDecimal256(arrow::BasicDecimal128(0, values.Value(row)));
        } else {
          return arrow::BasicDecimal256(arrow::BasicDecimal128(static_cast<std::int64_t>(values.Value(row))));
        }
      });
    });
  }
  if (!arrow::is_decimal(array.type_id())) return WholeMismatch(array, type);
  const int scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
  const auto bytes = [&](std::int64_t row) {
    return static_cast<const arrow::FixedSizeBinaryArray&>(array).GetValue(row);
  };
  switch (array.type_id()) {
    case arrow::Type::DECIMAL32:
      return BuildDecimals(array, type, scale, [&](std::int64_t row) {
        return arrow::BasicDecimal256(static_cast<std::int64_t>(arrow::BasicDecimal32(bytes(row)).value()));
      });
    case arrow::Type::DECIMAL64:
      return BuildDecimals(array, type, scale, [&](std::int64_t row) {
        return arrow::BasicDecimal256(static_cast<std::int64_t>(arrow::BasicDecimal64(bytes(row)).value()));
      });
    case arrow::Type::DECIMAL128:
      return BuildDecimals(array, type, scale, [&](std::int64_t row) {
        return arrow::BasicDecimal256(arrow::BasicDecimal128(bytes(row)));
      });
    default:
      return BuildDecimals(array, type, scale,
                           [&](std::int64_t row) { return arrow::BasicDecimal256(bytes(row)); });
  }
}

}  // namespace

std::unexpected<CastProblem> CastFail(std::int64_t row, std::string what, ErrorCode code) {
  return std::unexpected(CastProblem{code, row, {}, std::move(what)});
}

std::unexpected<CastProblem> CastFail(const Error& error) {
  return std::unexpected(CastProblem{error.code, -1, {}, error.ToString()});
}

CastResult CastValues(const arrow::Array& array, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kInt32:
      return ToNumbers<arrow::Int32Builder>(array, type);
    case TypeKind::kInt64:
      return ToNumbers<arrow::Int64Builder>(array, type);
    case TypeKind::kFloat32:
      return ToNumbers<arrow::FloatBuilder>(array, type);
    case TypeKind::kFloat64:
      return ToNumbers<arrow::DoubleBuilder>(array, type);
    case TypeKind::kString:
      return ToBytes<arrow::StringBuilder>(array, type);
    case TypeKind::kBinary:
      return ToBytes<arrow::BinaryBuilder>(array, type);
    case TypeKind::kTimestamp:
      return ToTimestamps(array, type);
    case TypeKind::kDate:
      return ToDates(array, type);
    case TypeKind::kDecimal:
      return ToDecimals(array, type);
    default:
      return WholeMismatch(array, type);  // bool from anything but bool, or flat to nested
  }
}

}  // namespace tidemark::pit_internal
