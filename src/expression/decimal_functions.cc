// Decimals: whole numbers of 128 bits that count units of 10^-scale. Widths and scales of results, rounding
// and overflow are DuckDB's.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "expression/binder_internal.h"
#include "expression/digits_internal.h"
#include "model/name.h"

namespace tidemark::expression_internal {
namespace {

constexpr int kDigitsMax = 38;
constexpr int kDigitsOfInt64 = 18;  // no result of narrower arguments gets wider by itself
constexpr int kDigitsOfInt32Type = 10;
constexpr int kDigitsOfInt64Type = 19;

constexpr std::array<Decimal, kDigitsMax + 1> kPowers = [] {
  std::array<Decimal, kDigitsMax + 1> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i)
    powers[i] = powers[i - 1] * 10;
  return powers;
}();

Decimal PowerOf(int digits) {
  return kPowers.at(static_cast<std::size_t>(digits));
}

bool Fits(Decimal value, const DataType& type) {
  const Decimal limit = PowerOf(type.precision);
  return value > -limit && value < limit;
}

std::string Shown(Decimal value, const DataType& type) {
  const bool is_negative = value < 0;
  std::string digits;
  for (; value != 0; value /= 10)
    digits += static_cast<char>('0' + static_cast<int>(value < 0 ? -(value % 10) : value % 10));
  const auto scale = static_cast<std::size_t>(type.scale);
  // A decimal of nothing but places behind the point has no zero before it.
  const std::size_t digits_min = scale + (type.precision > type.scale ? 1 : 0);
  if (digits.size() < digits_min) digits.append(digits_min - digits.size(), '0');
  std::ranges::reverse(digits);
  if (scale > 0) digits.insert(digits.size() - scale, ".");
  return is_negative ? "-" + digits : digits;
}

/// As many units of another scale; to the nearest, halves away from zero. False beyond 128 bits.
bool Rescale(Decimal value, int from_scale, int to_scale, Decimal* out) {
  if (to_scale >= from_scale) return !__builtin_mul_overflow(value, PowerOf(to_scale - from_scale), out);
  const Decimal power = PowerOf(from_scale - to_scale);
  const Decimal rest = value % power;
  *out = value / power;
  if (rest >= power - power / 2) ++*out;
  if (rest <= power / 2 - power) --*out;
  return true;
}

// Kernels know their types by their nodes.
const DataType& TypeOfArgument(const Call& call, std::size_t place) {
  return call.node.args[place]->type.type;
}

struct Adding {
  static constexpr char kSign = '+';
  static bool Of(Decimal a, Decimal b, Decimal* out) { return !__builtin_add_overflow(a, b, out); }
};
struct Subtracting {
  static constexpr char kSign = '-';
  static bool Of(Decimal a, Decimal b, Decimal* out) { return !__builtin_sub_overflow(a, b, out); }
};
struct Multiplying {
  static constexpr char kSign = '*';
  static bool Of(Decimal a, Decimal b, Decimal* out) { return !__builtin_mul_overflow(a, b, out); }
};

/// Sums have the scale of the result, products any.
template <typename Operation>
void CountDecimals(Call& call) {
  const DataType& type = call.node.type.type;
  const bool is_product = Operation::kSign == '*';
  const int left_scale = TypeOfArgument(call, 0).scale;
  const int right_scale = TypeOfArgument(call, 1).scale;
  for (std::int64_t row = 0; row < call.count; ++row) {
    const Decimal left = call.arg<Decimal>(0)[row];
    const Decimal right = call.arg<Decimal>(1)[row];
    Decimal a = left;
    Decimal b = right;
    Decimal& out = call.out.as<Decimal>()[row];
    const bool is_scaled = is_product || (Rescale(left, left_scale, type.scale, &a) &&
                                          Rescale(right, right_scale, type.scale, &b));
    if (is_scaled && Operation::Of(a, b, &out) && Fits(out, type)) continue;
    out = 0;
    if (!call.Counts(row)) continue;
    return call.Fail(row,
                     fmt::format("overflow of {} ({} {} {}); cast to double, or to a decimal of fewer places",
                                 type.ToString(), Shown(left, TypeOfArgument(call, 0)), Operation::kSign,
                                 Shown(right, TypeOfArgument(call, 1))));
  }
}

void NegateDecimals(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<Decimal>()[row] = -call.arg<Decimal>(0)[row];
}

/// `convert(row, out)` in every row that counts; where it is false there is no value.
template <typename To, bool kTry, typename ConvertRow, typename ShowRow>
void ConvertRows(Call& call, const ConvertRow& convert, const ShowRow& show) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    To& out = call.out.as<To>()[row];
    out = To{};
    if (!call.Counts(row) || convert(row, &out)) continue;
    out = To{};
    if constexpr (kTry) {
      call.Validity()[row] = 0;
    } else {
      return call.Fail(row, fmt::format("{} cannot be cast to {}; use try_cast to have null instead",
                                        show(row), call.node.type.ToString()));
    }
  }
}

