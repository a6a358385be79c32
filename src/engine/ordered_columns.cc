// Loops over words of one width.
#include "engine/ordered_columns.h"

#include <arrow/type_traits.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "pit/arrow_status.h"
#include "pit/buffer_pool.h"

namespace tidemark {
namespace {

using arrow::bit_util::GetBit;
using arrow::bit_util::SetBit;

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

/// A column that is being made: zeros without a valid one among them.
struct Words {
  std::shared_ptr<arrow::Buffer> data;
  std::shared_ptr<arrow::Buffer> valid;

  static Result<Words> Make(const arrow::DataType& type, std::int64_t rows) {
    Words out;
    TM_ASSIGN(out.data, FromArrowResult(arrow::AllocateBuffer(rows * type.byte_width(), BufferPool())));
    std::memset(out.data->mutable_data(), 0, static_cast<std::size_t>(out.data->size()));
    TM_ASSIGN(out.valid, FromArrowResult(arrow::AllocateEmptyBitmap(rows, BufferPool())));
    return out;
  }

  std::shared_ptr<arrow::Array> Finish(const std::shared_ptr<arrow::DataType>& type, std::int64_t rows) && {
    auto made = arrow::ArrayData::Make(type, rows, {std::move(valid), std::move(data)});
    if (made->GetNullCount() == 0) made->buffers[0] = nullptr;
    return arrow::MakeArray(made);
  }
};

}  // namespace

bool IsOfWords(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DECIMAL128) return true;
  return arrow::is_primitive(type.id()) && (type.byte_width() == 4 || type.byte_width() == 8);
}

Result<std::shared_ptr<arrow::Array>> TakeWords(const arrow::Array& values,
                                                std::span<const std::int32_t> index) {
  const auto rows = static_cast<std::int64_t>(index.size());
  TM_ASSIGN(Words words, Words::Make(*values.type(), rows));
  WithWord(values.type()->byte_width(), [&]<typename Word>(Word) {
    const Word* const from = values.data()->GetValues<Word>(1);
    auto* const to = reinterpret_cast<Word*>(words.data->mutable_data());
    for (std::size_t i = 0; i < index.size(); ++i)
      to[i] = from[index[i]];
  });
  if (values.null_count() == 0) {
    words.valid = nullptr;
  } else {
    for (std::int64_t i = 0; i < rows; ++i) {
      if (values.IsValid(index[static_cast<std::size_t>(i)])) SetBit(words.valid->mutable_data(), i);
    }
  }
  return std::move(words).Finish(values.type(), rows);
}

Result<std::shared_ptr<arrow::Array>> InOrderOfAsks(const std::shared_ptr<arrow::DataType>& type,
                                                    const arrow::ArrayVector& parts, const AsksByPart& asks,
                                                    std::int64_t begin, std::int64_t rows) {
  TM_ASSIGN(Words words, Words::Make(*type, rows));
  std::uint8_t* const valid = words.valid->mutable_data();
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
      auto* const out = reinterpret_cast<Word*>(words.data->mutable_data());
      for (std::size_t i = 0; i < some.size(); ++i)
        out[some[i] - first_ask] = in[i];
    });
    const std::uint8_t* const in_valid = values.MayHaveNulls() ? values.buffers[0]->data() : nullptr;
    for (std::size_t i = 0; i < some.size(); ++i) {
      const bool is_valid =
          in_valid == nullptr || GetBit(in_valid, static_cast<std::uint64_t>(values.offset + at) + i);
      const std::uint32_t place = some[i] - first_ask;
      valid[place >> 3] =
          static_cast<std::uint8_t>(valid[place >> 3] | (static_cast<unsigned>(is_valid) << (place & 7)));
    }
  }
  return std::move(words).Finish(type, rows);
}

}  // namespace tidemark
