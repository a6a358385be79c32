// Casts between the types of values, as DuckDB makes them. What has no value in the other type is an error,
// or null by TRY_CAST.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "expression/binder_internal.h"
#include "expression/digits_internal.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/utf8.h"

namespace tidemark::expression_internal {

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  text.remove_suffix(text.size() - (text.find_last_not_of(kSpace) + 1));
  return text;
}

std::optional<NumberDigits> ReadDigits(std::string_view text) {
  NumberDigits number;
  bool has_point = false;
  std::size_t i = 0;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.' && !has_point) {
      has_point = true;
    } else if (text[i] >= '0' && text[i] <= '9') {
      number.digits += text[i];
      number.point += has_point ? 0 : 1;
    } else {
      return std::nullopt;
    }
  }
  if (number.digits.empty()) return std::nullopt;
  if (i < text.size()) {
    std::string_view exponent_text = text.substr(i + 1);
    if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
    std::int32_t exponent = 0;
    const char* const end = exponent_text.data() + exponent_text.size();
    const auto read = std::from_chars(exponent_text.data(), end, exponent);
    if (read.ec != std::errc{} || read.ptr != end || exponent > 1000 || exponent < -1000) return std::nullopt;
    number.point += exponent;
  }
  return number;
}

namespace {

constexpr std::int64_t kDayLengthUs = 86'400'000'000;

// `convert(value, out)` in every row; where it is false there is no value.
template <typename From, typename To, bool kTry, bool (*kConvert)(const From&, To*)>
void Convert(Call& call) {
  const From* from = call.arg<From>(0);
  To* out = call.out.as<To>();
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (kConvert(from[row], &out[row])) continue;
    out[row] = To{};
    if (!call.Counts(row)) continue;
    if constexpr (kTry) {
      call.Validity()[row] = 0;
    } else {
      std::string shown;
      if constexpr (std::is_same_v<From, std::string_view>) {
        shown = Quoted(from[row]);
      } else {
        shown = fmt::format("{}", from[row]);
      }
      return call.Fail(row, fmt::format("{} cannot be cast to {}; use try_cast to have null instead", shown,
                                        call.node.type.ToString()));
    }
  }
}

template <typename From, typename To>
bool Widen(const From& from, To* to) {
  *to = static_cast<To>(from);
  return true;
}

template <typename From, typename To>
bool NarrowInteger(const From& from, To* to) {
  *to = static_cast<To>(from);
  return std::in_range<To>(from);
}

// To the nearest, halves to the even one.
template <typename From, typename To>
bool FloatToInteger(const From& from, To* to) {
  const From limit = std::ldexp(From{1}, std::numeric_limits<To>::digits);
  if (!(from >= -limit && from < limit)) return false;
  const From nearest = std::nearbyint(from);
  if (!(nearest >= -limit && nearest < limit)) return false;
  *to = static_cast<To>(nearest);
  return true;
}

bool NarrowFloat(const double& from, float* to) {
  *to = static_cast<float>(from);
  return std::isfinite(*to) || !std::isfinite(from);
}

template <typename From>
bool ToBool(const From& from, std::uint8_t* to) {
  *to = from != From{0} ? 1 : 0;
  return true;
}

bool TextToBool(const std::string_view& from, std::uint8_t* to) {
  const std::string text = FoldName(from.substr(0, 6));
  const bool is_true = text == "true" || text == "t" || text == "yes" || text == "y" || text == "1";
  *to = is_true ? 1 : 0;
  return is_true || text == "false" || text == "f" || text == "no" || text == "n" || text == "0";
}

// The digits of a number without `_` between two of them; nothing if one stands elsewhere.
std::optional<std::string> WithoutUnderscores(std::string_view text) {
  std::string out;
  const auto is_digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

template <typename T>
bool DigitsToInteger(std::string_view text, int base, T* to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *to, base);
  return error == std::errc{} && end == text.data() + text.size();
}

// A number with a point or an exponent, to the nearest integer, halves away from zero. Exact: works on the
// digits.
template <typename T>
bool DecimalToInteger(std::string_view text, T* to) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  const std::optional<NumberDigits> number = ReadDigits(text);
  if (!number) return false;
  const auto& [digits, point] = *number;
  if (point > 400) return false;
  __int128 value = 0;
  constexpr __int128 kLimit = static_cast<__int128>(1) << 70;
  for (std::int64_t place = 0; place < point; ++place) {
    const bool is_there = place < static_cast<std::int64_t>(digits.size());
    value = value * 10 + (is_there ? digits[static_cast<std::size_t>(place)] - '0' : 0);
    if (value > kLimit) return false;
  }
  const bool has_half = point >= 0 && point < static_cast<std::int64_t>(digits.size());
  if (has_half && digits[static_cast<std::size_t>(point)] >= '5') ++value;
  if (is_negative) value = -value;
  *to = static_cast<T>(value);
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

