// Single values between JSON and Arrow.
#pragma once

#include <arrow/array.h>

#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "model/definition.h"

namespace tidemark {

/// One value of a join key as an array of length 1 in canonical form. Integers and timestamps as numbers
/// (timestamps in ISO-8601 text too), bool as bool, string and bytes as text. kTypeMismatch names the key.
Result<std::shared_ptr<arrow::Array>> KeyFromJson(const Json& value, const JoinKey& key);

/// A value as JSON: numbers, bools and text as such, lists as arrays, structs and maps as objects, timestamps
/// and dates as ISO-8601, binary as hex, decimals as text, what JSON has no number for (NaN, infinities) as
/// text.
Json ToJsonValue(const arrow::Array& values, std::int64_t row);

}  // namespace tidemark
