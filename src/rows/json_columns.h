// JSON values into columns of a type, one value after the other.
//
//   | type          | JSON                                                                              |
//   |---------------|-----------------------------------------------------------------------------------|
//   | bool          | true, false                                                                       |
//   | int32, int64  | an integer, or a number without a fraction (3.0)                                  |
//   | float32, 64   | a number; "NaN", "Infinity", "-Infinity"                                          |
//   | string        | text                                                                              |
//   | binary        | base64 text, with or without padding                                              |
//   | timestamp     | ISO-8601 text, or an integer of microseconds                                      |
//   | date          | text, 2026-01-31                                                                  |
//   | decimal       | text, or a number                                                                 |
//   | list          | an array                                                                          |
//   | struct        | an object; members that are not there are null                                    |
//   | map           | an object; keys that are not strings as their text                                |
#pragma once

#include <arrow/array.h>
#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/type.h"
#include "rows/value_sink.h"

namespace tidemark {

/// Where a dialect is more lenient than the table above.
struct JsonPolicy {
  bool text_numbers = false;      // "12" is 12 and "true" is true, where a number or a bool is wanted
  bool truncate_floats = false;   // 1.7 is 1 where an integer is wanted
  bool numbers_as_text = false;   // 12 is "12" and true is "true", where a string is wanted
  bool plain_binary = false;      // binary is the text's own bytes
  bool nan_is_null = false;       // "NaN" is null where a float is wanted
  bool times_in_seconds = false;  // a timestamp is an integer of seconds, and never text
  bool nested_as_text = false;    // a struct or map may come as its JSON in a text
  bool texts_as_csv = false;      // AppendText takes bools and numbers as they stand in CSV files
};

/// One column while it is filled.
class JsonColumn {
 public:
  JsonColumn(std::string name, const DataType& type, const JsonPolicy& policy = {});
  ~JsonColumn();
  JsonColumn(JsonColumn&&) noexcept;
  JsonColumn& operator=(JsonColumn&&) noexcept;

  const std::string& name() const;
  const DataType& type() const;
  std::int64_t rows() const;

  /// Appends a value, JSON's null included. kTypeMismatch with column, row (from 0) and value for one that
  /// does not fit; the column is not to be used then.
  Result<void> Append(simdjson::dom::element value);
  /// The same of each value of an array, faster.
  Result<void> AppendAll(simdjson::dom::array values);
  /// The same of a value that comes as text: "12", "2026-01-31", "1.5".
  Result<void> AppendText(std::string_view text);
  /// As Append and AppendText, for rows that are left out one by one: of a value that does not fit, false
  /// with `why` (column and value, no row), and a value that means nothing in its place. The column goes on.
  bool AppendOrPlaceholder(simdjson::dom::element value, std::string& why);
  bool AppendTextOrPlaceholder(std::string_view text, std::string& why);
  /// For values in other forms: put one into the sink, then say if it fits, and how it is shown if not.
  /// False, as above, if it does not.
  ValueSink& sink();
  bool EndValue(bool fits, std::string_view shown, std::string& why);
  /// Appends nulls until there are `rows`.
  Result<void> FillWithNulls(std::int64_t rows);
  /// True if a time had digits below a microsecond, which are cut.
  bool cut_times() const;

  /// The column, of ArrowTypeOf(type); it begins anew then, but that errors go on counting rows.
  Result<std::shared_ptr<arrow::Array>> Finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The type that values look like: bool, int64, float64, string, lists and structs of these. Starts as
/// nothing and is widened by each value: null adds nothing, an int64 and a float64 make float64.
/// kTypeMismatch for values that have no type in common; `place` is named in it.
/// A list that was empty each time has no child yet.
Result<void> WidenToFit(simdjson::dom::element value, std::string_view place, std::optional<DataType>& type);

/// The type of a column whose values were looked through: what none of them told is a string.
DataType Settled(const std::optional<DataType>& type);

/// What is wrong with a JSON text, and where, as an error for its sender.
Error JsonErrorOf(simdjson::error_code code, std::string_view text, std::size_t depth_max);

/// Parses a text; one with integers of more than 64 bits, which the parser does not know, with those as
/// floats. `is_padded`: SIMDJSON_PADDING bytes behind it may be read. The parser must have been allocated.
simdjson::error_code ParseJsonTree(simdjson::dom::parser& parser, std::string_view text, bool is_padded,
                                   simdjson::dom::element& root);

/// Text as messages show it: quoted, cut if it is long.
std::string ShownInMessage(simdjson::dom::element value);

}  // namespace tidemark