template <typename T>
bool TextToInteger(const std::string_view& from, T* to) {
  std::string_view text = TrimSpace(from);
  if (DigitsToInteger(text, 10, to)) return true;
  if (text.starts_with("0x") || text.starts_with("0X"))
    return text.size() > 2 && text[2] != '-' && DigitsToInteger(text.substr(2), 16, to);
  if (text.starts_with("0b") || text.starts_with("0B"))
    return text.size() > 2 && text[2] != '-' && DigitsToInteger(text.substr(2), 2, to);
  if (text.starts_with('+') && !text.substr(1).starts_with('-')) text.remove_prefix(1);
  const auto plain = WithoutUnderscores(text);
  return plain && DecimalToInteger(*plain, to);
}

template <typename T>
bool TextToFloat(const std::string_view& from, T* to) {
  std::string_view text = TrimSpace(from);
  if (text.starts_with('+') && !text.substr(1).starts_with('-')) text.remove_prefix(1);
  const auto plain = WithoutUnderscores(text);
  if (!plain || plain->empty()) return false;
  const auto [end, error] = std::from_chars(plain->data(), plain->data() + plain->size(), *to);
  if (end != plain->data() + plain->size() || error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) {
    // Too small or too large: zero or infinity, which strtod tells apart.
    *to = static_cast<T>(std::strtod(plain->c_str(), nullptr));
  }
  return true;
}

bool TextToTime(const std::string_view& from, std::int64_t* to) {
  const auto us = ParseTimestampUs(TrimSpace(from));
  if (us) *to = *us;
  return us.has_value();
}

bool TimeToDate(const std::int64_t& from, std::int32_t* to) {
  const std::int64_t days = from / kDayLengthUs - (from % kDayLengthUs < 0 ? 1 : 0);
  *to = static_cast<std::int32_t>(days);
  return true;
}

bool TextToDate(const std::string_view& from, std::int32_t* to) {
  std::int64_t us = 0;
  return TextToTime(from, &us) && TimeToDate(us, to);
}

bool DateToTime(const std::int32_t& from, std::int64_t* to) {
  return !__builtin_mul_overflow(std::int64_t{from}, kDayLengthUs, to);
}

bool SameBytes(const std::string_view& from, std::string_view* to) {
  *to = from;
  return true;
}

bool BytesToText(const std::string_view& from, std::string_view* to) {
  *to = from;
  return IsUtf8(from);
}

// The shortest digits that give the number back: 1.0, 0.0001, 1e-05, 1e+16.
template <typename T>
std::size_t WriteFloat(T value, char* out) {
  if (std::isnan(value)) return static_cast<std::size_t>(std::copy_n("nan", 3, out) - out);
  if (std::isinf(value)) {
    const std::string_view text = value < 0 ? "-inf" : "inf";
    return static_cast<std::size_t>(std::ranges::copy(text, out).out - out);
  }
  char scientific[64];
  const auto end =
      std::to_chars(scientific, scientific + sizeof scientific, value, std::chars_format::scientific).ptr;
  const std::string_view text(scientific, static_cast<std::size_t>(end - scientific));
  int exponent = 0;
  const std::size_t e = text.find('e');
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= 16)
    return static_cast<std::size_t>(std::ranges::copy(text, out).out - out);
  // Not by to_chars' fixed form, which goes on with digits where the shortest ones end before the point.
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  std::string fixed = value < 0 || std::signbit(value) ? "-" : "";
  if (exponent < 0) {
    fixed.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
  } else {
    const std::size_t whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < whole) digits.append(whole - digits.size(), '0');
    fixed.append(digits, 0, whole).append(".").append(digits.size() > whole ? digits.substr(whole) : "0");
  }
  return static_cast<std::size_t>(std::ranges::copy(fixed, out).out - out);
}

std::size_t WriteTime(std::int64_t us, bool is_date, char* out) {
  std::string text = FormatTimestampUs(us);
  text.pop_back();  // Z
  if (is_date) text.resize(text.find('T'));
  std::ranges::replace(text, 'T', ' ');
  const std::size_t point = text.rfind('.');
  while (point != std::string::npos && text.ends_with('0'))
    text.pop_back();
  return static_cast<std::size_t>(std::ranges::copy(text, out).out - out);
}

template <typename From, TypeKind kKind>
void WriteText(Call& call) {
  constexpr std::size_t kLongest = 64;
  auto* out = call.out.as<std::string_view>();
  for (std::int64_t row = 0; row < call.count; ++row) {
    out[row] = {};
    if (!call.Counts(row)) continue;
    const From value = call.arg<From>(0)[row];
    if constexpr (kKind == TypeKind::kBool) {
      out[row] = value != 0 ? "true" : "false";
      continue;
    }
    char* const at = call.Text(kLongest);
    std::size_t size = 0;
    if constexpr (kKind == TypeKind::kTimestamp) {
      size = WriteTime(value, false, at);
    } else if constexpr (kKind == TypeKind::kDate) {
      size = WriteTime(std::int64_t{value} * kDayLengthUs, true, at);
    } else if constexpr (std::is_floating_point_v<From>) {
      size = WriteFloat(value, at);
    } else {
      size = static_cast<std::size_t>(std::to_chars(at, at + kLongest, value).ptr - at);
    }
    out[row] = {at, size};
  }
}

