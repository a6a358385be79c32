// One appender for each kind of type, over an Arrow builder; nested ones over those of their children.
#include "rows/json_columns.h"

#include <arrow/builder.h>
#include <arrow/util/decimal.h>
#include <arrow/util/value_parsing.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "model/name.h"
#include "model/time.h"
#include "rows/arrow_types.h"
#include "rows/base64.h"
#include "rows/json_place.h"

namespace tidemark {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kShownBytesMax = 64;
constexpr double kBeyondIntegers = 9.2e18;  // whole numbers from there on have come as floats
constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;

/// What appenders of one column share.
struct ColumnState {
  JsonPolicy policy;
  bool cut_times = false;
  std::string wrong;  // why a value does not fit, where its type alone does not say it
};

/// An object, also one that comes as its text where that is allowed; `parser` holds it then.
bool ObjectIn(dom::element value, const JsonPolicy& policy, dom::parser& parser, dom::object& object) {
  if (value.get_object().get(object) == simdjson::SUCCESS) return true;
  std::string_view text;
  return policy.nested_as_text && value.get_string().get(text) == simdjson::SUCCESS &&
         parser.parse(simdjson::padded_string(text)).get_object().get(object) == simdjson::SUCCESS;
}

/// Appends to one builder. False: the value does not fit; of a nested one a part may have been appended,
/// which MakeWhole completes.
class Appender : public ValueSink {
 public:
  explicit Appender(ColumnState& state) : state_(state) {}

  bool PutNull() override { return builder()->AppendNull().ok(); }
  bool Append(dom::element value) {
    return value.is_null() ? builder()->AppendNull().ok() : AppendValue(value);
  }
  /// A value that comes as text.
  virtual bool AppendText(std::string_view text) = 0;
  /// Brings the children to the length that this builder has, after a value of which a part was appended.
  virtual bool MakeWhole() { return true; }
  virtual const std::shared_ptr<arrow::ArrayBuilder>& builder() const = 0;
  /// Appends values from `at` on for as long as they are what most values of the type are, and there is room
  /// for them; returns how many.
  virtual std::int64_t AppendPlain(dom::array::iterator& /*at*/, const dom::array::iterator& /*end*/) {
    return 0;
  }

 protected:
  virtual bool AppendValue(dom::element value) = 0;
  ColumnState& state() { return state_; }

 private:
  ColumnState& state_;
};

template <typename Builder>
class AppenderTo : public Appender {
 public:
  AppenderTo(ColumnState& state, const std::shared_ptr<arrow::DataType>& type)
      : Appender(state), typed_(std::make_shared<Builder>(type, arrow::default_memory_pool())) {
    builder_ = typed_;
  }
  const std::shared_ptr<arrow::ArrayBuilder>& builder() const override { return builder_; }

 protected:
  template <typename Value>
  bool Put(const Value& value) {
    const arrow::Status status = typed_->Append(value);
    if (!status.ok()) state().wrong = status.message();
    return status.ok();
  }
  /// By what reads the cells of CSV files that are ingested.
  bool PutCsvText(std::string_view text) {
    using Type = typename Builder::TypeClass;
    typename Type::c_type value{};
    return arrow::internal::ParseValue<Type>(text.data(), text.size(), &value) && Put(value);
  }

  /// As AppendPlain; `plain` gives what a value is appended as, or nothing.
  template <typename Plain>
  std::int64_t PutPlain(dom::array::iterator& at, const dom::array::iterator& end, const Plain& plain) {
    const std::int64_t room = typed_->capacity() - typed_->length();
    std::int64_t count = 0;
    for (; count < room && at != end; ++at, ++count) {
      const auto value = plain(*at);
      if (!value) break;
      typed_->UnsafeAppend(*value);
    }
    return count;
  }

 private:
  std::shared_ptr<Builder> typed_;
  std::shared_ptr<arrow::ArrayBuilder> builder_;
};

class BoolAppender final : public AppenderTo<arrow::BooleanBuilder> {
 public:
  using AppenderTo::AppenderTo;
  bool AppendText(std::string_view text) override {
    if (state().policy.texts_as_csv) return PutCsvText(text);
    if (text == "true" || text == "True") return Put(true);
    if (text == "false" || text == "False") return Put(false);
    return false;
  }
  bool PutBool(bool value) override { return Put(value); }