template <bool kTry>
void ToOtherDecimal(Call& call) {
  const DataType& from = TypeOfArgument(call, 0);
  const DataType& to = call.node.type.type;
  const auto* values = call.arg<Decimal>(0);
  ConvertRows<Decimal, kTry>(
      call,
      [&](std::int64_t row, Decimal* out) {
        return Rescale(values[row], from.scale, to.scale, out) && Fits(*out, to);
      },
      [&](std::int64_t row) { return Shown(values[row], from); });
}

template <typename To, bool kTry>
void DecimalToWhole(Call& call) {
  const DataType& from = TypeOfArgument(call, 0);
  const auto* values = call.arg<Decimal>(0);
  ConvertRows<To, kTry>(
      call,
      [&](std::int64_t row, To* out) {
        Decimal whole = 0;
        Rescale(values[row], from.scale, 0, &whole);
        *out = static_cast<To>(whole);
        return whole >= std::numeric_limits<To>::min() && whole <= std::numeric_limits<To>::max();
      },
      [&](std::int64_t row) { return Shown(values[row], from); });
}

template <typename To>
void DecimalToReal(Call& call) {
  const int scale = TypeOfArgument(call, 0).scale;
  const auto* values = call.arg<Decimal>(0);
  constexpr Decimal kExact = Decimal{1} << std::numeric_limits<double>::digits;
  const Decimal power = PowerOf(scale);
  const auto divisor = static_cast<double>(power);
  for (std::int64_t row = 0; row < call.count; ++row) {
    const Decimal value = values[row];
    const Decimal whole = value / power;
    const double real = value > -kExact && value < kExact
                            ? static_cast<double>(value) / divisor
                            : static_cast<double>(whole) + static_cast<double>(value % power) / divisor;
    call.out.as<To>()[row] = static_cast<To>(real);
  }
}

void DecimalToText(Call& call) {
  const DataType& from = TypeOfArgument(call, 0);
  for (std::int64_t row = 0; row < call.count; ++row) {
    auto& out = call.out.as<std::string_view>()[row];
    out = {};
    if (!call.Counts(row)) continue;
    const std::string text = Shown(call.arg<Decimal>(0)[row], from);
    char* const at = call.Text(text.size());
    std::ranges::copy(text, at);
    out = {at, text.size()};
  }
}

template <typename From, bool kTry>
void WholeToDecimal(Call& call) {
  const DataType& to = call.node.type.type;
  const auto* values = call.arg<From>(0);
  ConvertRows<Decimal, kTry>(
      call,
      [&](std::int64_t row, Decimal* out) {
        return Rescale(Decimal{values[row]}, 0, to.scale, out) && Fits(*out, to);
      },
      [&](std::int64_t row) { return fmt::format("{}", values[row]); });
}

