#include "adapters/files/csv_nulls.h"

#include <arrow/array.h>

#include <algorithm>

namespace tidemark {
namespace {

bool HasEmptyText(const arrow::ChunkedArray& column) {
  const auto id = column.type()->id();
  if (id != arrow::Type::STRING && id != arrow::Type::BINARY) return false;
  return std::ranges::any_of(column.chunks(), [](const auto& chunk) {
    const auto& values = static_cast<const arrow::BinaryArray&>(*chunk);
    for (std::int64_t i = 0; i < values.length(); ++i) {
      if (values.value_length(i) == 0) return true;
    }
    return false;
  });
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Table>> WithNullText(std::shared_ptr<arrow::Table> table,
                                                          const CsvReread& reread) {
  auto convert = arrow::csv::ConvertOptions::Defaults();
  convert.null_values = {""};
  convert.strings_can_be_null = true;
  convert.quoted_strings_can_be_null = false;
  std::vector<int> places;
  for (int i = 0; i < table->num_columns(); ++i) {
    if (!HasEmptyText(*table->column(i))) continue;
    const auto& field = table->schema()->field(i);
    places.push_back(i);
    convert.include_columns.push_back(field->name());
    convert.column_types[field->name()] = field->type();
  }
  if (places.empty()) return table;
  ARROW_ASSIGN_OR_RAISE(const auto again, reread(convert));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const int place = places[i];
    ARROW_ASSIGN_OR_RAISE(
        table, table->SetColumn(place, table->schema()->field(place), again->column(static_cast<int>(i))));
  }
  return table;
}

}  // namespace tidemark