 private:
  bool AppendValue(dom::element value) override {
    if (bool flag = false; value.get_bool().get(flag) == simdjson::SUCCESS) return Put(flag);
    if (!state().policy.text_numbers) return false;
    if (std::string_view text; value.get_string().get(text) == simdjson::SUCCESS) return AppendText(text);
    std::int64_t number = 0;
    return value.get_int64().get(number) == simdjson::SUCCESS && (number == 0 || number == 1) &&
           Put(number == 1);
  }
};

template <typename Builder>
class IntegerAppender final : public AppenderTo<Builder> {
  using Value = typename Builder::value_type;

 public:
  using AppenderTo<Builder>::AppenderTo;
  bool AppendText(std::string_view text) override {
    if (this->state().policy.texts_as_csv) return this->PutCsvText(text);
    Value number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return this->Put(number);
    double fraction = 0;
    const auto [float_end, float_error] = std::from_chars(text.data(), text.data() + text.size(), fraction);
    return float_error == std::errc{} && float_end == text.data() + text.size() && PutFloat(fraction);
  }
  bool PutInt(std::int64_t value) override {
    return std::in_range<Value>(value) && this->Put(static_cast<Value>(value));
  }
  bool PutFloat(double value) override {
    // The bounds as floats: the upper one is the first that is too large.
    constexpr double kLow = static_cast<double>(std::numeric_limits<Value>::min());
    constexpr double kBeyond = -kLow;
    if (!(value >= kLow && value < kBeyond)) return false;
    if (std::trunc(value) != value && !this->state().policy.truncate_floats) return false;
    return this->Put(static_cast<Value>(value));
  }
  std::int64_t AppendPlain(dom::array::iterator& at, const dom::array::iterator& end) override {
    return this->PutPlain(at, end, [](dom::element value) -> std::optional<Value> {
      if (value.type() != dom::element_type::INT64) return std::nullopt;
      const std::int64_t number = value.get_int64().value_unsafe();
      return std::in_range<Value>(number) ? std::optional(static_cast<Value>(number)) : std::nullopt;
    });
  }

 private:
  bool AppendValue(dom::element value) override {
    switch (value.type()) {
      case dom::element_type::INT64:
        return PutInt(value.get_int64().value_unsafe());
      case dom::element_type::DOUBLE:
        return PutFloat(value.get_double().value_unsafe());
      case dom::element_type::STRING:
        return this->state().policy.text_numbers && AppendText(value.get_string().value_unsafe());
      case dom::element_type::BOOL:
        return this->state().policy.text_numbers &&
               this->Put(static_cast<Value>(value.get_bool().value_unsafe() ? 1 : 0));
      default:
        return false;
    }
  }
};

template <typename Builder>
class FloatAppender final : public AppenderTo<Builder> {
  using Value = typename Builder::value_type;

 public:
  using AppenderTo<Builder>::AppenderTo;
  bool AppendText(std::string_view text) override {
    if (this->state().policy.texts_as_csv) return this->PutCsvText(text);
    if (PutNamed(text)) return true;
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && std::isfinite(number) &&
           PutNearest(number);
  }
  bool PutInt(std::int64_t value) override {
    constexpr std::int64_t kExact = std::int64_t{1} << std::numeric_limits<Value>::digits;
    return value <= kExact && value >= -kExact && this->Put(static_cast<Value>(value));
  }
  bool PutFloat(double value) override {
    const bool is_exact = std::isnan(value) || static_cast<double>(static_cast<Value>(value)) == value;
    return is_exact && this->Put(static_cast<Value>(value));
  }
  std::int64_t AppendPlain(dom::array::iterator& at, const dom::array::iterator& end) override {
    return this->PutPlain(at, end, [](dom::element value) -> std::optional<Value> {
      if (value.type() != dom::element_type::DOUBLE) return std::nullopt;
      const double number = value.get_double().value_unsafe();
      return IsInRange(number) ? std::optional(static_cast<Value>(number)) : std::nullopt;
    });
  }

