// The order in which a table's rows lie in its files: by key, event time and created time.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// What rows are sorted by; all of one length.
struct SortColumns {
  arrow::ArrayVector keys;                     // canonical (columns.h), in the order of the join keys' names
  std::shared_ptr<arrow::Int64Array> event;    // microseconds, no nulls
  std::shared_ptr<arrow::Int64Array> created;  // the same
};

struct SortedRows {
  /// The rows in ascending order, those that are equal in all columns as they came. Empty: they are in order.
  std::vector<std::uint32_t> order;
  /// For each place of the order, how many rows before it are equal to its row. Empty: no two are equal.
  std::vector<std::uint32_t> repeats;
};

/// Sorts rows: integers by value, false before true, binary bytewise. kInvalidArgument if a key column is not
/// canonical or has nulls, or there are more than 2^32 - 1 rows. Linear in the rows unless binary keys share
/// their first eight bytes.
Result<SortedRows> SortRows(const SortColumns& columns);

/// True if no two of `rows` rows have the same keys, so that none repeats another; it is faster to know than
/// their order. False if some have or, once in 2^64 / rows^2 times, may have. kInvalidArgument as above.
Result<bool> HaveDifferentKeys(const arrow::ArrayVector& keys, std::int64_t rows);

}  // namespace tidemark
