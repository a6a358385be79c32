// How messages of a stream become rows of a view, where the view says so: expressions that compute columns,
// and one that leaves rows out. Read and checked once, run over many messages at a time.
//
//   columns of messages -> [what the filter names of the computed] -> filter -> the other computed columns
//
// Deletions pass. Of them only the event time is computed, and nothing if the message has no value at all.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "expression/expression.h"
#include "model/definition.h"

namespace tidemark {

/// As a decoder gives them: columns by the names that definitions use. A column `is_deleted` (booleans) says
/// of each row whether it is a deletion.
struct TransformInput {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<bool> is_tombstone;               // of each row: it has values in its join keys only
  std::shared_ptr<arrow::Int64Array> arrivals;  // when the broker got each, in microseconds: what now() is
};

/// A row for which an expression has no value, and why.
struct TransformProblem {
  std::size_t row = 0;
  std::string reason;
};

struct TransformedRows {
  std::shared_ptr<arrow::RecordBatch> rows;  // columns of the view, and `is_deleted` if it was there
  std::vector<std::size_t> places;           // of each of `rows`, its place among those that were given
  std::vector<TransformProblem> problems;    // by row
  std::int64_t left_out = 0;                 // by the filter
};

/// Cheap to copy; thread safe.
class StreamTransform {
 public:
  /// Of a view that has a transformation, which CheckDefinitions has accepted; `keys` are its join keys.
  /// Errors as BoundExpression::Bind has them, with the expression's place; kInvalidArgument for a join key
  /// without a type.
  static Result<StreamTransform> Bind(const FeatureView& view, std::span<const JoinKey> keys);

  /// What expressions may name: the columns that messages are to be decoded to, with their types.
  const std::vector<ExpressionColumn>& columns() const { return columns_; }
  bool is_computed(std::string_view column) const;

  /// An error only if nothing can be computed at all.
  Result<TransformedRows> Run(const TransformInput& input) const;

 private:
  friend class TransformRun;
  struct Computed {
    std::string name;
    BoundExpression expression;
    bool is_event_time = false;
    bool is_for_filter = false;
  };

  std::vector<ExpressionColumn> columns_;
  std::vector<Computed> computed_;
  std::optional<BoundExpression> filter_;
  std::vector<std::size_t> filter_computed_;  // behind the columns, what the filter may name of the computed
  std::vector<std::string> dropped_;          // columns of messages that rows do not keep
};

/// Binds the transformation of every view of `live`, which CheckDefinitions has accepted: errors as Bind,
/// with the view.
Result<void> CheckStreamTransforms(const Definitions& live);

}  // namespace tidemark
