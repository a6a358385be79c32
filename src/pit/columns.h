// Brings columns as users have them into the few forms that the kernel works on, without losing anything.
#pragma once

#include <arrow/array.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "model/definition.h"

namespace tidemark {

/// Microseconds UTC as int64 without nulls, of a column of event or created times: a timestamp of any unit
/// and zone (a naive one is UTC), a date (its midnight), or ISO-8601 text (string, large, view or
/// dictionary). `column` and `first_row` are named in errors: "column 'ts', row 12: null". Nulls, text that
/// is no timestamp and values outside microseconds' range are kInvalidData, other types kTypeMismatch. `cut`,
/// if given, is set when a finer value lost digits. Zero copy for timestamp[us].
Result<std::shared_ptr<arrow::Int64Array>> TimesToMicros(const arrow::Array& times, std::string_view column,
                                                         std::int64_t first_row, bool* cut = nullptr);

/// The same where nulls are allowed (known_by columns never are, but outputs may be); they stay null.
Result<std::shared_ptr<arrow::Int64Array>> NullableTimesToMicros(const arrow::Array& times,
                                                                 std::string_view column,
                                                                 std::int64_t first_row, bool* cut = nullptr);

/// The same of numbers of `unit` since 1970, as a table of event times keeps them: any integer, or floats,
/// which stand for the nearest microsecond. kTypeMismatch for other types, kInvalidData for a null, a NaN or
/// a time beyond the range.
Result<std::shared_ptr<arrow::Int64Array>> NumbersToMicros(const arrow::Array& numbers, TimeUnit unit,
                                                           std::string_view column, std::int64_t first_row,
                                                           bool* cut = nullptr);

/// A join key column as int64 (int and uint types, date, timestamp as microseconds UTC), bool, or binary
/// (string, binary, their large and view forms), dictionaries decoded. `type` is the key's declared type;
/// nulls are kInvalidData, floats and types of another family kTypeMismatch with a hint, unsigned values
/// beyond int64 kTypeMismatch; the row is named. Zero copy where the layout allows.
Result<std::shared_ptr<arrow::Array>> CanonicalKey(const std::shared_ptr<arrow::Array>& keys,
                                                   const DataType& type, std::string_view column,
                                                   std::int64_t first_row);

/// The Arrow type that values of a type have everywhere in Tidemark: timestamp is timestamp[us, UTC], date is
/// date32, decimal is decimal128, string is utf8.
std::shared_ptr<arrow::DataType> ToArrow(const DataType& type);
std::shared_ptr<arrow::Field> ToArrow(const Field& field);

/// The Tidemark type that a column of an Arrow type becomes: narrower integers widen to int32 (uint32 and
/// wider to int64), float16 to float32, large and view forms and dictionaries to their plain ones, any
/// timestamp to microseconds UTC. kTypeMismatch, naming the type, for those that have no counterpart.
Result<DataType> FromArrow(const arrow::DataType& type);

/// `column` as ToArrow(type): lossless or an error that names column, row and value. int32 to int64, float32
/// to float64, int to float when exact, narrowing when every value fits, dictionary decoding, timestamps by
/// unit, ISO text to timestamps; never a float to an integer unless exact, never text to a number.
Result<std::shared_ptr<arrow::Array>> CastColumn(const std::shared_ptr<arrow::Array>& column,
                                                 const DataType& type, std::string_view name,
                                                 std::int64_t first_row);

}  // namespace tidemark
