// Values as Feast's feature server shows them in JSON: times in whole seconds, bytes in base64, decimals as
// text.
#pragma once

#include <arrow/array.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark::server::feast {

/// Whole seconds of a point in time, towards the past.
constexpr std::int64_t SecondsOf(std::int64_t us) {
  return us / 1'000'000 - (us % 1'000'000 < 0 ? 1 : 0);
}

void AppendBytes(std::string& out, std::string_view bytes);
/// "2026-01-31"
void AppendDate(std::string& out, std::int32_t days);
/// A decimal128 of 16 bytes, little-endian: "1.50"
void AppendDecimal(std::string& out, const std::byte* value, std::int32_t scale);

/// A value of any type, nested ones included; null for null.
void AppendValue(std::string& out, const arrow::Array& values, std::int64_t row);

}  // namespace tidemark::server::feast