template <typename From, bool kTry>
void RealToDecimal(Call& call) {
  const DataType& to = call.node.type.type;
  const auto* values = call.arg<From>(0);
  const auto limit = static_cast<double>(PowerOf(to.precision));
  const auto power = static_cast<double>(PowerOf(to.scale));
  ConvertRows<Decimal, kTry>(
      call,
      [&](std::int64_t row, Decimal* out) {
        // A float32 counts its units as one, with the digits that it has.
        const auto counted = static_cast<From>(static_cast<double>(values[row]) * power);
        const double units = std::round(static_cast<double>(counted));
        if (!(units > -limit && units < limit)) return false;
        *out = static_cast<Decimal>(units);
        return true;
      },
      [&](std::int64_t row) { return fmt::format("{}", values[row]); });
}

/// Digits, a point, an exponent; to the nearest, halves away from zero.
bool ReadDecimal(std::string_view text, const DataType& to, Decimal* out) {
  text = TrimSpace(text);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const std::optional<NumberDigits> number = ReadDigits(text);
  if (!number) return false;
  const auto& [digits, point] = *number;
  const std::int64_t places = point + to.scale;  // digits that count
  *out = 0;
  for (std::int64_t place = 0; place < places; ++place) {
    const bool is_there = place < static_cast<std::int64_t>(digits.size());
    *out = *out * 10 + (is_there ? digits[static_cast<std::size_t>(place)] - '0' : 0);
    if (!Fits(*out, to)) return false;
  }
  const bool has_half = places >= 0 && places < static_cast<std::int64_t>(digits.size());
  if (has_half && digits[static_cast<std::size_t>(places)] >= '5') ++*out;
  if (is_negative) *out = -*out;
  return Fits(*out, to);
}

template <bool kTry>
void TextToDecimal(Call& call) {
  const DataType& to = call.node.type.type;
  const auto* values = call.arg<std::string_view>(0);
  ConvertRows<Decimal, kTry>(
      call, [&](std::int64_t row, Decimal* out) { return ReadDecimal(values[row], to, out); },
      [&](std::int64_t row) { return Quoted(values[row]); });
}

template <bool kTry>
Kernel KernelToDecimal(TypeKind from) {
  switch (from) {
    case TypeKind::kInt32:
      return WholeToDecimal<std::int32_t, kTry>;
    case TypeKind::kInt64:
      return WholeToDecimal<std::int64_t, kTry>;
    case TypeKind::kFloat32:
      return RealToDecimal<float, kTry>;
    case TypeKind::kFloat64:
      return RealToDecimal<double, kTry>;
    case TypeKind::kString:
      return TextToDecimal<kTry>;
    case TypeKind::kDecimal:
      return ToOtherDecimal<kTry>;
    default:
      return nullptr;
  }
}

template <bool kTry>
Kernel KernelFromDecimal(TypeKind to) {
  switch (to) {
    case TypeKind::kInt32:
      return DecimalToWhole<std::int32_t, kTry>;
    case TypeKind::kInt64:
      return DecimalToWhole<std::int64_t, kTry>;
    case TypeKind::kFloat32:
      return DecimalToReal<float>;
    case TypeKind::kFloat64:
      return DecimalToReal<double>;
    case TypeKind::kString:
      return DecimalToText;
    default:
      return nullptr;
  }
}

/// The type that an argument has beside a decimal; nothing for what is no decimal there.
std::optional<DataType> AsDecimal(const Node& node) {
  if (node.type.is(TypeKind::kDecimal)) return node.type.type;
  if (node.literal == Literal::kPoint) return DecimalOfLiteral(node);
  if (node.literal == Literal::kInteger) {
    const auto digits = static_cast<int>(fmt::format("{}", node.constant.number).size());
    return DataType::Decimal(std::max(digits, 1), 0);
  }
  if (node.type.is(TypeKind::kInt32)) return DataType::Decimal(kDigitsOfInt32Type, 0);
  if (node.type.is(TypeKind::kInt64)) return DataType::Decimal(kDigitsOfInt64Type, 0);
  return std::nullopt;
}

}  // namespace

