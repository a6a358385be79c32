// Texts are read strictly: what does not parse is refused, never guessed.
#include "server/sagemaker/values.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "base/check.h"
#include "model/name.h"
#include "model/time.h"
#include "server/json/json_text.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::size_t kValueBytesMax = 358'400;
constexpr double kSecondsMin = -62'167'219'200.0;  // 0000-01-01
constexpr double kSecondsEnd = 253'402'300'800.0;  // 10000-01-01

template <typename Number>
std::optional<Number> ReadNumber(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  Number value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename Float>
void AppendFloat(Float value, std::string& out) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    return;
  }
  std::array<char, 64> digits;
  // Seconds since 1970 are not to come back as 1e+09.
  const bool is_plain = value == 0 || (std::fabs(value) >= Float(1e-5) && std::fabs(value) < Float(1e16));
  const auto end = is_plain ? std::to_chars(digits.begin(), digits.end(), value, std::chars_format::fixed).ptr
                            : std::to_chars(digits.begin(), digits.end(), value).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

/// The type of one value, or of the items of a list.
TypeKind KindOf(const Feature& feature) {
  return feature.kept_as.kind == TypeKind::kList ? feature.kept_as.children[0].type.kind
                                                 : feature.kept_as.kind;
}

bool Fits(TypeKind kind, std::string_view text) {
  switch (kind) {
    case TypeKind::kInt32: {
      const auto value = ReadIntegral(text);
      return value && *value >= std::numeric_limits<std::int32_t>::min() &&
             *value <= std::numeric_limits<std::int32_t>::max();
    }
    case TypeKind::kInt64:
      return ReadIntegral(text).has_value();
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
      return ReadFractional(text).has_value();
    case TypeKind::kBool:
      return text == "true" || text == "false";
    case TypeKind::kTimestamp:
      return ParseTimestampUs(text).has_value();
    default:
      return true;
  }
}

std::string_view Wanted(TypeKind kind) {
  switch (kind) {
    case TypeKind::kInt32:
    case TypeKind::kInt64:
      return "Integral, a whole number of 64 bits";
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
      return "Fractional, a number";
    case TypeKind::kBool:
      return "kept as bool: true or false";
    case TypeKind::kTimestamp:
      return "kept as a timestamp: 2024-05-01T12:00:00Z";
    default:
      return "String";
  }
}

Answer<void> CheckText(const Feature& feature, std::string_view text) {
  if (text.size() > kValueBytesMax) {
    return Refuse(Why::kInvalid, fmt::format("feature {}: the value has {} bytes; it may have {}",
                                             Quoted(feature.name), text.size(), kValueBytesMax));
  }
  if (Fits(KindOf(feature), text)) return {};
  return Refuse(Why::kInvalid, fmt::format("feature {}: the value {} does not fit its type, which is {}",
                                           Quoted(feature.name), Quoted(text), Wanted(KindOf(feature))));
}

Answer<void> CheckItems(const Feature& feature, const FeatureValue& value) {
  if (feature.collection == Collection::kVector &&
      value.items.size() != static_cast<std::size_t>(feature.dimension)) {
    return Refuse(Why::kInvalid, fmt::format("feature {}: a vector of dimension {} was given {} elements",
                                             Quoted(feature.name), feature.dimension, value.items.size()));
  }
  for (const std::string_view item : value.items)
    TM_TRY(CheckText(feature, item));
  return {};
}

/// Memory for a few values is there, or the process ends as with any other allocation.
void Check(const arrow::Status& status) {
  TM_CHECK(status.ok(), "a value fits into its column");
}

