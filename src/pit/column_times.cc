// Times in any form to microseconds UTC.
#include <arrow/builder.h>
#include <fmt/format.h>

#include <cmath>

#include "model/name.h"
#include "model/time.h"
#include "pit/buffer_pool.h"
#include "pit/cast_internal.h"
#include "pit/columns.h"

namespace tidemark {

namespace pit_internal {
namespace {

constexpr std::int64_t kDateMicros = 86'400'000'000;

// Every valid value through `convert(row, &micros)`, which answers whether there is such a microsecond.
template <typename Convert, typename Describe>
CastResult Converted(const arrow::Array& times, const Convert& convert, const Describe& describe) {
  auto allocated =
      arrow::AllocateBuffer(times.length() * static_cast<std::int64_t>(sizeof(std::int64_t)), BufferPool());
  if (!allocated.ok()) return CastFail(FromStatus(allocated.status()));
  std::shared_ptr<arrow::Buffer> buffer = *std::move(allocated);
  auto* out = reinterpret_cast<std::int64_t*>(buffer->mutable_data());
  const bool has_nulls = times.null_count() > 0;
  for (std::int64_t row = 0; row < times.length(); ++row) {
    out[row] = 0;
    if (has_nulls && times.IsNull(row)) continue;
    if (!convert(row, &out[row])) return CastFail(row, describe(row), ErrorCode::kInvalidData);
  }
  auto validity = ValidityOf(times);
  if (!validity) return CastFail(std::move(validity).error());
  return std::make_shared<arrow::Int64Array>(times.length(), std::move(buffer), *std::move(validity));
}

template <typename Array>
CastResult Scaled(const arrow::Array& times, std::int64_t factor) {
  const auto& values = static_cast<const Array&>(times);
  return Converted(
      times,
      [&](std::int64_t row, std::int64_t* out) {
        return !__builtin_mul_overflow(std::int64_t{values.Value(row)}, factor, out);
      },
      [&](std::int64_t row) {
        return fmt::format("time {} of type {} is beyond the range of microseconds", values.Value(row),
                           times.type()->ToString());
      });
}

CastResult FromNanos(const arrow::Array& times, bool* cut) {
  const auto& values = static_cast<const arrow::TimestampArray&>(times);
  bool any_cut = false;
  auto out = Converted(
      times,
      [&](std::int64_t row, std::int64_t* micros) {
        const std::int64_t nanos = values.Value(row);
        const std::int64_t rest = nanos % 1000;
        *micros = nanos / 1000 - (rest < 0 ? 1 : 0);
        any_cut |= rest != 0;
        return true;
      },
      [](std::int64_t) { return std::string(); });
  if (any_cut && cut != nullptr) *cut = true;
  return out;
}

CastResult FromText(const arrow::Array& times, bool* cut) {
  return WithBytes(times, [&](const auto& values) {
    return Converted(
        times,
        [&](std::int64_t row, std::int64_t* micros) {
          bool finer = false;
          const auto parsed = ParseTimestampUs(values.GetView(row), &finer);
          if (parsed) *micros = *parsed;
          if (finer && cut != nullptr) *cut = true;
          return parsed.has_value();
        },
        [&](std::int64_t row) {
          return fmt::format("{} is no timestamp; write it as 2024-05-01T12:00:00Z",
                             Quoted(values.GetView(row)));
        });
  });
}

CastResult FromTimestamp(const arrow::Array& times, bool* cut) {
  switch (static_cast<const arrow::TimestampType&>(*times.type()).unit()) {
    case arrow::TimeUnit::SECOND:
      return Scaled<arrow::TimestampArray>(times, 1'000'000);
    case arrow::TimeUnit::MILLI:
      return Scaled<arrow::TimestampArray>(times, 1'000);
    case arrow::TimeUnit::NANO:
      return FromNanos(times, cut);
    default:
      return Reinterpret(times, arrow::int64());
  }
}

// Names the column and the row of a problem.
std::unexpected<Error> Named(const CastProblem& problem, std::string_view column, std::int64_t first_row) {
  if (problem.row < 0) return Fail(problem.code, fmt::format("column '{}': {}", column, problem.what));
  return Fail(problem.code, fmt::format("{}: {}", PlaceOf(column, first_row + problem.row), problem.what));
}

}  // namespace

CastResult MicrosOf(const arrow::Array& given, bool* cut) {
  const auto plain = Plain(arrow::MakeArray(given.data()));
  if (!plain) return CastFail(plain.error());
  const arrow::Array& times = **plain;
  if (IsText(times.type_id())) return FromText(times, cut);
  switch (times.type_id()) {
    case arrow::Type::TIMESTAMP:
      return FromTimestamp(times, cut);
    case arrow::Type::DATE32:
      return Scaled<arrow::Date32Array>(times, kDateMicros);
    case arrow::Type::DATE64:
      return Scaled<arrow::Date64Array>(times, 1'000);
    case arrow::Type::NA: {
      auto nulls = arrow::MakeArrayOfNull(arrow::int64(), times.length());
      if (!nulls.ok()) return CastFail(FromStatus(nulls.status()));
      return *std::move(nulls);
    }
    default:
      return CastFail(-1, fmt::format("{} holds no times; use a timestamp, a date or ISO-8601 text",
                                      given.type()->ToString()));
  }
}

namespace {

CastResult IntegersToMicros(const arrow::Int64Array& numbers, TimeUnit unit, bool* cut) {
  if (unit == TimeUnit::kNanoseconds) {
    const auto times = Reinterpret(numbers, arrow::timestamp(arrow::TimeUnit::NANO));
    return FromNanos(*times, cut);
  }
  const std::int64_t factor = unit == TimeUnit::kSeconds        ? 1'000'000
                              : unit == TimeUnit::kMilliseconds ? 1'000
                                                                : 1;
  return Scaled<arrow::Int64Array>(numbers, factor);
}

CastResult FloatsToMicros(const arrow::DoubleArray& numbers, TimeUnit unit) {
  const double factor = unit == TimeUnit::kSeconds        ? 1e6
                        : unit == TimeUnit::kMilliseconds ? 1e3
                        : unit == TimeUnit::kMicroseconds ? 1
                                                          : 1e-3;
  return Converted(
      numbers,
      [&](std::int64_t row, std::int64_t* micros) {
        const double us = numbers.Value(row) * factor;
        if (!(us > -0x1p63 && us < 0x1p63)) return false;  // a NaN is not
        *micros = std::llround(us);
        return true;
      },
      [&](std::int64_t row) {
        return fmt::format("{} is no time in {} since 1970", numbers.Value(row), TimeUnitName(unit));
      });
}

CastResult AnyNumbersToMicros(const arrow::Array& given, TimeUnit unit, bool* cut) {
  const auto plain = Plain(arrow::MakeArray(given.data()));
  if (!plain) return CastFail(plain.error());
  const bool is_float = IsFloat((*plain)->type_id());
  if (!is_float && !IsInteger((*plain)->type_id())) {
    return CastFail(-1, fmt::format("{} holds no numbers; its times are kept as {} since 1970",
                                    given.type()->ToString(), TimeUnitName(unit)));
  }
  const DataType type{.kind = is_float ? TypeKind::kFloat64 : TypeKind::kInt64};
  const auto numbers = CastAny(*plain, type);
  if (!numbers) return numbers;
  if (is_float) return FloatsToMicros(static_cast<const arrow::DoubleArray&>(**numbers), unit);
  return IntegersToMicros(static_cast<const arrow::Int64Array&>(**numbers), unit, cut);
}

/// kInvalidData for the first null.
Result<std::shared_ptr<arrow::Int64Array>> WithoutNulls(std::shared_ptr<arrow::Int64Array> micros,
                                                        std::string_view column, std::int64_t first_row) {
  if (micros->null_count() == 0) return micros;
  std::int64_t row = 0;
  while (micros->IsValid(row))
    ++row;
  return Named({ErrorCode::kInvalidData, row, {}, "null; every row needs a time"}, column, first_row);
}

}  // namespace
}  // namespace pit_internal

Result<std::shared_ptr<arrow::Int64Array>> NullableTimesToMicros(const arrow::Array& times,
                                                                 std::string_view column,
                                                                 std::int64_t first_row, bool* cut) {
  const auto micros = pit_internal::MicrosOf(times, cut);
  if (!micros) return pit_internal::Named(micros.error(), column, first_row);
  return std::static_pointer_cast<arrow::Int64Array>(*micros);
}

Result<std::shared_ptr<arrow::Int64Array>> TimesToMicros(const arrow::Array& times, std::string_view column,
                                                         std::int64_t first_row, bool* cut) {
  TM_ASSIGN(auto micros, NullableTimesToMicros(times, column, first_row, cut));
  return pit_internal::WithoutNulls(std::move(micros), column, first_row);
}

Result<std::shared_ptr<arrow::Int64Array>> NumbersToMicros(const arrow::Array& numbers, TimeUnit unit,
                                                           std::string_view column, std::int64_t first_row,
                                                           bool* cut) {
  const auto micros = pit_internal::AnyNumbersToMicros(numbers, unit, cut);
  if (!micros) return pit_internal::Named(micros.error(), column, first_row);
  return pit_internal::WithoutNulls(std::static_pointer_cast<arrow::Int64Array>(*micros), column, first_row);
}

}  // namespace tidemark
