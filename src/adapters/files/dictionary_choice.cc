// A sample over the whole column is sorted, and its different values are counted.
#include "adapters/files/dictionary_choice.h"

#include <arrow/type_traits.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tidemark {
namespace {

constexpr std::int64_t kSampleRows = 1024;
constexpr std::size_t kSampleValuesMin = 16;  // fewer tell nothing

}  // namespace

bool DictionaryPays(const arrow::Array& column) {
  const auto id = column.type_id();
  if (!arrow::is_primitive(id) || id == arrow::Type::BOOL) return true;
  const auto width = static_cast<std::size_t>(column.type()->byte_width());
  const std::uint8_t* const values =
      column.data()->GetValues<std::uint8_t>(1, column.offset() * static_cast<std::int64_t>(width));
  const std::int64_t step = std::max<std::int64_t>(1, column.length() / kSampleRows);
  std::vector<std::uint64_t> sample;
  for (std::int64_t row = 0; row < column.length(); row += step) {
    if (column.IsNull(row)) continue;
    std::uint64_t value = 0;
    std::memcpy(&value, values + static_cast<std::size_t>(row) * width, width);
    sample.push_back(value);
  }
  if (sample.size() < kSampleValuesMin) return true;
  std::ranges::sort(sample);
  const auto different = std::unique(sample.begin(), sample.end()) - sample.begin();
  return static_cast<std::size_t>(different) * 2 <= sample.size();
}

}  // namespace tidemark
