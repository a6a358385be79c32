// + - * / // % and signs over numbers. Integers overflow with an error; floats never do, as IEEE 754 has it.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "expression/binder_internal.h"

namespace tidemark::expression_internal {
namespace {

struct Plus {
  static constexpr std::string_view kWord = "addition";
  static constexpr char kSign = '+';
  template <typename T>
  static bool Overflows(T a, T b, T* out) {
    return __builtin_add_overflow(a, b, out);
  }
  template <typename T>
  static T Of(T a, T b) {
    return a + b;
  }
};

struct Minus {
  static constexpr std::string_view kWord = "subtraction";
  static constexpr char kSign = '-';
  template <typename T>
  static bool Overflows(T a, T b, T* out) {
    return __builtin_sub_overflow(a, b, out);
  }
  template <typename T>
  static T Of(T a, T b) {
    return a - b;
  }
};

struct Times {
  static constexpr std::string_view kWord = "multiplication";
  static constexpr char kSign = '*';
  template <typename T>
  static bool Overflows(T a, T b, T* out) {
    return __builtin_mul_overflow(a, b, out);
  }
  template <typename T>
  static T Of(T a, T b) {
    return a * b;
  }
};

template <typename T>
constexpr std::string_view kTypeWord = sizeof(T) == 4 ? "int32" : "int64";

template <typename T, typename Operation>
void Checked(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  T* out = call.out.as<T>();
  bool any = false;
  for (std::int64_t row = 0; row < call.count; ++row)
    any |= Operation::Overflows(a[row], b[row], &out[row]);
  if (!any) return;
  for (std::int64_t row = 0; row < call.count; ++row) {
    T ignored;
    if (Operation::Overflows(a[row], b[row], &ignored) && call.Counts(row)) {
      return call.Fail(row, fmt::format("overflow in {} of {} ({} {} {}); cast to a wider type",
                                        Operation::kWord, kTypeWord<T>, a[row], Operation::kSign, b[row]));
    }
  }
}

template <typename T, typename Operation>
void Floating(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  T* out = call.out.as<T>();
  for (std::int64_t row = 0; row < call.count; ++row)
    out[row] = Operation::Of(a[row], b[row]);
}

template <typename T>
void Divide(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  T* out = call.out.as<T>();
  for (std::int64_t row = 0; row < call.count; ++row)
    out[row] = a[row] / b[row];
}

// `a // 0` is null; of floats it is a division that is null there.
template <typename T>
void DivideFloatsOrNull(Call& call) {
  Divide<T>(call);
  const T* b = call.arg<T>(1);
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (b[row] == T{0}) call.Validity()[row] = 0;
  }
}

template <typename T, bool kRemainder>
void DivideIntegers(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  T* out = call.out.as<T>();
  for (std::int64_t row = 0; row < call.count; ++row) {
    out[row] = 0;
    if (b[row] == 0) {
      call.Validity()[row] = 0;
    } else if (b[row] == -1 && a[row] == std::numeric_limits<T>::min()) {
      if (call.Counts(row)) {
        return call.Fail(row, fmt::format("overflow in division of {} ({} / -1)", kTypeWord<T>, a[row]));
      }
    } else {
      out[row] = kRemainder ? static_cast<T>(a[row] % b[row]) : static_cast<T>(a[row] / b[row]);
    }
  }
}

template <typename T>
void Remainder(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<T>()[row] = std::fmod(a[row], b[row]);
}

template <typename T>
void NegateChecked(Call& call) {
  const T* a = call.arg<T>(0);
  for (std::int64_t row = 0; row < call.count; ++row) {
    T zero = 0;
    if (__builtin_sub_overflow(zero, a[row], &call.out.as<T>()[row]) && call.Counts(row)) {
      return call.Fail(row, fmt::format("overflow in negation of {} ({})", kTypeWord<T>, a[row]));
    }
  }
}

template <typename T>
void NegateFloats(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<T>()[row] = -call.arg<T>(0)[row];
}

struct NumberKernels {
  Kernel int32;
  Kernel int64;
  Kernel float32;
  Kernel float64;

  Kernel For(const ValueType& type) const {
    if (type.is(TypeKind::kInt32)) return int32;
    if (type.is(TypeKind::kInt64)) return int64;
    return type.is(TypeKind::kFloat32) ? float32 : float64;
  }
};

// Two numbers of the one type that holds both.
Result<NodePtr> TwoNumbers(Arguments arguments, const NumberKernels& kernels) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (!arguments.type(i).is_number() && !arguments.type(i).is_null())
      return arguments.Mismatch(i, "numbers");
  }
  TM_ASSIGN(ValueType type, arguments.Unify());
  if (type.is_null()) {
    type = Plain(TypeKind::kInt32);
    TM_TRY(arguments.Become(0, type));
    TM_TRY(arguments.Become(1, type));
  }
  return std::move(arguments).Make(type, kernels.For(type));
}

