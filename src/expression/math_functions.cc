// Functions of numbers.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "expression/binder_internal.h"

namespace tidemark::expression_internal {
namespace {

// A float64 function that always has a result.
template <double (*kFunction)(double)>
void OfFloat64(Call& call) {
  const double* a = call.arg<double>(0);
  double* out = call.out.as<double>();
  for (std::int64_t row = 0; row < call.count; ++row)
    out[row] = kFunction(a[row]);
}

template <float (*kFunction)(float)>
void OfFloat32(Call& call) {
  const float* a = call.arg<float>(0);
  float* out = call.out.as<float>();
  for (std::int64_t row = 0; row < call.count; ++row)
    out[row] = kFunction(a[row]);
}

double Exponential(double x) {
  return std::exp(x);
}
double NaturalLogarithm(double x) {
  return std::log(x);
}
double Logarithm10(double x) {
  return std::log10(x);
}
double Logarithm2(double x) {
  return std::log2(x);
}
double RoundDown(double x) {
  return std::floor(x);
}
double RoundUp(double x) {
  return std::ceil(x);
}
double TowardsZero(double x) {
  return std::trunc(x);
}
double RoundHalfAway(double x) {
  return std::round(x);
}
double Magnitude(double x) {
  return std::fabs(x);
}
float RoundDown32(float x) {
  return std::floor(x);
}
float RoundUp32(float x) {
  return std::ceil(x);
}
float TowardsZero32(float x) {
  return std::trunc(x);
}
float RoundHalfAway32(float x) {
  return std::round(x);
}
float Magnitude32(float x) {
  return std::fabs(x);
}

template <double (*kFunction)(double)>
void LogarithmOf(Call& call) {
  const double* a = call.arg<double>(0);
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (a[row] <= 0 && call.Counts(row)) {
      return call.Fail(
          row, a[row] == 0 ? "there is no logarithm of zero" : "there is no logarithm of a negative number");
    }
    call.out.as<double>()[row] = kFunction(a[row]);
  }
}

void SquareRoot(Call& call) {
  const double* a = call.arg<double>(0);
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (a[row] < 0 && call.Counts(row)) return call.Fail(row, "there is no square root of a negative number");
    call.out.as<double>()[row] = std::sqrt(a[row]);
  }
}

void RaiseTo(Call& call) {
  const double* a = call.arg<double>(0);
  const double* b = call.arg<double>(1);
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<double>()[row] = std::pow(a[row], b[row]);
}

template <typename T>
void MagnitudeOfInteger(Call& call) {
  const T* a = call.arg<T>(0);
  T* out = call.out.as<T>();
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (a[row] == std::numeric_limits<T>::min()) {
      if (call.Counts(row)) return call.Fail(row, fmt::format("overflow in abs({})", a[row]));
      out[row] = 0;
    } else {
      out[row] = static_cast<T>(a[row] < 0 ? -a[row] : a[row]);
    }
  }
}

template <typename T>
void SignOf(Call& call) {
  const T* a = call.arg<T>(0);
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int32_t>()[row] = (a[row] > T{0} ? 1 : 0) - (a[row] < T{0} ? 1 : 0);
}

void AskNan(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::uint8_t>()[row] = std::isnan(call.arg<double>(0)[row]) ? 1 : 0;
}

// As DuckDB: the value is moved by a power of ten, rounded and moved back; what leaves the range stays as it
// was.
template <typename T>
void RoundToPlaces(Call& call) {
  const T* a = call.arg<T>(0);
  const std::int32_t* places = call.arg<std::int32_t>(1);
  for (std::int64_t row = 0; row < call.count; ++row) {
    const double modifier = std::pow(10.0, std::abs(static_cast<double>(places[row])));
    const auto value = static_cast<double>(a[row]);
    const double rounded =
        places[row] < 0 ? std::round(value / modifier) * modifier : std::round(value * modifier) / modifier;
    if (places[row] < 0) {
      call.out.as<T>()[row] = std::isfinite(rounded) ? static_cast<T>(rounded) : T{0};
    } else {
      call.out.as<T>()[row] = std::isfinite(rounded) ? static_cast<T>(rounded) : a[row];
    }
  }
}

template <typename T>
void RoundInteger(Call& call) {
  const T* a = call.arg<T>(0);
  const std::int32_t* places = call.arg<std::int32_t>(1);
  constexpr int kDigits = std::numeric_limits<T>::digits10;
  for (std::int64_t row = 0; row < call.count; ++row) {
    T& out = call.out.as<T>()[row];
    out = places[row] >= 0 ? a[row] : T{0};
    if (places[row] >= 0 || places[row] < -kDigits) continue;
    T power = 1;
    for (int i = 0; i > places[row]; --i)
      power = static_cast<T>(power * 10);
    const T half = static_cast<T>(power / 2);
    T moved = 0;
    const bool is_beyond = a[row] < 0 ? __builtin_sub_overflow(a[row], half, &moved)
                                      : __builtin_add_overflow(a[row], half, &moved);
    if (is_beyond && call.Counts(row))
      return call.Fail(row, fmt::format("overflow in round({}, {})", a[row], places[row]));
    out = is_beyond ? T{0} : static_cast<T>(moved / power * power);
  }
}

