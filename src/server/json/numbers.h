// Numbers as JSON text, written where they shall stand: for answers made of thousands of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidemark::json {

/// More bytes than any number of PutNumber takes.
inline constexpr std::size_t kNumberBytesMax = 40;

/// Writes a number at `to`, where kNumberBytesMax bytes must be free, and returns the place behind it. What
/// is written is as AppendNumber says (json_text.h); floats have an exponent where Python's repr has one.
char* PutNumber(char* to, std::int64_t value);
char* PutNumber(char* to, std::uint64_t value);
char* PutNumber(char* to, double value);

}  // namespace tidemark::json