 private:
  static bool IsInRange(double value) {
    return std::fabs(value) <= static_cast<double>(std::numeric_limits<Value>::max());
  }
  bool PutNamed(std::string_view text) {
    if (text == "NaN") {
      if (this->state().policy.nan_is_null) return this->builder()->AppendNull().ok();
      return this->Put(std::numeric_limits<Value>::quiet_NaN());
    }
    if (text == "Infinity") return this->Put(std::numeric_limits<Value>::infinity());
    if (text == "-Infinity") return this->Put(-std::numeric_limits<Value>::infinity());
    return false;
  }
  /// Of a number that was written in decimals.
  bool PutNearest(double value) { return IsInRange(value) && this->Put(static_cast<Value>(value)); }
  bool AppendValue(dom::element value) override {
    if (double number = 0; value.get_double().get(number) == simdjson::SUCCESS) return PutNearest(number);
    if (std::string_view text; value.get_string().get(text) == simdjson::SUCCESS)
      return this->state().policy.text_numbers ? AppendText(text) : PutNamed(text);
    if (bool flag = false; this->state().policy.text_numbers && value.get_bool().get(flag) == 0)
      return this->Put(static_cast<Value>(flag ? 1 : 0));
    return false;
  }
};

class StringAppender final : public AppenderTo<arrow::StringBuilder> {
 public:
  using AppenderTo::AppenderTo;
  bool AppendText(std::string_view text) override { return Put(text); }
  bool PutText(std::string_view text) override { return Put(text); }

 private:
  bool AppendValue(dom::element value) override {
    if (std::string_view text; value.get_string().get(text) == simdjson::SUCCESS) return Put(text);
    if (!state().policy.numbers_as_text || value.is_array() || value.is_object()) return false;
    if (double number = 0; value.get_double().get(number) == simdjson::SUCCESS && value.is_double() &&
                           std::fabs(number) >= kBeyondIntegers && std::trunc(number) == number) {
      state().wrong = "may have had other digits than this: send it as text";
      return false;
    }
    return Put(std::string_view(simdjson::minify(value)));
  }
};

class BinaryAppender final : public AppenderTo<arrow::BinaryBuilder> {
 public:
  using AppenderTo::AppenderTo;
  bool AppendText(std::string_view text) override {
    if (state().policy.plain_binary) return Put(text);
    if (DecodeBase64(text, decoded_)) return Put(std::string_view(decoded_));
    state().wrong = "is no base64";
    return false;
  }
  bool PutBytes(std::string_view bytes) override { return Put(bytes); }

 private:
  bool AppendValue(dom::element value) override {
    std::string_view text;
    return value.get_string().get(text) == simdjson::SUCCESS && AppendText(text);
  }
  std::string decoded_;
};

class TimestampAppender final : public AppenderTo<arrow::TimestampBuilder> {
 public:
  using AppenderTo::AppenderTo;
  bool AppendText(std::string_view text) override {
    const auto us = ParseTimestampUs(text, &state().cut_times);
    if (!us) state().wrong = "is no ISO-8601 time";
    return us && Put(*us);
  }
  bool PutText(std::string_view text) override { return AppendText(text); }
  bool PutInt(std::int64_t us) override { return Put(us); }
  bool PutMicros(std::int64_t us) override { return Put(us); }

 private:
  /// Whole seconds, as a number or, where texts may be numbers, as text.
  bool AppendSeconds(dom::element value) {
    std::int64_t seconds = 0;
    std::string_view text;
    if (state().policy.text_numbers && value.get_string().get(text) == simdjson::SUCCESS) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
      if (error != std::errc{} || end != text.data() + text.size()) return IsNoSeconds();
    } else if (double number = 0; value.is_double() && value.get_double().get(number) == simdjson::SUCCESS) {
      if (std::trunc(number) != number || std::fabs(number) > 1e12) return IsNoSeconds();
      seconds = static_cast<std::int64_t>(number);
    } else if (value.get_int64().get(seconds) != simdjson::SUCCESS) {
      return IsNoSeconds();
    }
    if (seconds > kSecondsMax || seconds < -kSecondsMax) return IsNoSeconds();
    return Put(seconds * 1'000'000);
  }
  bool IsNoSeconds() {
    state().wrong = "is no whole number of seconds since 1970";
    return false;
  }
  static constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / 1'000'000;