template <Kernel kKernel>
Result<NodePtr> BindFloat64(Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i)
    TM_TRY(arguments.Become(i, Plain(TypeKind::kFloat64)));
  return std::move(arguments).Make(Plain(TypeKind::kFloat64), kKernel);
}

Result<NodePtr> BindIsNan(Arguments arguments) {
  TM_TRY(arguments.Become(0, Plain(TypeKind::kFloat64)));
  return std::move(arguments).Make(Plain(TypeKind::kBool), AskNan);
}

// floor, ceil: of integers a float64, as DuckDB has it.
template <Kernel kFloat32, Kernel kFloat64>
Result<NodePtr> BindRoundWhole(Arguments arguments) {
  if (arguments.type(0).is(TypeKind::kDecimal)) {
    return FailAt(ErrorCode::kTypeMismatch, arguments.text, arguments.values[0]->at,
                  fmt::format("{} takes no {}: cast it to double, or to a decimal of other places",
                              arguments.name, arguments.type(0).ToString()));
  }
  if (arguments.type(0).is(TypeKind::kFloat32))
    return std::move(arguments).Make(Plain(TypeKind::kFloat32), kFloat32);
  return BindFloat64<kFloat64>(std::move(arguments));
}

// trunc and round without places leave an integer as it is.
template <Kernel kFloat32, Kernel kFloat64>
Result<NodePtr> BindKeepInteger(Arguments arguments) {
  if (arguments.type(0).is_integer()) return std::move(arguments.values[0]);
  return BindRoundWhole<kFloat32, kFloat64>(std::move(arguments));
}

Result<NodePtr> BindRound(Arguments arguments) {
  if (arguments.size() == 1) {
    return BindKeepInteger<OfFloat32<RoundHalfAway32>, OfFloat64<RoundHalfAway>>(std::move(arguments));
  }
  TM_TRY(arguments.Become(1, Plain(TypeKind::kInt32)));
  if (arguments.type(0).is_null()) TM_TRY(arguments.Become(0, Plain(TypeKind::kFloat64)));
  const ValueType type = arguments.type(0);
  if (!type.is_number()) return arguments.Mismatch(0, "a number");
  Kernel kernel = RoundToPlaces<double>;
  if (type.is(TypeKind::kInt32)) kernel = RoundInteger<std::int32_t>;
  if (type.is(TypeKind::kInt64)) kernel = RoundInteger<std::int64_t>;
  if (type.is(TypeKind::kFloat32)) kernel = RoundToPlaces<float>;
  return std::move(arguments).Make(type, kernel);
}

Result<NodePtr> BindAbs(Arguments arguments) {
  const ValueType type = arguments.type(0);
  if (type.is(TypeKind::kInt32)) return std::move(arguments).Make(type, MagnitudeOfInteger<std::int32_t>);
  if (type.is(TypeKind::kInt64)) return std::move(arguments).Make(type, MagnitudeOfInteger<std::int64_t>);
  return BindRoundWhole<OfFloat32<Magnitude32>, OfFloat64<Magnitude>>(std::move(arguments));
}

Result<NodePtr> BindSign(Arguments arguments) {
  if (arguments.type(0).is(TypeKind::kInt64)) {
    return std::move(arguments).Make(Plain(TypeKind::kInt32), SignOf<std::int64_t>);
  }
  TM_TRY(arguments.Become(0, Plain(TypeKind::kFloat64)));
  return std::move(arguments).Make(Plain(TypeKind::kInt32), SignOf<double>);
}

constexpr std::array kMath = std::to_array<Function>({
    {"abs", 1, 1, BindAbs},
    {"sign", 1, 1, BindSign},
    {"round", 1, 2, BindRound},
    {"floor", 1, 1, BindRoundWhole<OfFloat32<RoundDown32>, OfFloat64<RoundDown>>},
    {"ceil", 1, 1, BindRoundWhole<OfFloat32<RoundUp32>, OfFloat64<RoundUp>>},
    {"ceiling", 1, 1, BindRoundWhole<OfFloat32<RoundUp32>, OfFloat64<RoundUp>>},
    {"trunc", 1, 1, BindKeepInteger<OfFloat32<TowardsZero32>, OfFloat64<TowardsZero>>},
    {"exp", 1, 1, BindFloat64<OfFloat64<Exponential>>},
    {"ln", 1, 1, BindFloat64<LogarithmOf<NaturalLogarithm>>},
    {"log", 1, 1, BindFloat64<LogarithmOf<Logarithm10>>},
    {"log10", 1, 1, BindFloat64<LogarithmOf<Logarithm10>>},
    {"log2", 1, 1, BindFloat64<LogarithmOf<Logarithm2>>},
    {"sqrt", 1, 1, BindFloat64<SquareRoot>},
    {"power", 2, 2, BindFloat64<RaiseTo>},
    {"pow", 2, 2, BindFloat64<RaiseTo>},
    {"^", 2, 2, BindFloat64<RaiseTo>},
    {"isnan", 1, 1, BindIsNan},
});

}  // namespace

std::span<const Function> MathFunctions() {
  return kMath;
}

}  // namespace tidemark::expression_internal
