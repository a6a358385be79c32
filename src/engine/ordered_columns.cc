// Loops over words of one width.
#include "engine/ordered_columns.h"

#include <arrow/type_traits.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

using arrow::bit_util::ClearBit;
using arrow::bit_util::GetBit;
using arrow::internal::CopyBitmap;

/// Calls `task` with a word of `bytes`.
template <typename Task>
void WithWord(int bytes, const Task& task) {
  switch (bytes) {
    case 4:
      return task(std::uint32_t{});
    case 8:
      return task(std::uint64_t{});
    default:
      return task(std::array<std::uint64_t, 2>{});
  }
}

Result<std::shared_ptr<arrow::Buffer>> NewWords(const arrow::DataType& type, std::int64_t rows) {
  return FromArrowResult(arrow::AllocateBuffer(rows * type.byte_width(), BufferPool()));
}

Result<std::shared_ptr<arrow::Buffer>> NewBits(std::int64_t rows) {
  return FromArrowResult(arrow::AllocateEmptyBitmap(rows, BufferPool()));
}

/// `valid` may be a null pointer: all are.
std::shared_ptr<arrow::Array> ColumnOf(const std::shared_ptr<arrow::DataType>& type, std::int64_t rows,
                                       std::shared_ptr<arrow::Buffer> valid,
                                       std::shared_ptr<arrow::Buffer> words) {
  auto made = arrow::ArrayData::Make(type, rows, {std::move(valid), std::move(words)});
  if (made->GetNullCount() == 0) made->buffers[0] = nullptr;
  return arrow::MakeArray(made);
}

/// Calls task(i) for each of `rows` bits from `begin` on that is not set.
template <typename Task>
void ForEachUnset(const std::uint8_t* bits, std::int64_t begin, std::int64_t rows, const Task& task) {
  constexpr std::int64_t kAtOnce = 56;  // whatever bit they begin at, a word has them all
  const std::int64_t bytes = (begin + rows + 7) / 8;
  std::int64_t i = 0;
  for (; rows - i >= kAtOnce; i += kAtOnce) {
    const std::int64_t byte = (begin + i) / 8;
    if (byte + std::int64_t{sizeof(std::uint64_t)} > bytes) break;
    std::uint64_t word = 0;
    std::memcpy(&word, bits + byte, sizeof(word));
    std::uint64_t unset = ~(word >> ((begin + i) % 8)) & ((std::uint64_t{1} << kAtOnce) - 1);
    for (; unset != 0; unset &= unset - 1)
      task(i + std::countr_zero(unset));
  }
  for (; i < rows; ++i) {
    if (!GetBit(bits, begin + i)) task(i);
  }
}

}  // namespace

bool IsOfWords(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DECIMAL128) return true;
  return arrow::is_primitive(type.id()) && (type.byte_width() == 4 || type.byte_width() == 8);
}

Result<std::shared_ptr<arrow::Array>> TakeWords(const arrow::Array& values,
                                                std::span<const std::int32_t> index) {
  const auto rows = static_cast<std::int64_t>(index.size());
  TM_ASSIGN(auto words, NewWords(*values.type(), rows));
  WithWord(values.type()->byte_width(), [&]<typename Word>(Word) {
    const Word* const from = values.data()->GetValues<Word>(1);
    auto* const to = reinterpret_cast<Word*>(words->mutable_data());
    for (std::size_t i = 0; i < index.size(); ++i)
      to[i] = from[index[i]];
  });
  if (values.null_count() == 0) return ColumnOf(values.type(), rows, nullptr, std::move(words));
  TM_ASSIGN(auto valid, NewBits(rows));
  const std::uint8_t* const from = values.null_bitmap_data();
  std::uint8_t* const to = valid->mutable_data();
  for (std::int64_t i = 0; i < rows; ++i) {
    const bool is_valid = GetBit(from, values.offset() + index[static_cast<std::size_t>(i)]);
    to[i >> 3] = static_cast<std::uint8_t>(to[i >> 3] | (static_cast<unsigned>(is_valid) << (i & 7)));
  }
  return ColumnOf(values.type(), rows, std::move(valid), std::move(words));
}

Result<std::shared_ptr<arrow::Array>> InOrderOfAsks(const std::shared_ptr<arrow::DataType>& type,
                                                    const arrow::ArrayVector& parts, const AsksByPart& asks,
                                                    std::int64_t begin, std::int64_t rows) {
  TM_ASSIGN(auto words, NewWords(*type, rows));
  TM_ASSIGN(auto valid, NewBits(rows));
  CopyBitmap(asks.asked.data(), begin, rows, valid->mutable_data(), 0);
  const auto first_ask = static_cast<std::uint32_t>(begin);
  const auto last_ask = static_cast<std::uint32_t>(begin + rows);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const auto all = asks.Of(part);
    const auto from = std::ranges::lower_bound(all, first_ask);
    const std::span<const std::uint32_t> some(from, std::lower_bound(from, all.end(), last_ask));
    const arrow::ArrayData& values = *parts[part]->data();
    const std::int64_t at = from - all.begin();
    WithWord(type->byte_width(), [&]<typename Word>(Word) {
      const Word* const in = values.GetValues<Word>(1) + at;
      auto* const out = reinterpret_cast<Word*>(words->mutable_data());
      for (std::size_t i = 0; i < some.size(); ++i)
        out[some[i] - first_ask] = in[i];
    });
    if (!values.MayHaveNulls()) continue;
    ForEachUnset(values.buffers[0]->data(), values.offset + at, std::ssize(some), [&](std::int64_t i) {
      ClearBit(valid->mutable_data(), some[static_cast<std::size_t>(i)] - first_ask);
    });
  }
  WithWord(type->byte_width(), [&]<typename Word>(Word) {  // nobody is to see what the memory had
    auto* const out = reinterpret_cast<Word*>(words->mutable_data());
    ForEachUnset(asks.asked.data(), begin, rows, [&](std::int64_t i) { out[i] = Word{}; });
  });
  return ColumnOf(type, rows, std::move(valid), std::move(words));
}

}  // namespace tidemark
