// One switch over the types of Arrow that definitions know.
#include "server/feast/value_json.h"

#include <arrow/array/array_nested.h>
#include <arrow/util/decimal.h>

#include "base/date_text.h"
#include "rows/base64.h"
#include "server/json/json_text.h"

namespace tidemark::server::feast {
namespace {

void AppendList(std::string& out, const arrow::ListArray& lists, std::int64_t row) {
  out.push_back('[');
  for (std::int64_t i = lists.value_offset(row); i < lists.value_offset(row + 1); ++i) {
    if (i > lists.value_offset(row)) out.push_back(',');
    AppendValue(out, *lists.values(), i);
  }
  out.push_back(']');
}

void AppendStruct(std::string& out, const arrow::StructArray& structs, std::int64_t row) {
  out.push_back('{');
  for (int i = 0; i < structs.num_fields(); ++i) {
    if (i > 0) out.push_back(',');
    json::AppendText(out, structs.struct_type()->field(i)->name());
    out.push_back(':');
    AppendValue(out, *structs.field(i), row);
  }
  out.push_back('}');
}

/// A key of a map as the name of a member: texts as they are, others in quotes.
void AppendName(std::string& out, const arrow::Array& keys, std::int64_t row) {
  if (keys.type_id() == arrow::Type::STRING) return AppendValue(out, keys, row);
  std::string key;
  AppendValue(key, keys, row);
  if (key.starts_with('"')) {
    out.append(key);
  } else {
    out.append("\"").append(key).append("\"");
  }
}

void AppendMap(std::string& out, const arrow::MapArray& maps, std::int64_t row) {
  out.push_back('{');
  for (std::int64_t i = maps.value_offset(row); i < maps.value_offset(row + 1); ++i) {
    if (i > maps.value_offset(row)) out.push_back(',');
    AppendName(out, *maps.keys(), i);
    out.push_back(':');
    AppendValue(out, *maps.items(), i);
  }
  out.push_back('}');
}

}  // namespace

void AppendBytes(std::string& out, std::string_view bytes) {
  out.push_back('"');
  AppendBase64(out, bytes);
  out.push_back('"');
}

void AppendDate(std::string& out, std::int32_t days) {
  out.push_back('"');
  out.append(FormatDate(days));
  out.push_back('"');
}

void AppendDecimal(std::string& out, const std::byte* value, std::int32_t scale) {
  const arrow::Decimal128 decimal(reinterpret_cast<const std::uint8_t*>(value));
  out.append("\"").append(decimal.ToString(scale)).append("\"");
}

void AppendValue(std::string& out, const arrow::Array& values, std::int64_t row) {
  if (values.IsNull(row)) {
    out.append("null");
    return;
  }
  switch (values.type_id()) {
    case arrow::Type::BOOL:
      out.append(static_cast<const arrow::BooleanArray&>(values).Value(row) ? "true" : "false");
      return;
    case arrow::Type::INT32:
      return json::AppendNumber(out, std::int64_t{static_cast<const arrow::Int32Array&>(values).Value(row)});
    case arrow::Type::INT64:
      return json::AppendNumber(out, static_cast<const arrow::Int64Array&>(values).Value(row));
    case arrow::Type::FLOAT:
      return json::AppendNumber(out, double{static_cast<const arrow::FloatArray&>(values).Value(row)});
    case arrow::Type::DOUBLE:
      return json::AppendNumber(out, static_cast<const arrow::DoubleArray&>(values).Value(row));
    case arrow::Type::STRING:
      return json::AppendText(out, static_cast<const arrow::StringArray&>(values).GetView(row));
    case arrow::Type::BINARY:
      return AppendBytes(out, static_cast<const arrow::BinaryArray&>(values).GetView(row));
    case arrow::Type::TIMESTAMP:
      return json::AppendNumber(out, SecondsOf(static_cast<const arrow::TimestampArray&>(values).Value(row)));
    case arrow::Type::DATE32:
      return AppendDate(out, static_cast<const arrow::Date32Array&>(values).Value(row));
    case arrow::Type::DECIMAL128: {
      const auto& decimals = static_cast<const arrow::Decimal128Array&>(values);
      const auto& type = static_cast<const arrow::Decimal128Type&>(*values.type());
      return AppendDecimal(out, reinterpret_cast<const std::byte*>(decimals.GetValue(row)), type.scale());
    }
    case arrow::Type::LIST:
      return AppendList(out, static_cast<const arrow::ListArray&>(values), row);
    case arrow::Type::STRUCT:
      return AppendStruct(out, static_cast<const arrow::StructArray&>(values), row);
    case arrow::Type::MAP:
      return AppendMap(out, static_cast<const arrow::MapArray&>(values), row);
    default:
      out.append("null");  // no type of a definition
  }
}

}  // namespace tidemark::server::feast
