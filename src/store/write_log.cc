#include "store/write_log.h"

#include <fmt/format.h>

#include <charconv>

namespace tidemark {

std::string FormatLogId(LogId id) {
  return fmt::format("{:016x}", id);
}

std::optional<LogId> ParseLogId(std::string_view text) {
  LogId id = 0;
  if (text.size() != 16) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  // One spelling for each id.
  return FormatLogId(id) == text ? std::optional(id) : std::nullopt;
}

}  // namespace tidemark