void AppendText(TypeKind kind, std::string_view text, arrow::ArrayBuilder& builder) {
  switch (kind) {
    case TypeKind::kBool:
      return Check(static_cast<arrow::BooleanBuilder&>(builder).Append(text == "true"));
    case TypeKind::kInt32:
      return Check(static_cast<arrow::Int32Builder&>(builder).Append(
          static_cast<std::int32_t>(ReadIntegral(text).value_or(0))));
    case TypeKind::kInt64:
      return Check(static_cast<arrow::Int64Builder&>(builder).Append(ReadIntegral(text).value_or(0)));
    case TypeKind::kFloat32:
      return Check(static_cast<arrow::FloatBuilder&>(builder).Append(
          static_cast<float>(ReadFractional(text).value_or(0))));
    case TypeKind::kFloat64:
      return Check(static_cast<arrow::DoubleBuilder&>(builder).Append(ReadFractional(text).value_or(0)));
    case TypeKind::kTimestamp:
      return Check(static_cast<arrow::TimestampBuilder&>(builder).Append(ParseTimestampUs(text).value_or(0)));
    default:
      return Check(static_cast<arrow::StringBuilder&>(builder).Append(text));
  }
}

}  // namespace

std::optional<std::int64_t> ReadIntegral(std::string_view text) {
  return ReadNumber<std::int64_t>(text);
}

std::optional<double> ReadFractional(std::string_view text) {
  return ReadNumber<double>(text);
}

Answer<EventText> ReadEventTime(const Feature& feature, std::string_view text) {
  if (feature.kept_as.kind == TypeKind::kFloat64) {
    const auto seconds = ReadFractional(text);
    if (seconds && *seconds >= kSecondsMin && *seconds < kSecondsEnd) {
      const std::int64_t us = std::llround(*seconds * 1e6);
      return EventText{us, SpellingOf(*seconds, us)};
    }
    return Refuse(Why::kInvalid,
                  fmt::format("feature {}: the event time {} is no number of seconds since 1970, of the "
                              "years 0000 to 9999",
                              Quoted(feature.name), Quoted(text)));
  }
  const TimeSpelling spelling = SpellingOf(text);
  const auto us = ParseTimestampUs(text);
  if (us && spelling.digits >= 0) return EventText{*us, spelling};
  return Refuse(
      Why::kInvalid,
      fmt::format("feature {}: the event time {} is not of the form yyyy-MM-dd'T'HH:mm:ssZ, with up "
                  "to nine digits of a fraction: 2024-05-01T12:00:00.500Z",
                  Quoted(feature.name), Quoted(text)));
}

std::string EventTimeText(const Feature& feature, const EventText& time) {
  if (feature.kept_as.kind != TypeKind::kFloat64) return FormatTimestampUs(time.us, time.spelling);
  std::string text;
  AppendFractional(ToSeconds(time.us, time.spelling), text);
  return text;
}

Answer<void> CheckValue(const Feature& feature, const FeatureValue& value) {
  const bool is_collection = feature.collection != Collection::kNone;
  if (value.is_list != is_collection) {
    return Refuse(Why::kInvalid, fmt::format("feature {}: its value is given as {}", Quoted(feature.name),
                                             is_collection ? "ValueAsStringList" : "ValueAsString"));
  }
  return is_collection ? CheckItems(feature, value) : CheckText(feature, value.text);
}

void AppendValue(const Feature& feature, const FeatureValue* value, arrow::ArrayBuilder& builder) {
  if (value == nullptr) return Check(builder.AppendNull());
  if (feature.kept_as.kind != TypeKind::kList) return AppendText(feature.kept_as.kind, value->text, builder);
  auto& list = static_cast<arrow::ListBuilder&>(builder);
  Check(list.Append());
  std::unordered_set<std::string_view> seen;
  for (const std::string_view item : value->items) {
    if (feature.collection == Collection::kSet && !seen.insert(item).second) continue;
    AppendText(KindOf(feature), item, *list.value_builder());
  }
}

void AppendIntegral(std::int64_t value, std::string& out) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void AppendFractional(double value, std::string& out) {
  // Within these ends JSON's form is the same, and written in a third of the time.
  const double size = std::fabs(value);
  if (size >= 1e-4 && size < 1e16) return json::AppendNumber(out, value);
  AppendFloat(value, out);
}

void AppendFractional(float value, std::string& out) {
  AppendFloat(value, out);
}

}  // namespace tidemark::sagemaker
