// The function for a column's type is looked up once, not for each value.
#include "server/rows/json_values.h"

#include <arrow/array/array_dict.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/date_text.h"
#include "model/time.h"
#include "rows/arrow_types.h"
#include "rows/base64.h"
#include "server/json/json_text.h"

namespace tidemark::server {
namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;

void AppendFloat(std::string& out, float value) {
  if (!std::isfinite(value)) return json::AppendNumber(out, static_cast<double>(value));
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out.append(text);
  if (text.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

/// Of units finer than a microsecond the rest is cut; of coarser ones a time beyond the range stays a number.
void AppendTimestamp(std::string& out, std::int64_t value, arrow::TimeUnit::type unit) {
  std::int64_t us = value;
  bool is_beyond = false;
  if (unit == arrow::TimeUnit::SECOND) is_beyond = __builtin_mul_overflow(value, kUsPerSecond, &us);
  if (unit == arrow::TimeUnit::MILLI) is_beyond = __builtin_mul_overflow(value, 1'000, &us);
  if (unit == arrow::TimeUnit::NANO) us = value / 1'000 - (value % 1'000 < 0 ? 1 : 0);
  if (is_beyond) return json::AppendNumber(out, value);
  out.push_back('"');
  out.append(FormatTimestampUs(us));
  out.push_back('"');
}

void AppendDate(std::string& out, std::int64_t days) {
  out.push_back('"');
  out.append(FormatDate(days));
  out.push_back('"');
}

}  // namespace

/// One function for each kind of array.
struct JsonAppenders {
  template <typename Array>
  static void Integer(const JsonValues& values, std::string& out, std::int64_t row) {
    const auto value = static_cast<const Array&>(*values.array_).Value(row);
    if constexpr (std::is_unsigned_v<decltype(value)>) {
      json::AppendNumber(out, static_cast<std::uint64_t>(value));
    } else {
      json::AppendNumber(out, static_cast<std::int64_t>(value));
    }
  }
  static void Bool(const JsonValues& values, std::string& out, std::int64_t row) {
    out.append(static_cast<const arrow::BooleanArray&>(*values.array_).Value(row) ? "true" : "false");
  }
  static void Float32(const JsonValues& values, std::string& out, std::int64_t row) {
    AppendFloat(out, static_cast<const arrow::FloatArray&>(*values.array_).Value(row));
  }
  static void Float64(const JsonValues& values, std::string& out, std::int64_t row) {
    json::AppendNumber(out, static_cast<const arrow::DoubleArray&>(*values.array_).Value(row));
  }
  template <typename Array>
  static void Text(const JsonValues& values, std::string& out, std::int64_t row) {
    json::AppendText(out, static_cast<const Array&>(*values.array_).GetView(row));
  }
  template <typename Array>
  static void Binary(const JsonValues& values, std::string& out, std::int64_t row) {
    out.push_back('"');
    AppendBase64(out, static_cast<const Array&>(*values.array_).GetView(row));
    out.push_back('"');
  }
  static void Timestamp(const JsonValues& values, std::string& out, std::int64_t row) {
    const auto& array = static_cast<const arrow::TimestampArray&>(*values.array_);
    AppendTimestamp(out, array.Value(row), static_cast<const arrow::TimestampType&>(*array.type()).unit());
  }
  static void Date32(const JsonValues& values, std::string& out, std::int64_t row) {
    AppendDate(out, static_cast<const arrow::Date32Array&>(*values.array_).Value(row));
  }
  static void Date64(const JsonValues& values, std::string& out, std::int64_t row) {
    constexpr std::int64_t kMsPerDay = 86'400'000;
    const std::int64_t ms = static_cast<const arrow::Date64Array&>(*values.array_).Value(row);
    AppendDate(out, ms / kMsPerDay - (ms % kMsPerDay < 0 ? 1 : 0));
  }
  template <typename Array>
  static void Decimal(const JsonValues& values, std::string& out, std::int64_t row) {
    out.push_back('"');
    out.append(static_cast<const Array&>(*values.array_).FormatValue(row));
    out.push_back('"');
  }
  static void Null(const JsonValues& /*values*/, std::string& out, std::int64_t /*row*/) {
    out.append("null");
  }
  template <typename Array>
  static void List(const JsonValues& values, std::string& out, std::int64_t row) {
    const auto& list = static_cast<const Array&>(*values.array_);
    const std::int64_t begin = list.value_offset(row);
    const std::int64_t end = begin + list.value_length(row);
    out.push_back('[');
    for (std::int64_t i = begin; i < end; ++i) {
      if (i > begin) out.push_back(',');
      values.children_.front().Append(out, i);
    }
    out.push_back(']');
  }
  static void Struct(const JsonValues& values, std::string& out, std::int64_t row) {
    out.push_back('{');
    for (std::size_t i = 0; i < values.children_.size(); ++i) {
      if (i > 0) out.push_back(',');
      out.append(values.names_[i]);
      values.children_[i].Append(out, row);
    }
    out.push_back('}');
  }
  /// A key is its text; of one that is no text, its JSON without quotes.
  static void Map(const JsonValues& values, std::string& out, std::int64_t row) {
    const auto& map = static_cast<const arrow::MapArray&>(*values.array_);
    out.push_back('{');
    std::string key;
    for (std::int64_t i = map.value_offset(row); i < map.value_offset(row + 1); ++i) {
      if (i > map.value_offset(row)) out.push_back(',');
      key.clear();
      values.children_[0].Append(key, i);
      if (key.starts_with('"')) {
        out.append(key);
      } else {
        json::AppendText(out, key);
      }
      out.push_back(':');
      values.children_[1].Append(out, i);
    }
    out.push_back('}');
  }
  static void Dictionary(const JsonValues& values, std::string& out, std::int64_t row) {
    const auto& array = static_cast<const arrow::DictionaryArray&>(*values.array_);
    values.children_.front().Append(out, array.GetValueIndex(row));
  }

  static JsonValues::AppendFunction Plain(arrow::Type::type id);
  static Result<void> AddChildren(const arrow::Array& array, JsonValues& values);
};

JsonValues::AppendFunction JsonAppenders::Plain(arrow::Type::type id) {
  switch (id) {
    case arrow::Type::NA:
      return Null;
    case arrow::Type::BOOL:
      return Bool;
    case arrow::Type::INT8:
      return Integer<arrow::Int8Array>;
    case arrow::Type::INT16:
      return Integer<arrow::Int16Array>;
    case arrow::Type::INT32:
      return Integer<arrow::Int32Array>;
    case arrow::Type::INT64:
      return Integer<arrow::Int64Array>;
    case arrow::Type::UINT8:
      return Integer<arrow::UInt8Array>;
    case arrow::Type::UINT16:
      return Integer<arrow::UInt16Array>;
    case arrow::Type::UINT32:
      return Integer<arrow::UInt32Array>;
    case arrow::Type::UINT64:
      return Integer<arrow::UInt64Array>;
    case arrow::Type::FLOAT:
      return Float32;
    case arrow::Type::DOUBLE:
      return Float64;
    case arrow::Type::STRING:
      return Text<arrow::StringArray>;
    case arrow::Type::LARGE_STRING:
      return Text<arrow::LargeStringArray>;
    case arrow::Type::STRING_VIEW:
      return Text<arrow::StringViewArray>;
    case arrow::Type::BINARY:
      return Binary<arrow::BinaryArray>;
    case arrow::Type::LARGE_BINARY:
      return Binary<arrow::LargeBinaryArray>;
    case arrow::Type::BINARY_VIEW:
      return Binary<arrow::BinaryViewArray>;
    case arrow::Type::FIXED_SIZE_BINARY:
      return Binary<arrow::FixedSizeBinaryArray>;
    case arrow::Type::TIMESTAMP:
      return Timestamp;
    case arrow::Type::DATE32:
      return Date32;
    case arrow::Type::DATE64:
      return Date64;
    case arrow::Type::DECIMAL128:
      return Decimal<arrow::Decimal128Array>;
    case arrow::Type::DECIMAL256:
      return Decimal<arrow::Decimal256Array>;
    default:
      return nullptr;
  }
}

Result<void> JsonAppenders::AddChildren(const arrow::Array& array, JsonValues& values) {
  const auto add = [&](const arrow::Array& child) -> Result<void> {
    TM_ASSIGN(values.children_.emplace_back(), JsonValues::Of(child));
    return {};
  };
  switch (array.type_id()) {
    case arrow::Type::LIST:
      values.append_ = List<arrow::ListArray>;
      return add(*static_cast<const arrow::ListArray&>(array).values());
    case arrow::Type::LARGE_LIST:
      values.append_ = List<arrow::LargeListArray>;
      return add(*static_cast<const arrow::LargeListArray&>(array).values());
    case arrow::Type::FIXED_SIZE_LIST:
      values.append_ = List<arrow::FixedSizeListArray>;
      return add(*static_cast<const arrow::FixedSizeListArray&>(array).values());
    case arrow::Type::DICTIONARY:
      values.append_ = Dictionary;
      return add(*static_cast<const arrow::DictionaryArray&>(array).dictionary());
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapArray&>(array);
      values.append_ = Map;
      TM_TRY(add(*map.keys()));
      return add(*map.items());
    }
    case arrow::Type::STRUCT: {
      const auto& members = static_cast<const arrow::StructArray&>(array);
      values.append_ = Struct;
      for (int i = 0; i < members.num_fields(); ++i) {
        std::string& name = values.names_.emplace_back();
        json::AppendText(name, members.struct_type()->field(i)->name());
        name.push_back(':');
        TM_TRY(add(*members.field(i)));  // kept alive by the array, which caches it
      }
      return {};
    }
    default:
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("values of the type {} have no form in JSON", array.type()->ToString()));
  }
}

Result<JsonValues> JsonValues::Of(const arrow::Array& array) {
  JsonValues values;
  values.array_ = &array;
  values.append_ = JsonAppenders::Plain(array.type_id());
  if (values.append_ == nullptr) TM_TRY(JsonAppenders::AddChildren(array, values));
  return values;
}

void JsonValues::Append(std::string& out, std::int64_t row) const {
  if (array_->IsNull(row)) {
    out.append("null");
    return;
  }
  append_(*this, out, row);
}

}  // namespace tidemark::server
