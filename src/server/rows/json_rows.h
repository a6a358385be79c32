// Whole JSON bodies as columns: `{"column": [value, ..], ..}` or `[{"column": value, ..}, ..]`.
#pragma once

#include <arrow/record_batch.h>
#include <simdjson.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/type.h"
#include "rows/json_columns.h"

namespace tidemark::server {

/// Types of columns that are known, by name.
using ColumnTypes = std::map<std::string, DataType, std::less<>>;

struct JsonRowsOptions {
  ColumnTypes types = {};  // columns that are not among them get the type that their values look like
  JsonPolicy policy = {};
  std::size_t rows_max = 1'000'000;
  std::size_t depth_max = 64;
  /// A value that does not fit marks its row (column system_column::kUnfit, the last one), and is null there,
  /// instead of failing all.
  bool marks_bad_rows = false;
};

/// A JSON text, parsed. Its elements are valid as long as it is.
class JsonDocument {
 public:
  /// kInvalidArgument for what is no JSON, or is nested deeper than `depth_max`.
  static Result<JsonDocument> Parse(std::string_view text, std::size_t depth_max);
  simdjson::dom::element root() const { return root_; }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_ = std::make_unique<simdjson::dom::parser>();
  simdjson::dom::element root_;
};

/// Columns that are filled object by object, in the order in which their names are first seen. A column that
/// an object does not have is null there.
class JsonObjects {
 public:
  explicit JsonObjects(JsonRowsOptions options);

  /// Looks at an object that will be added: what types the columns that are not known have. To be called for
  /// those that are to decide, before the first Add.
  Result<void> Learn(simdjson::dom::element object);
  /// kTypeMismatch with column, row and value; kInvalidArgument for a column that is given twice, or one that
  /// no object that was learnt from has and whose type is not known. None of these where bad rows are marked.
  Result<void> Add(simdjson::dom::element object);
  std::int64_t rows() const { return rows_; }
  /// The rows that were added; the next begin a new batch of the same columns. If there were none at all,
  /// they have the columns whose types are known.
  Result<std::shared_ptr<arrow::RecordBatch>> Finish();
  bool cut_times() const;

 private:
  Result<std::size_t> ColumnOf(std::string_view name, std::size_t hint);
  Result<void> AddValue(std::string_view name, simdjson::dom::element value, std::size_t& hint);
  Error AtRow(Error error) const;
  Result<void> Bad(Error error);

  const JsonRowsOptions options_;
  std::map<std::string, std::optional<DataType>, std::less<>> learnt_;
  std::vector<JsonColumn> columns_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::int64_t rows_ = 0;         // in this batch
  std::int64_t rows_before_ = 0;  // in those before it
  bool has_begun_ = false;
  JsonColumn unfit_;  // the marks
};

/// Rows in either form; an empty object is no rows of no columns, an empty array no rows of the columns that
/// are known. kInvalidArgument for columns of
/// different lengths, one that is given twice, more than `rows_max` rows, or another form; kTypeMismatch for
/// values that do not fit. `cut_times`, if given, is set where times had digits below a microsecond.
Result<std::shared_ptr<arrow::RecordBatch>> RowsFromJson(simdjson::dom::element rows,
                                                         const JsonRowsOptions& options,
                                                         bool* cut_times = nullptr);

}  // namespace tidemark::server
