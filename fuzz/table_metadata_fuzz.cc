// Any text is read as a table's metadata, or refused; what was read is written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "adapters/iceberg/table_metadata.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto metadata = tidemark::iceberg::ReadTableMetadata({reinterpret_cast<const char*>(data), size});
  if (!metadata) return 0;
  const std::string json = tidemark::iceberg::WriteTableMetadata(*metadata);
  const auto again = tidemark::iceberg::ReadTableMetadata(json);
  TM_CHECK(again.has_value() && *again == *metadata, "metadata is written and read as it was");
  TM_CHECK(tidemark::iceberg::WriteTableMetadata(*again) == json, "what is written is canonical");
  TM_CHECK(metadata->FindSchema(metadata->current_schema_id) != nullptr, "the current schema is there");
  return 0;
}
