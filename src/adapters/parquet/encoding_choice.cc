// Columns are judged by samples: values from all over a column, or rows that lie together.
#include "adapters/parquet/encoding_choice.h"

#include <arrow/type_traits.h>
#include <arrow/util/compression.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace tidemark {
namespace {

constexpr std::int64_t kSampleRows = 1024;
constexpr std::size_t kSampleValuesMin = 16;  // fewer tell nothing

constexpr std::int64_t kRunRows = 4096;
constexpr std::int64_t kCompressedRows = 16 * 1024;

constexpr std::int64_t kStepRows = 8 * 1024;
constexpr std::size_t kStepValuesMin = 1024;  // fewer are little either way
// A step for fewer values than one in so many leaves a dictionary small.
constexpr std::size_t kValuesPerStepMax = 64;
// Parquet packs so many steps with the same number of bits, and states the least step for so many of these.
constexpr std::size_t kPackedSteps = 32;
constexpr std::size_t kBlockPacks = 4;

/// Numbers and times as the bytes that they are.
struct Words {
  const std::uint8_t* bytes = nullptr;
  std::size_t width = 0;

  const std::uint8_t* at(std::int64_t row) const { return bytes + static_cast<std::size_t>(row) * width; }
};

bool HaveWords(const arrow::Array& column) {
  const auto id = column.type_id();
  return arrow::is_primitive(id) && id != arrow::Type::BOOL && column.data()->buffers[1] != nullptr;
}

Words WordsOf(const arrow::Array& column) {
  const auto width = static_cast<std::size_t>(column.type()->byte_width());
  return {column.data()->GetValues<std::uint8_t>(1, column.offset() * static_cast<std::int64_t>(width)),
          width};
}

bool AreIntegers(const arrow::Array& column) {
  const auto id = column.type_id();
  const bool is_time = id == arrow::Type::TIMESTAMP || arrow::is_time(id) || arrow::is_date(id);
  return HaveWords(column) && (arrow::is_integer(id) || is_time);
}

/// Bits that Parquet packs these steps in, with what it states about them.
std::size_t PackedBits(std::span<const std::uint64_t> steps) {
  constexpr std::size_t kStatedBits = 8;  // of each pack; and a number of several bytes for each block
  std::size_t bits = 0;
  while (!steps.empty()) {
    auto block = steps.first(std::min(steps.size(), kPackedSteps * kBlockPacks));
    steps = steps.subspan(block.size());
    const std::uint64_t least = std::ranges::min(block);
    bits += static_cast<std::size_t>(std::bit_width(least)) + kStatedBits;
    while (!block.empty()) {
      const auto pack = block.first(std::min(block.size(), kPackedSteps));
      block = block.subspan(pack.size());
      bits += kPackedSteps * static_cast<std::size_t>(std::bit_width(std::ranges::max(pack) - least)) +
              kStatedBits;
    }
  }
  return bits;
}

template <typename Value>
bool StepsPayFor(const arrow::Array& column) {
  const Value* const values = column.data()->GetValues<Value>(1);
  const std::int64_t first = std::max<std::int64_t>(0, (column.length() - kStepRows) / 2);
  const std::int64_t end = std::min(column.length(), first + kStepRows);
  std::vector<std::uint64_t> steps;
  std::size_t ups = 0;
  const Value* before = nullptr;
  for (std::int64_t row = first; row < end; ++row) {
    if (column.IsNull(row)) continue;
    const Value* const value = values + row;
    if (before != nullptr) {
      if (*value < *before) return false;
      ups += *value > *before ? 1 : 0;
      steps.push_back(static_cast<std::uint64_t>(*value) - static_cast<std::uint64_t>(*before));
    }
    before = value;
  }
  if (steps.size() < kStepValuesMin || ups * kValuesPerStepMax < steps.size()) return false;
  return PackedBits(steps) <= steps.size() * sizeof(Value);
}

}  // namespace

bool DictionaryPays(const arrow::Array& column) {
  if (!HaveWords(column)) return true;
  const Words words = WordsOf(column);
  const std::int64_t step = std::max<std::int64_t>(1, column.length() / kSampleRows);
  std::vector<std::uint64_t> sample;
  for (std::int64_t row = 0; row < column.length(); row += step) {
    if (column.IsNull(row)) continue;
    std::uint64_t value = 0;
    std::memcpy(&value, words.at(row), words.width);
    sample.push_back(value);
  }
  if (sample.size() < kSampleValuesMin) return true;
  std::ranges::sort(sample);
  const auto different = std::unique(sample.begin(), sample.end()) - sample.begin();
  return static_cast<std::size_t>(different) * 2 <= sample.size();
}

bool HasRuns(const arrow::Array& column) {
  if (!HaveWords(column)) return false;
  const Words words = WordsOf(column);
  const std::int64_t rows = std::min(column.length(), kRunRows);
  std::int64_t same = 0;
  for (std::int64_t row = 1; row < rows; ++row)
    same += std::memcmp(words.at(row - 1), words.at(row), words.width) == 0 ? 1 : 0;
  return same * 2 >= rows;
}

bool StepsPay(const arrow::Array& column) {
  if (!AreIntegers(column)) return false;
  switch (column.type()->byte_width()) {
    case sizeof(std::int32_t):
      return StepsPayFor<std::int32_t>(column);
    case sizeof(std::int64_t):
      return StepsPayFor<std::int64_t>(column);
    default:
      return false;
  }
}

bool CompressionPays(const arrow::Array& column, arrow::Compression::type codec) {
  if (!HaveWords(column)) return true;
  const Words words = WordsOf(column);
  std::vector<std::uint8_t> sample;
  const std::int64_t first = std::max<std::int64_t>(0, (column.length() - kCompressedRows) / 2);
  const std::int64_t end = std::min(column.length(), first + kCompressedRows);
  for (std::int64_t row = first; row < end; ++row) {
    if (column.IsValid(row)) sample.insert(sample.end(), words.at(row), words.at(row) + words.width);
  }
  const auto size = static_cast<std::int64_t>(sample.size());
  if (size < kCompressedRows) return true;  // too few to tell
  auto compressor = arrow::util::Codec::Create(codec);
  if (!compressor.ok()) return true;
  std::vector<std::uint8_t> out(
      static_cast<std::size_t>((*compressor)->MaxCompressedLen(size, sample.data())));
  const auto compressed = (*compressor)->Compress(size, sample.data(), std::ssize(out), out.data());
  return !compressed.ok() || *compressed * 5 <= size * 4;
}

}  // namespace tidemark