// Casts of a number to each other type; null where there is none.
template <typename From, bool kTry>
Kernel FromNumber(TypeKind to) {
  constexpr bool kIsFloat = std::is_floating_point_v<From>;
  switch (to) {
    case TypeKind::kBool:
      return Convert<From, std::uint8_t, kTry, ToBool<From>>;
    case TypeKind::kInt32:
      if constexpr (kIsFloat) {
        return Convert<From, std::int32_t, kTry, FloatToInteger<From, std::int32_t>>;
      } else {
        return Convert<From, std::int32_t, kTry, NarrowInteger<From, std::int32_t>>;
      }
    case TypeKind::kInt64:
      if constexpr (kIsFloat) {
        return Convert<From, std::int64_t, kTry, FloatToInteger<From, std::int64_t>>;
      } else {
        return Convert<From, std::int64_t, kTry, Widen<From, std::int64_t>>;
      }
    case TypeKind::kFloat32:
      if constexpr (std::is_same_v<From, double>) {
        return Convert<From, float, kTry, NarrowFloat>;
      } else {
        return Convert<From, float, kTry, Widen<From, float>>;
      }
    case TypeKind::kFloat64:
      return Convert<From, double, kTry, Widen<From, double>>;
    default:
      return nullptr;
  }
}

template <bool kTry>
Kernel FromText(TypeKind to) {
  using View = std::string_view;
  switch (to) {
    case TypeKind::kBool:
      return Convert<View, std::uint8_t, kTry, TextToBool>;
    case TypeKind::kInt32:
      return Convert<View, std::int32_t, kTry, TextToInteger<std::int32_t>>;
    case TypeKind::kInt64:
      return Convert<View, std::int64_t, kTry, TextToInteger<std::int64_t>>;
    case TypeKind::kFloat32:
      return Convert<View, float, kTry, TextToFloat<float>>;
    case TypeKind::kFloat64:
      return Convert<View, double, kTry, TextToFloat<double>>;
    case TypeKind::kTimestamp:
      return Convert<View, std::int64_t, kTry, TextToTime>;
    case TypeKind::kDate:
      return Convert<View, std::int32_t, kTry, TextToDate>;
    case TypeKind::kBinary:
      return Convert<View, View, kTry, SameBytes>;
    default:
      return nullptr;
  }
}

Kernel ToText(TypeKind from) {
  switch (from) {
    case TypeKind::kBool:
      return WriteText<std::uint8_t, TypeKind::kBool>;
    case TypeKind::kInt32:
      return WriteText<std::int32_t, TypeKind::kInt32>;
    case TypeKind::kInt64:
      return WriteText<std::int64_t, TypeKind::kInt64>;
    case TypeKind::kFloat32:
      return WriteText<float, TypeKind::kFloat32>;
    case TypeKind::kFloat64:
      return WriteText<double, TypeKind::kFloat64>;
    case TypeKind::kTimestamp:
      return WriteText<std::int64_t, TypeKind::kTimestamp>;
    case TypeKind::kDate:
      return WriteText<std::int32_t, TypeKind::kDate>;
    default:
      return nullptr;
  }
}

template <bool kTry>
Kernel KernelOf(TypeKind from, TypeKind to) {
  if (to == TypeKind::kString && from != TypeKind::kBinary) return ToText(from);
  switch (from) {
    case TypeKind::kBool:
      return FromNumber<std::uint8_t, kTry>(to);
    case TypeKind::kInt32:
      return FromNumber<std::int32_t, kTry>(to);
    case TypeKind::kInt64:
      return FromNumber<std::int64_t, kTry>(to);
    case TypeKind::kFloat32:
      return FromNumber<float, kTry>(to);
    case TypeKind::kFloat64:
      return FromNumber<double, kTry>(to);
    case TypeKind::kString:
      return FromText<kTry>(to);
    case TypeKind::kBinary:
      return to == TypeKind::kString ? Convert<std::string_view, std::string_view, kTry, BytesToText>
                                     : nullptr;
    case TypeKind::kTimestamp:
      return to == TypeKind::kDate ? Convert<std::int64_t, std::int32_t, kTry, TimeToDate> : nullptr;
    case TypeKind::kDate:
      return to == TypeKind::kTimestamp ? Convert<std::int32_t, std::int64_t, kTry, DateToTime> : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

Kernel CastKernel(const ValueType& from, const ValueType& to, bool is_try) {
  if (from.kind != ValueType::Kind::kPlain || to.kind != ValueType::Kind::kPlain) return nullptr;
  if (from.is(TypeKind::kDecimal) || to.is(TypeKind::kDecimal)) return DecimalCastKernel(from, to, is_try);
  return is_try ? KernelOf<true>(from.type.kind, to.type.kind)
                : KernelOf<false>(from.type.kind, to.type.kind);
}

}  // namespace tidemark::expression_internal
