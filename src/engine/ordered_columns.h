// Values that were read part by part, put into the order of the rows that asked for them.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// Who asked for the rows of each part: asks [begin[p], begin[p + 1]), ascending numbers of asking rows. No
/// number comes twice.
struct AsksByPart {
  std::vector<std::size_t> begin{0};
  std::vector<std::uint32_t> asks;
  std::vector<std::uint8_t> asked =
      {};  // a bit for each asking row that comes in `asks`, as Arrow has bitmaps

  std::size_t parts() const { return begin.size() - 1; }
  std::span<const std::uint32_t> Of(std::size_t part) const {
    return std::span(asks).subspan(begin[part], begin[part + 1] - begin[part]);
  }
};

/// True for types whose values are words of 4, 8 or 16 bytes: those that the two functions below take. Both
/// touch only memory of a size that stays in the second-level cache; one step from parts to order would miss
/// the caches for each value.
bool IsOfWords(const arrow::DataType& type);

/// `values[index[i]]` for each i; no index is negative.
Result<std::shared_ptr<arrow::Array>> TakeWords(const arrow::Array& values,
                                                std::span<const std::int32_t> index);

/// Values for the asking rows [begin, begin + rows), null for those that did not ask. parts[p] has a value
/// for each of asks.Of(p).
Result<std::shared_ptr<arrow::Array>> InOrderOfAsks(const std::shared_ptr<arrow::DataType>& type,
                                                    const arrow::ArrayVector& parts, const AsksByPart& asks,
                                                    std::int64_t begin, std::int64_t rows);

}  // namespace tidemark
