// One visit per cell: this is for people and small results; files are written by the engine.
#include "cli/arrow_rows.h"
#include "base/date_text.h"
#include "base/json.h"

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <arrow/visit_array_inline.h>
#include <fmt/format.h>

#include <cmath>
#include <string_view>

namespace tidemark::cli {
namespace {

/// Units of a timestamp in a second.
std::int64_t PerSecond(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    case arrow::TimeUnit::NANO:
      return 1'000'000'000;
  }
  return 1;
}

/// `quotient` towards minus infinity.
std::int64_t FloorDivide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

std::string TimestampText(std::int64_t value, const arrow::TimestampType& type) {
  constexpr std::int64_t kSecondsPerDay = 86'400;
  const std::int64_t per_second = PerSecond(type.unit());
  const std::int64_t seconds = FloorDivide(value, per_second);
  const std::int64_t days = FloorDivide(seconds, kSecondsPerDay);
  const std::int64_t second = seconds - days * kSecondsPerDay;
  std::string text =
      fmt::format("{}T{:02}:{:02}:{:02}", FormatDate(days), second / 3600, second / 60 % 60, second % 60);
  if (const std::int64_t fraction = value - seconds * per_second; fraction != 0) {
    const int digits = per_second == 1'000 ? 3 : per_second == 1'000'000 ? 6 : 9;
    text += fmt::format(".{:0{}}", fraction, digits);
  }
  return text + (type.timezone().empty() ? "" : "Z");
}

std::string HexText(std::string_view bytes) {
  std::string text = "0x";
  for (const char byte : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

template <typename T>
Json FloatCell(T value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  // The shortest text that reads back as this T, so that a float32 shows no more digits than it has.
  return std::stod(fmt::format("{}", value));
}

struct CellVisitor {
  std::int64_t row;
  Json cell;

  arrow::Status Visit(const arrow::BooleanArray& array) { return Take(array.Value(row)); }
  arrow::Status Visit(const arrow::FloatArray& array) { return Take(FloatCell(array.Value(row))); }
  arrow::Status Visit(const arrow::DoubleArray& array) { return Take(FloatCell(array.Value(row))); }
  arrow::Status Visit(const arrow::Date32Array& array) { return Take(FormatDate(array.Value(row))); }
  arrow::Status Visit(const arrow::TimestampArray& array) {
    return Take(TimestampText(array.Value(row), static_cast<const arrow::TimestampType&>(*array.type())));
  }
  arrow::Status Visit(const arrow::BinaryArray& array) { return Take(HexText(array.GetView(row))); }
  arrow::Status Visit(const arrow::LargeBinaryArray& array) { return Take(HexText(array.GetView(row))); }
  arrow::Status Visit(const arrow::BinaryViewArray& array) { return Take(HexText(array.GetView(row))); }
  arrow::Status Visit(const arrow::StringArray& array) { return Take(array.GetString(row)); }
  arrow::Status Visit(const arrow::LargeStringArray& array) { return Take(array.GetString(row)); }
  arrow::Status Visit(const arrow::StringViewArray& array) { return Take(array.GetString(row)); }
  arrow::Status Visit(const arrow::MapArray& array) {
    cell = Json::array();
    for (std::int64_t i = array.value_offset(row); i < array.value_offset(row + 1); ++i) {
      cell.push_back(Json::array({CellOf(*array.keys(), i), CellOf(*array.items(), i)}));
    }
    return arrow::Status::OK();
  }
  arrow::Status Visit(const arrow::ListArray& array) { return TakeList(array); }
  arrow::Status Visit(const arrow::LargeListArray& array) { return TakeList(array); }
  arrow::Status Visit(const arrow::StructArray& array) {
    cell = Json::object();
    for (int i = 0; i < array.num_fields(); ++i) {
      cell[array.struct_type()->field(i)->name()] = CellOf(*array.field(i), row);
    }
    return arrow::Status::OK();
  }
  arrow::Status Visit(const arrow::DictionaryArray& array) {
    return Take(CellOf(*array.dictionary(), array.GetValueIndex(row)));
  }
  /// Integers of every width; anything else (decimals, other types of the entity rows) as Arrow writes it.
  template <typename Array>
  arrow::Status Visit(const Array& array) {
    if constexpr (arrow::is_integer_type<typename Array::TypeClass>::value) {
      return Take(array.Value(row));
    } else {
      ARROW_ASSIGN_OR_RAISE(const auto scalar, array.GetScalar(row));
      return Take(scalar->ToString());
    }
  }

  arrow::Status Take(Json value) {
    cell = std::move(value);
    return arrow::Status::OK();
  }

  template <typename List>
  arrow::Status TakeList(const List& array) {
    cell = Json::array();
    for (auto i = array.value_offset(row); i < array.value_offset(row + 1); ++i) {
      cell.push_back(CellOf(*array.values(), i));
    }
    return arrow::Status::OK();
  }
};

}  // namespace

Json CellOf(const arrow::Array& array, std::int64_t row) {
  if (array.IsNull(row)) return nullptr;
  CellVisitor visitor{row, {}};
  const arrow::Status seen = arrow::VisitArrayInline(array, &visitor);
  return seen.ok() ? visitor.cell : Json("<" + seen.ToString() + ">");
}

Result<void> PrintBatch(const arrow::RecordBatch& batch, std::int64_t rows_max, RowPrinter& printer) {
  for (std::int64_t row = 0; row < std::min(rows_max, batch.num_rows()); ++row) {
    Row cells;
    for (const auto& column : batch.columns())
      cells.push_back(CellOf(*column, row));
    TM_TRY(printer.Print(cells));
  }
  return {};
}

}  // namespace tidemark::cli