  bool AppendValue(dom::element value) override {
    if (state().policy.times_in_seconds) return AppendSeconds(value);
    if (std::int64_t us = 0; value.is_int64() && value.get_int64().get(us) == simdjson::SUCCESS)
      return Put(us);
    std::string_view text;
    return value.get_string().get(text) == simdjson::SUCCESS && AppendText(text);
  }
};

class DateAppender final : public AppenderTo<arrow::Date32Builder> {
 public:
  using AppenderTo::AppenderTo;
  bool AppendText(std::string_view text) override {
    const auto us =
        text.size() == std::string_view("2026-01-31").size() ? ParseTimestampUs(text) : std::nullopt;
    if (!us) state().wrong = "is no date such as 2026-01-31";
    return us && Put(static_cast<std::int32_t>(*us / kDayUs));
  }
  bool PutText(std::string_view text) override { return AppendText(text); }
  bool PutDays(std::int32_t days) override { return Put(days); }

 private:
  bool AppendValue(dom::element value) override {
    std::string_view text;
    return value.get_string().get(text) == simdjson::SUCCESS && AppendText(text);
  }
};

int SignificantDigits(std::string_view number) {
  number = number.substr(0, number.find_first_of("eE"));
  int digits = 0;
  int zeros = 0;  // behind the last other digit
  for (const char c : number) {
    if (c < '0' || c > '9' || (c == '0' && digits == 0)) continue;
    zeros = c == '0' ? zeros + 1 : 0;
    ++digits;
  }
  return digits - zeros;
}

class DecimalAppender final : public AppenderTo<arrow::Decimal128Builder> {
 public:
  DecimalAppender(ColumnState& state, const std::shared_ptr<arrow::DataType>& type)
      : AppenderTo(state, type), decimal_(static_cast<const arrow::Decimal128Type&>(*type)) {}

  bool AppendText(std::string_view text) override {
    std::int32_t precision = 0;
    std::int32_t scale = 0;
    arrow::Decimal128 read;
    if (text.size() > kShownBytesMax || !arrow::Decimal128::FromString(text, &read, &precision, &scale).ok())
      return false;
    const auto scaled = read.Rescale(scale, decimal_.scale());
    return scaled.ok() && scaled->FitsInPrecision(decimal_.precision()) && Put(*scaled);
  }
  bool PutText(std::string_view text) override { return AppendText(text); }
  bool PutInt(std::int64_t value) override { return PutScaled(arrow::Decimal128(value), 0); }
  bool PutDecimal(std::string_view big_endian, std::int32_t scale) override {
    // Bytes in front that only repeat the sign say nothing.
    constexpr std::size_t kBytesMax = 16;
    while (big_endian.size() > kBytesMax && IsSignOf(big_endian[0], big_endian[1]))
      big_endian.remove_prefix(1);
    if (big_endian.empty() || big_endian.size() > kBytesMax) return false;
    const auto number =
        arrow::Decimal128::FromBigEndian(reinterpret_cast<const std::uint8_t*>(big_endian.data()),
                                         static_cast<std::int32_t>(big_endian.size()));
    return number.ok() && PutScaled(*number, scale);
  }

 private:
  static bool IsSignOf(char byte, char next) {
    return (byte == '\0' && (next & 0x80) == 0) || (byte == '\xFF' && (next & 0x80) != 0);
  }
  bool PutScaled(const arrow::Decimal128& number, std::int32_t scale) {
    const auto scaled = number.Rescale(scale, decimal_.scale());
    return scaled.ok() && scaled->FitsInPrecision(decimal_.precision()) && Put(*scaled);
  }
  bool AppendValue(dom::element value) override {
    if (std::string_view text; value.get_string().get(text) == simdjson::SUCCESS) return AppendText(text);
    if (!value.is_number()) return false;
    // A number as its shortest text. With more digits than a double has for certain, that need not be what
    // its sender wrote.
    const std::string text(simdjson::minify(value));
    if (value.is_double() && SignificantDigits(text) > std::numeric_limits<double>::digits10) {
      state().wrong = "has more digits than are exact in a JSON number: send it as text";
      return false;
    }
    return AppendText(text);
  }
  const arrow::Decimal128Type& decimal_;  // the builder keeps the type
};

