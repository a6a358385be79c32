// SQL expressions: read and checked once, evaluated over Arrow arrays any number of times; several together
// compute once what they have in common.
//
//   CASE WHEN amount > 100 THEN ln(amount) ELSE 0 END
//
// Operators and functions have DuckDB's meaning, nulls included: `docs/transformations.md` lists them. What
// differs: a number with a point is a float64 (a float32 beside a float32), a text is never compared with a
// number unless it is cast, hash() is Tidemark's own, and now() is the time that the caller gives.
#pragma once

#include <arrow/array.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/type.h"

namespace tidemark {

/// A column that an expression may name: `name`, or `table.name` where two tables have it. Names with
/// anything but letters, digits and `_` stand in double quotes. Exact names come first, then names in another
/// case.
struct ExpressionColumn {
  std::string table;  // may be empty
  std::string name;
  DataType type;
};

/// Rows to evaluate over.
struct ExpressionRows {
  /// In the order that was bound, each of ToArrow(its type); those that are not in columns_used() may be
  /// null.
  std::span<const std::shared_ptr<arrow::Array>> columns;
  std::int64_t count = 0;
  std::int64_t first_row = 0;                      // how messages number the first one
  std::int64_t now_us = 0;                         // what now() is, microseconds UTC
  const arrow::Int64Array* now_per_row = nullptr;  // instead, a time for each row; without nulls
};

/// How long an expression may be, in bytes, and how deep it may nest.
inline constexpr std::size_t kExpressionBytesMax = 65'536;
inline constexpr int kExpressionDepthMax = 100;

/// An expression whose every part has a type. Cheap to copy; thread safe.
class BoundExpression {
 public:
  /// Reads `text` and checks it against the columns. With `wanted` the result has this type: one that widens
  /// to it is cast (int32 to int64, numbers to float64, date to timestamp), another is an error. Every error
  /// shows the text and points at the character: kInvalidArgument for what cannot be read, kNotFound for a
  /// column or function that does not exist, kTypeMismatch (with both types) for one that does not take what
  /// it is given, kUnsupported for types that expressions do not handle.
  static Result<BoundExpression> Bind(std::string_view text, std::span<const ExpressionColumn> columns,
                                      const std::optional<DataType>& wanted = std::nullopt);

  /// The type of the result.
  const DataType& type() const;
  /// Places in the bound columns of those that the expression names, ascending.
  const std::vector<std::size_t>& columns_used() const;
  bool uses_now() const;

  /// One value a row, of ToArrow(type()). kInvalidData for a value that has no result where DuckDB has none
  /// either (overflow, logarithm of zero, a cast that fails): the message names the row and
  /// the character of the expression. kTypeMismatch for a column of another Arrow type than was bound.
  Result<std::shared_ptr<arrow::Array>> Evaluate(const ExpressionRows& rows) const;

 private:
  friend class BoundExpressions;
  struct Program;
  explicit BoundExpression(std::shared_ptr<const Program> program);

  std::shared_ptr<const Program> program_;
};

/// An expression among several.
struct StatedExpression {
  std::string text;
  std::optional<DataType> wanted = {};  // as of BoundExpression::Bind
  std::string place = {};               // what its errors are about
};

/// Expressions over the same columns, evaluated together: what they have in common is computed once. Cheap to
/// copy; thread safe.
class BoundExpressions {
 public:
  /// As BoundExpression::Bind, one after the other; the place of one that fails is in its error.
  static Result<BoundExpressions> Bind(std::span<const StatedExpression> expressions,
                                       std::span<const ExpressionColumn> columns);

  /// Of all of them.
  const std::vector<std::size_t>& columns_used() const;

  /// An array for each, as of BoundExpression::Evaluate; the place of one that fails is in its error.
  Result<std::vector<std::shared_ptr<arrow::Array>>> Evaluate(const ExpressionRows& rows) const;

 private:
  explicit BoundExpressions(std::shared_ptr<const BoundExpression::Program> program);

  std::shared_ptr<const BoundExpression::Program> program_;
};

}  // namespace tidemark
