// Writing JSON: texts and numbers appended to a string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark::json {

/// Appends `text` quoted and escaped. Bytes that are not UTF-8 become U+FFFD, so that the result is always
/// JSON.
void AppendText(std::string& out, std::string_view text);

/// Appends an integer, exactly.
void AppendNumber(std::string& out, std::int64_t value);
void AppendNumber(std::string& out, std::uint64_t value);
/// Appends the shortest number that reads back as `value`, always with a fraction or an exponent, so that
/// readers who infer types see a float. NaN and the infinities have no number in JSON: they are written as
/// the texts "NaN", "Infinity" and "-Infinity".
void AppendNumber(std::string& out, double value);

}  // namespace tidemark::json
