// Headers of Parquet's pages, which stand between the pages of a column chunk in Thrift's compact protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark {

/// What of a page's header says where the page ends and whether it is whole
/// (parquet-format, src/main/thrift/parquet.thrift, struct PageHeader).
struct PageHeader {
  std::int64_t bytes = 0;              // of the header itself
  std::int32_t type = 0;               // 0: data, 1: index, 2: dictionary, 3: data, second version
  std::int64_t page_bytes = 0;         // as they lie in the file
  std::int64_t unpacked_bytes = 0;     // when decompressed
  std::optional<std::uint32_t> crc;    // CRC-32 of the page's bytes as they lie in the file
  std::optional<std::int64_t> values;  // of a page of data, nulls among them
};

/// Reads the header at the beginning of `bytes`. kCorruption if that is no header; kOutOfSpace if it does not
/// end within `bytes`.
Result<PageHeader> ReadPageHeader(std::string_view bytes);

/// The header of a page of data that is not compressed: so many bytes of plain values with their levels, of
/// so many rows.
std::string PlainPageHeader(std::int64_t page_bytes, std::int64_t rows, std::uint32_t crc);

}  // namespace tidemark
