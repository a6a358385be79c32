// The second pass: values of the rows that won, and of no others.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/view_source.h"

namespace tidemark {

/// Columns with one value for each distinct row that was asked for, and where each asked row's values are.
struct RowValues {
  arrow::ArrayVector keys;          // canonical join keys, if asked for
  arrow::ArrayVector features;      // in the order asked, in the declared types
  std::vector<std::int32_t> index;  // for each asked location: its place in the columns, -1 for kNoRow
};

struct RowValuesOptions {
  std::vector<Field> features;
  bool with_keys = false;
  std::size_t threads = 1;
  std::stop_token stop;
};

/// Reads the rows at `locations` (any order, duplicates allowed, kNoRow for none). Only fragments with such
/// rows are touched. `fragments` are all of the source's, ascending by location.
Result<RowValues> ReadRowValues(const ViewSource& source, const std::vector<Fragment>& fragments,
                                std::span<const RowLocation> locations, const RowValuesOptions& options);

/// About how many bytes one row takes in memory.
struct RowBytes {
  std::int64_t fixed = 0;     // of values whose types say how many
  std::int64_t variable = 0;  // of text and nested values
  std::int64_t total() const { return fixed + variable; }
};

/// Measures rows of `features`, those of variable width on some rows in the middle of the source.
Result<RowBytes> MeasureRowBytes(const ViewSource& source, const std::vector<Fragment>& fragments,
                                 const std::vector<Field>& features);

/// `values[index[i]]` for each i, null where the index is negative.
Result<std::shared_ptr<arrow::Array>> Gather(const std::shared_ptr<arrow::Array>& values,
                                             std::span<const std::int32_t> index);

}  // namespace tidemark