bool HasTime(const Arguments& arguments) {
  for (const NodePtr& value : arguments.values) {
    if (value->type.is_time() || value->type.kind == ValueType::Kind::kInterval) return true;
  }
  return false;
}

/// A decimal beside a float becomes one.
Result<void> JoinFloats(Arguments& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const ValueType& other = arguments.type(1 - i);
    if (arguments.type(i).is(TypeKind::kDecimal) && other.is_float()) TM_TRY(arguments.Become(i, other));
  }
  return {};
}

Result<NodePtr> BindPlus(Arguments arguments) {
  if (arguments.size() == 2 && HasTime(arguments)) return BindTimeSum(std::move(arguments), false);
  if (HasDecimals(arguments)) return BindDecimals(std::move(arguments), '+');
  TM_TRY(JoinFloats(arguments));
  return TwoNumbers(std::move(arguments), {Checked<std::int32_t, Plus>, Checked<std::int64_t, Plus>,
                                           Floating<float, Plus>, Floating<double, Plus>});
}

Result<NodePtr> BindMinus(Arguments arguments) {
  if (HasTime(arguments)) return BindTimeSum(std::move(arguments), true);
  if (HasDecimals(arguments)) return BindDecimals(std::move(arguments), '-');
  TM_TRY(JoinFloats(arguments));
  return TwoNumbers(std::move(arguments), {Checked<std::int32_t, Minus>, Checked<std::int64_t, Minus>,
                                           Floating<float, Minus>, Floating<double, Minus>});
}

Result<NodePtr> BindTimes(Arguments arguments) {
  if (HasDecimals(arguments)) return BindDecimals(std::move(arguments), '*');
  TM_TRY(JoinFloats(arguments));
  return TwoNumbers(std::move(arguments), {Checked<std::int32_t, Times>, Checked<std::int64_t, Times>,
                                           Floating<float, Times>, Floating<double, Times>});
}

// Integers and decimals are divided as float64.
Result<NodePtr> BindDivide(Arguments arguments) {
  TM_TRY(JoinFloats(arguments));
  for (std::size_t i = 0; i < 2; ++i) {
    if (arguments.type(i).is(TypeKind::kDecimal)) TM_TRY(arguments.Become(i, Plain(TypeKind::kFloat64)));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (!arguments.type(i).is_number() && !arguments.type(i).is_null())
      return arguments.Mismatch(i, "numbers");
  }
  TM_ASSIGN(ValueType type, arguments.Unify());
  if (!type.is(TypeKind::kFloat32)) type = Plain(TypeKind::kFloat64);
  TM_TRY(arguments.Become(0, type));
  TM_TRY(arguments.Become(1, type));
  return std::move(arguments).Make(type, type.is(TypeKind::kFloat32) ? Divide<float> : Divide<double>);
}

Result<NodePtr> BindWholeDivide(Arguments arguments) {
  return TwoNumbers(std::move(arguments),
                    {DivideIntegers<std::int32_t, false>, DivideIntegers<std::int64_t, false>,
                     DivideFloatsOrNull<float>, DivideFloatsOrNull<double>});
}

Result<NodePtr> BindRemainder(Arguments arguments) {
  return TwoNumbers(std::move(arguments),
                    {DivideIntegers<std::int32_t, true>, DivideIntegers<std::int64_t, true>, Remainder<float>,
                     Remainder<double>});
}

Result<NodePtr> BindNegate(Arguments arguments) {
  Node& value = *arguments.values[0];
  if (value.literal == Literal::kPoint) {  // stays one
    value.constant.real = -value.constant.real;
    value.constant.text =
        value.constant.text.starts_with('-') ? value.constant.text.substr(1) : "-" + value.constant.text;
    return std::move(arguments.values[0]);
  }
  if (arguments.type(0).is_null()) TM_TRY(arguments.Become(0, Plain(TypeKind::kInt32)));
  const ValueType type = arguments.type(0);
  if (type.is(TypeKind::kDecimal)) return std::move(arguments).Make(type, NegateDecimalsKernel());
  if (!type.is_number()) return arguments.Mismatch(0, "a number");
  const NumberKernels kernels{NegateChecked<std::int32_t>, NegateChecked<std::int64_t>, NegateFloats<float>,
                              NegateFloats<double>};
  return std::move(arguments).Make(type, kernels.For(type));
}

constexpr std::array kArithmetic = std::to_array<Function>({
    {"+", 2, 2, BindPlus},
    {"-", 2, 2, BindMinus},
    {"*", 2, 2, BindTimes},
    {"/", 2, 2, BindDivide},
    {"//", 2, 2, BindWholeDivide},
    {"%", 2, 2, BindRemainder},
    {"mod", 2, 2, BindRemainder},
    {"negate", 1, 1, BindNegate},
});

}  // namespace

std::span<const Function> ArithmeticFunctions() {
  return kArithmetic;
}

}  // namespace tidemark::expression_internal
