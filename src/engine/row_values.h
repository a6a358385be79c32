// The second pass: values of the rows that won, and of no others.
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "engine/ordered_columns.h"
#include "engine/view_source.h"

namespace tidemark {

/// Columns with one value for each distinct row that was asked for, and where each asked row's values are; or
/// with one value for each asked row.
struct RowValues {
  arrow::ArrayVector keys;          // canonical join keys, if asked for
  arrow::ArrayVector features;      // in the declared types; null pointers for those that are in order
  std::vector<std::int32_t> index;  // for each asked row: its place in keys and features, -1 for kNoRow

  std::vector<std::shared_ptr<arrow::DataType>> types;  // of the features
  std::vector<bool> in_order;                           // for each feature: its values are in `pieces`
  AsksByPart asks;
  std::vector<arrow::ArrayVector> pieces;  // for each feature, by part

  /// A feature's values for the asked rows [begin, begin + rows), null for kNoRow.
  Result<std::shared_ptr<arrow::Array>> Slice(std::size_t feature, std::int64_t begin,
                                              std::int64_t rows) const;
};

struct RowValuesOptions {
  std::vector<Field> features;
  bool with_keys = false;
  bool in_order = false;    // features of a fixed width are only read through Slice
  std::size_t threads = 1;  // that are to share the parts; those of ReadRowValues
  std::stop_token stop;
};

/// Reads rows in tasks that the caller runs on its threads: SortOut, then every ReadPart, then Finish. Only
/// fragments with asked rows are touched; each is a part, or some of its columns are, where fragments are
/// fewer than threads can share.
class RowValuesReader {
 public:
  /// `fragments` are all of the source's, ascending by location. Both must outlive this.
  RowValuesReader(const ViewSource& source, const std::vector<Fragment>& fragments, RowValuesOptions options);
  ~RowValuesReader();

  /// Asks for the rows at `locations`: any order, duplicates allowed, kNoRow for none. It and Finish use so
  /// many threads.
  Result<void> SortOut(const std::vector<RowLocation>& locations, std::size_t threads);
  std::size_t parts() const;
  /// Calls for different parts may run at the same time.
  Result<void> ReadPart(std::size_t part);
  Result<RowValues> Finish(std::size_t threads);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// All of that at once.
Result<RowValues> ReadRowValues(const ViewSource& source, const std::vector<Fragment>& fragments,
                                const std::vector<RowLocation>& locations, const RowValuesOptions& options);

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
