// SQL text as DuckDB reads it: names, values and types written so that they cannot mean anything else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/type.h"

namespace tidemark {

/// "a" as a quoted name, whatever is in it.
std::string QuotedName(std::string_view name);
/// 'a' as a text value, whatever is in it.
std::string QuotedText(std::string_view text);
/// The path as a file pattern that matches this very file.
std::string PatternOf(const std::string& path);
/// BIGINT, TIMESTAMP WITH TIME ZONE, STRUCT("a" BIGINT)[], ...
std::string DuckDbType(const DataType& type);

/// The line of `text` that has the byte at `position`, with a caret below that byte:
///   LINE 2: from b
///                ^
std::string PlaceIn(std::string_view text, std::size_t position);

}  // namespace tidemark
