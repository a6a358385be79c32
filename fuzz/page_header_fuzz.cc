// Any bytes are read as the header of a Parquet page, or refused; what is left out of their end is missed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "adapters/parquet/page_header.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto header = tidemark::ReadPageHeader(bytes);
  if (!header) return 0;
  TM_CHECK(header->bytes > 0 && header->bytes <= static_cast<std::int64_t>(size),
           "a header lies in its bytes");
  TM_CHECK(header->page_bytes >= 0 && header->unpacked_bytes >= 0, "pages have sizes");
  const auto cut = tidemark::ReadPageHeader(bytes.substr(0, static_cast<std::size_t>(header->bytes) - 1));
  TM_CHECK(!cut.has_value(), "a header that is cut short is none");
  return 0;
}