std::unique_ptr<Appender> MakeAppender(ColumnState& state, const DataType& type);

bool FillTo(std::int64_t length, arrow::ArrayBuilder& builder) {
  return builder.length() >= length || builder.AppendNulls(length - builder.length()).ok();
}

class ListAppender final : public Appender {
 public:
  ListAppender(ColumnState& state, const DataType& type)
      : Appender(state),
        items_(MakeAppender(state, type.children.at(0).type)),
        list_(std::make_shared<arrow::ListBuilder>(arrow::default_memory_pool(), items_->builder(),
                                                   ArrowTypeOf(type))),
        builder_(list_) {}
  const std::shared_ptr<arrow::ArrayBuilder>& builder() const override { return builder_; }
  bool AppendText(std::string_view /*text*/) override { return false; }
  bool MakeWhole() override { return items_->MakeWhole(); }
  bool Begin() override { return list_->Append().ok(); }
  ValueSink* child(std::size_t /*number*/) override { return items_.get(); }

 private:
  bool AppendValue(dom::element value) override {
    dom::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS || !list_->Append().ok()) return false;
    for (const dom::element item : array) {
      if (!items_->Append(item)) return false;
    }
    return true;
  }
  std::unique_ptr<Appender> items_;
  std::shared_ptr<arrow::ListBuilder> list_;
  std::shared_ptr<arrow::ArrayBuilder> builder_;
};

class StructAppender final : public Appender {
 public:
  StructAppender(ColumnState& state, const DataType& type) : Appender(state) {
    std::vector<std::shared_ptr<arrow::ArrayBuilder>> builders;
    for (const NamedType& member : type.children) {
      names_.push_back(member.name);
      members_.push_back(MakeAppender(state, member.type));
      builders.push_back(members_.back()->builder());
    }
    struct_ = std::make_shared<arrow::StructBuilder>(ArrowTypeOf(type), arrow::default_memory_pool(),
                                                     std::move(builders));
    builder_ = struct_;
  }
  const std::shared_ptr<arrow::ArrayBuilder>& builder() const override { return builder_; }
  bool AppendText(std::string_view /*text*/) override { return false; }
  bool MakeWhole() override {
    return std::ranges::all_of(members_, [&](const auto& member) {
      return member->MakeWhole() && FillTo(struct_->length(), *member->builder());
    });
  }
  bool Begin() override { return struct_->Append().ok(); }
  ValueSink* child(std::size_t number) override { return members_.at(number).get(); }

 private:
  bool AppendValue(dom::element value) override {
    dom::parser parser;
    dom::object object;
    if (!ObjectIn(value, state().policy, parser, object) || !struct_->Append().ok()) return false;
    std::size_t found = 0;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      dom::element member;
      const bool is_there = object.at_key(names_[i]).get(member) == simdjson::SUCCESS;
      found += is_there ? 1 : 0;
      if (!(is_there ? members_[i]->Append(member) : members_[i]->builder()->AppendNull().ok())) return false;
    }
    if (found == object.size()) return true;
    state().wrong = "has a member that the type has not, or one twice";
    return false;
  }
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Appender>> members_;
  std::shared_ptr<arrow::StructBuilder> struct_;
  std::shared_ptr<arrow::ArrayBuilder> builder_;
};

class MapAppender final : public Appender {
 public:
  MapAppender(ColumnState& state, const DataType& type)
      : Appender(state),
        keys_(MakeAppender(state, type.children.at(0).type)),
        values_(MakeAppender(state, type.children.at(1).type)),
        map_(std::make_shared<arrow::MapBuilder>(arrow::default_memory_pool(), keys_->builder(),
                                                 values_->builder(), ArrowTypeOf(type))),
        builder_(map_) {}
  const std::shared_ptr<arrow::ArrayBuilder>& builder() const override { return builder_; }
  bool AppendText(std::string_view /*text*/) override { return false; }
  bool MakeWhole() override {
    return keys_->MakeWhole() && values_->MakeWhole() &&
           FillTo(keys_->builder()->length(), *values_->builder());
  }
  bool Begin() override { return map_->Append().ok(); }
  ValueSink* child(std::size_t number) override { return number == 0 ? keys_.get() : values_.get(); }

