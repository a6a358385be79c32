// Any text is read as a type or refused; what is read prints to a text that
// reads as the same type.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/type.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto type = tidemark::DataType::Parse(text);
  if (!type) return 0;
  const auto again = tidemark::DataType::Parse(type->ToString());
  TM_CHECK(again.has_value() && *again == *type, "a type must survive being printed");
  return 0;
}
