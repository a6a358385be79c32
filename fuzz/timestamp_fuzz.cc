// Any text is read as a time or a duration, or refused; what is read prints to
// a text that reads as the same.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "model/time.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of its own size, so that a read beyond its end is seen.
  const auto copy = std::make_unique<char[]>(size);
  for (std::size_t i = 0; i < size; ++i)
    copy[i] = static_cast<char>(data[i]);
  const std::string_view text(copy.get(), size);
  bool cut = false;
  if (const auto us = tidemark::ParseTimestampUs(text, &cut)) {
    TM_CHECK(tidemark::ParseTimestampUs(tidemark::FormatTimestampUs(*us)) == us,
             "a time must survive printing");
  } else {
    TM_CHECK(!cut, "a time that is refused cuts nothing");
  }
  if (const auto us = tidemark::ParseDurationUs(text)) {
    const auto again = tidemark::ParseDurationUs(tidemark::FormatDurationUs(*us));
    TM_CHECK(again.has_value() && *again == *us, "a duration must survive printing");
  }
  return 0;
}