 private:
  bool AppendValue(dom::element value) override {
    dom::parser parser;
    dom::object object;
    if (!ObjectIn(value, state().policy, parser, object) || !map_->Append().ok()) return false;
    for (const auto [key, item] : object) {
      if (!keys_->AppendText(key) || !values_->Append(item)) return false;
    }
    return true;
  }
  std::unique_ptr<Appender> keys_;
  std::unique_ptr<Appender> values_;
  std::shared_ptr<arrow::MapBuilder> map_;
  std::shared_ptr<arrow::ArrayBuilder> builder_;
};

std::unique_ptr<Appender> MakeAppender(ColumnState& state, const DataType& type) {
  const auto arrow_type = type.is_nested() ? nullptr : ArrowTypeOf(type);
  switch (type.kind) {
    case TypeKind::kBool:
      return std::make_unique<BoolAppender>(state, arrow_type);
    case TypeKind::kInt32:
      return std::make_unique<IntegerAppender<arrow::Int32Builder>>(state, arrow_type);
    case TypeKind::kInt64:
      return std::make_unique<IntegerAppender<arrow::Int64Builder>>(state, arrow_type);
    case TypeKind::kFloat32:
      return std::make_unique<FloatAppender<arrow::FloatBuilder>>(state, arrow_type);
    case TypeKind::kFloat64:
      return std::make_unique<FloatAppender<arrow::DoubleBuilder>>(state, arrow_type);
    case TypeKind::kBinary:
      return std::make_unique<BinaryAppender>(state, arrow_type);
    case TypeKind::kTimestamp:
      return std::make_unique<TimestampAppender>(state, arrow_type);
    case TypeKind::kDate:
      return std::make_unique<DateAppender>(state, arrow_type);
    case TypeKind::kDecimal:
      return std::make_unique<DecimalAppender>(state, arrow_type);
    case TypeKind::kList:
      return std::make_unique<ListAppender>(state, type);
    case TypeKind::kStruct:
      return std::make_unique<StructAppender>(state, type);
    case TypeKind::kMap:
      return std::make_unique<MapAppender>(state, type);
    case TypeKind::kString:
      break;
  }
  return std::make_unique<StringAppender>(state, arrow_type);
}

std::unexpected<Error> NoCommonType(std::string_view place, const DataType& one, std::string_view other) {
  return Fail(ErrorCode::kTypeMismatch,
              fmt::format("{} has values of the types {} and {}: give values of one type", place,
                          Settled(one).ToString(), other));
}

/// Of a list or struct, member by member.
Result<void> WidenNested(dom::element value, std::string_view place, DataType& type) {
  const auto widen_child = [&](dom::element item, NamedTypes& children, std::size_t i) -> Result<void> {
    std::optional<DataType> child = children.at(i).type;
    TM_TRY(WidenToFit(item, place, child));
    children.at(i).type = *std::move(child);
    return {};
  };
  if (dom::array array; value.get_array().get(array) == simdjson::SUCCESS) {
    if (type.kind != TypeKind::kList) return NoCommonType(place, type, "list");
    std::optional<DataType> item_type;
    if (!type.children.empty()) item_type = type.children.front().type;
    for (const dom::element item : array)
      TM_TRY(WidenToFit(item, place, item_type));
    if (item_type) type = DataType::List(*std::move(item_type));
    return {};
  }
  dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS || type.kind != TypeKind::kStruct)
    return NoCommonType(place, type, "struct");
  for (const auto [name, member] : object) {
    std::size_t i = 0;
    while (i < type.children.size() && type.children.at(i).name != name)
      ++i;
    if (i < type.children.size()) {
      TM_TRY(widen_child(member, type.children, i));
      continue;
    }
    std::optional<DataType> found;
    TM_TRY(WidenToFit(member, place, found));
    type.children.push_back({std::string(name), found.value_or(DataType{.kind = TypeKind::kString})});
  }
  return {};
}

/// A list or struct that was seen for the first time.
Result<DataType> NestedTypeOf(dom::element value, std::string_view place) {
  if (dom::array array; value.get_array().get(array) == simdjson::SUCCESS) {
    std::optional<DataType> item;
    for (const dom::element element : array)
      TM_TRY(WidenToFit(element, place, item));
    return item ? DataType::List(*std::move(item)) : DataType{.kind = TypeKind::kList};
  }
  DataType type = DataType::Struct({});
  TM_TRY(WidenNested(value, place, type));
  if (!type.children.empty()) return type;
  return Fail(ErrorCode::kTypeMismatch, fmt::format("{} has an empty object, which tells no type", place));
}

}  // namespace

