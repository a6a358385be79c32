// The checksum that each row of the registry's file ends with.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/crc32c.h"

namespace tidemark::sqlite {

/// CRC32C over the columns in order: an integer as 8 bytes little-endian, a text as its length and its bytes.
/// `table` comes first, so that a row does not pass in another table.
template <typename... Columns>
std::int64_t RowChecksum(std::string_view table, const Columns&... columns) {
  std::string bytes;
  const auto add_int = [&](std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8)
      bytes.push_back(static_cast<char>(value >> shift));
  };
  const auto add_text = [&](std::string_view text) {
    add_int(text.size());
    bytes += text;
  };
  const auto add = [&](const auto& column) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(column)>>) {
      add_int(static_cast<std::uint64_t>(static_cast<std::int64_t>(column)));
    } else {
      add_text(column);
    }
  };
  add_text(table);
  (add(columns), ...);
  return Crc32c(std::as_bytes(std::span(bytes)));
}

}  // namespace tidemark::sqlite