bool HasDecimals(const Arguments& arguments) {
  const auto is_decimal = [](const NodePtr& value) { return value->type.is(TypeKind::kDecimal); };
  const auto can_be = [](const NodePtr& value) {
    return AsDecimal(*value).has_value() || value->type.is_null();
  };
  return std::ranges::any_of(arguments.values, is_decimal) && std::ranges::all_of(arguments.values, can_be);
}

std::optional<DataType> DecimalOfLiteral(const Node& node) {
  const std::string& text = node.constant.text;  // digits and a point
  const std::size_t point = text.find('.');
  if (point == std::string::npos) return std::nullopt;
  const std::size_t begin = std::min(text.find_first_not_of("-0"), point);
  const auto scale = static_cast<int>(text.size() - point - 1);
  const int digits = static_cast<int>(point - begin) + scale;
  if (digits > kDigitsMax) return std::nullopt;
  return DataType::Decimal(std::max(digits, 1), scale);
}

Result<Decimal> DecimalFromText(std::string_view text, const DataType& type) {
  Decimal value = 0;
  if (ReadDecimal(text, type, &value)) return value;
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is no {}", Quoted(text), type.ToString()));
}

std::optional<DataType> CommonDecimal(const Node& left, const Node& right) {
  const auto a = AsDecimal(left);
  const auto b = AsDecimal(right);
  if (!a || !b) return std::nullopt;
  const int scale = std::max(a->scale, b->scale);
  const int digits = std::max(a->precision - a->scale, b->precision - b->scale) + scale;
  if (digits > kDigitsMax) return std::nullopt;
  return DataType::Decimal(digits, scale);
}

Kernel DecimalCastKernel(const ValueType& from, const ValueType& to, bool is_try) {
  if (to.is(TypeKind::kDecimal))
    return is_try ? KernelToDecimal<true>(from.type.kind) : KernelToDecimal<false>(from.type.kind);
  return is_try ? KernelFromDecimal<true>(to.type.kind) : KernelFromDecimal<false>(to.type.kind);
}

Result<NodePtr> BindDecimals(Arguments arguments, char sign) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (arguments.type(i).is_null()) TM_TRY(arguments.Become(i, arguments.type(1 - i)));
    const auto type = AsDecimal(*arguments.values[i]);
    if (!type) return arguments.Mismatch(i, "numbers");
    TM_TRY(arguments.Become(i, {.type = *type}));
  }
  const DataType a = arguments.type(0).type;
  const DataType b = arguments.type(1).type;
  const bool is_product = sign == '*';
  const int scale = is_product ? a.scale + b.scale : std::max(a.scale, b.scale);
  int digits = is_product ? a.precision + b.precision
                          : std::max(a.precision - a.scale, b.precision - b.scale) + scale + 1;
  if (scale > kDigitsMax) {
    return arguments.Wrong(arguments.at,
                           fmt::format("the result would have {} places behind the point, and there "
                                       "are {} at most: cast to fewer",
                                       scale, kDigitsMax));
  }
  const bool is_narrow = std::max(a.precision, b.precision) <= kDigitsOfInt64;
  if (digits > kDigitsOfInt64 && is_narrow && scale < kDigitsOfInt64) digits = kDigitsOfInt64;
  digits = std::min(digits, kDigitsMax);
  const Kernel kernel = is_product    ? CountDecimals<Multiplying>
                        : sign == '+' ? CountDecimals<Adding>
                                      : CountDecimals<Subtracting>;
  return std::move(arguments).Make({.type = DataType::Decimal(digits, scale)}, kernel);
}

Kernel NegateDecimalsKernel() {
  return NegateDecimals;
}

}  // namespace tidemark::expression_internal