DataType Settled(const std::optional<DataType>& type) {
  if (!type) return {.kind = TypeKind::kString};
  if (type->kind == TypeKind::kList) {
    return DataType::List(type->children.empty() ? Settled(std::nullopt)
                                                 : Settled(type->children.front().type));
  }
  DataType settled = *type;
  for (NamedType& child : settled.children)
    child.type = Settled(child.type);
  return settled;
}

class JsonColumn::Impl {
 public:
  Impl(std::string its_name, const DataType& its_type, const JsonPolicy& policy)
      : name(std::move(its_name)), type(its_type), state{.policy = policy, .cut_times = false, .wrong = {}} {
    appender = MakeAppender(state, type);
  }

  std::string MisfitText(std::string_view place, std::string_view shown) {
    const std::string why = std::exchange(state.wrong, {});
    return fmt::format("{}: {} {}", place, shown,
                       why.empty() ? fmt::format("is no {}", type.ToString())
                                   : fmt::format("{} ({} is wanted)", why, type.ToString()));
  }

  std::unexpected<Error> Misfit(std::string_view shown) {
    return Fail(ErrorCode::kTypeMismatch,
                MisfitText(fmt::format("column '{}', row {}", name, finished + appended), shown));
  }

  /// The row that a value which does not fit has left out, or begun.
  void PutPlaceholder(std::string_view shown, std::string& why) {
    why = MisfitText(fmt::format("column '{}'", name), shown);
    TM_CHECK(appender->MakeWhole() && FillTo(appended + 1, *appender->builder()), "memory for a null");
    ++appended;
  }

  std::string name;
  DataType type;
  ColumnState state;
  std::unique_ptr<Appender> appender;
  std::int64_t appended = 0;
  std::int64_t finished = 0;  // rows of the arrays that were finished
};

JsonColumn::JsonColumn(std::string name, const DataType& type, const JsonPolicy& policy)
    : impl_(std::make_unique<Impl>(std::move(name), type, policy)) {}
JsonColumn::~JsonColumn() = default;
JsonColumn::JsonColumn(JsonColumn&&) noexcept = default;
JsonColumn& JsonColumn::operator=(JsonColumn&&) noexcept = default;

const std::string& JsonColumn::name() const {
  return impl_->name;
}

const DataType& JsonColumn::type() const {
  return impl_->type;
}

std::int64_t JsonColumn::rows() const {
  return impl_->appended;
}

bool JsonColumn::cut_times() const {
  return impl_->state.cut_times;
}

Result<void> JsonColumn::AppendAll(dom::array values) {
  TM_TRY(OfBody(impl_->appender->builder()->Reserve(static_cast<std::int64_t>(values.size()))));
  const auto end = values.end();
  auto at = values.begin();
  while (true) {
    impl_->appended += impl_->appender->AppendPlain(at, end);
    if (at == end) return {};
    TM_TRY(Append(*at));
    ++at;
  }
}

Result<void> JsonColumn::Append(dom::element value) {
  if (!impl_->appender->Append(value)) [[unlikely]]
    return impl_->Misfit(ShownInMessage(value));
  ++impl_->appended;
  return {};
}

Result<void> JsonColumn::AppendText(std::string_view text) {
  if (!impl_->appender->AppendText(text)) [[unlikely]]
    return impl_->Misfit(fmt::format("\"{}\"", text.substr(0, kShownBytesMax)));
  ++impl_->appended;
  return {};
}

bool JsonColumn::AppendOrPlaceholder(dom::element value, std::string& why) {
  if (!impl_->appender->Append(value)) [[unlikely]] {
    impl_->PutPlaceholder(ShownInMessage(value), why);
    return false;
  }
  ++impl_->appended;
  return true;
}

bool JsonColumn::AppendTextOrPlaceholder(std::string_view text, std::string& why) {
  if (!impl_->appender->AppendText(text)) [[unlikely]] {
    impl_->PutPlaceholder(Quoted(text), why);
    return false;
  }
  ++impl_->appended;
  return true;
}

ValueSink& JsonColumn::sink() {
  return *impl_->appender;
}

bool JsonColumn::EndValue(bool fits, std::string_view shown, std::string& why) {
  if (!fits) [[unlikely]] {
    impl_->PutPlaceholder(shown, why);
    return false;
  }
  ++impl_->appended;
  return true;
}

Result<void> JsonColumn::FillWithNulls(std::int64_t rows) {
  if (rows <= impl_->appended) return {};
  TM_TRY(OfBody(impl_->appender->builder()->AppendNulls(rows - impl_->appended)));
  impl_->appended = rows;
  return {};
}

Result<std::shared_ptr<arrow::Array>> JsonColumn::Finish() {
  impl_->finished += std::exchange(impl_->appended, 0);
  return OfBody(impl_->appender->builder()->Finish());
}

Result<void> WidenToFit(dom::element value, std::string_view place, std::optional<DataType>& type) {
  TypeKind kind = TypeKind::kString;
  switch (value.type()) {
    case dom::element_type::NULL_VALUE:
      return {};
    case dom::element_type::ARRAY:
    case dom::element_type::OBJECT: {
      if (type) return WidenNested(value, place, *type);
      TM_ASSIGN(type, NestedTypeOf(value, place));
      return {};
    }
    case dom::element_type::BOOL:
      kind = TypeKind::kBool;
      break;
    case dom::element_type::INT64:
      kind = TypeKind::kInt64;
      break;
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      kind = TypeKind::kFloat64;
      break;
    case dom::element_type::STRING:
      break;
  }
  if (!type || type->kind == kind) {
    type = DataType{.kind = kind};
    return {};
  }
  const auto is_number = [](TypeKind k) { return k == TypeKind::kInt64 || k == TypeKind::kFloat64; };
  if (!is_number(type->kind) || !is_number(kind))
    return NoCommonType(place, *type, DataType{.kind = kind}.ToString());
  type = DataType{.kind = TypeKind::kFloat64};
  return {};
}

Error JsonErrorOf(simdjson::error_code code, std::string_view text, std::size_t depth_max) {
  if (code == simdjson::MEMALLOC || code == simdjson::CAPACITY) {
    return {.code = ErrorCode::kOutOfSpace, .message = "there is no memory to read the JSON", .context = {}};
  }
  // Containers count from one there.
  const auto place = json::FindProblem(text, code == simdjson::DEPTH_ERROR ? depth_max - 1 : depth_max);
  const std::string where = place ? fmt::format(" ({})", place->Told()) : std::string();
  if (code == simdjson::DEPTH_ERROR) {
    return {
        .code = ErrorCode::kInvalidArgument,
        .message = fmt::format("the JSON is nested deeper than the server allows (json_depth_max){}", where),
        .context = {}};
  }
  return {.code = ErrorCode::kInvalidArgument,
          .message = fmt::format("the JSON cannot be read: {}{}", simdjson::error_message(code), where),
          .context = {}};
}

namespace {

bool IsOfNumber(simdjson::error_code code) {
#ifdef TIDEMARK_SIMDJSON_BIGINT
  if (code == simdjson::BIGINT_ERROR) return true;
#endif
  return code == simdjson::NUMBER_ERROR;
}

}  // namespace

simdjson::error_code ParseJsonTree(dom::parser& parser, std::string_view text, bool is_padded,
                                   dom::element& root) {
  const auto code = parser.parse(text.data(), text.size(), !is_padded).get(root);
  if (!IsOfNumber(code)) return code;
  const auto changed = json::WithLargeIntegersAsFloats(text);
  if (!changed) return code;
  if (parser.capacity() < changed->size()) {
    if (const auto grown = parser.allocate(changed->size(), parser.max_depth()); grown != simdjson::SUCCESS)
      return grown;
  }
  return parser.parse(changed->data(), changed->size()).get(root);
}

std::string ShownInMessage(dom::element value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  std::string text(simdjson::minify(value));
  if (text.size() <= kShownBytesMax) return text;
  std::size_t cut = kShownBytesMax;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U)
    --cut;
  return text.substr(0, cut) + "...";
}

}  // namespace tidemark
